"""Images that fit in memory, normalised as they are read."""

from collections.abc import Sequence

import torch
from torch.utils.data import Dataset

from datasets.augmentation import Augmentation


class ImageDataset(Dataset):
    """Labelled images of one size, held in memory.

    Parameters
    ----------
    images : torch.Tensor
        ``(n, channels, height, width)``, uint8 from 0 to 255 or float32 from 0 to 1.
    labels : torch.Tensor
        ``(n,)``, int64.
    mean, std : sequence of float
        What is subtracted from and what then divides each channel, on the scale from 0 to 1.
    augmentation : Augmentation or None
        What `datasets.batches` does to each batch; single images are never augmented.
    """

    def __init__(
        self,
        images: torch.Tensor,
        labels: torch.Tensor,
        mean: Sequence[float],
        std: Sequence[float],
        augmentation: Augmentation | None = None,
    ) -> None:
        if len(images) != len(labels):
            raise ValueError(f"{len(images)} images but {len(labels)} labels")
        self.images = images
        self.labels = labels
        self.mean = torch.tensor(mean, dtype=torch.float32).reshape(-1, 1, 1)
        self.std = torch.tensor(std, dtype=torch.float32).reshape(-1, 1, 1)
        self.augmentation = augmentation

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        """Return one normalised image, ``(channels, height, width)`` float32, and its label."""
        return self.normalised(self.images[index]), int(self.labels[index])

    def __getitems__(self, indices: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a batch at once: images ``(n, channels, height, width)``, labels ``(n,)``."""
        where = torch.as_tensor(indices)
        return self.normalised(self.images[where]), self.labels[where]

    def normalised(self, images: torch.Tensor) -> torch.Tensor:
        """Return images as `images` holds them, on the CPU, as float32 and normalised."""
        if images.dtype == torch.uint8:
            images = images.to(torch.float32).div_(255)
        return images.sub(self.mean).div_(self.std).contiguous()


def black(mean: Sequence[float], std: Sequence[float]) -> tuple[float, ...]:
    """Return what a black pixel is after normalisation, a number a channel."""
    return tuple(-m / s for m, s in zip(mean, std, strict=True))
