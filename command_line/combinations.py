"""Which flags go together: what one of them needs or makes useless of the others."""

from __future__ import annotations

import argparse

from datasets import DEFAULT, about
from graph_encoding import DEFAULT as ENCODING
from graph_encoding import ENCODINGS, PUBLISHED, TOKENS
from models import MODELS
from pruning import PRUNERS
from runs.measures import MEASURES
from system.errors import UserError


def check(options: argparse.Namespace) -> None:
    """Refuse flags that do not go together.

    Parameters
    ----------
    options : argparse.Namespace
        One attribute a flag; `input_shape` is made a tuple, and `training` a bool.

    Raises
    ------
    UserError
        One line that says what to give in place of what.
    """
    _require_graphs(options)
    if options.measure_every:
        if options.training is False:
            raise UserError("--measure-every is of a training: leave out --training false")
        if options.snn:
            raise UserError("--measure-every trains networks, and --snn has made ones: give one")
        options.training = True
    needs = [name for name in options.pruning if PRUNERS[name].trains]
    if needs and options.training is False:
        raise UserError(f"--pruning {needs[0]} needs training: leave out --training false")
    options.training = bool(options.training)
    trained = needs or options.training
    after = [name for name, pruner in PRUNERS.items() if pruner.after_training]
    if options.rounds and not set(after) & set(options.pruning):
        raise UserError(f"--rounds is of --pruning {' or '.join(after)}: add it, or leave it out")
    options.rounds = options.rounds or 1
    for flag in ("epochs", "batch_size", "lr", "compile", "single_precision"):
        if getattr(options, flag) not in (None, False) and not trained:
            raise UserError(f"--{flag.replace('_', '-')} has no effect without --training: add it")
    if options.input_shape:
        options.input_shape = tuple(options.input_shape)
        if len(options.input_shape) > 4:
            raise UserError("--input-shape takes 1 to 4 numbers: features, or channels and sizes")
        images = [name for name in options.pruning if PRUNERS[name].needs_data or name in needs]
        shapes = [about(name).shape for name in options.dataset or [DEFAULT]]
        other = [shape for shape in shapes if shape != options.input_shape]
        if other and (options.training or images):
            raise UserError(
                f"{images[0] if images else '--training'} needs images, which are "
                f"{' '.join(map(str, other[0]))}: choose a pruner without, or leave out "
                "--input-shape"
            )
    own = options.weights or options.input_shape or not set(options.model) <= set(MODELS)
    if own and options.save_snn:
        raise UserError("--save-snn holds networks that --model names: it needs none of your own")
    if own and options.wiring == PUBLISHED and not _is_labelled_one_of_ours(options):
        raise UserError("--wiring published is that of the paper's networks: use exact")
    if options.attention == TOKENS and options.wiring == PUBLISHED:
        raise UserError("--attention tokens has no published wiring: use --wiring exact")
    _require_one_graph(options)
    if options.edges and not options.save_graph:
        raise UserError("--edges has no effect without --save-graph: add it")
    if options.scheduler and (options.jobs > 1 or options.timeout):
        what = "--jobs is" if options.jobs > 1 else "--timeout is"
        raise UserError(f"{what} for this machine, --scheduler for a cluster: give one of them")


def _is_labelled_one_of_ours(options: argparse.Namespace) -> bool:
    return bool(options.label and options.model[0] in MODELS and not options.input_shape)


def bipartite() -> list[str]:
    """Names of the bipartite encodings."""
    return [name for name, kind in ENCODINGS.items() if kind.bipartite]


def _require_graphs(options: argparse.Namespace) -> None:
    """Refuse metrics, and a wiring, of which none of the encodings has graphs."""
    if not set(options.encoding) & set(bipartite()):
        for name in options.graph_metrics:
            if MEASURES[name].bipartite_only and len(options.graph_metrics) == 1:
                raise UserError(
                    f"the {name.capitalize()} metrics are defined on bipartite graphs: add "
                    + " or ".join(f"--encoding {other}" for other in bipartite())
                )
    for name in options.encoding:
        kind = ENCODINGS[name]
        if not kind.bipartite and options.wiring not in kind.wirings:
            raise UserError(
                f"--encoding {name} has no {options.wiring} wiring: give --wiring "
                + " or ".join(kind.wirings)
            )
        if not kind.bipartite and options.attention not in kind.attention:
            raise UserError(f"--encoding {name} cannot follow --attention {options.attention}")


def _require_one_graph(options: argparse.Namespace) -> None:
    """What is drawn or reported on is one multipartite graph."""
    asked = [flag for flag in ("figure", "report") if getattr(options, flag)]
    made = (options.model, options.dataset or [None], options.pruning, options.sparsity)
    several = max(map(len, [options.snn] if options.snn else [*made, options.seed])) > 1
    if asked and (several or options.scheduler):
        later = {"figure": "figures.draw", "report": "figures.page"}[asked[0]]
        remedy = f"give one value of each flag, or --save-graph and then python -m {later}"
        raise UserError(f"--{asked[0]} is of one network: {remedy}")
    if asked and all(ENCODINGS[name].bipartite for name in options.encoding):
        raise UserError(f"--{asked[0]} is of the {ENCODING} graph: add --encoding {ENCODING}")
    if options.report and all(MEASURES[name].bipartite_only for name in options.graph_metrics):
        first = next(name for name, kind in MEASURES.items() if not kind.bipartite_only)
        raise UserError(f"--report shows the {first}: add --graph-metrics {first}")
    if options.report and options.wiring == PUBLISHED:
        raise UserError("--report takes any wiring but published: use --wiring exact or identity")
