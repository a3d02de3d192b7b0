"""The tour in figures/tour.ipynb runs, and says what it is committed to say."""

import ast
import importlib.util
import json
import sys
from pathlib import Path

import pytest

import metrics

TOUR = Path(__file__).resolve().parent.parent / "figures" / "tour.ipynb"
WITH_KERNEL = all(map(importlib.util.find_spec, ("nbclient", "ipykernel")))


def cells():
    found = json.loads(TOUR.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in found if cell["cell_type"] == "code"]


def text_of(outputs):
    """The value of a cell as text; what is printed is told apart by its name."""
    return ["".join(output["data"]["text/plain"]) for output in outputs if "data" in output]


@pytest.mark.skipif(not WITH_KERNEL, reason="nbclient and ipykernel run it as Jupyter does")
def test_jupyter_runs_the_tour():
    import nbclient
    import nbformat

    notebook = nbformat.read(TOUR, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=900, resources={"metadata": {"path": str(TOUR.parent)}}
    )
    client.execute()
    found = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for ran, committed in zip(found, cells(), strict=True):
        assert text_of(ran.outputs) == text_of(committed["outputs"])
        said = "".join(output["text"] for output in ran.outputs if output.get("name") == "stderr")
        assert "Warning" not in said, said  # bars alone
        kinds = {kind for output in committed["outputs"] for kind in output.get("data", ())}
        assert kinds == {kind for output in ran.outputs for kind in output.get("data", ())}


@pytest.mark.skipif(WITH_KERNEL, reason="Jupyter runs it")
def test_the_cells_run(monkeypatch, long):
    """Without Jupyter: each cell as Python, its last expression compared with what it shows.

    But for spectra, which take longest: the long form looks at these too.
    """
    if not long:
        soon = tuple(found for found in metrics.METRICS if "spectra" not in found.where)
        monkeypatch.setattr(metrics, "METRICS", soon)
    monkeypatch.chdir(TOUR.parent)
    monkeypatch.setattr(sys, "path", [*sys.path])
    names = {}
    for cell in cells():
        *body, last = ast.parse("".join(cell["source"])).body
        exec(compile(ast.Module(body, []), TOUR.name, "exec"), names)
        if not isinstance(last, ast.Expr):
            exec(compile(ast.Module([last], []), TOUR.name, "exec"), names)
            continue
        value = eval(compile(ast.Expression(last.value), TOUR.name, "eval"), names)
        (shown,) = text_of(cell["outputs"])
        if hasattr(value, "savefig"):
            assert value._repr_png_().startswith(b"\x89PNG")
        else:
            lines = [
                line for line in shown.splitlines() if long or not line.startswith("spectral-")
            ]
            assert repr(value).split() == "\n".join(lines).split()
