"""What libraries read from the environment once, when they are loaded or first used."""

from __future__ import annotations

import os
from collections.abc import MutableMapping

SETTINGS = {
    "OMP_WAIT_POLICY": "passive",  # threads that wait leave the core to others, and do not spin
    # Of what a killed process leaves, which the system has cleaned up by then.
    "PYTHONWARNINGS": "ignore:resource_tracker",
    "THP_MEM_ALLOC_ENABLE": "1",  # of torch: large tensors in pages of 2 MB, where Linux has them
}


def prepare(environment: MutableMapping[str, str] = os.environ) -> None:
    """Set what the user has not set; of use before torch is imported, and to child processes."""
    for name, value in SETTINGS.items():
        environment.setdefault(name, value)
