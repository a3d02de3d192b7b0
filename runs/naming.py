"""What a run is called: in lines, titles, labels and file names.

Every function takes a mapping: a row of a result file, a saved configuration, the fields of a
`run.Network`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from datasets import NONE
from graph_encoding import ENCODINGS, WITH_TOKENS
from system import text

from .cells import format_cell
from .columns import EFFECTIVE, IDENTITY, completed

Configuration = Mapping[str, object]

NETWORK = tuple(name for name in IDENTITY if name not in ("encoding", "wiring", "epoch"))
"""What tells one network from another, whatever the moment of its training."""

TELLING = (
    *("pruning", "sparsity", "seed", "as_released", "rounds", "training", "epoch"),
    *("model", "dataset"),
)
"""What labels say of a network, where it differs."""

NAMED = ("pruning", "model", "dataset")
"""What is understood without its name."""


def key(made: Configuration) -> str:
    """What tells a network from all others, on every machine."""
    return ",".join(format_cell(made[name]) for name in NETWORK)


def stem(made: Configuration) -> str:
    """What files that belong to a network begin with."""
    parts = [made[name] for name in ("model", "dataset", "pruning", "sparsity", "seed")]
    if made["as_released"]:
        parts += ["released", made["as_released"]]
    if made.get("rounds"):
        parts += ["rounds", made["rounds"]]
    if made["training"]:
        parts += ["trained", *(made[name] for name in ("epochs", "batch_size", "lr"))]
    return text.file_name("-".join(map(str, parts)))


def moment(epoch: int | None) -> str:
    """What names of files of one moment of a training end with; nothing for the last one."""
    return "" if epoch is None else f"-epoch-{epoch}"


def line(made: Configuration) -> str:
    """A network in a log, in few words."""
    parts = [made[name] for name in ("model", "dataset", "pruning")]
    parts += [f"{made['sparsity']:g}", f"seed {made['seed']}"]
    released = ", as released" if made["as_released"] else ""
    rounds = f", {made['rounds']} rounds" if made.get("rounds") else ""
    return " ".join(map(str, parts)) + released + rounds + (", trained" if made["training"] else "")


def network_of(made: Configuration) -> str:
    """The model, and the data set if there is one."""
    return f"{made['model']} for {made['dataset']}" if made["dataset"] != NONE else made["model"]


def heading(row: Configuration) -> str:
    """Say above a summary which run it is, in two lines; of a row that has been measured."""
    trained = f"trained, test accuracy {row['accuracy']:.4f}" if row["training"] else "untrained"
    if row["training"] and (epoch := completed(row)["epoch"]) != row["epochs"]:
        trained = f"epoch {epoch} of {row['epochs']}, test accuracy {row['accuracy']:.4f}"
    released = f"as released ({row['as_released']}), " if row.get("as_released") else ""
    released += f"{row['rounds']} rounds, " if row.get("rounds") else ""
    is_bipartite = ENCODINGS[row["encoding"]].bipartite
    wiring = row["wiring"].removesuffix(EFFECTIVE)
    graphs = "graphs" if is_bipartite else f"graph, {wiring.removesuffix(WITH_TOKENS)} wiring"
    graphs += ", attention followed" * wiring.endswith(WITH_TOKENS)
    graphs += ", effective weights only" * row["wiring"].endswith(EFFECTIVE)
    return (
        f"{network_of(row)}, {row['pruning']}, sparsity {row['sparsity']} "
        f"(achieved {row['achieved_sparsity']:.6f}), seed {row['seed']}, {released}{trained}\n"
        f"{row['encoding']} {graphs}"
    )


def page_title(row: Configuration) -> str:
    """Say in the title of a page which network it is."""
    return f"{network_of(row)}: {row['pruning']}, sparsity {row['sparsity']}, seed {row['seed']}"


def title(made: Configuration) -> str:
    """Say above a picture which network it is.

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
    return _said(("model", "dataset", "pruning", "sparsity"), made)


def labels(several: Sequence[Configuration]) -> list[str]:
    """Say of each of several networks what tells it from the others: its pruner, more if need be.

    Parameters
    ----------
    several : sequence of mapping
        Their configurations; what is missing is left out.

    Returns
    -------
    list of str
        Not all different where configurations are the same; empty where nothing is known.
    """
    several = [completed(made) for made in several]
    values = {
        name: {str(made[name]) for made in several if made.get(name) is not None}
        for name in TELLING
    }
    shown = [name for name in TELLING if name == "pruning" or len(values[name]) > 1]
    return [_said(shown, made) for made in several]


def _said(names: Sequence[str], made: Configuration) -> str:
    """Values of a configuration, with their names where they would not be understood without."""
    parts = []
    for name in names:
        if made.get(name) not in (None, "") and (name, made[name]) != ("dataset", NONE):
            value = text.one_line(made[name])[:40]
            parts.append(value if name in NAMED else f"{name.replace('_', ' ')} {value}")
    return ", ".join(filter(None, parts))
