"""Names that others chose, in cells, on the screen, in pictures and pages, and in files' names."""

import csv
import re
from xml.etree import ElementTree

import pytest
import torch
from torch import nn

import graph_encoding
import main
from figures import draw
from models import own
from runs import naming
from runs.measures import MEASURES
from runs.run import Network
from system import text

HOSTILE = (
    '=HYPERLINK("http://localhost/?"&A1,"open")',
    "+1+1",
    "-2+3",
    "@SUM(A1:A9)",
    "a\nb\r\nc",
    "\x1b]0;title\x07\x1b[2J",
    "half \ud800 of a pair",
    "nul \0, bell \a, delete \x7f",
    "<script>alert(1)</script>&amp;",
    "\u202eright to left",
    "\ufffe\uffff",
)
NETS = f"""
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        for name in {HOSTILE!r}:
            self._modules[name] = nn.Linear(6, 6, bias=False)

    def forward(self, x):
        for layer in self._modules.values():
            x = layer(x)
        return x
"""


@pytest.fixture
def files(tmp_path, monkeypatch, capsys):
    """All that is written and printed of a network with hostile names of layers."""
    (tmp_path / "hostile_nets.py").write_text(NETS, errors="surrogatepass")
    monkeypatch.chdir(tmp_path)
    flags = ("--model", "hostile_nets:Net", "--input-shape", "6", "--pruning", "uniform")
    flags += ("--sparsity", "0.9", "--encoding", "all", "--save-graph", "graphs", "--edges")
    flags += ("--graph-metrics", "topometrics", "ramanujan", "--figure", "net.svg")
    status = main.main([*flags, "--report", "net.html"])
    said = capsys.readouterr()
    assert status == 0, said.err
    return tmp_path, said


def test_names_of_layers(files):
    folder, said = files
    assert all(line.isprintable() for line in (said.out + said.err).split("\n"))
    cells, names = [], set()
    for file in folder.rglob("*.csv"):
        with open(file, newline="") as lines:
            for row in csv.DictReader(lines):
                cells += row.values()
                names |= {row["layer_name"]} if "layer_name" in row else set()
    assert all(cell.isprintable() for cell in cells)
    formulas = [cell for cell in cells if cell.startswith(text.FORMULA)]
    assert all(re.fullmatch(r"-?[\d.e+-]+", cell) for cell in formulas)  # numbers
    assert len(names) == len(HOSTILE)  # all tell themselves apart
    ElementTree.fromstring((folder / "net.svg").read_bytes())
    page = (folder / "net.html").read_bytes().decode()
    assert "<script>alert" not in page and page.count("<script>") == 1
    for path in folder.rglob("*"):
        assert path.name.isprintable()


def test_a_saved_graph_with_such_names_is_drawn(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    network = nn.Sequential()
    for name in HOSTILE:
        network._modules[name] = nn.Linear(3, 3)
    graphs = graph_encoding.encode(network, "unrolled", (3,))
    for graph in graphs + graph_encoding.encode(network, "rolled"):
        for name in (graph.layer_name or "", *(block.name for block in graph.blocks)):
            assert name.isprintable() and not name.startswith(text.FORMULA)
    made = {"model": HOSTILE[5], "dataset": HOSTILE[6], "pruning": HOSTILE[7], "sparsity": "\n"}
    graph_encoding.save("net.graph.zst", graphs, made)
    for flags in (["--output", "a.svg", "--mark", "sinks"], ["--compare", "--output", "b.svg"]):
        assert draw.main(["net.graph.zst", *flags]) == 0
    for picture in tmp_path.glob("*.svg"):
        ElementTree.fromstring(picture.read_bytes())
    assert all(line.isprintable() for line in capsys.readouterr().out.split("\n"))


@pytest.mark.parametrize(
    "hostile", [*HOSTILE, "../../../victim", "..", "/etc/passwd", "-rf", ".hidden", "a" * 300]
)
def test_no_file_name_leads_elsewhere(hostile, tmp_path):
    network = Network(hostile, hostile, hostile, 0.5, hostile, True, hostile, 1, 0.1)
    places = [network.saved_in(tmp_path), network.checkpoint(tmp_path)]
    for measure in MEASURES.values():
        places.append(measure.file(tmp_path, "rolled", hostile, hostile))
    source = own.Source(hostile, None, (6,))
    places.append(tmp_path / f"{source.label}.pt")
    for place in places:
        assert place.resolve().is_relative_to(tmp_path.resolve())
        inside = place.relative_to(tmp_path)
        assert not {"", ".", ".."} & set(inside.parts)
        for part in inside.parts:
            assert re.fullmatch(r"[\w.+-]+", part) and part.isprintable()
        assert inside.parts[-1][0] not in ".+-"


def test_names_that_are_fit_are_left_alone():
    for name in ("layer1.0.conv1", "features.3", "a + b", "größe", "block-2"):
        assert text.name(name) == name
    made = vars(Network("Resnet-20", "CIFAR-10", "erk", 1e-05, 0))
    assert naming.stem(made) == "Resnet-20-CIFAR-10-erk-1e-05-0"
    assert own.Source("torchvision.models:resnet18", None, (3, 224, 224)).label == (
        "torchvision.models.resnet18-3x224x224"
    )


def test_a_line_of_an_error_cannot_steer_the_terminal(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    torch.save({"\x1b]0;x\x07\nmain.py: done": torch.ones(2)}, "w.pt")
    (tmp_path / "plain_nets.py").write_text(
        "from torch import nn\ndef small(): return nn.Sequential(nn.Linear(6, 2))\n"
    )
    flags = ("--model", "plain_nets:small", "--input-shape", "6", "--weights", "w.pt")
    assert main.main([*flags, "--pruning", "dense"]) == 2
    (line,) = (line for line in capsys.readouterr().err.splitlines() if "error" in line)
    assert line.isprintable()
