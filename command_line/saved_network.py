"""What a saved network says of itself, believed only where the command line could have made it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from models import saved
from runs.run import Network
from sweep import plan
from system import errors
from system.errors import Fault, UserError
from system.text import one_line

from . import flags

FIELDS = {field.name: field.default for field in fields(Network)}
del FIELDS["file"], FIELDS["source"]
REMEDY = "save the network with --save-snn"
ALWAYS = (*(name for name, default in FIELDS.items() if default is MISSING), "training")


def network_of(file: str | Path, configuration: Mapping[str, Any]) -> Network:
    """The network of a file, from the configuration that was saved with it.

    It goes through the checks of the command line: what is returned is the network that these flags
    make, which has to be the one that the configuration tells.

    Parameters
    ----------
    file : str or Path
    configuration : mapping
        From `models.saved.load`.

    Returns
    -------
    Network

    Raises
    ------
    SavedNetworkError
        If a value is missing, or no flag could have given it.
    """
    remedy = REMEDY
    with errors.of_file(file, saved.SavedNetworkError):
        for name in ALWAYS:
            if name not in configuration:
                raise Fault(f"its configuration has no {name}", remedy)
        said = {name: configuration.get(name, default) for name, default in FIELDS.items()}
        argv = [
            f"--{name.replace('_', '-')}={value}"
            for name, value in said.items()
            if value != FIELDS[name]
        ]
        try:
            options = flags.parse(argv)
        except UserError as error:
            raise Fault(f"its configuration: {one_line(error, 200)}", remedy) from None
        networks = [run.network for run in plan.runs(options, options.dataset)]
        made = vars(networks[0]) | {"file": str(Path(file).resolve())}
        for name, value in said.items():
            if len(networks) > 1 or made[name] != value:
                raise Fault(f"no network has {name} {one_line(repr(value), 40)} there", remedy)
        accuracy = configuration.get("accuracy")
        if made["training"] != (type(accuracy) in (int, float) and 0 <= accuracy <= 1):
            raise Fault("its accuracy is not a number from 0 to 1, if and only if trained", remedy)
        moved = configuration.get("moved")
        if moved is not None and not (type(moved) in (int, float) and 0 <= moved <= 1):
            raise Fault("what has moved of it is not a number from 0 to 1", remedy)
        for name in ("accuracy", "moved"):
            if configuration.get(name) is not None and not made["training"]:
                raise Fault(f"it is not trained, and its {name} is given", remedy)
    return Network(**made)


def moment_of(file: str | Path, configuration: Mapping[str, Any]) -> int | None:
    """The epoch after which the network of a file was saved; None if it was at the end.

    Parameters
    ----------
    file : str or Path
    configuration : mapping
        That of `network_of`, which is believed.

    Raises
    ------
    SavedNetworkError
        If it is no epoch of the network's training.
    """
    epochs = configuration.get("epochs")
    epoch = configuration.get("epoch", epochs)
    if epoch == epochs and type(epoch) is type(epochs):
        return None
    if type(epoch) is not int or epochs is None or not 0 <= epoch < epochs:
        shown = one_line(repr(epoch), 40)
        with errors.of_file(file, saved.SavedNetworkError):
            raise Fault(f"its epoch is {shown}, not one of its training", REMEDY)
    return epoch
