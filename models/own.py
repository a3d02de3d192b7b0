"""Networks of the user's own: any function that makes a module, and a file of weights."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from system.errors import Fault, UserError
from system.text import choose, file_name, one_line

from . import MODELS, QUANTISED, prunable, quantised, without_values
from .importing import PLACE, findable, resolve

if TYPE_CHECKING:
    from torch import nn

INPUT_SHAPE = (3, 32, 32)
"""Of the project's networks, and of others unless the user says otherwise."""


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
        Path of a file or a folder (`load_weights`).
    input_shape : tuple of int
        Of one input.
    digest : str, optional
        Of the weights (`digest_of`): a file that holds others by the time they are loaded is
        refused.
    trust : bool
        Whether the file of weights may run code.
    """

    model: str
    weights: str | None = None
    input_shape: tuple[int, ...] = INPUT_SHAPE
    digest: str | None = None
    trust: bool = False

    @property
    def label(self) -> str:
        """What result files call the network: other weights or another shape, another label."""
        parts = [self.model.replace(":", ".")]
        if self.input_shape != INPUT_SHAPE:
            parts.append("x".join(map(str, self.input_shape)))
        if self.weights:
            digest = self.digest or digest_of(self.weights)
            parts.append(f"{Path(self.weights).name}-{digest[:8]}")
        return file_name("-".join(parts))


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

    from .dense import plain
    from .programs import is_program

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
        model = plain(getattr(model, "_orig_mod", model))  # of torch.compile
    if example_of(model) is not None and source.input_shape != INPUT_SHAPE:
        raise OwnNetworkError(
            f"--model {source.model} says itself what it is called with (its attribute "
            "example_input): leave --input-shape out"
        )
    _require_plain_example(source.model, example_of(model))
    if coarse := quantised(model):
        raise OwnNetworkError(f"--model {source.model}: {QUANTISED.format(coarse[0])}")
    if is_program(model):
        raise OwnNetworkError(
            f"--model {source.model} gives TorchScript or a program of torch.export, in which "
            "pruners find no layers: let it give the module that this was made of; "
            "graph_encoding.encode takes it from a notebook"
        )
    if not prunable(model):
        raise OwnNetworkError(
            f"--model {source.model} has no convolution and no Linear layer, which pruners need; "
            "graph_encoding.encode takes other weights from a notebook"
        )
    if empty := without_values(model):
        raise OwnNetworkError(
            f"--model {source.model}: {empty[0]} has no values (a lazy module, or device meta): "
            "let the function give them"
        )
    _remove_masks(model)
    if source.weights:
        trust = {"trust": True} if source.trust else {}
        if source.trust:
            findable(folder)
        load_weights(model, folder / source.weights, source.digest, **trust)
    _remove_parametrizations(model)
    return model


def example_of(model: nn.Module) -> Any:
    """What a network is called with, where it says so by its attribute ``example_input``.

    Returns
    -------
    torch.Tensor, tuple, dict or None
        As `graph_encoding.encode` takes it.
    """
    return getattr(model, "example_input", None)


def _require_plain_example(name: str, example: Any) -> None:
    """Refuse an example that has no end or no axes."""
    from .inputs import RAGGED, split, tensors_in

    try:
        is_ragged = any(tensor.is_nested for tensor in tensors_in(split(example)))
    except NotImplementedError as error:
        raise OwnNetworkError(f"--model {name}, its attribute example_input: {error}") from None
    if is_ragged:
        raise OwnNetworkError(f"--model {name}, its attribute example_input: {RAGGED}")


def require(source: Source, folder: str | Path | None = None) -> None:
    """Look for the function of a network before anything else is opened.

    Parameters
    ----------
    source : Source
    folder : str or Path, optional
        As for `build`.

    Raises
    ------
    OwnNetworkError
        If it is not to be found.
    """
    if source.model not in MODELS:
        _function(source.model, Path(folder or Path.cwd()))


def load_weights(
    model: nn.Module, file: str | Path, digest: str | None = None, *, trust: bool = False
) -> None:
    """Load a state dictionary, without running or believing what a file may hold.

    Parameters
    ----------
    model : torch.nn.Module
        Changed in place.
    file : str or Path
        A state dictionary that ``torch.save`` wrote, perhaps inside a checkpoint, with prefixes
        before its names (`weights_file.PREFIXES`), or with the masks of ``torch.nn.utils.prune``,
        which are applied. What else a checkpoint holds may be plain data, tensors, and NumPy's
        numbers and arrays. Or a file of safetensors, or a folder (`given.WHOLE`), perhaps of
        shards.
    digest : str, optional
        SHA-256 of what it must hold (`digest_of`).
    trust : bool
        Whether the file may run code: only so a whole network can be loaded that was pickled.

    Raises
    ------
    OwnNetworkError
        If it cannot be read, is damaged or another one, or its names, shapes or numbers are not
        the network's.
    """
    from . import given, weights_file

    with _said_of(file, " cannot be loaded"):
        state, found = given.read(file, trust)
    if digest not in (None, found):
        raise OwnNetworkError(
            f"--weights {file} was replaced after this run began, which is named after what it "
            "held: run again"
        )
    try:
        model.load_state_dict(weights_file.fitted(state, model.state_dict()))
    except (Fault, RuntimeError) as error:
        raise OwnNetworkError(f"--weights {file} does not fit: {_line(error)}") from None


def digest_of(file: str | Path) -> str:
    """SHA-256 of weights, which tells them from all others; errors as `load_weights`."""
    from . import given

    with _said_of(file):
        return given.digest_of(file)


@contextlib.contextmanager
def _said_of(file: str | Path, what: str = "") -> Iterator[None]:
    try:
        yield
    except Fault as fault:
        raise OwnNetworkError(f"--weights {file}{what}: {fault}") from None
    except OSError as error:
        raise OwnNetworkError(f"--weights {error.filename or file}: {error.strerror}") from error


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
        hint = f" ({close})" if (close := _close(error)) else ""
        raise OwnNetworkError(
            f"--model {name} is not to be found: {_line(error)}{hint}; give package.module:function"
        ) from error
    except (Exception, SystemExit) as error:
        raise OwnNetworkError(f"--model {name} fails on import: {_named(error)}") from error


def _close(error: BaseException) -> str:
    """Which name of a module is like the one that it has not."""
    if not isinstance(error, AttributeError) or error.name is None:
        return ""
    return choose(error.name, dir(error.obj)).rpartition("choose from")[0].strip()


def _named(error: BaseException) -> str:
    kind, text = type(error).__name__, _line(error)
    return text if text == kind else f"{kind}: {text}"


def _line(error: BaseException) -> str:
    text = re.sub(r"\x1b\[[\d;]*m", "", str(error))  # torch's messages have bold letters
    text = re.sub(rf"{PLACE}\w+\.", "", text)
    return one_line(text, 200) or type(error).__name__
