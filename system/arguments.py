"""Command lines: a parser whose errors are one line, and types of flags."""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path
from typing import NoReturn

from .errors import UserError
from .text import choose

MOST = (2 - 2**-23) * 2.0**127  # of a float32
TRUE, FALSE = ("true", "yes", "1"), ("false", "no", "0")


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are exceptions with a one-line message."""

    def _check_value(self, action: argparse.Action, value: object) -> None:
        """Refuse what is not among a flag's choices, and say which is closest."""
        if action.choices is not None and value not in action.choices:
            known = map(str, action.choices)
            raise argparse.ArgumentError(action, f"no {value!r} is known: {choose(value, known)}")

    def error(self, message: str) -> NoReturn:
        """Raise `UserError` instead of printing the usage and leaving."""
        hint = "" if "choose from" in message else "; --help lists all flags"
        raise UserError(message + hint)


def module_parser(module: str, description: str) -> Parser:
    """A parser of ``python -m module`` that shows its description as it is laid out."""
    return Parser(
        prog=f"python -m {module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def boolean(text: str) -> bool:
    """``true``, ``yes`` and ``1``, or ``false``, ``no`` and ``0``, in any case of letters."""
    if text.lower() not in TRUE + FALSE:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(TRUE + FALSE)}")
    return text.lower() in TRUE


def fraction(text: str) -> float:
    """A fraction in [0, 1)."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < 1:  # also refuses nan
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a fraction of weights to remove: give a number with 0 <= number < 1"
        )
    return abs(value)  # -0.0 is 0.0


def whole_number(least: int, below: int = 2**32):
    """Type of an integer flag with ``least <= value < below``."""

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value < below:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a whole number from {least} to {below - 1}"
            )
        return value

    return convert


def positive(text: str) -> float:
    """A positive number that torch's floats hold."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number up to {MOST:.1e}")
    return value


def path(text: str) -> Path:
    """A path; ``~`` is the home folder also where a shell leaves it, as in ``--data-root=~/d``."""
    return Path(os.path.expanduser(text))


def file_ending_in(*suffixes: str):
    """Type of a flag that names a file of certain kinds, in any case of letters."""

    def convert(text: str) -> Path:
        if path(text).suffix.lower() not in suffixes:
            raise argparse.ArgumentTypeError(f"{text!r} does not end in {' or '.join(suffixes)}")
        return path(text)

    return convert


def with_hyphens(argument: str) -> str:
    """``--data_root=my_data`` as ``--data-root=my_data``."""
    if not argument.startswith("--"):
        return argument
    name, equals, value = argument.partition("=")
    return name.replace("_", "-") + equals + value
