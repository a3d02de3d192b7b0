"""The same first weights and masks, bit for bit, whatever the processor and number of threads."""

import pytest

from pruning import PRUNERS
from tests import mask_hashes

CHOICES = {
    "small": ["weights", *PRUNERS],
    "Resnet-20": ["weights", "snip", "erk"],
}
"""What takes no time. ``python -m tests.mask_hashes`` has all."""


@pytest.mark.parametrize("setting", ["basic", "avx2", "one thread"])
def test_weights_and_masks_are_those_of_every_machine(setting):
    wanted = dict(CHOICES)
    if setting != "one thread":
        wanted["Resnet-20"] = ["weights", "erk"]  # older instructions are too slow for more
    known = mask_hashes.known()
    for network, choice, found in mask_hashes.computed(setting, wanted):
        assert found == known[network][choice], (network, choice)
        wanted[network] = [other for other in wanted[network] if other != choice]
    assert not any(wanted.values())
