"""Samples for the pruners that need data, cut from a loader of any batch size."""

from collections.abc import Iterable

import torch

from pruning.error import PruningError

Batch = tuple[torch.Tensor, torch.Tensor]


def take_batches(loader: Iterable, size: int, count: int, pruner: str) -> list[Batch]:
    """Take `count` batches of exactly `size` samples, in the order of the loader.

    Samples are used one after the other without regard to the loader's own batches. When the
    loader is exhausted it is iterated again, so 4 batches of 512 can come from 1437 images; a
    loader that shuffles then gives another order. It must however hold one full batch.

    Parameters
    ----------
    loader : iterable
        Yields ``(images, labels)`` batches.
    size, count : int
        Samples a batch, and number of batches.
    pruner : str
        Name used in error messages.

    Returns
    -------
    list of (torch.Tensor, torch.Tensor)
        Images ``(size, C, H, W)`` and labels ``(size,)``.

    Raises
    ------
    ValueError
        If one pass over the loader yields fewer than `size` samples, or a further pass none.
    """
    needed = size * count
    images, labels, have = [], [], 0
    while have < needed:
        at_start_of_pass = have
        for batch_images, batch_labels in loader:
            images.append(batch_images)
            labels.append(torch.as_tensor(batch_labels))
            have += len(batch_images)
            if have >= needed:
                break
        if have < size:
            raise PruningError(f"{pruner} needs a batch of {size} samples, the loader has {have}")
        if have == at_start_of_pass:
            raise PruningError(
                f"{pruner} needs {needed} samples, the loader gave {have} and cannot be read again"
            )
    all_images, all_labels = torch.cat(images)[:needed], torch.cat(labels)[:needed]
    return list(zip(all_images.split(size), all_labels.split(size)))


def take_per_class(loader: Iterable, per_class: int, num_classes: int, pruner: str) -> Batch:
    """Take the first `per_class` samples of every class, in one pass over the loader.

    The result is ordered round robin: one sample of each class in turn. Consecutive pieces of it
    are therefore as class-balanced as their size allows.

    Parameters
    ----------
    loader : iterable
        Yields ``(images, labels)`` batches.
    per_class : int
        Samples wanted of each class.
    num_classes : int
        Classes are ``0 .. num_classes - 1``.
    pruner : str
        Name used in error messages.

    Returns
    -------
    (torch.Tensor, torch.Tensor)
        Images ``(per_class * num_classes, C, H, W)`` and labels ``(per_class * num_classes,)``.

    Raises
    ------
    ValueError
        If a class has fewer than `per_class` samples, or a label is outside the classes.
    """
    found: list[list[torch.Tensor]] = [[] for _ in range(num_classes)]
    short = num_classes
    for images, labels in loader:
        for image, label in zip(images, torch.as_tensor(labels).tolist()):
            if not 0 <= label < num_classes:
                raise PruningError(f"{pruner}: label {label} is outside the {num_classes} classes")
            if len(found[label]) < per_class:
                found[label].append(image)
                short -= len(found[label]) == per_class
        if short == 0:
            break
    if short:
        counts = [len(samples) for samples in found]
        first = next(c for c, n in enumerate(counts) if n < per_class)
        raise PruningError(
            f"{pruner} needs {per_class} samples of each of {num_classes} classes, the loader has "
            f"too few of {short} of them (class {first}: {counts[first]})"
        )
    images = torch.stack([found[c][k] for k in range(per_class) for c in range(num_classes)])
    return images, torch.arange(num_classes).repeat(per_class)
