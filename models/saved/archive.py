"""The archive of a saved network: as `save` writes it, and nothing else."""

from __future__ import annotations

import os
from typing import Any, BinaryIO, ClassVar

import torch

from system.errors import Fault

from .. import archives

MAX_BYTES = 1 << 30
MAX_AXES = 4
WITHOUT_NUMBERS = {
    "version",
    "byteorder",
    ".format_version",
    ".storage_alignment",
    ".data/serialization_id",
}


def read(file: BinaryIO) -> Any:
    """Read a file: plain values, and a tensor for each record.

    Raises
    ------
    Fault
        If it is not whole, or not what torch writes for such values.
    """
    if os.fstat(file.fileno()).st_size > MAX_BYTES:
        raise Fault(f"larger than {MAX_BYTES:,} bytes", "no network here is that large")
    return archives.read(file, _Description)


def _tensor(
    values: torch.Tensor, offset: int, shape: Any, strides: Any, gradient: bool, hooks: Any
) -> torch.Tensor:
    """What stands for ``torch._utils._rebuild_tensor_v2``: a record's numbers in their shape."""
    if type(shape) is not tuple or len(shape) > MAX_AXES:
        raise Fault("a tensor has no shape, or too many axes")
    tensor = values.view(shape)
    if (offset, tuple(tensor.shape), tensor.stride()) != (0, shape, strides):
        raise Fault("a tensor does not lie whole and in order in its record")
    if gradient is not False or hooks != {}:
        raise Fault("a tensor asks for gradients or hooks")
    return tensor


class _Description(archives.Description):
    """Dictionaries of text, numbers and whole tensors."""

    WHAT = "a saved network"
    REMEDY = "give a whole file of models.saved.save"
    MAX_BYTES = 1 << 20
    NAMES: ClassVar = {
        "collections.OrderedDict": lambda: {},  # the hooks of a tensor
        "torch._utils._rebuild_tensor_v2": _tensor,
        "torch.FloatStorage": torch.float32,
        "torch.LongStorage": torch.int64,
        "torch.BoolStorage": torch.bool,
    }

    def load(self) -> Any:
        if "byteorder" not in self.records:
            raise Fault("its archive lacks a record that torch writes")
        content = super().load()
        if not self.records.keys() <= WITHOUT_NUMBERS:
            raise Fault("its archive holds a record that no tensor needs")
        return content

    def persistent_load(self, identity: Any) -> torch.Tensor:
        """The numbers of a record, each of which serves one tensor."""
        kind, dtype, key, device, count = identity
        if (kind, type(dtype), type(key), device) != ("storage", torch.dtype, str, "cpu"):
            raise Fault("its description has an unknown storage")
        if f"data/{key}" not in self.records:
            raise Fault("a tensor has no record, or shares it with another")
        found = self.numbers(key, dtype, count)
        del self.records[f"data/{key}"]
        return found
