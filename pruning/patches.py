"""Convolutions of doubles, an image after the other, as matrix products with copies of its patches.

torch makes the copies of each call in new memory, where the system gives every page of 4 KB by
itself, and as many as an image has, which is more than a cache holds. Here some rows of the output
are computed at a time, from copies that always lie in the same place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

LARGE = 1 << 16
"""Bytes of the copies of an image from which on its products are worth a call each."""

COPIES = 6e5
"""Bytes of copies that are made at a time, unless one row takes more."""

Pair = Sequence[int]


class Patches:
    """What each output of a convolution reads of an image.

    Parameters
    ----------
    shape : sequence of int
        Channels, height and width of an image.
    taps, size : sequence of int
        Height and width of the kernel, and of what the convolution gives.
    stride, padding, dilation : sequence of int
        Each for height and width.
    """

    def __init__(
        self, shape: Pair, taps: Pair, size: Pair, stride: Pair, padding: Pair, dilation: Pair
    ) -> None:
        channels, height, width = shape
        (top, left), (self._height, self._width) = padding, size
        padded = (channels, height + 2 * top, width + 2 * left)
        self._padded = torch.zeros(padded, dtype=torch.float64)
        self._image = self._padded[:, top : top + height, left : left + width]
        row, column = padded[2], 1
        self._step = stride[0] * row
        self._strides = [
            padded[1] * row,
            *(dilation[0] * row, dilation[1] * column),
            *(stride[0] * row, stride[1] * column),
        ]
        self._taps = channels, *taps
        self._values = channels * taps[0] * taps[1]
        self._rows = rows_at_a_time(self._values, size)
        self._copies = torch.empty(self._values * self._rows * self._width, dtype=torch.float64)

    def of(self, image: torch.Tensor) -> Iterator[tuple[slice, torch.Tensor]]:
        """Outputs in a row, and a matrix with a column of what each reads.

        Parameters
        ----------
        image : torch.Tensor of float64, of the shape

        Yields
        ------
        slice
            Of the outputs' positions.
        torch.Tensor of float64, shape (channels * taps, positions)
            Valid until the next.
        """
        self._image.copy_(image)
        for start in range(0, self._height, self._rows):
            rows = min(self._rows, self._height - start)
            read = self._padded.as_strided(
                (*self._taps, rows, self._width), self._strides, start * self._step
            )
            copies = self._copies[: read.numel()].view(read.shape)
            copies.copy_(read)
            first = start * self._width
            yield (
                slice(first, first + rows * self._width),
                copies.view(self._values, rows * self._width),
            )


def rows_at_a_time(values: int, size: Pair) -> int:
    """Rows of outputs, each of which reads so many values, of which copies are made at a time."""
    return max(1, min(size[0], int(COPIES // (8 * values * size[1]))))


def products(
    out: torch.Tensor, images: torch.Tensor, weight: torch.Tensor, patches: Patches
) -> None:
    """Convolve images with a weight, into `out`; all with the axis of images or outputs first."""
    matrix = weight.reshape(len(weight), -1)
    for into, image in zip(out.flatten(2), images, strict=True):
        for some, copies in patches.of(image):
            torch.mm(matrix, copies, out=into[:, some])


def add_outer(
    sums: torch.Tensor, gradient: torch.Tensor, images: torch.Tensor, patches: Patches
) -> None:
    """Add to `sums` the derivative by the weight: of each output's gradient and what it reads."""
    matrix = sums.view(len(sums), -1)
    for slopes, image in zip(gradient.flatten(2), images, strict=True):
        for some, copies in patches.of(image):
            matrix.addmm_(slopes[:, some], copies.t())
