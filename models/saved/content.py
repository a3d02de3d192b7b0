"""What a saved network holds, checked before it is written and after it was read."""

from __future__ import annotations

import math
from typing import Any

import torch

import models
from datasets import DATASETS
from system.errors import Fault, UserError

FORMAT = "topometrics network"
VERSION = 1
FIELDS = (
    "format",
    "version",
    "configuration",
    "versions",
    "num_classes",
    "in_channels",
    "state_dict",
    "masks",
)
MAX_WIDTH = 1 << 20  # classes, and channels of an image


class SavedNetworkError(UserError, ValueError):
    """A network that cannot be saved or read; one line: which, why, and what can be done."""


def require_content(content: Any) -> None:
    """Raise a `Fault` unless a network can be made of the content."""
    if type(content) is not dict or content.get("format") != FORMAT:
        raise Fault("not a saved network", "give a file that models.saved.save wrote")
    version = content.get("version")
    if type(version) is int and version > VERSION:
        raise Fault(
            f"written by a newer version (format {version}, this program reads up to {VERSION})",
            "update this program",
        )
    if type(version) is not int or version < 1 or tuple(content) != FIELDS:
        raise Fault(f"does not hold just {', '.join(FIELDS)}, the version a whole number from 1 on")
    parts = ("configuration", "versions", "state_dict", "masks")
    if not all(type(content[part]) is dict for part in parts):
        raise Fault(f"one of {', '.join(parts)} is not a dictionary")
    if not all(type(text) is str for pair in content["versions"].items() for text in pair):
        raise Fault("its versions are not text")
    _require_configuration(content["configuration"])
    for name in ("num_classes", "in_channels"):
        if type(content[name]) is not int or not 1 <= content[name] <= MAX_WIDTH:
            raise Fault(f"its {name} is not a whole number from 1 to {MAX_WIDTH}")
    _require_images(content)
    _require_tensors(content)
    _require_numbers(content["state_dict"], content["masks"])


def _require_configuration(configuration: dict[str, Any]) -> None:
    for name, value in configuration.items():
        what = f"configuration {str(name)[:40]!a}"
        if type(name) is not str or type(value) not in (str, int, float, bool, type(None)):
            raise Fault(f"{what} is not plain", "use text, numbers, bool and None")
        if type(value) is float and not math.isfinite(value):
            raise Fault(f"{what} is not finite", "use None instead")
        if type(value) is int and not -(2**63) <= value < 2**63:
            raise Fault(f"{what} exceeds 64 bits", "use text instead")
    model = configuration.get("model")
    if type(model) is not str or model not in models.MODELS:
        raise Fault(f"unknown model {str(model)[:40]!a}", f"known are {', '.join(models.MODELS)}")


def _require_images(content: dict[str, Any]) -> None:
    """The network is for images of the data set that its configuration names, if it knows it."""
    name = content["configuration"].get("dataset")
    dataset = DATASETS.get(name) if type(name) is str else None
    if dataset is None:
        return
    for part, value in (("num_classes", dataset.classes), ("in_channels", dataset.shape[0])):
        if content[part] != value:
            raise Fault(f"its {part} is {content[part]}, and {name} has {value}")


def image_size(configuration: dict[str, Any]) -> tuple[int, int]:
    """Height and width of the images that a saved network is for."""
    dataset = DATASETS.get(str(configuration.get("dataset")))
    return dataset.shape[1:] if dataset else models.IMAGE_SIZE


def _require_tensors(content: dict[str, Any]) -> None:
    """The tensors' names, shapes and types are those of the network, built without its memory."""
    name = content["configuration"]["model"]
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        model = models.MODELS[name].builder(
            content["num_classes"], content["in_channels"], image_size(content["configuration"])
        )
    state = model.state_dict()
    weights = [f"{layer}.weight" for layer in models.prunable(model)]
    masks = {weight: state[weight].to(torch.bool) for weight in weights}
    places = set()
    for part, expected in (("state_dict", state), ("masks", masks)):
        found = content[part]
        if found.keys() != expected.keys():
            raise Fault(f"the names in its {part} are not those of {name}")
        for key, tensor in found.items():
            shape, dtype = tuple(expected[key].shape), expected[key].dtype
            if type(tensor) is not torch.Tensor:
                raise Fault(f"{part} {key} is not a tensor")
            if (tuple(tensor.shape), tensor.dtype) != (shape, dtype):
                raise Fault(f"{part} {key} is not of shape {shape} and {dtype}, as in {name}")
            places.add(tensor.data_ptr())
    if len(places) < len(state) + len(masks):
        raise Fault("two tensors share their memory")


def _require_numbers(state: dict[str, torch.Tensor], masks: dict[str, torch.Tensor]) -> None:
    """All numbers are finite, and zero where a mask removes them."""
    for name, tensor in state.items():
        if not bool(torch.isfinite(tensor).all()):
            raise Fault(f"{name} holds NaN or infinity")
    for name, mask in masks.items():
        if bool(state[name].masked_select(~mask).any()):
            raise Fault(f"{name} is not zero where its mask removes", "apply the masks, save again")
