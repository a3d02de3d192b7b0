"""What predictors are called in all plots of the study, and how they look."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import cycle
from typing import NamedTuple

import numpy as np
import pandas as pd

from figures.style import OTHERS, PALETTE
from graph_encoding import ENCODINGS


class Look(NamedTuple):
    """What a predictor's line is called, its colour and its marker."""

    label: str
    colour: str
    marker: str


def ends(values: pd.DataFrame, name: str) -> np.ndarray:
    """Lengths of error bars, shape (2, n): of the clustered interval, or where there is none of
    that which takes configurations (of rankings, cells) for independent."""
    low, high = (
        values[f"{name}_cluster_{end}"].fillna(values[f"{name}_{end}"]) for end in ("low", "high")
    )
    return np.maximum([values[name] - low, high - values[name]], 0)


RAMANUJAN, DENSITY = "ramanujan", "density"
METRICS = {
    DENSITY: "layer density",
    "imdb": "IMDB",
    "iterative_spectral_gap": "iterative spectral gap",
}


def looks(predictors: Iterable[str]) -> dict[str, Look]:
    """How predictors look.

    Parameters
    ----------
    predictors : iterable of str
        Names, as in the tables.

    Returns
    -------
    dict of str to Look
        Multipartite encodings first; what the registry does not know is left out. An encoding
        without a colour has what is free.
    """
    found, free = {}, cycle(OTHERS)
    for name, kind in sorted(ENCODINGS.items(), key=lambda item: item[1].bipartite):
        label = f"{name} ({'bipartite' if kind.bipartite else 'multipartite'})"
        own = (PALETTE[kind.colour], kind.marker) if kind.colour else next(free)
        found[name] = Look(label, *own)
    found |= {
        RAMANUJAN: Look("Ramanujan metrics", PALETTE["green"], "^"),
        DENSITY: Look(METRICS[DENSITY], PALETTE["pink"], "P"),
        "sparsity": Look("sparsity alone", PALETTE["black"], "x"),
    }
    wanted = set(predictors)
    return {name: look for name, look in found.items() if name in wanted}
