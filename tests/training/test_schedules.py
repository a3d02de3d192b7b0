"""Training schedules."""

import pytest

from training import paper_schedule


@pytest.mark.parametrize(
    "model", ["CONV-6", "Resnet-20", "Resnet-32", "Wide-Resnet-28-2", "MobileNetV2"]
)
@pytest.mark.parametrize("dataset", ["CIFAR-10", "CIFAR-100", "tinyimagenet", "digits"])
def test_paper(model, dataset):
    schedule = paper_schedule(model, dataset)
    assert (schedule.batch_size, schedule.lr) == (32 if dataset == "digits" else 128, 0.1)
    assert schedule.weight_decay == (5e-4 if model == "Wide-Resnet-28-2" else 1e-4)
    if dataset.startswith("CIFAR"):
        assert (schedule.epochs, schedule.milestones) == (160, (80, 120))
    elif dataset == "tinyimagenet":
        first = 20 if model == "CONV-6" else 30
        assert (schedule.epochs, schedule.milestones) == (100, (first, 60, 80))
    else:
        assert (schedule.epochs, schedule.milestones) == (4, (3,))


@pytest.mark.parametrize(
    ("dataset", "epochs", "milestones"),
    [
        ("CIFAR-10", 40, (20, 30)),
        ("CIFAR-10", 320, (160, 240)),
        ("CIFAR-10", 7, (4, 6)),  # 3.5, 5.25: rounded up
        ("CIFAR-10", 3, (2, 3)),
        ("CIFAR-10", 1, (1, 1)),  # never before the first epoch ends
        ("tinyimagenet", 7, (3, 5, 6)),
        ("digits", 7, (6,)),
        ("digits", 3, (3,)),
        ("digits", 1, (1,)),
    ],
)
def test_other_lengths_keep_the_proportions(dataset, epochs, milestones):
    schedule = paper_schedule("Resnet-20", dataset).over(epochs)
    assert (schedule.epochs, schedule.milestones, schedule.lr) == (epochs, milestones, 0.1)


def test_unknown_dataset():
    with pytest.raises(ValueError, match="no training schedule for dataset 'mnist'"):
        paper_schedule("Resnet-20", "mnist")
