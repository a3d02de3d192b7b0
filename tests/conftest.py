"""Settings shared by all tests.

This file also puts the folder ``tests`` on the import path, for the helper modules that several
rooms share (`networks`, `reference`, `oracle`, `pairs`, `golden`).
"""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("repeatable")
