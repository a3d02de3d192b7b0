"""Saving a pruned network."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

import faults
import models
from atomic import replacing
from faults import Fault

from .content import FORMAT, VERSION, require_content, require_numbers
from .error import SavedNetworkError


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
    with faults.of_file(path, SavedNetworkError):
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
        require_numbers(content)
        with replacing(path) as file:
            torch.save(content, file, pickle_protocol=2)


def _copies(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors on the CPU that share no memory and leave no gaps, each a record of its own."""
    return {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }
