"""How long and how fast each model is trained on each dataset."""

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Schedule:
    """Settings of one training run.

    Attributes
    ----------
    epochs : int
        Passes over the training data.
    batch_size : int
        Images a step.
    lr : float
        Learning rate at the start.
    milestones : tuple of int
        After that many epochs the learning rate is divided by ten.
    weight_decay : float
        L2 penalty.
    """

    epochs: int
    batch_size: int
    lr: float
    milestones: tuple[int, ...]
    weight_decay: float

    def over(self, epochs: int) -> "Schedule":
        """Return the same schedule stretched or shrunk to `epochs`, milestones in proportion.

        They are rounded up: the first epoch always has the full learning rate.
        """
        milestones = tuple(math.ceil(m * epochs / self.epochs) for m in self.milestones)
        return replace(self, epochs=epochs, milestones=milestones)


def paper_schedule(model_name: str, dataset_name: str) -> Schedule:
    """Return the schedule that the paper trains a model on a dataset with.

    SGD with learning rate 0.1 and batches of 128; weight decay 1e-4, and 5e-4 for
    Wide-Resnet-28-2. CIFAR: 160 epochs, a tenth of the rate after 80 and 120. Tiny ImageNet: 100
    epochs, a tenth after 30, 60 and 80 (CONV-6: 20, 60 and 80).

    The digits are not in the paper. They are 35 times fewer than CIFAR's training images and far
    easier: in 4 epochs of 45 batches of 32, the last at a tenth of the rate, dense networks of
    every model classify 98 % of the test images or more.

    Parameters
    ----------
    model_name : str
        A key of `models.MODELS`; one that the paper does not have gets weight decay 1e-4.
    dataset_name : str
        ``"CIFAR-10"``, ``"CIFAR-100"``, ``"tinyimagenet"`` or ``"digits"``.

    Returns
    -------
    Schedule

    Raises
    ------
    ValueError
        If there is no schedule for the dataset.
    """
    batch_size = 128
    if dataset_name in ("CIFAR-10", "CIFAR-100"):
        epochs, milestones = 160, (80, 120)
    elif dataset_name == "tinyimagenet":
        epochs, milestones = 100, (20, 60, 80) if model_name == "CONV-6" else (30, 60, 80)
    elif dataset_name == "digits":
        batch_size, epochs, milestones = 32, 4, (3,)
    else:
        raise ValueError(f"no training schedule for dataset {dataset_name!r}")
    weight_decay = 5e-4 if model_name == "Wide-Resnet-28-2" else 1e-4
    return Schedule(epochs, batch_size, 0.1, milestones, weight_decay)


def schedule(
    model_name: str,
    dataset_name: str,
    *,
    epochs: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
) -> Schedule:
    """Return `paper_schedule` with what is given in the place of the paper's.

    Parameters
    ----------
    model_name, dataset_name : str
        As in `paper_schedule`.
    epochs : int, optional
        The milestones keep their places in proportion (`Schedule.over`).
    batch_size : int, optional
    lr : float, optional
        Learning rate at the start.

    Returns
    -------
    Schedule

    Raises
    ------
    ValueError
        As `paper_schedule`.
    """
    paper = paper_schedule(model_name, dataset_name)
    return replace(
        paper.over(epochs or paper.epochs),
        batch_size=batch_size or paper.batch_size,
        lr=lr or paper.lr,
    )
