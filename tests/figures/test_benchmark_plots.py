"""The plots of the benchmarks."""

import pandas as pd
import pytest

from figures import benchmarks


@pytest.fixture
def saved(monkeypatch):
    """Figures that would have been written."""
    found = []
    monkeypatch.setattr(benchmarks, "save", lambda figure, file: found.append(figure))
    return found


def test_notes_stay_inside_the_frame(saved, tmp_path):
    sides = pd.Series([32, 64, 128, 256])
    table = pd.DataFrame(
        {
            "side": sides,
            "nodes": 187 * sides**2,
            "edges": 7000 * sides**2,
            "seconds": sides**2 / 700,
            "megabytes": sides**2 / 12 + 400,
            "base_megabytes": 400,
        }
    )
    benchmarks.plot_scaling(table, tmp_path / "scaling.png")
    (figure,) = saved
    figure.canvas.draw()
    for panel in figure.axes:
        assert [note.get_text() for note in panel.texts] == [f"{s} × {s}" for s in sides]
        frame, legend = panel.get_window_extent(), panel.get_legend().get_window_extent()
        for note in panel.texts:
            box = note.get_window_extent()
            assert frame.x0 < box.x0 and box.x1 < frame.x1
            assert frame.y0 < box.y0 and box.y1 < frame.y1
            assert not box.overlaps(legend)
