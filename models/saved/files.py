"""Saving and loading a pruned network."""

from __future__ import annotations

import io
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

import models
from system import errors
from system.errors import Fault
from system.files import replacing
from system.reading import regular

from . import archive
from .content import FORMAT, VERSION, SavedNetworkError, image_size, require_content


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


def save(
    path: str | Path,
    model: nn.Module,
    masks: Mapping[str, torch.Tensor],
    configuration: Mapping[str, Any],
    commit: str | None = None,
) -> None:
    """Write a pruned network to a file, all at once or not at all.

    Parameters
    ----------
    path : str or Path
        Replaced if it exists; customarily ends in ``.pt``.
    model : torch.nn.Module
        From `models.build`, its removed weights zero; trained or not.
    masks : mapping of str to torch.Tensor
        Boolean masks of all prunable weights by parameter name.
    configuration : mapping
        What made the network: ``model``, its name in `models.MODELS`, and any other text, numbers,
        booleans and None.
    commit : str, optional
        The project's commit.

    Raises
    ------
    SavedNetworkError
        If it could not be loaded again, such as where removed weights are not zero.
    OSError
        If the file cannot be written; an older one is then as before.
    """
    with errors.of_file(path, SavedNetworkError):
        weights = [layer.weight for layer in models.prunable(model).values()]
        if not weights:
            raise Fault("the network has no prunable weights", "build it with models.build")
        versions = {"torch": str(torch.__version__), "python": platform.python_version()}
        content = {
            "format": FORMAT,
            "version": VERSION,
            "configuration": dict(configuration),
            "versions": versions | ({} if commit is None else {"commit": commit}),
            "num_classes": weights[-1].shape[0],
            "in_channels": weights[0].shape[1],
            "state_dict": _copies(model.state_dict()),
            "masks": _copies(masks),
        }
        require_content(content)
        # Into memory first: torch says of a full disk that an archive was not finished.
        written = io.BytesIO()
        torch.save(content, written, pickle_protocol=2)
        with replacing(path) as file:
            file.write(written.getbuffer())


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
    >>> import models
    >>> from models import saved
    >>> model = models.build("Resnet-20", 10)
    >>> layers = models.prunable(model)
    >>> masks = {f"{name}.weight": layer.weight != 0 for name, layer in layers.items()}
    >>> saved.save("resnet.pt", model, masks, {"model": "Resnet-20", "pruning": "dense"})
    >>> saved.load("resnet.pt").configuration["pruning"]
    'dense'
    """
    with errors.of_file(path, SavedNetworkError):
        with regular(path, "give the path of a saved network") as file:
            content = archive.read(file)
        require_content(content)
        configuration = content["configuration"]
        model = models.build(
            configuration["model"],
            content["num_classes"],
            content["in_channels"],
            image_size(configuration),
        )
        model.load_state_dict(content["state_dict"])
    return Saved(model, content["masks"], configuration, content["versions"])


def _copies(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors on the CPU that share no memory and leave no gaps, each a record of its own."""
    return {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }
