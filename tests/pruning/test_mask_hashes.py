"""The same first weights and masks, bit for bit, whatever the processor and number of threads."""

import pytest

from pruning import PRUNERS
from tests import mask_hashes

CHOICES = {
    "small": ["weights", *PRUNERS],
    "Resnet-20": ["weights", "snip", "erk"],
}
"""What takes no time. ``python -m tests.mask_hashes`` has all."""


OTHERS = ["basic", "avx2"]
"""Other processors; older instructions are slow."""


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("network", CHOICES)
def test_weights_and_masks_are_those_of_every_machine(network):
    known = mask_hashes.known()[network]
    for choice in CHOICES[network]:
        assert mask_hashes.fingerprint(network, choice) == known[choice], choice


@pytest.mark.parametrize("setting", OTHERS)
def test_they_are_those_of_other_processors_and_of_two_threads(setting, long):
    """Torch reads once what to compute for, so in processes of their own."""
    if setting != OTHERS[0] and not long:
        pytest.skip("--long runs it: more modern than the other")
    known, wanted = mask_hashes.known(), CHOICES | {"Resnet-20": ["weights", "erk"]}
    found = list(mask_hashes.computed(setting, wanted))
    assert [choice for _, choice, _ in found] == [c for choices in wanted.values() for c in choices]
    for network, choice, fingerprint in found:
        assert fingerprint == known[network][choice], (network, choice)
