"""Importing torchvision beside any build of torch."""

import subprocess
import sys
from pathlib import Path

from datasets.torchvision_import import import_torchvision


def test_gives_torchvision_with_its_datasets():
    torchvision = import_torchvision()
    assert torchvision is sys.modules["torchvision"]
    assert torchvision.datasets.CIFAR10.__name__ == "CIFAR10"
    assert import_torchvision() is torchvision


def test_in_a_fresh_process_where_the_operators_do_not_load():
    """As beside a CPU-only torch: every library of operators fails to load."""
    code = (
        "import torch\n"
        "def refuse(path): raise OSError('built for another torch')\n"
        "torch.ops.load_library = refuse\n"
        "from datasets.torchvision_import import import_torchvision\n"
        "print(import_torchvision().datasets.CIFAR100.base_folder)\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.stdout == "cifar-100-python\n", done.stderr
