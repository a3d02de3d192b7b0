"""The flags of weights that the user has: where they are, what made them, how good they are."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

from system.errors import UserError
from system.text import choose

LABELS = (
    *("pruning", "sparsity", "seed", "training", "epochs", "batch_size", "lr", "rounds"),
    "as_released",
)
"""Flags that say how a network is made from a model and a data set."""


def add_to(group: argparse._ArgumentGroup) -> None:
    """Add the flags to a group of the command line."""
    group.add_argument(
        "--weights",
        type=os.path.expanduser,
        metavar="FILE",
        help="state_dict that the network starts from (.pt, .safetensors, or a folder with either, "
        "perhaps in shards); with --pruning dense it is measured as it is, zeros and masks of "
        "torch.nn.utils.prune being what is removed (default: drawn by --seed)",
    )
    group.add_argument(
        "--weights-trust",
        action="store_true",
        help="open --weights by pickle, also where it holds a whole network: this runs any code "
        "that is in the file, so trust who made it (default: no)",
    )
    group.add_argument(
        "--label",
        nargs="+",
        type=named,
        default=[],
        metavar="NAME=VALUE",
        help="what made the network of --weights, which is measured as it is: its rows say so, as "
        f"in pruning=snip sparsity=0.98 seed=1 training=true; names: {', '.join(LABELS)} "
        "(default: none, and its rows name the file)",
    )
    group.add_argument(
        "--evaluate",
        action="store_true",
        help="with --weights, of a network that is not trained here: classify the test images of "
        "--dataset, and write the accuracy (default: no)",
    )


def named(text: str) -> str:
    """A flag of what made a network, without its hyphens, and its value."""
    name, equals, _ = text.partition("=")
    if not equals or name not in LABELS:
        hint = "give name=value" if not equals else f"no {name!r} is known: {choose(name, LABELS)}"
        raise argparse.ArgumentTypeError(f"{text!r}: {hint}")
    return text


def check(options: argparse.Namespace, default: Callable[[str], object]) -> None:
    """What is said of given weights is said of one network, and of its images by their name."""
    for flag in ("weights_trust", "label", "evaluate"):
        if getattr(options, flag) and not options.weights:
            raise UserError(f"--{flag.replace('_', '-')} is of --weights: add it, or leave it out")
    if options.label:
        several = max(len(options.model), len(options.dataset or [])) > 1
        if several or options.dataset is None:
            raise UserError("--label is of one network: give one --model and one --dataset")
        for name in (*LABELS, "snn", "measure_every"):
            if getattr(options, name) != default(name):
                flag = f"--{name.replace('_', '-')}"
                raise UserError(f"--label is of a network that has been made: leave out {flag}")
    if options.evaluate and (options.training or options.dataset is None):
        raise UserError("--evaluate needs a --dataset, and no --training, which has an accuracy")
