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
    known = mask_hashes.known()
    for network, choices in CHOICES.items():
        if setting != "one thread" and network != "small":
            choices = ["weights", "erk"]  # older instructions are too slow for more
        found = dict(mask_hashes.computed(setting, network, choices))
        assert found == {choice: known[network][choice] for choice in choices}, network
