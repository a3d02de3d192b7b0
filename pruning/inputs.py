"""What a network is called with to see what flows through it: ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from models.inputs import is_known, replaced, split, tensors_in
from pruning.error import PruningError


def ones(
    input_shape: tuple[int, ...],
    example: Any = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | None = None,
) -> Any:
    """One input of ones, shaped as an example says.

    Parameters
    ----------
    input_shape : tuple of int
        Of one input, where there is no example.
    example : torch.Tensor, tuple or mapping, optional
        As `graph_encoding.encode` takes it. Its numbers become ones. Token ids and masks, and
        numbers without an axis of images, stay as they are.
    dtype : torch.dtype
    device : torch.device, optional

    Returns
    -------
    torch.Tensor, tuple or dict
        Its first axis is that of images, of which there is one.

    Raises
    ------
    PruningError
        If tuples or dictionaries of the example hold themselves.
    """
    if example is None:
        return torch.ones((1, *input_shape), dtype=dtype, device=device)
    try:
        given = list(tensors_in(split(example)))
        images = next((len(tensor) for tensor in given if tensor.dim()), None)

        def one(tensor: torch.Tensor) -> torch.Tensor:
            if is_known(tensor):
                is_of_images = tensor.dim() and len(tensor) == images
                return (tensor[:1] if is_of_images else tensor).to(device)
            if not tensor.dim():
                return tensor.to(device, dtype)
            return torch.ones((1, *tensor.shape[1:]), dtype=dtype, device=device)

        return replaced(dict(example) if isinstance(example, Mapping) else example, one)
    except NotImplementedError as error:
        raise PruningError(f"the example input: {error}") from None
