"""Loading a pruned network."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

import faults
import models
from faults import Fault

from . import archive
from .content import image_size, require_content, require_numbers
from .error import SavedNetworkError


class Saved(NamedTuple):
    """A pruned network as it was saved.

    Attributes
    ----------
    model : torch.nn.Module
        On the CPU, in training mode, the removed weights zero.
    masks : dict of str to torch.Tensor
        Boolean masks by parameter name, True where a weight is kept.
    configuration : dict
        What made the network, such as a result file's row.
    versions : dict of str to str
        Of torch, of Python and, if it was given, the project's commit.
    """

    model: nn.Module
    masks: dict[str, torch.Tensor]
    configuration: dict[str, Any]
    versions: dict[str, str]


def load(path: str | Path) -> Saved:
    """Read a pruned network from a file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Saved

    Raises
    ------
    SavedNetworkError
        If the file is not whole, not of this format, or not of a network of `models.MODELS`.
    OSError
        If it cannot be read.

    Examples
    --------
    >>> from models import saved
    >>> saved.save("resnet.pt", model, masks, {"model": "Resnet-20", "pruning": "erk"})
    >>> saved.load("resnet.pt").configuration["pruning"]
    'erk'
    """
    with faults.of_file(path, SavedNetworkError):
        if Path(path).exists() and not Path(path).is_file():
            raise Fault("not a file", "give the path of a saved network")
        with open(path, "rb") as file:
            content = archive.load(archive.checked_records(file))
        require_content(content)
        require_numbers(content)
        configuration = content["configuration"]
        model = models.build(
            configuration["model"],
            content["num_classes"],
            content["in_channels"],
            image_size(configuration),
        )
        model.load_state_dict(content["state_dict"])
    return Saved(model, content["masks"], configuration, content["versions"])
