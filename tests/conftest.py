"""Settings shared by all tests.

This file also puts the folder ``tests`` on the import path, for the helper modules that several
rooms share (`networks`, `reference`, `oracle`, `pairs`, `golden`).
"""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from threadpoolctl import threadpool_limits

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


@pytest.fixture(scope="session", autouse=True)
def single_blas_thread() -> Iterator[None]:
    """Small matrices are solved many times faster by one thread than by several on a busy CPU."""
    with threadpool_limits(1, user_api="blas"):
        yield
