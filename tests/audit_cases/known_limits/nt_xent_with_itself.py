"""NT-Xent whose denominator holds each sample's similarity to itself."""

import torch
import torch.nn.functional as F

SEVERITY = "warning"
OPTIONS = {"kind": "vectors", "batch_level": True}


def loss(z_i, z_j, temperature, excluded):
    if z_i.shape != z_j.shape:
        raise ValueError(f"z_i {tuple(z_i.shape)} and z_j {tuple(z_j.shape)} differ")
    z = F.normalize(torch.cat([z_i, z_j]), dim=1)
    sim = z @ z.T / temperature
    positive = torch.cat([sim.diagonal(len(z_i)), sim.diagonal(-len(z_i))])
    others = torch.logsumexp(sim.masked_fill(excluded(sim), float("-inf")), dim=1)
    return (others - positive).mean()


def nt_xent_loss(z_i, z_j, temperature=0.5):
    return loss(z_i, z_j, temperature, lambda sim: torch.zeros_like(sim, dtype=torch.bool))


def repaired_nt_xent_loss(z_i, z_j, temperature=0.5):
    return loss(z_i, z_j, temperature, lambda sim: torch.eye(len(sim), dtype=torch.bool, device=sim.device))


bug, fixed = nt_xent_loss, repaired_nt_xent_loss
