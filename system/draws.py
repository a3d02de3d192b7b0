"""Random numbers that are the same on every machine: NumPy's, a stream of its own for each purpose.

What torch draws depends on the processor (its normal numbers come from vectorised code of several
kinds). Philox is a counter put through integer arithmetic, and NumPy keeps its stream as it is.
"""

import numpy as np

END = 256  # not a byte: where a name ends


def stream(seed: int, *purpose: str | int) -> np.random.Generator:
    """Return a generator whose numbers depend on its arguments and nothing else.

    Streams of different seeds or purposes are independent of each other.

    Parameters
    ----------
    seed : int
        Not negative.
    *purpose : str or int
        What is drawn, from the general to the particular, such as ``"weights", "conv1.weight"``;
        numbers are not negative.

    Returns
    -------
    numpy.random.Generator
        Philox (Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011).
    """
    key: list[int] = []
    for part in purpose:
        key += [*part.encode(), END] if isinstance(part, str) else [part]
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=key)))
