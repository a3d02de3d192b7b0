"""Files of safetensors, written here by the format's description with NumPy alone."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.safe_tensors import state_of
from system.errors import Fault

KINDS = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I16": "<i2",
    "U8": "u1",
    "BOOL": "?",
}


def header_of(arrays):
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name, (kind, array) in arrays.items():
        place = [end, end + array.nbytes]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": place}
        end = place[1]
    return header


def packed(header, *numbers):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + b"".join(numbers)


def written(arrays):
    return packed(header_of(arrays), *(array.tobytes() for _, array in arrays.values()))


@st.composite
def some_arrays(draw):
    found = {}
    for name in draw(st.lists(st.sampled_from("abcdef"), unique=True)):
        kind = draw(st.sampled_from(sorted(KINDS)))
        shape = draw(st.lists(st.integers(0, 3), max_size=3))
        rng = np.random.default_rng(len(found))
        found[name] = kind, rng.integers(0, 2, shape).astype(KINDS[kind])
    return found


@settings(max_examples=60, deadline=None)
@given(some_arrays())
def test_what_numpy_wrote_is_read(arrays):
    found = state_of(written(arrays))
    assert list(found) == list(arrays)
    for name, (_, array) in arrays.items():
        assert found[name].numpy().dtype == array.dtype
        assert np.array_equal(found[name].numpy(), array)


def test_bfloat16_is_the_upper_half_of_a_float():
    values = np.array([1.5, -2.0, 0.0], "<f4")
    upper = values.view("<u2")[1::2].tobytes()
    about = {"dtype": "BF16", "shape": [3], "data_offsets": [0, 6]}
    found = state_of(packed({"w": about}, upper))["w"]
    assert found.dtype == torch.bfloat16
    assert np.array_equal(found.float().numpy(), values)


ONE = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"1234567",
        (2**63).to_bytes(8, "little") + b"{}",
        packed(b"{", b""),
        packed(b"[" * 10**5, b""),
        packed(b"[]", b""),
        packed(b'{"a": {}, "a": {}}', b""),
        packed({"a": 3}),
        packed({"a": ONE}, bytes(7)),
        packed({"a": ONE}, bytes(9)),
        packed({"a": ONE | {"dtype": "F8_E4M3"}}, bytes(8)),
        packed({"a": ONE | {"dtype": ["F32"]}}, bytes(8)),
        packed({"a": ONE | {"shape": [3]}}, bytes(8)),
        packed({"a": ONE | {"shape": [-1, -2]}}, bytes(8)),
        packed({"a": ONE | {"shape": [2**40, 2**40]}}, bytes(8)),
        packed({"a": ONE | {"shape": [True, 2]}}, bytes(8)),
        packed({"a": ONE | {"data_offsets": [-8, 0]}}, bytes(8)),
        packed({"a": ONE | {"data_offsets": [8, 16]}}, bytes(8)),
        packed({"a": ONE | {"data_offsets": [0]}}, bytes(8)),
        packed({"a": ONE, "b": ONE}, bytes(8)),
        packed({"a": ONE, "b": ONE | {"data_offsets": [9, 17]}}, bytes(17)),
        packed({"a": ONE | {"more": 1}}, bytes(8)),
        packed({"a": {"dtype": "BOOL", "shape": [2], "data_offsets": [0, 2]}}, b"\1\2"),
    ],
)
def test_what_is_damaged_or_forged_is_refused(data):
    with pytest.raises(Fault):
        state_of(data)


def test_every_changed_byte_of_a_header_is_refused_or_names_other_tensors():
    arrays = {"a": ("F32", np.ones((2, 3), "<f4")), "b": ("I64", np.ones(2, "<i8"))}
    data = written(arrays)
    for place in range(8 + int.from_bytes(data[:8], "little")):
        damaged = bytearray(data)
        damaged[place] ^= 1
        try:
            found = state_of(bytes(damaged))
        except Fault:
            continue
        assert sum(tensor.nbytes for tensor in found.values()) == 40
