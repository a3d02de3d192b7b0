"""TorchScript as a program of ``torch.export``, whose functions can be followed."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import torch
from torch import nn

import models
from models.inputs import replaced, split
from system.text import one_line

from .tracing import IMAGES
from .weights import UnsupportedNetwork


def readable(model: nn.Module, example: Any) -> nn.Module:
    """A module that does what one of TorchScript does; any other one is given back.

    Parameters
    ----------
    model : torch.nn.Module
        Read in evaluation mode, and left as it was.
    example : torch.Tensor, tuple or mapping
        As of `tracing.trace`.

    Raises
    ------
    UnsupportedNetwork
        If torch cannot make a program of it.
    """
    if not isinstance(model, torch.jit.ScriptModule):
        return model

    def of_images(tensor: torch.Tensor) -> torch.Tensor:
        shape = (IMAGES, *tensor.shape[1:]) if tensor.dim() else ()
        return torch.zeros(shape, dtype=tensor.dtype)

    args, keywords = split(example)
    log = logging.getLogger("torch._export.converter")
    modes = [(module, module.training) for module in model.modules() if hasattr(module, "training")]
    try:
        from torch._export.converter import TS2EPConverter

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            log.setLevel(logging.ERROR)
            given = replaced(args, of_images), replaced(keywords, of_images)
            program = TS2EPConverter(model.eval(), *given).convert()
    except Exception as error:  # of torch's own; it is no public part of it
        line = one_line(str(error), 160) or type(error).__name__
        raise UnsupportedNetwork(
            f"{model.original_name}: TorchScript that torch cannot read back ({line}); give the "
            "module that it was made of, or take the encodings rolled and rolled-channel"
        ) from None
    finally:
        for module, mode in modes:
            module.training = mode
    return models.as_module(program)
