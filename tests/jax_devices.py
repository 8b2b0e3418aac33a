"""Compare cards over two devices of JAX with the same on one; `test_jax.py` runs it in a process with two CPU devices.

It prints the name of each card that agrees, and raises at the first that does not.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import slopes
from helpers import unreduced
from slopes.card import Loss

DEVICES = 2
CARDS = (
    "relu gelu",
    "softmax sparsemax geglu",
    "mse huber binary_cross_entropy cross_entropy dice nt_xent",
)


def sample(card):
    """Arguments for each device, stacked, in float32."""
    rng = np.random.default_rng(0)
    if not isinstance(card, Loss):
        return [jnp.asarray(rng.uniform(-2, 2, (DEVICES, 3, 4 * card.parts)), jnp.float32)]
    shape = (4, 5, 3) if "overlap" in card.kind.name else (4, 3)
    batches = [card.kind.examples(card.settings).sample(rng, shape) for _ in range(DEVICES)]
    stacked = [np.stack(arrays) for arrays in zip(*batches, strict=True)]
    return [jnp.asarray(np.float32(x) if x.dtype.kind == "f" else x) for x in stacked]


def assert_near(came, wanted, name):
    """Within a few units of float32 of the largest entry: programs for one and for two devices may round differently."""
    wanted = np.asarray(wanted)
    np.testing.assert_allclose(came, wanted, rtol=0, atol=32 * 2.0**-24 * (abs(wanted).max() + 1e-3), err_msg=name)


def assert_all_near(came, wanted, name):
    for place, (one, other) in enumerate(zip(jax.tree.leaves(came), jax.tree.leaves(wanted), strict=True)):
        assert_near(one, other, f"{name}, result {place}")


def check_pmap(card, arguments):
    """Values, gradients, gradients of gradients, and the mean over all devices beside them."""
    shape = unreduced(card)(*(x[0] for x in arguments)).shape
    factors = jnp.asarray(np.random.default_rng(1).standard_normal(shape))

    def total(x, *rest):
        return (factors * unreduced(card)(x, *rest)).sum()

    def squared_slope(x, *rest):
        return jnp.square(jax.grad(total)(x, *rest)).sum()

    def run(*given):
        value = unreduced(card)(*given)
        return value, jax.grad(total)(*given), jax.grad(squared_slope)(*given)

    def run_with_mean(*given):
        return run(*given), jax.lax.psum(jax.value_and_grad(total)(*given), "devices")

    came, sums = jax.pmap(run_with_mean, axis_name="devices")(*arguments)
    wanted = [jax.jit(run)(*(x[place] for x in arguments)) for place in range(DEVICES)]
    assert_all_near(came, jax.tree.map(lambda *parts: np.stack(parts), *wanted), f"{card.name} under pmap")
    first = sum(float(total(*(x[place] for x in arguments))) for place in range(DEVICES))
    gradient = sum(np.asarray(each[1]) for each in wanted)
    for place in range(DEVICES):
        assert_near(sums[0][place], first, f"psum of {card.name}")
        assert_near(sums[1][place], gradient, f"psum of the gradient of {card.name}")


def check_sharding(card, arguments):
    """A batch whose rows lie on two devices, which computing leaves there."""
    rows = [x.reshape(-1, *x.shape[2:]) for x in arguments]
    sharding = NamedSharding(Mesh(np.array(jax.devices()), ("rows",)), PartitionSpec("rows"))
    function = card if isinstance(card, Loss) else (lambda x: jnp.square(card(x)).mean())
    run = jax.jit(lambda *given: (unreduced(card)(*given), *jax.value_and_grad(function)(*given)))
    came = run(*(jax.device_put(x, sharding) for x in rows))
    assert_all_near(came, run(*rows), f"{card.name} of a sharded batch")
    assert len(came[2].sharding.device_set) == DEVICES


def main():
    assert jax.device_count() == DEVICES, jax.devices()
    for name in " ".join(CARDS).split():
        card = getattr(slopes, name)
        arguments = sample(card)
        check_pmap(card, arguments)
        check_sharding(card, arguments)
        print(name)


if __name__ == "__main__":
    main()
