"""Networks of the user's own: any function that makes a module, and a file of weights."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from system.errors import UserError

from . import MODELS, prunable, without_values
from .importing import PLACE, resolve

if TYPE_CHECKING:
    import torch
    from torch import nn

INPUT_SHAPE = (3, 32, 32)
"""Of the project's networks, and of others unless the user says otherwise."""

WRAPPERS = ("state_dict", "model_state_dict", "model", "net")
"""Under which keys a checkpoint may hold the weights."""

PREFIXES = ("module.", "_orig_mod.", "model.")
"""What DataParallel, torch.compile and Lightning put before the names of all weights."""


NUMPY = (
    "numpy.dtype",
    *(
        f"numpy.{core}.multiarray.{name}"
        for core in ("core", "_core")
        for name in ("scalar", "_reconstruct")
    ),
    "numpy.ndarray",
)
"""What NumPy's numbers and arrays in a checkpoint are made by, such as a best accuracy's."""


class _Ignored:
    """In the place of NumPy's objects beside the weights: they are not needed, nor made."""

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, _: Any) -> None:
        pass


class OwnNetworkError(UserError, ValueError):
    """A network or a file of weights that cannot be used; one line that says why."""


@dataclass(frozen=True)
class Source:
    """Where a network comes from.

    Attributes
    ----------
    model : str
        A key of `models.MODELS`, or ``package.module:function`` of a function without arguments.
    weights : str, optional
        Path of a file that ``torch.save`` wrote.
    input_shape : tuple of int
        Of one input.
    """

    model: str
    weights: str | None = None
    input_shape: tuple[int, ...] = INPUT_SHAPE

    @property
    def label(self) -> str:
        """What result files call the network: other weights or another shape, another label."""
        parts = [self.model.replace(":", ".")]
        if self.input_shape != INPUT_SHAPE:
            parts.append("x".join(map(str, self.input_shape)))
        if self.weights:
            try:
                with open(self.weights, "rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as error:
                raise OwnNetworkError(f"--weights {self.weights}: {error.strerror}") from error
            name = re.sub(r"[^\w.-]", "_", Path(self.weights).name)
            parts.append(f"{name}-{digest[:8]}")
        return "-".join(parts)


def build(
    source: Source, num_classes: int, seed: int, folder: str | Path | None = None
) -> nn.Module:
    """Make a network and load its weights.

    Parameters
    ----------
    source : Source
    num_classes : int
        For the project's networks; others have as many as their function gives them.
    seed : int
        Of the weights that are drawn. Global random state is not touched.
    folder : str or Path, optional
        Where modules of the user's own and a file of weights with a relative path are; by default
        the working folder.

    Returns
    -------
    torch.nn.Module
        On the CPU. Masks and parametrizations are made permanent: its weights are plain parameters.

    Raises
    ------
    OwnNetworkError
        If the function or the file is not there, or does not fit.
    """
    import torch

    folder = Path(folder or Path.cwd())
    if source.model in MODELS:
        from . import build as build_known

        channels, *size = source.input_shape
        model = build_known(source.model, num_classes, channels, tuple(size), seed=seed)
    else:
        function = _function(source.model, folder)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            try:
                model = function()
            except (Exception, SystemExit) as error:
                raise OwnNetworkError(f"--model {source.model} fails: {_named(error)}") from error
        if not isinstance(model, torch.nn.Module):
            raise OwnNetworkError(
                f"--model {source.model} gives {type(model).__name__}, not a torch.nn.Module"
            )
        model = getattr(model, "_orig_mod", model)  # of torch.compile
    if not prunable(model):
        raise OwnNetworkError(f"--model {source.model} has no Conv2d and no Linear layer")
    if empty := without_values(model):
        raise OwnNetworkError(
            f"--model {source.model}: {empty[0]} has no values (a lazy module, or device meta): "
            "let the function give them"
        )
    _remove_masks(model)
    if source.weights:
        load_weights(model, folder / source.weights)
    _remove_parametrizations(model)
    return model


def load_weights(model: nn.Module, file: str | Path) -> None:
    """Load a state dictionary, without running what else a file may hold.

    Parameters
    ----------
    model : torch.nn.Module
        Changed in place.
    file : str or Path
        A state dictionary, perhaps inside a checkpoint, with one of `PREFIXES` before its names,
        or with the masks of ``torch.nn.utils.prune``, which are applied. What else a checkpoint
        holds may be plain data, tensors, and NumPy's numbers and arrays.

    Raises
    ------
    OwnNetworkError
        If it cannot be read, or its names or shapes are not the network's.
    """
    import torch

    try:
        with torch.serialization.safe_globals([(_Ignored, name) for name in NUMPY]):
            content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        foreign = re.search(r"safe_globals\(\[([\w.]+)\]\)", str(error))
        why = f"it holds {foreign[1]}, which could run code" if foreign else _line(error)
        raise OwnNetworkError(
            f"--weights {file} cannot be loaded: {why}; save a state_dict with torch.save"
        ) from error
    state = _state(content)
    if state is None:
        raise OwnNetworkError(
            f"--weights {file} holds no state_dict, a dictionary of tensors alone; save one with "
            "torch.save"
        )
    try:
        model.load_state_dict(_with_masks(_without_prefixes(state, model.state_dict())))
    except RuntimeError as error:
        raise OwnNetworkError(f"--weights {file} does not fit: {_line(error)}") from error


def _remove_masks(model: nn.Module) -> None:
    """Make the masks of ``torch.nn.utils.prune`` permanent."""
    from torch.nn.utils import prune

    for module in model.modules():
        for hook in list(module._forward_pre_hooks.values()):
            if isinstance(hook, prune.BasePruningMethod):
                prune.remove(module, hook._tensor_name)


def _remove_parametrizations(model: nn.Module) -> None:
    """Make the weights that parametrizations compute plain parameters."""
    from torch import nn
    from torch.nn.utils import parametrize

    for name, layer in prunable(model).items():
        if parametrize.is_parametrized(layer, "weight"):
            parametrize.remove_parametrizations(layer, "weight")
        if not isinstance(layer.weight, nn.Parameter):  # by a hook, such as the former weight_norm
            raise OwnNetworkError(
                f"the weight of layer {name} is computed and no parameter: let the function of "
                "--model remove what computes it"
            )


def _function(name: str, folder: str | Path) -> Any:
    if name.startswith("torchvision."):
        from datasets.torchvision_import import import_torchvision

        import_torchvision()
    try:
        return resolve(name, folder)
    except (ImportError, AttributeError, ValueError) as error:
        raise OwnNetworkError(
            f"--model {name} is not to be found: {_line(error)}; give package.module:function"
        ) from error
    except (Exception, SystemExit) as error:
        raise OwnNetworkError(f"--model {name} fails on import: {_named(error)}") from error


def _state(content: Any) -> dict[str, torch.Tensor] | None:
    import torch

    while isinstance(content, dict):
        if content and all(isinstance(value, torch.Tensor) for value in content.values()):
            return dict(content)
        inner = [content[key] for key in WRAPPERS if isinstance(content.get(key), dict)]
        content = inner[0] if inner else None
    return None


def _without_prefixes(
    state: dict[str, torch.Tensor], own: dict[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """The state without a prefix that all its names have and those of the network have not."""
    for prefix in PREFIXES:
        is_own = any(name.startswith(prefix) for name in own)
        if not is_own and all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
            return _without_prefixes(state, own)
    return state


def _with_masks(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    found = {}
    for name, tensor in state.items():
        base = name.removesuffix("_orig")
        if name.endswith("_mask") and f"{name.removesuffix('_mask')}_orig" in state:
            continue
        if base != name and f"{base}_mask" in state:
            found[base] = tensor * state[f"{base}_mask"]
        else:
            found[name] = tensor
    return found


def _named(error: BaseException) -> str:
    kind, text = type(error).__name__, _line(error)
    return text if text == kind else f"{kind}: {text}"


def _line(error: BaseException) -> str:
    text = re.sub(r"\x1b\[[\d;]*m", "", str(error))  # torch's messages have bold letters
    text = re.sub(rf"{PLACE}\w+\.", "", text)
    text = " ".join(text.split()) or type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."
