"""Importing torchvision beside any build of torch."""

import sys
from pathlib import Path

from datasets.torchvision_import import import_torchvision


def test_gives_torchvision_with_its_datasets():
    torchvision = import_torchvision()
    assert torchvision is sys.modules["torchvision"]
    assert torchvision.datasets.CIFAR10.__name__ == "CIFAR10"
    assert import_torchvision() is torchvision


def test_where_the_operators_do_not_load(warm_python):
    """As beside a CPU-only torch: every library of operators fails to load."""
    code = (
        "import sys, torch\n"
        "assert 'torchvision' not in sys.modules\n"
        "def refuse(path): raise OSError('built for another torch')\n"
        "torch.ops.load_library = refuse\n"
        "from datasets.torchvision_import import import_torchvision\n"
        "print(import_torchvision().datasets.CIFAR100.base_folder)\n"
    )
    done = warm_python.run("-c", code, cwd=Path(__file__).parents[2])
    assert done.stdout == "cifar-100-python\n", done.stderr
