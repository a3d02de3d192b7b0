"""Weighted sums of pieces of one long vector, each piece held in the processor's registers.

The inner loop of all products. Numba's own loops keep such sums in memory and take two to three
times as long, so this one is written as LLVM's instructions on vectors.
"""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.extending import intrinsic

BYTES = 64
"""Of one vector: a cache line. Where registers are shorter, LLVM takes several for it."""

MOST = 4
"""Vectors of the longest tile."""


def tile(vectors: int) -> Callable:
    """A function, for compiled code, that computes one tile.

    Parameters
    ----------
    vectors : int
        Length of the tile, in vectors of `BYTES`.

    Returns
    -------
    callable
        ``f(total, x, offsets, weights, start, stop, at)`` sets ``total[i]`` to the sum over entries
        e of ``weights[e] * x[offsets[e] + at + i]``, for every i of a tile. It reads so far, and
        checks no bound.
    """

    @intrinsic
    def sums(typing, total, x, offsets, weights, start, stop, at):
        signature = types.void(total, x, offsets, weights, start, stop, at)
        return signature, lambda *arguments: _build(vectors, *arguments)

    return sums


def _build(vectors, context, builder, signature, arguments):
    """Write the loop over the entries: one multiply-add a vector of the tile."""
    kinds = signature.args
    total, x, offsets, weights = (
        context.make_array(kind)(context, builder, array).data
        for kind, array in zip(kinds[:4], arguments[:4], strict=True)
    )
    start, stop, at = (
        context.cast(builder, number, kind, types.intp)
        for number, kind in zip(arguments[4:], kinds[4:], strict=True)
    )
    number, place = context.get_value_type(kinds[1].dtype), context.get_value_type(types.intp)
    width = kinds[1].dtype.bitwidth
    lanes = 8 * BYTES // width
    vector = ir.VectorType(number, lanes)
    unset = ir.Constant(vector, ir.Undefined)
    everywhere = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
    multiply_add = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(vector, [vector] * 3),
        f"llvm.fmuladd.v{lanes}f{width}",
    )
    here = builder.gep(x, [at])
    before = builder.block
    head, body, end = (
        builder.append_basic_block(f"tile.{name}") for name in ("head", "body", "end")
    )

    builder.branch(head)
    builder.position_at_end(head)
    entry = builder.phi(place)
    sums = [builder.phi(vector) for _ in range(vectors)]
    builder.cbranch(builder.icmp_signed("<", entry, stop), body, end)

    builder.position_at_end(body)
    offset = builder.load(builder.gep(offsets, [entry]))
    offset = context.cast(builder, offset, kinds[2].dtype, types.intp)
    weight = builder.load(builder.gep(weights, [entry]))
    weight = context.cast(builder, weight, kinds[3].dtype, kinds[1].dtype)
    weight = builder.insert_element(unset, weight, ir.Constant(ir.IntType(32), 0))
    weight = builder.shuffle_vector(weight, unset, everywhere)
    piece = builder.bitcast(builder.gep(here, [offset]), vector.as_pointer())
    added = []
    for i, sum_ in enumerate(sums):
        values = builder.load(builder.gep(piece, [place(i)]), align=width // 8)
        added.append(builder.call(multiply_add, [weight, values, sum_]))
    entry.add_incoming(start, before)
    entry.add_incoming(builder.add(entry, place(1)), body)
    for sum_, more in zip(sums, added, strict=True):
        sum_.add_incoming(ir.Constant(vector, [0.0] * lanes), before)
        sum_.add_incoming(more, body)
    builder.branch(head)

    builder.position_at_end(end)
    to = builder.bitcast(total, vector.as_pointer())
    for i, sum_ in enumerate(sums):
        builder.store(sum_, builder.gep(to, [place(i)]), align=width // 8)
    return context.get_dummy_value()
