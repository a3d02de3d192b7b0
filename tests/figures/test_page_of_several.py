"""Several networks on one page: the values of each, differences, one line for what is wrong."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import sparsify
from torch import nn, no_grad

import graph_encoding
import metrics
from figures.page import several
from metrics.by_layer import by_layer
from runs.summary import number

MADE = {"model": "Net", "dataset": "CIFAR-10", "sparsity": 0.6, "seed": 0}
EVIL = "<script>alert('\"&')</script>"


def saved(folder, pruning, density=0.4, layers=2, encoding="unrolled", wiring="exact", **more):
    """A file of a small network, whose second layer is empty if it is made with density 0."""
    stride = 2 if wiring == "published" else 1
    module = nn.Sequential(*(nn.Conv2d(2, 2, 3, stride, 1) for _ in range(layers)))
    sparsify(module, len(pruning), [density or 1.0])
    if not density:
        with no_grad():
            module[1].weight.zero_()
    graphs = graph_encoding.encode(module, encoding, (2, 8, 8), wiring)
    file = folder / f"{re.sub('[^a-z]', '', pruning)}-{layers}-{encoding}-{wiring}.graph.zst"
    graph_encoding.save(file, graphs, MADE | {"pruning": pruning} | more)
    return file


def run(*arguments):
    return several.main(list(map(str, arguments)))


def page_of(*files):
    return several.page([several.measured(*several.read(file), file.name) for file in files])


class Page(HTMLParser):
    """The cells of each row of each table, and all text."""

    def __init__(self, html):
        super().__init__()
        self.tables, self.texts, self.inside = {}, [], []
        self.feed(html)
        self.close()
        assert not self.inside, "elements are not closed in order"

    def handle_starttag(self, tag, attrs):
        kind = dict(attrs).get("class")
        if tag == "table":
            self.rows = self.tables.setdefault(kind, [])
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append([])
        if tag not in ("meta", "link", "img", "source", "wbr"):
            self.inside.append(tag)

    def handle_endtag(self, tag):
        assert self.inside.pop() == tag

    def handle_data(self, data):
        if {"script", "style"} & {*self.inside}:
            return
        self.texts.append(data)
        if {"td", "th"} & {*self.inside}:
            self.rows[-1][-1].append(data)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("graphs")
    return [saved(folder, "snip"), saved(folder, "synflow", 0.7), saved(folder, EVIL, 0)]


@pytest.fixture(scope="module")
def html(files, tmp_path_factory):
    output = tmp_path_factory.mktemp("page") / "page.html"
    assert run(*files, "--output", output) == 0
    return output.read_text(encoding="utf-8")


def test_it_has_the_values_of_every_network(html, files):
    rows = {cells[0][0]: cells[1:] for cells in Page(html).tables["beside"] if len(cells) > 1}
    expected = [metrics.topometrics(graph_encoding.load(file)[0]) for file in files]
    for name in metrics.COLUMNS:
        assert [cell[0] for cell in rows[name]] == [number(values[name]) for values in expected]
    first, second, _ = (values["edges"] for values in expected)
    found = rows["edges"][1][1]
    assert float(found.removesuffix(" %")) == pytest.approx(100 * (second / first - 1), abs=0.51)
    assert len(rows["edges"][0]) == 1, "the first differs from nothing"
    assert "Pruner" not in rows, "the headings say it"


def test_it_has_the_share_of_every_layer(html, files):
    layers = [by_layer(*graph_encoding.load(file)) for file in files]
    shown = Page(html).tables["layers"][1:-1]
    for place, cells in enumerate(shown):
        assert cells[1] == [layers[0][place].name]
        for found, (text,) in zip(layers, cells[2:], strict=True):
            density = found[place].density
            if density:
                assert float(text.removesuffix("\xa0%")) == pytest.approx(100 * density, abs=0.06)
            else:
                assert text == "none"
    assert sum(cells[-1] == ["none"] for cells in shown) == 1


def test_it_is_whole_escaped_and_by_itself(html):
    page = Page(html)
    assert EVIL not in html and html.count("<script>") == 1
    assert any(EVIL[:40] in text for text in page.texts)
    assert all(
        a.startswith(("#", "data:")) for a in re.findall(r'(?:src|href|srcset)="(.*?)"', html)
    )
    assert html.count("<img ") == 4  # the layers, and every graph
    assert "Net for CIFAR-10" in page.texts


def test_what_differs_is_beside_each_other_and_the_rest_in_common(tmp_path):
    trained = {"training": True, "epochs": 4}
    files = [
        saved(tmp_path, "snip", accuracy=0.5, **trained),
        saved(tmp_path, "erk", accuracy=0.6, **trained),
    ]
    page = Page(page_of(*files))
    rows = {cells[0][0]: cells[1:] for cells in page.tables["beside"] if len(cells) > 1}
    assert rows["Test accuracy"] == [["0.5"], ["0.6", "+20 %"]]
    assert rows["Pruner"] == [["snip"], ["erk"]]  # its labels are others here
    text = " ".join(page.texts)
    assert "Epochs" in text and "Epochs" not in rows


def test_other_layers_are_not_put_beside_each_other(tmp_path):
    files = [saved(tmp_path, "snip"), saved(tmp_path, "erk", layers=3)]
    page = Page(page_of(*files))
    assert "layers" not in page.tables and len(page.tables["beside"]) > len(metrics.COLUMNS)
    assert any("different layers" in text for text in page.texts)


def test_what_is_wrong_is_one_line(tmp_path, files, capsys):
    output = ("--output", tmp_path / "page.html")
    rolled = saved(tmp_path, "erk", encoding="rolled")
    published = saved(tmp_path, "erk", wiring="published")
    shortcuts = saved(tmp_path, "erk", wiring="identity")
    for wrong, said in (
        (files[:1], "1 graphs for one page: give 2 to 6"),
        ([files[0], files[0]], "give 2 to 6"),
        ([files[0], rolled], "give one of --encoding unrolled"),
        ([files[0], published], "has the published wiring"),
        ([files[0], shortcuts], "several wirings (exact, identity)"),
        ([files[0], tmp_path / "none.zst"], "none.zst"),
    ):
        assert run(*wrong, *output) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1 and err.startswith("figures.page: error: ") and said in err
    assert not output[1].exists()


NUMBERS = st.one_of(st.integers(1, 10**12), st.floats(1e-6, 1e6))


@given(NUMBERS, NUMBERS)
def test_a_difference_leads_from_the_first_value_to_the_other(first, other):
    text = several.difference(first, other)
    if text == "same":
        assert first == other
    elif text == "< 0.01 %":
        assert first != other and first == pytest.approx(other, rel=1e-4)
    elif text.startswith("×"):
        assert first * float(text[2:].replace(",", "")) == pytest.approx(other, rel=0.006)
    else:
        change = float(text.removesuffix(" %").replace("\N{MINUS SIGN}", "-")) / 100
        assert first * (1 + change) == pytest.approx(other, abs=0.0051 * max(first, other))
        assert (change > 0) == (other > first)


def test_where_there_is_no_difference_to_speak_of():
    for pair in ((None, 1), (1, None), (0, 3), (True, 2), ("a", "b")):
        assert several.difference(*pair) == ""
    assert several.difference(0, 0) == "same"
    assert several.difference(-2.0, -1.0) == "+50 %"


# In a browser


def test_it_can_be_read_on_a_phone_and_in_the_dark(window, html, tmp_path):
    file = tmp_path / "page.html"
    file.write_text(html, encoding="utf-8")
    window.open(file)
    window.devtools(
        "Emulation.setDeviceMetricsOverride",
        width=390,
        height=800,
        deviceScaleFactor=2,
        mobile=True,
    )
    root = "document.documentElement"
    assert window.run(f"return {root}.scrollWidth <= innerWidth")
    outside = (
        "return [...document.querySelectorAll('body *')].filter(e => !e.closest('.beside')"
        " && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML)"
    )
    assert window.run(outside) == []
    seen = "return getComputedStyle(document.querySelector('.side img')).filter != 'none'"
    for scheme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        window.devtools("Emulation.setEmulatedMedia", features=[feature])
        assert window.run(seen) == (scheme == "dark")
    window.devtools("Emulation.setEmulatedMedia", features=[])
    window.devtools("Emulation.clearDeviceMetricsOverride")
    assert window.console() == []
