"""Settings shared by all tests."""

import os
from collections.abc import Iterator

import pytest
import warm
from hypothesis import HealthCheck, settings

# Tests import matplotlib themselves, which a name of what is not installed would stop.
os.environ.pop("MPLBACKEND", None)

settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def warm_python() -> Iterator[warm.Python]:
    """Python that has imported the program: starts programs in a tenth of the time."""
    with warm.python() as python:
        yield python
