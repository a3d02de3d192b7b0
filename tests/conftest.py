"""Settings shared by all tests."""

import contextlib
import os
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import warm
from hypothesis import HealthCheck, settings

from system import workers

HERE = Path(__file__).parent
PLACE = pytest.StashKey[str]()

# Tests import matplotlib themselves, which a name of what is not installed would stop.
os.environ.pop("MPLBACKEND", None)

LONGEST = (
    *("sweep/test_sweep.py", "graph_data/test_study.py", "test_adding.py", "test_scripts.py"),
    *("graph_data/test_digits_study.py", "graph_data/test_study_sections.py", "test_main.py"),
    *("test_tour.py", "graph_encoding/test_torchvision.py", "figures/test_multipartite.py"),
    *("sweep/test_execution.py", "pruning/test_mask_hashes.py", "runs/test_results_killed.py"),
    *("pruning/test_synflow.py", "training/test_checkpoints.py", "pruning/test_prune.py"),
)
"""Files that take half of the time: begun first, none is still at work when all others are done."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    place = {str(HERE / name): number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(str(item.path), len(place)))


settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("repeatable")


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Small batches: threads would cost more than they bring, and sums stay in one order."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def among_nets(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty folder to work in, with the module `nets`, which is `NETS` of the test's file."""
    from command_line import asked

    asked._images.cache_clear()
    (tmp_path / "nets.py").write_text(request.module.NETS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "nets", raising=False)


@pytest.fixture
def few_digits(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let the digits be their first so many, in training and in test."""
    from datasets import digits

    whole = digits.load_digits

    def use(count: int) -> None:
        def few(*args: object, **kwargs: object):
            found = whole(*args, **kwargs)
            found.images, found.labels = found.images[:count], found.labels[:count]
            return found

        monkeypatch.setattr(digits, "load_digits", few)

    return use


@pytest.fixture
def job(capsys: pytest.CaptureFixture) -> Callable[..., tuple[int, str, str]]:
    """Run main.py's `main`; gives exit status, stdout, stderr."""
    import main

    def run(*argv: str) -> tuple[int, str, str]:
        capsys.readouterr()
        return main.main(argv), *capsys.readouterr()

    return run


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node) -> None:
    """Where several processes run the tests they share a `warm_python`, which lives as long."""
    config = node.config
    if PLACE not in config.stash:
        stack = contextlib.ExitStack()
        config.stash[PLACE] = stack.enter_context(warm.place())
        config.add_cleanup(stack.close)
    node.workerinput["warm"] = config.stash[PLACE]


@pytest.fixture(scope="session")
def warm_python(request: pytest.FixtureRequest) -> Iterator[warm.Python]:
    """Python that has imported the program: starts programs in a tenth of the time."""
    place = getattr(request.config, "workerinput", {}).get("warm")
    with contextlib.nullcontext(warm.shared(place)) if place else warm.python() as python:
        yield python


@pytest.fixture
def warm_workers(warm_python: warm.Python, monkeypatch: pytest.MonkeyPatch) -> None:
    """The workers that this process starts begin at once."""
    start = types.SimpleNamespace(Popen=warm_python.popen, DEVNULL=subprocess.DEVNULL)
    monkeypatch.setattr(workers, "subprocess", start)
