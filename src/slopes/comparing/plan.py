"""Plan of a study: its runs, and their keys in the record."""

from __future__ import annotations

import hashlib
import json
import math
import platform
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import version
from typing import Any

import slopes
from slopes.comparing import arguments, identity
from slopes.comparing.deadline import Deadline
from slopes.comparing.feeding import Feed, Unfit, feed
from slopes.comparing.job import Cell, Job, divided
from slopes.comparing.memory import free_memory
from slopes.comparing.metrics import Metric, metrics_of, scaled
from slopes.comparing.optimizers import OPTIMIZERS
from slopes.comparing.own_metrics import own_metrics
from slopes.comparing.plain import OWN
from slopes.comparing.settings import Settings, settings_of
from slopes.comparing.statistics import LOOKS, InterimLook, Resampled
from slopes.loading import describe

LADDER = tuple(float(f"{digit}e{power}") for power in range(-6, 4) for digit in (1, 3))  #: rates of a default grid
STEPS = 2  #: most steps that a default grid is extended by, on either side
#: most runs side by side: a larger stack gains little, and a kill loses more
STACK = 60


@dataclass(frozen=True, eq=False)
class Plan:
    job: Job
    settings: Settings
    training: dict[str, Any]  #: identity of the options that change a number, from before their objects train
    baseline: tuple[int, int]  #: indices of its activation and its loss
    steps: tuple[int, int] = (0, 0)  #: by which a default grid of rates is extended, downwards and upwards
    added: int = 0  #: times that ``seeds="auto"`` has added seeds
    _keys: dict[Cell, str] = field(default_factory=dict, repr=False)

    @property
    def seeds(self) -> tuple[int, ...]:
        if isinstance(self.settings.seeds, str):
            return tuple(range(LOOKS[self.added].seeds))
        return tuple(self.settings.seeds)  # type: ignore[arg-type]

    @property
    def looks(self) -> tuple[InterimLook, ...]:
        return LOOKS[: self.added + 1] if isinstance(self.settings.seeds, str) else ()

    def with_more_seeds(self) -> Plan:
        """Plan of the next look; itself if there is none."""
        is_last = not self.looks or len(self.looks) == len(LOOKS)
        return self if is_last else replace(self, added=self.added + 1)

    @property
    def rates(self) -> tuple[float, ...]:
        if self.settings.rates is not None:
            return tuple(self.settings.rates)
        name = self.job.optimizer if callable(self.job.optimizer) else settings_of(self.job.optimizer)[0]
        (low, high), (down, up) = OPTIMIZERS.get(name, OPTIMIZERS["adam"]).grid, self.steps
        return LADDER[LADDER.index(low) - down : LADDER.index(high) + up + 1]

    def extended(self, edges: Collection[str]) -> Plan:
        """Plan with one more rate at each of the edges, "lowest" or "highest"; itself if the grid cannot grow there."""
        if self.settings.rates is not None:
            return self
        down, up = (min(n + (edge in edges), STEPS) for n, edge in zip(self.steps, ("lowest", "highest"), strict=True))
        return self if (down, up) == self.steps else replace(self, steps=(down, up))

    @cached_property
    def names(self) -> dict[str, list[str]]:
        return {"activation": arguments.names(self.job.activations), "loss": arguments.names(self.job.losses)}

    def title(self, cell: Cell) -> str:
        return f"{self.names['activation'][cell.activation]} x {self.names['loss'][cell.loss]}"

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        own = own_metrics(self.job.metrics, self.job.task)
        chosen = metrics_of(self.job.task) + scaled(own, self.job.task)
        for name, count in Counter(metric.name for metric in chosen).items():
            if count > 1:
                raise ValueError(
                    f"compare: there are two metrics {name!r}, the task's own included; leave one out, or rename yours."
                )
        return chosen

    @cached_property
    def _fits(self) -> list[Feed | str]:
        """Feed of each loss, or the reason why it does not fit."""
        found: list[Feed | str] = []
        for loss in self.job.losses:
            try:
                found.append(feed(loss, self.job.task))
            except Unfit as error:
                found.append(str(error))
            except Exception as error:  # a user's loss may raise anything
                raise ValueError(f"compare: {loss.name} fails on torch tensors: {describe(error)}") from error
        return found

    @property
    def feeds(self) -> list[Feed | None]:
        return [None if isinstance(fit, str) else fit for fit in self._fits]

    @cached_property
    def unfit(self) -> dict[tuple[int, int], str]:
        """Reasons by (activation, loss)."""
        return {
            (a, b): fit
            for b, fit in enumerate(self._fits)
            if isinstance(fit, str)
            for a in range(len(self.job.activations))
        }

    @property
    def resampled(self) -> Resampled | None:
        if not self.job.task.resampled:
            return None
        parts = self.job.task.split(self.seeds[0])
        return Resampled(len(parts.train), len(parts.test))

    @cached_property
    def versions(self) -> dict[str, str]:
        """Versions of the packages that may change a number."""
        named = {name: version(name) for name in ("torch", "numpy", "scipy", "scikit-learn")}
        return {"slopes": slopes.__version__, **named}

    @property
    def machine(self) -> dict[str, str]:
        return {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}

    @cached_property
    def cells(self) -> list[Cell]:
        return [
            Cell(a, b, rate, seed)
            for b in range(len(self.job.losses))
            for a in range(len(self.job.activations))
            if (a, b) not in self.unfit
            for rate in self.rates
            for seed in self.seeds
        ]

    def cell(self, activation: str, loss: str, rate: float, seed: int) -> Cell:
        return Cell(self.names["activation"].index(activation), self.names["loss"].index(loss), rate, seed)

    def chunks(self, recorded: Collection[str], workers: int) -> list[Sequence[Cell]]:
        """Chunks of the cells left: as few as `STACK` allows, equal, and a multiple of the workers, so none waits."""
        left = [cell for cell in self.cells if self.key(cell) not in recorded]
        if not left:
            return []
        if self.settings.minutes is not None:
            left.sort(key=lambda cell: cell.seed)  # so that as few seeds as can be are incomplete when time is over
        count = min(math.ceil(math.ceil(len(left) / STACK) / workers) * workers, len(left))
        return divided(left, count)

    def spec(self, cell: Cell) -> dict[str, Any]:
        """Everything that a run's numbers depend on."""
        job = self.job
        return {
            "activation": self._identities["activation"][cell.activation],
            "loss": self._identities["loss"][cell.loss],
            "rate": cell.rate,
            "seed": cell.seed,
            "network": job.network.digest,
            "data": job.task.fingerprint,
            "training": self.training,
            "versions": self.versions,
        }

    def key(self, cell: Cell) -> str:
        """Digest of the spec."""
        if cell not in self._keys:
            canonical = json.dumps(self.spec(cell), sort_keys=True, separators=(",", ":"))
            self._keys[cell] = hashlib.sha256(canonical.encode()).hexdigest()
        return self._keys[cell]

    @cached_property
    def _identities(self) -> dict[str, list[Any]]:
        job = self.job
        fitting = [
            identity.of_loss(loss, job.task) if found is not None else None
            for loss, found in zip(job.losses, self.feeds, strict=True)
        ]
        return {"activation": [identity.of_activation(each) for each in job.activations], "loss": fitting}


def make_plan(settings: Settings) -> Plan:
    """Plan the study; TypeError or ValueError if something does not fit."""
    from slopes.comparing import networks, tasks, training

    chosen = arguments.activations(settings.activations)
    task = tasks.resolve(
        settings.data, target=settings.target, task=settings.task, resampled=settings.resample,
        drop=settings.drop or (), groups=settings.groups, order=settings.order,
    )  # fmt: skip
    losses = arguments.losses(settings.losses, task.kind)
    network = networks.resolve(
        settings.model, task, replace=settings.replace, output=settings.output, replaces=chosen != (OWN,)
    )
    if network.takes and OWN in chosen:
        raise ValueError(f"compare: {network.name} takes its activations, so it has none of its own to keep.")
    task = task.with_classes(network.classes)
    job = Job(
        chosen, losses, network, task, **settings.training,
        time_limit=settings.time_limit or math.inf,
        memory=(1e6 * settings.memory_limit if settings.memory_limit else free_memory() / 2) / settings.processes,
    )  # fmt: skip
    for seed in possible_seeds(settings):
        task.split(seed)  # raises if groups cannot be dealt
    against = arguments.baseline(settings.baseline, {"activation": chosen, "loss": losses})
    plan = Plan(job, settings, _identity_of(settings), against)
    with Deadline(job.time_limit * (len(chosen) + len(losses))):
        _ = plan.names, plan.metrics, plan.unfit, plan._identities  # raises for functions that cannot be trained
    if not plan.cells:
        raise ValueError(f"compare: no loss fits {task.name}: {'; '.join(dict.fromkeys(plan.unfit.values()))}")
    if against in plan.unfit:
        if settings.baseline is not None:
            raise ValueError(f"compare: the baseline cannot be trained: {plan.unfit[against]}")
        plan = replace(plan, baseline=plan.cells[0][:2])
    with Deadline(job.time_limit):
        training.try_functions(job, plan.cells[0])
    return plan


def possible_seeds(settings: Settings) -> Sequence[int]:
    """Seeds of a study, also seeds that may be added."""
    return range(LOOKS[-1].seeds) if isinstance(settings.seeds, str) else settings.seeds  # type: ignore[return-value]


def _identity_of(settings: Settings) -> dict[str, Any]:
    given = {
        name: identity.digest(identity.code(value)) if callable(value) or name == "metrics" else value
        for name, value in settings.training.items()
    }
    return given | {"code": identity.of_training()}
