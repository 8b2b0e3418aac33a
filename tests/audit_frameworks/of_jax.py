"""Losses and activations in JAX, each a bug and its twin: `bug` and `twin` begin their names."""

import functools

import jax
import jax.numpy as jnp
import numpy as np


def bug_extreme_inputs_logits_loss(logits, labels):
    p = jax.nn.sigmoid(logits)
    return -jnp.mean(labels * jnp.log(p) + (1 - labels) * jnp.log(1 - p))


def twin_extreme_inputs_logits_loss(logits, labels):
    return -jnp.mean(labels * jax.nn.log_sigmoid(logits) + (1 - labels) * jax.nn.log_sigmoid(-logits))


def bug_zeros_and_edges_root(x):
    return jnp.where(x > 0, jnp.sqrt(1 + x) - 1, 0.0)


def twin_zeros_and_edges_root(x):
    return jnp.where(x > 0, jnp.sqrt(1 + jnp.where(x > 0, x, 0.0)) - 1, 0.0)


def bug_direction_loss(predictions, targets):
    return -jnp.mean((predictions - targets) ** 2)


def twin_direction_loss(predictions, targets):
    return jnp.mean((predictions - targets) ** 2)


def bug_connectivity_stopped_loss(predictions, targets):
    return jnp.mean((jax.lax.stop_gradient(predictions) - targets) ** 2)


def twin_connectivity_stopped_loss(predictions, targets):
    return jnp.mean((predictions - jax.lax.stop_gradient(targets)) ** 2)


def bug_connectivity_number_loss(predictions, targets):
    return jnp.mean((predictions - targets) ** 2) * float(jnp.mean(jnp.abs(predictions)))


def twin_connectivity_number_loss(predictions, targets):
    return jnp.mean((predictions - targets) ** 2)


def bug_connectivity_loop_loss(predictions, targets):
    def halve(x):
        return x / 2

    size = jnp.max(jnp.abs(predictions - targets))
    return jnp.mean((predictions - targets) ** 2) + jax.lax.while_loop(lambda x: x > 1, halve, size)


def twin_connectivity_loop_loss(predictions, targets):
    return jnp.mean((predictions - targets) ** 2)


@jax.jit
def bug_score_space_loss(logits, labels):
    log_p = jax.nn.log_softmax(jax.nn.softmax(logits))
    return -jnp.mean(jnp.take_along_axis(log_p, labels[:, None], 1))


@jax.jit
def twin_score_space_loss(logits, labels):
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1))


def bug_reduction_loss(predictions, targets, reduction="mean"):
    each = jnp.abs(predictions - targets)
    return each if reduction == "none" else jnp.mean(each)


def twin_reduction_loss(predictions, targets, reduction="mean"):
    each = jnp.abs(predictions - targets)
    return each if reduction == "none" else jnp.sum(each) if reduction == "sum" else jnp.mean(each)


def _cubed(of_slope):
    @jax.custom_vjp
    def cubed(x):
        return x**3

    cubed.defvjp(lambda x: (x**3, x), lambda x, back: (of_slope(x) * back,))
    return cubed


_WRONG, _RIGHT = _cubed(lambda x: 2 * x**2), _cubed(lambda x: 3 * x**2)


def bug_backward_cube(x):
    return _WRONG(x) / 10


def twin_backward_cube(x):
    return _RIGHT(x) / 10


def bug_shape_contract_loss(predictions, targets):
    return jnp.mean((predictions - targets) ** 2)


def twin_shape_contract_loss(predictions, targets):
    if predictions.shape != targets.shape:
        raise ValueError(f"shapes differ: {predictions.shape} and {targets.shape}")
    return jnp.mean((predictions - targets) ** 2)


def bug_layout_and_cost_loss(predictions, targets):
    error = jnp.mean((predictions - targets) ** 2)
    return error if error < 1 else 2 * jnp.sqrt(error) - 1


def twin_layout_and_cost_loss(predictions, targets):
    error = jnp.mean((predictions - targets) ** 2)
    return jnp.where(error < 1, error, 2 * jnp.sqrt(jnp.where(error < 1, 1.0, error)) - 1)


def bug_purity_loss(predictions, targets):
    noise = np.random.default_rng().normal(size=predictions.shape)
    return jnp.mean((predictions + 0.01 * noise - targets) ** 2)


def twin_purity_loss(predictions, targets):
    noise = np.random.default_rng(0).normal(size=predictions.shape).astype(predictions.dtype)
    return jnp.mean((predictions - targets) ** 2) + 0.0 * jnp.mean(noise)


def bug_sample_weights_loss(predictions, targets, weights=None):
    weights = jnp.ones_like(targets) if weights is None else weights
    return jnp.sum((weights * (predictions - targets)) ** 2) / jnp.sum(weights)


def twin_sample_weights_loss(predictions, targets, weights=None):
    weights = jnp.ones_like(targets) if weights is None else weights
    return jnp.sum(weights * (predictions - targets) ** 2) / jnp.sum(weights)


class bug_idle_options_loss:
    def __init__(self, delta=1.0):
        self.delta = delta

    def __call__(self, predictions, targets):
        return jnp.mean(jnp.abs(predictions - targets))


class twin_idle_options_loss:
    def __init__(self, delta=1.0):
        self.delta = delta

    def __call__(self, predictions, targets):
        error = jnp.abs(predictions - targets)
        return jnp.mean(jnp.where(error < self.delta, error**2 / 2, self.delta * (error - self.delta / 2)))


@functools.partial(jax.jit, static_argnames="scale")
def twin_compiled_loss(predictions, targets, scale=2.0):
    return scale * jnp.mean((predictions - targets) ** 2)
