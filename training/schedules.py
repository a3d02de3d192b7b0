"""How long and how fast each model is trained on each data set."""

from __future__ import annotations

from dataclasses import replace

from datasets import DATASETS
from datasets.schedule import Schedule
from models import MODELS


def paper_schedule(model_name: str, dataset_name: str) -> Schedule:
    """Return the schedule that the paper trains a model on a data set with.

    It is that of the data set, with what the model's entry in `models.MODELS` has in its place.

    Parameters
    ----------
    model_name : str
        A key of `models.MODELS`; any other model is trained as the data set says.
    dataset_name : str
        A key of `datasets.DATASETS`.

    Returns
    -------
    Schedule

    Raises
    ------
    ValueError
        If there is no such data set.
    """
    if dataset_name not in DATASETS:
        raise ValueError(f"no training schedule for dataset {dataset_name!r}")
    known = DATASETS[dataset_name].schedule
    if model_name not in MODELS:
        return known
    model = MODELS[model_name]
    return replace(
        known,
        milestones=model.milestones.get(dataset_name, known.milestones),
        weight_decay=model.weight_decay or known.weight_decay,
    )


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
