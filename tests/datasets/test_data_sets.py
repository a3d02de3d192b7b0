"""The registry, and what importing it costs."""

import subprocess
import sys
from pathlib import Path

import pytest

import datasets


def test_names_and_classes():
    known = {"CIFAR-10": 10, "CIFAR-100": 100, "tinyimagenet": 200, "digits": 10}
    assert {name: datasets.about(name).classes for name in known} == known


def test_unknown_name():
    with pytest.raises(ValueError, match="unknown dataset 'mnist': choose from CIFAR-10"):
        datasets.load("mnist", "data", train=True)


def test_no_dataset_library_is_imported_before_it_is_needed():
    """Nor by choosing the default where nothing is on disk."""
    code = (
        "import sys, datasets, models, datasets.default as d\n"
        "d.why_unreachable = lambda url: 'not asked'\n"
        "assert datasets.choose_default('no/such/folder')[0] == 'digits'\n"
        "loaded = {'torchvision', 'sklearn', 'PIL', 'tinyimagenet'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
        "import training.loop\n"
        "print('fine')\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.stdout == "fine\n", done.stderr
