"""What several test modules share."""

import gc
import os
import pathlib
import signal
import sys
from typing import Any

# Before torch is loaded, and for all processes that tests start: threads that wait for each other on a busy machine take
# ten times as long, and each of several processes has a core of its own at best.
os.environ["OMP_NUM_THREADS"] = "1"
# Kernels are compiled once for all processes and runs of the tests, and not in the user's own cache.
os.environ.setdefault("SLOPES_CACHE", str(pathlib.Path(__file__).parents[1] / ".pytest_cache" / "slopes"))

import pytest

import scheduling
from helpers import PATIENCE, mark_exhaustive
from slopes.card import Card, Loss
from slopes.catalogue import ACTIVATIONS, CARDS, LOSSES


def unique(cards: dict[str, Card]) -> list[Card]:
    """The cards, each once, whatever its names."""
    return list(dict.fromkeys(cards.values()))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes `card`, `activation` or `loss` for each of them."""
    for argument, cards in (("card", CARDS), ("activation", ACTIVATIONS), ("loss", LOSSES)):
        if argument in metafunc.fixturenames:
            found = unique(cards)
            marker = metafunc.definition.get_closest_marker("sampled")
            values = mark_exhaustive(found, *marker.args, **marker.kwargs) if marker else found
            metafunc.parametrize(argument, values, ids=[card.name for card in found])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    scheduling.order(items)


def pytest_collection_finish() -> None:
    """Spare the garbage collector the thousands of tests, which live to the end; collect rarely, in a tenth less time.

    And spare torch.compile the timing of its guards, for its log alone: it takes more than half of a small compilation.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
    guards = sys.modules.get("torch._dynamo.guards")
    if hasattr(guards, "profile_guard_manager"):
        guards.profile_guard_manager = lambda *_: 0.0


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return one more than there are processors, for tests that wait: for a child, the disk or a browser."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return processors + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    return scheduling.make_scheduler(config, log)


@pytest.fixture(autouse=True)
def limited():
    """A test that hangs fails instead; Windows has no alarms."""
    if not hasattr(signal, "setitimer"):
        yield
        return
    # what `pytest.fail` raises is no Exception, so that code which catches these does not catch it
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail(f"still running after {PATIENCE} seconds"))
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def browser():
    """A browser, shared by the tests of a module."""
    from chromium import Browser

    opened = Browser()
    yield opened
    opened.driver.quit()


@pytest.fixture(scope="module")
def browser_without_scripts():
    from chromium import Browser

    opened = Browser(scripts=False)
    yield opened
    opened.driver.quit()


@pytest.fixture
def example():
    """Arguments for a card: small random float64 tensors away from kinks."""
    import numpy as np
    import torch

    def make(card: Card, shape=(4, 3), seed=0):
        rng = np.random.default_rng(seed)
        if isinstance(card, Loss):
            if card.kind.has_fixed_shape:  # images are large enough
                shape = (min(shape[0], 2), *shape[1:])
            pixels = (5,) if "overlap" in card.kind.name else ()
            arguments = card.kind.examples(card.settings).sample(rng, (*shape[:-1], *pixels, shape[-1]))
        else:
            shape = (*shape[:-1], getattr(card, "parts", 1) * shape[-1])
            arguments = (rng.uniform(0.2, 2, shape) * rng.choice([-1, 1], shape),)
        return tuple(torch.from_numpy(np.array(argument)) for argument in arguments)

    return make
