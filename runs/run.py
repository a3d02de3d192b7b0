"""What a run is: a pruned network, and what is measured of it; where its files are."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from datasets import about
from graph_encoding import ENCODINGS, EXACT, REFUSE, TOKENS, WITH_TOKENS
from models.own import Source
from pruning import BASELINE, PRUNERS
from training.places import places

from . import naming
from .as_released import has
from .columns import CONFIGURATION, EFFECTIVE, completed
from .measures import MEASURES


@dataclass(frozen=True)
class Network:
    """A pruned network, by how it is made.

    Attributes
    ----------
    model, dataset, pruning : str
    sparsity : float
    seed : int
    training : bool
    epochs, batch_size : int, optional
    lr : float, optional
        Of a trained network; the rest of its schedule follows from model and data set
        (`training.schedules`).
    file : str, optional
        A saved network that is loaded and not made anew, or with a `source` its weights.
    source : Source, optional
        Where a network comes from that is not just one of `models.MODELS`; `model` is its label.
    as_released : str
        What of it is done as the released code does it (`runs.as_released`).
    rounds : int, optional
        In how many it is pruned after it has been trained, if not in one.
    """

    model: str
    dataset: str
    pruning: str
    sparsity: float
    seed: int
    training: bool = False
    epochs: int | None = None
    batch_size: int | None = None
    lr: float | None = None
    file: str | None = None
    source: Source | None = None
    as_released: str = ""
    rounds: int | None = None

    def is_released(self, part: str) -> bool:
        """Whether a part of `as_released.PARTS` is done as the released code does it."""
        return has(self.as_released, part)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return self.source.input_shape if self.source else about(self.dataset).shape

    @property
    def needs_images(self) -> bool:
        """Whether images are opened; otherwise the data set only sets the number of classes."""
        return not self.file and (self.training or PRUNERS[self.pruning].needs_data)

    @property
    def pruner(self) -> str:
        """Which pruner removes weights here: none from a labelled network's, which are given."""
        return BASELINE if self.file and self.source else self.pruning

    @property
    def at_any_sparsity(self) -> Network:
        """What it has in common with the networks that differ from it in their sparsity alone."""
        return replace(self, sparsity=0.0)

    @property
    def settings(self) -> dict[str, float | None]:
        """What is said of its training on the command line."""
        return {"epochs": self.epochs, "batch_size": self.batch_size, "lr": self.lr}

    @property
    def origin(self) -> Source:
        """Where the network comes from, before it is pruned."""
        return self.source or Source(self.model, None, self.input_shape)

    def __str__(self) -> str:
        return naming.line(vars(self))

    @property
    def key(self) -> str:
        """Tells a network from all others, on every machine."""
        return naming.key(vars(self))

    @property
    def stem(self) -> str:
        """What files that belong to the network begin with."""
        return naming.stem(vars(self))

    def checkpoint(self, output_dir: Path) -> Path:
        """Where a training that is under way, or not measured yet, notes how far it is."""
        return output_dir / ".checkpoints" / f"{self.stem}.pt"

    def remove_checkpoints(self, output_dir: Path) -> None:
        """Remove what its training has noted."""
        file = self.checkpoint(output_dir)
        after = PRUNERS[self.pruning].after_training if self.training else False
        for place in (file, *(places(file, self.rounds or 1) if after else ())):
            place.unlink(missing_ok=True)

    def saved_in(self, folder: Path, epoch: int | None = None) -> Path:
        """Where ``--save-snn`` puts the network, as it is at the end or after an epoch."""
        return folder / f"{self.stem}{naming.moment(epoch)}.pt"


@dataclass(frozen=True)
class Measurement:
    """A graph of a network and what is measured on it.

    Attributes
    ----------
    encoding : str
    wiring : str
        One of the encoding's; with `WITH_TOKENS` after it, attention is followed; with `EFFECTIVE`
        at the end, of the network's effective weights alone.
    graph_metrics : str
    epoch : int, optional
        After how many epochs of its training the network is measured, 0 for before; by default as
        it is at the end, trained or not.
    """

    encoding: str
    wiring: str
    graph_metrics: str
    epoch: int | None = None

    def __str__(self) -> str:
        wiring = "" if self.wiring == EXACT else f", {self.wiring} wiring"
        moment = "" if self.epoch is None else f", epoch {self.epoch}"
        return f"{self.encoding} {self.graph_metrics}{wiring}{moment}"

    @property
    def graph_wiring(self) -> str:
        """The wiring, as `graph_encoding.encode` has it."""
        return self.wiring.removesuffix(EFFECTIVE).removesuffix(WITH_TOKENS)

    @property
    def attention(self) -> str:
        """What becomes of attention, as `graph_encoding.encode` has it."""
        return TOKENS if self.wiring.removesuffix(EFFECTIVE).endswith(WITH_TOKENS) else REFUSE

    @property
    def is_effective(self) -> bool:
        """Whether weights that are not effective are removed before the network is encoded."""
        return self.wiring.endswith(EFFECTIVE)

    @property
    def is_bipartite(self) -> bool:
        """Whether there is one graph, and so one row, a layer."""
        return ENCODINGS[self.encoding].bipartite

    def graphs_in(self, folder: Path, network: Network) -> Path:
        """Where ``--save-graph`` puts the graphs of a network."""
        wiring = "" if self.wiring == EXACT else f"-{self.wiring}"
        moment = naming.moment(self.epoch)
        return folder / f"{self.encoding}{wiring}-{network.stem}{moment}.graph.zst"

    def rows_in(self, output_dir: str | Path, network: Network) -> Path:
        """The result file that holds the rows of a network."""
        return _file(output_dir, self.graph_metrics, self.encoding, network.dataset, network.model)


@functools.lru_cache(maxsize=64)  # of the many runs of a sweep, few files
def _file(
    output_dir: str | Path, graph_metrics: str, encoding: str, dataset: str, model: str
) -> Path:
    return MEASURES[graph_metrics].file(output_dir, encoding, dataset, model)


@dataclass(frozen=True)
class Run:
    """One network and its measurements: it is made once and measured in all these ways.

    Attributes
    ----------
    network : Network
    measurements : tuple of Measurement
    again : tuple of Measurement
        Those of which a file has rows, which are replaced.
    """

    network: Network
    measurements: tuple[Measurement, ...]
    again: tuple[Measurement, ...] = ()

    @property
    def shown(self) -> str | None:
        """The encoding whose graph is drawn and reported on: the first multipartite one."""
        return next((m.encoding for m in self.measurements if not m.is_bipartite), None)

    def by_moment(self) -> Iterator[tuple[int | None, list[tuple[str, list[Measurement]]]]]:
        """Measurements of each moment of the training, None for its end, and there of each graph.

        They are together already, in the order of `sweep.plan`.
        """
        for epoch, then in itertools.groupby(self.measurements, key=lambda m: m.epoch):
            graphs = itertools.groupby(then, key=lambda m: m.encoding)
            yield epoch, [(encoding, list(found)) for encoding, found in graphs]

    def trajectories(self) -> list[list[Measurement]]:
        """Measurements of the same kind together, each at all its moments, the last one last."""
        found: dict[Measurement, list[Measurement]] = {}
        for measurement in self.measurements:
            found.setdefault(replace(measurement, epoch=None), []).append(measurement)
        return list(found.values())


def configuration(network: Network, measurement: Measurement) -> dict[str, object]:
    """What a row says of its run.

    Parameters
    ----------
    network : Network
    measurement : Measurement

    Returns
    -------
    dict
        By the columns of `columns.CONFIGURATION`; those of `columns.FOUND` are not known yet.
    """
    said = completed(vars(network) | vars(measurement))
    return {name: said.get(name) for name in CONFIGURATION}
