"""The flag ``--as-released``."""

from __future__ import annotations

import argparse

from runs.as_released import ALL, JOINT, PARTS, parts_of


def add_to(group: argparse._ArgumentGroup) -> None:
    """Add the flag to a group of the command line."""
    group.add_argument(
        "--as-released",
        nargs="?",
        type=parts,
        const=ALL,
        default="",
        metavar=JOINT.join(PARTS),
        help="do as the paper's released code does where it departs from the papers: "
        + "; ".join(f"{name}: {what}" for name, what in PARTS.items())
        + "; all of it when given alone; pruning/README.md has what each changes, and --wiring "
        "published the graphs (default: as the papers say)",
    )


def parts(text: str) -> str:
    """The parts, in their order."""
    try:
        return parts_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
