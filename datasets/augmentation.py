"""Crop-with-padding and horizontal flip, on a whole batch at once."""

from dataclasses import dataclass

import numpy as np
import torch


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
        count, channels, height, width = images.shape
        pad = self.padding
        tops = torch.from_numpy(generator.integers(2 * pad + 1, size=(count, 1)))
        lefts = torch.from_numpy(generator.integers(2 * pad + 1, size=(count, 1)))
        mirrored = torch.from_numpy(generator.random((count, 1)) < 0.5)

        padded = torch.empty(count, channels, height + 2 * pad, width + 2 * pad, dtype=images.dtype)
        padded[:] = torch.tensor(self.fill, dtype=images.dtype).reshape(-1, 1, 1)
        padded[:, :, pad : pad + height, pad : pad + width] = images

        rows = tops + torch.arange(height)
        columns = lefts + torch.arange(width)
        if self.flip:
            columns = torch.where(mirrored, columns.flip(1), columns)
        samples = torch.arange(count)[:, None, None]
        cut = padded.permute(0, 2, 3, 1)[samples, rows[:, :, None], columns[:, None, :]]
        return cut.permute(0, 3, 1, 2).contiguous()
