"""Settings shared by the tests and by the examples in docstrings, which pytest runs as well."""

import os
import sys
from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits

# Without bytecode every process that tests start would compile all sources anew, and they start
# hundreds. It is beside the sources, as is the compiled code of numba.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# These need packages that the program does not, and a conftest is no module of a room.
collect_ignore_glob = [
    "*conftest.py",
    "graph_encoding/exports/*",
    "scripts/*",
    "tests/benchmarks/*",
    "tests/gpu/*",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let ``--long`` ask for the long form of tests that have one."""
    parser.addoption("--long", action="store_true", help="run tests that attack in their long form")


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    """Whether the long form is asked for."""
    return request.config.getoption("--long")


@pytest.fixture(scope="session", autouse=True)
def single_blas_thread() -> Iterator[None]:
    """Small matrices are solved many times faster by one thread than by several on a busy CPU."""
    with threadpool_limits(1, user_api="blas"):
        yield


@pytest.fixture(autouse=True)
def folder_of_its_own(request: pytest.FixtureRequest) -> None:
    """An example writes its files there."""
    if isinstance(request.node, pytest.DoctestItem):
        tmp_path = request.getfixturevalue("tmp_path")
        request.getfixturevalue("monkeypatch").chdir(tmp_path)
