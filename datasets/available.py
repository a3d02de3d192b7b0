"""Whether the images of data sets can be had, before hours of work: one line if not.

    python -m datasets.available CIFAR-10 CIFAR-100 tinyimagenet

CIFAR is downloaded if need be. Nothing stands in for a data set that is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import datasets
from system.arguments import Parser, path
from system.program import program, run_program


@program("datasets.available")
def main(argv: Sequence[str]) -> None:
    """Open the training images of each data set.

    Parameters
    ----------
    argv : sequence of str, optional
        Names and ``--data-root``.

    Raises
    ------
    DataUnavailable
        If one of them cannot be had.
    """
    parser = Parser(prog="python -m datasets.available", description=__doc__)
    parser.add_argument("names", nargs="+", choices=datasets.DATASETS, metavar="NAME")
    parser.add_argument("--data-root", type=path, default=Path("data"), metavar="DIR")
    options = parser.parse_args(argv)
    for name in options.names:
        datasets.load(name, options.data_root, train=True, progress=False)


if __name__ == "__main__":
    run_program("datasets.available:main")
