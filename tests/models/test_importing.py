"""Modules of the user's own that are called as ours, Python's and each other's are."""

import importlib
import sys

import pytest
import torch

import models
from models import own
from models.importing import resolve

FILES = {
    "models/__init__.py": "",
    "models/layers.py": """
from torch import nn
def head():
    return nn.Linear(16, 5)
""",
    "models/late.py": "def flat(x): return x.flatten(1)",
    "models/net.py": """
import importlib, io, pickle
import models.layers
import models.layers as again
from models import layers
from models.layers import head
from models.layers import *
from . import layers as relative
import queue
from torch import nn
assert models.layers is again is layers is relative
assert importlib.import_module("models.layers") is layers
assert queue.SIZE == 2

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(3, 4, 3, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.head = head()
    def forward(self, x):
        from metrics import SIZE
        from models.late import flat
        import copy
        return self.head(flat(self.pool(self.body(x))))[:, :SIZE]

def whole():
    written = pickle.dumps(Net())
    here = Net.__module__.encode()
    assert here.endswith(b".models.net")
    def short(name):
        return bytes([0x8C, len(name)]) + name
    assert short(here) in written
    # As written where this package is called by its own name.
    return pickle._loads(written.replace(short(here), short(b"models.net")))
""",
    "plain.py": "def make():\n    from models.net import Net\n    return Net()\n",
    "metrics/more.py": "",  # no package without the file below
    "metrics/__init__.py": "SIZE = 3",
    "queue.py": "SIZE = 2",
    "datasets/images/nothing.txt": "",
    "torch/weights.txt": "",
    "uses_installed.py": "import torch\nimport datasets\nmake = torch.nn.Linear\n",
    "broken.py": "import models.absent",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setattr(sys, "path_hooks", list(sys.path_hooks))
    before = dict(sys.modules)
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    yield tmp_path
    for name in sys.modules.keys() - before.keys():
        if name in ("plain", "broken", "uses_installed", "models.net", "models.layers"):
            del sys.modules[name]


@pytest.mark.parametrize("name", ["models.net:Net", "plain:make", "models.net:whole"])
def test_modules_find_each_other_and_hide_nobody(folder, name):
    import queue

    ours = {key: sys.modules.get(key) for key in ("models", "metrics", "queue", "models.resnet")}
    made = resolve(name, folder)()
    assert made(torch.zeros(2, 3, 8, 8)).shape == (2, 3)  # imports more when it runs
    assert {key: sys.modules.get(key) for key in ours} == ours
    assert importlib.import_module("models") is models
    assert importlib.import_module("metrics").topometrics
    assert importlib.import_module("queue") is queue
    assert resolve("models.net:Net", folder) is resolve("models.net:Net", folder)


def test_a_folder_without_python_in_it_is_no_module(folder):
    """Folders of images and weights are called as packages are; those are meant."""
    assert resolve("uses_installed:make", folder) is torch.nn.Linear


def test_modules_of_the_same_name_in_two_folders(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "plain.py").write_text("def make():\n    return 2\n")
    assert isinstance(resolve("plain:make", folder)(), torch.nn.Module)
    assert resolve("plain:make", other)() == 2
    assert isinstance(resolve("plain:make", folder)(), torch.nn.Module)


def test_what_is_on_pythonpath(folder, tmp_path_factory, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(folder))
    make = resolve("models.net:Net", tmp_path_factory.mktemp("elsewhere"))
    assert make()(torch.zeros(2, 3, 8, 8)).shape == (2, 3)


def test_names_in_messages_are_the_users(folder):
    with pytest.raises(own.OwnNetworkError, match=r"No module named 'models\.absent'"):
        own.build(own.Source("broken:make"), 10, 0, folder)
    with pytest.raises(own.OwnNetworkError, match=r"No module named 'models\.absent'"):
        own.build(own.Source("models.absent:make"), 10, 0, folder)


def test_of_ours_what_the_user_has_not(tmp_path):
    """A folder without a package ``models`` leaves the name to ours."""
    assert resolve("models.resnet:__doc__", tmp_path) == models.resnet.__doc__
