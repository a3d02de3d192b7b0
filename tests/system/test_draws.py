"""Streams of random numbers."""

import numpy as np

from system import draws

PURPOSES = [(), (0,), (1,), ("a",), ("a", 0), ("a", "b"), ("ab",), ("ab", "", 7), ("é",), (97, 256)]


def test_every_seed_and_purpose_has_a_stream_of_its_own():
    """But for numbers that spell a name, which no caller gives."""
    seeds = (0, 1, 2**32, 2**64 + 1)
    first = {tuple(draws.stream(s, *p).integers(2**63, size=2)) for s in seeds for p in PURPOSES}
    assert len(first) == len(seeds) * (len(PURPOSES) - 1)


def test_streams_are_philox_as_it_was_published():
    """Known answers: ten rounds of Philox 4x64 in Python's whole numbers (Salmon et al., 2011)."""
    sequence = np.random.SeedSequence(3, spawn_key=[*b"masks", 256])
    key = [int(word) for word in sequence.generate_state(2, np.uint64)]
    counter = [1, 0, 0, 0]
    for _ in range(10):
        low, high = counter[0] * 0xD2E7470EE14C6C93, counter[2] * 0xCA5A826395121157
        counter = [
            (high >> 64) ^ counter[1] ^ key[0],
            high % 2**64,
            (low >> 64) ^ counter[3] ^ key[1],
            low % 2**64,
        ]
        key = [(key[0] + 0x9E3779B97F4A7C15) % 2**64, (key[1] + 0xBB67AE8584CAA73B) % 2**64]
    assert draws.stream(3, "masks").bit_generator.random_raw(4).tolist() == counter
