"""Digits: the real images that come with scikit-learn, for work without a network."""

from pathlib import Path

import torch
from torch.nn import functional as F

from datasets.augmentation import Augmentation
from datasets.images import ImageDataset, black

TEST_FRACTION = 0.2
SPLIT_SEED = 0


def load_digits(
    root: str | Path | None = None,
    *,
    train: bool,
    augment: bool = False,
    download: bool = True,
    progress: bool = True,
) -> ImageDataset:
    """Read scikit-learn's 1,797 handwritten digits as 32 x 32 colour images.

    They are the test part of the Optical Recognition of Handwritten Digits data (Alpaydin and
    Kaynak, UCI, 1998): 8 x 8 pixels of 17 levels. They are scaled to 32 x 32 bilinearly, repeated
    over three channels and normalised with the training part's mean and deviation. The split is
    fixed and stratified: 1,437 images to train, 360 to test.

    Parameters
    ----------
    root : str, pathlib.Path or None
        Not read, like `download` and `progress`: the images come with scikit-learn.
    train : bool
        The training part or the test part.
    augment : bool
        Whether batches are cropped with padding 2 (see `datasets.batches`). They are not flipped,
        because a mirrored digit is no digit, and shifted by half of what CIFAR's images are, since
        the digits fill their frame and 4 pixels here are a whole pixel of the original.

    Returns
    -------
    ImageDataset
        Images 3 x 32 x 32, labels 0 to 9.
    """
    # scikit-learn takes a second to import, and only this dataset needs it.
    import sklearn.datasets
    import sklearn.model_selection

    digits = sklearn.datasets.load_digits()
    parts = sklearn.model_selection.train_test_split(
        range(len(digits.target)),
        test_size=TEST_FRACTION,
        stratify=digits.target,
        random_state=SPLIT_SEED,
    )
    small = torch.from_numpy(digits.images).to(torch.float32)[:, None] / 16
    images = F.interpolate(small, size=(32, 32), mode="bilinear", align_corners=False)
    train_pixels = images[parts[0]].double()
    mean = (train_pixels.mean().item(),) * 3
    std = (train_pixels.std(correction=0).item(),) * 3
    chosen = torch.tensor(parts[0] if train else parts[1])
    return ImageDataset(
        images[chosen].expand(-1, 3, -1, -1),
        torch.from_numpy(digits.target).to(torch.int64)[chosen],
        mean,
        std,
        Augmentation(2, False, black(mean, std)) if augment else None,
    )
