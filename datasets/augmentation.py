"""Crop-with-padding and horizontal flip, on a whole batch at once."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch


class Shifts(NamedTuple):
    """What is drawn for a batch of n images: tensors of shape (n, 1), on one device.

    Attributes
    ----------
    tops, lefts : torch.Tensor
        int64: where each padded image is cut.
    mirrored : torch.Tensor
        bool: which images are mirrored, if images are mirrored at all.
    """

    tops: torch.Tensor
    lefts: torch.Tensor
    mirrored: torch.Tensor


@dataclass(frozen=True)
class Augmentation:
    """Random shifts and mirror images of training images.

    Each image is padded on all sides, cut back to its size at a random place, and mirrored left
    to right with probability one half; the usual augmentation for CIFAR (He et al., CVPR 2016,
    section 4.2).

    Attributes
    ----------
    padding : int
        Pixels added on each side; images shift by at most this much.
    flip : bool
        Whether images are mirrored.
    fill : tuple of float
        What the added pixels are, a number a channel: black, as normalised images have it.
    """

    padding: int
    flip: bool
    fill: tuple[float, ...]

    def __call__(self, images: torch.Tensor, generator: np.random.Generator) -> torch.Tensor:
        """Augment a batch.

        Parameters
        ----------
        images : torch.Tensor
            ``(n, channels, height, width)``; not altered.
        generator : numpy.random.Generator
            The only source of randomness.

        Returns
        -------
        torch.Tensor
            A new tensor of the same shape and dtype.
        """
        return self.apply(images, self.draw(len(images), generator)).contiguous()

    def draw(self, count: int, generator: np.random.Generator) -> Shifts:
        """Draw what `apply` does to a batch of `count` images; on the CPU."""
        places = 2 * self.padding + 1
        tops = torch.from_numpy(generator.integers(places, size=(count, 1)))
        lefts = torch.from_numpy(generator.integers(places, size=(count, 1)))
        return Shifts(tops, lefts, torch.from_numpy(generator.random((count, 1)) < 0.5))

    def apply(self, images: torch.Tensor, shifts: Shifts) -> torch.Tensor:
        """Shift and mirror a batch as drawn, where it is.

        Parameters
        ----------
        images : torch.Tensor
            ``(n, channels, height, width)``; not altered.
        shifts : Shifts
            On the same device.

        Returns
        -------
        torch.Tensor
            A new tensor of the same shape, dtype and device, channels last in memory.
        """
        count, channels, height, width = images.shape
        pad, device = self.padding, images.device
        padded = images.new_empty(count, channels, height + 2 * pad, width + 2 * pad)
        for channel, value in enumerate(self.fill):
            padded[:, channel] = value
        padded[:, :, pad : pad + height, pad : pad + width] = images

        rows = shifts.tops + torch.arange(height, device=device)
        columns = shifts.lefts + torch.arange(width, device=device)
        if self.flip:
            columns = torch.where(shifts.mirrored, columns.flip(1), columns)
        samples = torch.arange(count, device=device)[:, None, None]
        cut = padded.permute(0, 2, 3, 1)[samples, rows[:, :, None], columns[:, None, :]]
        return cut.permute(0, 3, 1, 2)
