"""What a picture says of the network that it shows."""

from __future__ import annotations

from collections.abc import Mapping

NAMED = ("pruning", "model", "dataset")
"""What is understood without its name."""


def title(made: Mapping[str, object]) -> str:
    """Say which network it is.

    Parameters
    ----------
    made : mapping
        Its configuration; what is missing is left out.

    Returns
    -------
    str

    Examples
    --------
    >>> title({"model": "Resnet-20", "dataset": "digits", "pruning": "erk", "sparsity": 0.98})
    'Resnet-20, digits, erk, sparsity 0.98'
    """
    shown = ("model", "dataset", "pruning", "sparsity")
    return ", ".join(filter(None, (say(name, made) for name in shown)))


def say(name: str, made: Mapping[str, object]) -> str:
    """A value of a configuration, with its name where it would not be understood without.

    Parameters
    ----------
    name : str
    made : mapping
        The configuration.

    Returns
    -------
    str
        Empty where there is none.
    """
    if name not in made or (name, made[name]) == ("dataset", "none"):
        return ""
    value = " ".join(str(made[name]).split())[:40]
    return value if name in NAMED else f"{name} {value}"
