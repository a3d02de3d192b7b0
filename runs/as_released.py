"""What of a run is done as the paper's released code does it: the parts of ``--as-released``.

A run says so in its column ``as_released``: the parts in their order, joined by ``+``, or nothing.
"""

from __future__ import annotations

PARTS = {
    "pruner": "er, erk, snip, grasp and prospr by their released arithmetic",
    "batches": "pruners see augmented images",
    "images": "statistics and scaling of the released loaders",
}
JOINT = "+"
ALL = JOINT.join(PARTS)


def parts_of(text: str) -> str:
    """The parts that a text names, in their order.

    Parameters
    ----------
    text : str
        Names of `PARTS`, joined by ``+``; empty for none.

    Returns
    -------
    str
        The same for the same parts.

    Raises
    ------
    ValueError
        If it names anything else.

    Examples
    --------
    >>> parts_of("images+pruner")
    'pruner+images'
    """
    named = text.split(JOINT) if text else []
    if unknown := [name for name in named if name not in PARTS]:
        raise ValueError(f"{unknown[0]!r}: choose from {', '.join(PARTS)}, joined by {JOINT}")
    return JOINT.join(name for name in PARTS if name in named)


def has(made: str, part: str) -> bool:
    """Whether a part is among those of a run.

    Parameters
    ----------
    made : str
        What the run's column says.
    part : str
        A key of `PARTS`.
    """
    return part in made.split(JOINT)
