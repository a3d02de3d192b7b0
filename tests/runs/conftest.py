"""A small process, which forks in a millisecond: tests of result files kill hundreds."""

from collections.abc import Callable, Iterator

import pytest
import warm


@pytest.fixture(scope="package")
def small_python() -> Iterator[warm.Python]:
    """Python that has imported what writes result files, and not the program."""
    with warm.python(modules=["pytest", "runs.results", "system.files"]) as python:
        yield python


@pytest.fixture
def in_small_process(small_python: warm.Python) -> Callable[..., None]:
    """Call a function of a module of tests there; it shows here what it prints."""

    def call(function: Callable[..., None], *arguments: object) -> None:
        module = f"tests.runs.{function.__module__.rpartition('.')[2]}"
        code = f"from {module} import {function.__name__} as call\ncall(*{arguments!r})"
        done = small_python.run("-c", code, cwd=warm.ROOT)
        print(done.stdout, end="")
        assert not done.returncode, done.stderr

    return call
