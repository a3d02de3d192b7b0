"""The wiring of the released code at stride-2 convolutions: the same block with other numbers."""

from __future__ import annotations

from dataclasses import replace

from .axis import Axis
from .grid import NodeLayer


def published(
    source: NodeLayer, target: NodeLayer, rows: Axis, columns: Axis
) -> tuple[NodeLayer, NodeLayer, Axis, Axis]:
    """Lay a stride-2 3 x 3 convolution over the nodes that the released code joins.

    The released code takes the input of such a layer to be one position smaller on each axis
    (31 x 31 instead of 32 x 32), yet keeps the node numbering of the whole map: sources are
    numbered row by row in the small layout from the first node of the source layer, and
    the targets follow where the small layout ends, inside the source layer. Any other layer is
    returned as it is.

    Parameters
    ----------
    source, target : NodeLayer
        The node layers that the ``exact`` wiring joins.
    rows, columns : Axis
        The geometry of the ``exact`` wiring.

    Returns
    -------
    source, target : NodeLayer
    rows, columns : Axis
    """
    if not all(
        (axis.taps, axis.stride, axis.padding, axis.dilation) == (3, 2, 1, 1)
        and axis.windows is None
        and axis.source_size % 2 == 0
        for axis in (rows, columns)
    ):
        return source, target, rows, columns
    small = replace(source, height=source.height - 1, width=source.width - 1)
    return (
        small,
        replace(target, offset=small.stop),
        replace(rows, source_size=rows.source_size - 1),
        replace(columns, source_size=columns.source_size - 1),
    )
