"""The page of a network: complete, self-contained and escaped; in a browser it sorts and prints."""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import re
from html.parser import HTMLParser

import matplotlib.image
import numpy as np
import pytest
from hypothesis import given, settings
from matplotlib.figure import Figure
from networks import Residual, sparsify
from pairs import pairs
from torch import nn, no_grad

from figures.collapse import warnings_of
from figures.page.one import LAYER_COLUMNS, page
from figures.page.parts import Picture
from graph_encoding import NodeLayer, encode
from metrics import COLUMNS, GROUPS, METRICS
from metrics.by_layer import LayerSummary, by_layer, whole
from metrics.registry import columns_of
from runs import records
from runs.columns import CONFIGURATION

VOID = {"meta", "link", "img", "source", "wbr", "br", "hr", "input"}
EVIL = "<script>alert('\"&')</script>"

ROW = dict(
    zip(
        CONFIGURATION,
        (
            *("Resnet-20", EVIL, "snip", 0.98, 0.980001, 3, "", None, "unrolled", "exact"),
            *(True, 4, 32, 0.1, 4, 0.9, 0.0),
        ),
        strict=True,
    )
) | {name: 1000.5 + place for place, name in enumerate(COLUMNS)}
ROW |= {"nodes": 191_894, "motifs": 100_875_931_069_000_000_001, "spectral-gap": None}

TARGET = NodeLayer("conv", 0, 64)


def layer(name: str, edges: int, density: float, strength: float = 1.0) -> LayerSummary:
    return LayerSummary(
        name, 64, edges, edges // 4, 2304, density, 0.25, 0.0, 0.5, strength, TARGET
    )


# Sorted as texts 9 would come after 1,000, and 1e-05 after 0.5.
LAYERS = [
    layer("conv10", 1000, 0.5, 1e-05),
    layer("conv9", 9, 0.25, 123456.0),
    layer(EVIL, 0, 0.0, 0.5),
    layer("conv1", 250_000, 0.25, 2.0),
    layer("a.very.long.name." + "block." * 12 + "conv", 30, 0.125, 3.0),
]


WHOLE = layer("all", 251_039, 0.02)


def png(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    matplotlib.image.imsave(buffer, np.zeros((height, width)), format="png")
    return buffer.getvalue()


NARROW = png(400, 1000)


@functools.cache
def written() -> str:
    figure = Figure(figsize=(11, 5))
    figure.subplots().plot([1, 2, 3])
    pictures = {"A figure & more": Picture(figure, NARROW), "An image": png(750, 900)}
    return page(ROW, GROUPS, LAYERS, pictures, ["Layer <b> has collapsed."], WHOLE)


class Page(HTMLParser):
    """What a page holds; fails where elements are not closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        assert len({name for name, _ in attrs}) == len(attrs)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "script" not in self.open and "style" not in self.open:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for found, attributes in self.elements if found == tag]


def test_page_is_a_whole_html_document():
    html = written()
    parsed = Page(html)
    assert html.startswith("<!DOCTYPE html>")
    assert parsed.all("html") == [{"lang": "en"}]
    assert {"charset": "utf-8"} in parsed.all("meta")
    ids = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    targets = [a["href"].removeprefix("#") for a in parsed.all("a")]
    targets += [a["aria-labelledby"] for _, a in parsed.elements if "aria-labelledby" in a]
    assert set(targets) <= set(ids)


def test_page_has_all_that_is_known():
    text = Page(written()).text
    meanings = {column.name: column.meaning for column in columns_of(METRICS)}
    for name in COLUMNS:
        assert f"{name}" in text and meanings[name] in text
    for group in GROUPS:
        assert group in text
    for value in ("191,894", "100,875,931,069,000,000,001", "1,002.5", "0.980001", "snip"):
        assert value in text
    for each in LAYERS:
        assert each.name in text and f"{each.edges:,}" in text
    assert "Layer <b> has collapsed." in text
    for version in filter(None, records.versions().values()):
        assert version in text
    assert "Multipartite Graph Representations" in text and "Cunegatti" in text
    assert "--pruning snip --sparsity 0.98 --seed 3 --encoding unrolled --wiring exact" in text
    assert "--training true --epochs 4 --batch-size 32 --lr 0.1" in text


def test_every_text_is_escaped():
    html = written()
    parsed = Page(html)
    assert EVIL not in html and len(parsed.all("script")) == 1
    assert not parsed.all("b") or "<b> has" not in html
    assert EVIL in parsed.text


def test_page_loads_nothing():
    html = written()
    parsed = Page(html)
    for _, attributes in parsed.elements:
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            assert attributes.get(name, "#").startswith(("#", "data:"))
    style = re.search("<style>(.*)</style>", html, re.DOTALL).group(1)
    assert "url(" not in style and "@import" not in style
    assert "default-src 'none'" in html


def test_the_policy_allows_the_one_script_of_the_page():
    html = written()
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy.split("; ")[-1] == f"script-src 'sha256-{digest}'"
    assert policy.startswith("default-src 'none'; ")


def test_pictures_are_embedded_with_their_size_and_caption():
    parsed = Page(written())
    images = parsed.all("img")
    assert [image["alt"] for image in images] == ["A figure & more", "An image"]
    assert [(image["width"], image["height"]) for image in images] == [
        ("2200", "1000"),
        ("750", "900"),
    ]
    assert all(image["src"].startswith("data:image/png;base64,iVBOR") for image in images)
    assert "A figure & more" in parsed.text


def test_sorting_is_by_exact_values():
    cells = [a["data-value"] for _, a in Page(written()).elements if "data-value" in a]
    assert tuple(LAYER_COLUMNS) == LayerSummary._fields[:-1]
    for place, found in enumerate(layer[:-1] for layer in (*LAYERS, WHOLE)):
        row = cells[place * (1 + len(found)) :][1 : 1 + len(found)]
        assert row[0] == found[0]
        assert [float(cell) for cell in row[1:]] == list(found[1:])


def test_the_last_row_counts_what_has_no_row():
    graph = shortcut_network()
    text = Page(page(ROW, GROUPS, by_layer(graph), {}, [], whole(graph))).text
    inputs = graph.layers[0].size
    identity = sum(block.num_edges for block in graph.blocks if not block.total_weights)
    assert identity == 4 * 36
    assert (
        f"The last row counts each node once, and also {inputs} nodes of the padded input and "
        f"{identity} edges of shortcuts without weights."
    ) in text


def shortcut_network(**zeros):
    """A residual block of two layers and a shortcut without weights, as an identity-wired graph."""
    body = nn.Sequential(nn.Conv2d(4, 4, 3, 1, 1), nn.Conv2d(4, 4, 3, 1, 1))
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3, 1, 1), Residual(body, nn.Identity()), nn.Flatten(), nn.Linear(144, 5)
    )
    sparsify(module, 0, [1.0])
    with no_grad():
        for name in zeros.get("without", ()):
            module.get_submodule(name).weight.zero_()
    (graph,) = encode(module, "unrolled", (1, 6, 6), zeros.get("wiring", "identity"))
    return graph


def test_what_is_missing_leaves_no_gap():
    html = page(ROW, GROUPS, [], {}, [])
    text = Page(html).text
    assert "None: every layer has edges" in text
    assert "Pictures" not in text and "Density" not in text and "weights kept" not in text


def test_the_same_network_is_the_same_page():
    assert written.__wrapped__() == written()


# What is wrong with a network


def found(module: nn.Module, shape=(1, 6, 6)) -> list[str]:
    (graph,) = encode(module, "unrolled", shape, "identity")
    return warnings_of(graph, shape)


def plain() -> nn.Sequential:
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3, 1, 1),
        nn.Conv2d(4, 4, 3, 1, 1),
        nn.Conv2d(4, 4, 3, 1, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 5),
    )
    sparsify(module, 0, [1.0])
    return module


def test_a_whole_network_has_no_warning():
    assert found(plain()) == []


def test_a_collapsed_layer_is_named_and_cuts_the_outputs():
    module = plain()
    with no_grad():
        module[1].weight.zero_()
    collapsed, cut = found(module)
    assert collapsed.startswith("Layer 1 (0 of 144 weights kept) has collapsed")
    assert "None of the 5 outputs (5)" in cut and "further than 0," in cut


def test_collapsed_layers_stand_together():
    module = plain()
    with no_grad():
        for place in (0, 1, 5):
            module[place].weight.zero_()
    collapsed, cut = found(module)
    assert "Layers 0 (0 of 36 weights kept), 1 (0 of 144 weights kept) and 5 (0 of 20" in collapsed
    assert "further than the input itself" in cut


def test_a_collapsed_shortcut_is_told_from_a_collapsed_path():
    body = nn.Sequential(nn.Conv2d(4, 4, 3, 1, 1), nn.Conv2d(4, 4, 3, 1, 1))
    module = nn.Sequential(nn.Conv2d(1, 4, 3, 1, 1), Residual(body, nn.Conv2d(4, 4, 1)))
    sparsify(module, 0, [1.0])
    with no_grad():
        module[1].shortcut.weight.zero_()
    (text,) = found(module)
    assert "1.shortcut (0 of 16 weights kept)" in text and "depend on 1.body.1 alone" in text


def test_a_collapsed_path_past_a_shortcut_without_weights():
    (text,) = warnings_of(shortcut_network(without=["1.body.1"]), (1, 6, 6))
    assert text == (
        "Layer 1.body.1 (0 of 144 weights kept) has collapsed: nothing flows on from it; the nodes "
        "where it ends depend on 1 shortcut alone."
    )
    (text,) = warnings_of(shortcut_network(without=["1.body.0"]), (1, 6, 6))
    assert text.endswith("has collapsed: nothing flows on from it.")  # no output is cut

    module = nn.Sequential(Residual(nn.Conv2d(1, 1, 3, 1, 1), nn.Identity()), nn.Conv2d(1, 2, 1))
    with no_grad():
        module[0].body.weight.zero_()
    module = nn.Sequential(nn.Conv2d(1, 1, 1), module)
    (graph,) = encode(module, "unrolled", (1, 6, 6), "identity")
    (text,) = warnings_of(graph, (1, 6, 6))  # one edge stands for the weight and the shortcut
    assert "(0 of 9 weights kept) has collapsed" in text and "the shortcut past it alone" in text


def test_some_outputs_and_inputs_are_cut():
    module = plain()
    with no_grad():
        module[5].weight[2] = 0
        module[5].weight[4] = 0
    (text,) = found(module)
    assert text.startswith("2 of 5 outputs (5), number 2 and 4, are reached by no input")

    module = nn.Sequential(nn.Conv2d(3, 4, 3, 1, 1), nn.Flatten(), nn.Linear(4 * 36, 5))
    sparsify(module, 0, [1.0])
    with no_grad():
        module[0].weight[:, 1] = 0  # a whole channel; its padding does not count
    (text,) = found(module, (3, 6, 6))
    assert text.startswith("36 of 108 inputs (read by 0) reach no output")


def test_padding_that_is_not_read_is_no_warning():
    module = plain()
    with no_grad():
        module[0].weight[..., 0, 0] = 0  # the corner of the padding reaches nothing
    (graph,) = encode(module, "unrolled", (1, 6, 6))
    assert found(module) == []
    assert warnings_of(graph) == [
        "1 of 64 inputs (read by 0) reaches no output: what it shows makes no difference to the "
        "answer."
    ]


def test_many_sinks_and_sources_are_named():
    module = plain()
    with no_grad():
        module[2].weight[:, :3] = 0  # three of four channels of layer 1 are not read
        module[1].weight[:, 0] = 0  # one of four of layer 0 is not read
    (text,) = found(module)
    assert text.startswith("Most nodes of 1 (75 %) are sinks")

    module = plain()
    with no_grad():
        module[1].weight[:3] = 0  # three of four channels of layer 1 are not fed
    (text,) = found(module)
    assert text.startswith("Most nodes of 1 (75 %) are sources")


@settings(max_examples=15)
@given(pairs(max_nodes=300))
def test_warnings_are_lines_on_any_graph(pair):
    layers = by_layer(pair.graph)
    warnings = warnings_of(pair.graph)
    assert all(text.endswith(".") and "\n" not in text for text in warnings)
    for layer in layers:
        collapsed = f"{layer.name} ({layer.kept_weights:,} of {layer.total_weights:,} weights kept)"
        assert (not layer.edges) == any(collapsed in text for text in warnings)


# In a browser


@pytest.fixture
def shown(window, tmp_path):
    file = tmp_path / "page.html"
    file.write_text(written(), encoding="utf-8")
    window.open(file)
    yield window
    assert window.console() == []


ENTER = "\ue007"  # of the WebDriver protocol
HEADS = ("#", *(column.heading for column in LAYER_COLUMNS.values()))


def column(window, heading: str) -> list[str]:
    script = (
        "return [...document.querySelectorAll('.layers tbody tr')]"
        ".map(row => row.cells[arguments[0]].dataset.value)"
    )
    return window.run(script, HEADS.index(heading))


def order(window) -> list[int]:
    return [int(place) for place in column(window, "#")]


def sorted_by(window) -> list[str | None]:
    script = (
        "return [...document.querySelectorAll('.layers thead th')]"
        ".map(head => head.getAttribute('aria-sort'))"
    )
    return window.run(script)


def click(window, heading: str) -> None:
    window.click(".layers thead button", HEADS.index(heading))


def test_a_click_sorts_by_value_and_a_second_one_turns_round(shown):
    assert order(shown) == [1, 2, 3, 4, 5] and set(sorted_by(shown)) == {None}
    for heading in ("Edges", "Strength"):
        values = [float(value) for value in column(shown, heading)]
        click(shown, heading)
        assert [float(value) for value in column(shown, heading)] == sorted(values)
        assert sorted_by(shown)[HEADS.index(heading)] == "ascending"
        click(shown, heading)
        assert [float(value) for value in column(shown, heading)] == sorted(values)[::-1]
        assert sorted_by(shown)[HEADS.index(heading)] == "descending"
        assert sum(state is not None for state in sorted_by(shown)) == 1
    click(shown, "#")
    assert order(shown) == [1, 2, 3, 4, 5]


def test_equal_rows_keep_their_order_both_ways(shown):
    click(shown, "Density")
    assert order(shown) == [3, 5, 2, 4, 1]
    click(shown, "Density")
    assert order(shown) == [1, 2, 4, 5, 3]


def test_names_sort_with_their_numbers(shown):
    click(shown, "Layer")
    names = column(shown, "Layer")
    assert [name for name in names if name.startswith("conv")] == ["conv1", "conv9", "conv10"]


def test_the_keyboard_sorts_too(shown):
    shown.press(".layers thead button", HEADS.index("Edges"), " ")
    assert order(shown) == [3, 2, 5, 1, 4]
    shown.press(".layers thead button", HEADS.index("Edges"), ENTER)
    assert order(shown) == [4, 1, 5, 2, 3]


def test_pictures_load_and_nothing_runs_that_is_not_ours(shown):
    widths = "return [...document.images].map(image => image.naturalWidth)"
    assert shown.run(widths) == [2200, 750]
    assert shown.run("return performance.getEntriesByType('resource').map(e => e.name)") in (
        [],
        shown.run("return [...document.images].map(image => image.src)"),
    )


@pytest.mark.parametrize("width", [400, 1200])
def test_only_the_table_scrolls_sideways(shown, width):
    shown.devtools(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=900,
        deviceScaleFactor=1,
        mobile=False,
    )
    root = "document.documentElement"
    assert shown.run(f"return {root}.scrollWidth <= {root}.clientWidth")
    shown.devtools("Emulation.clearDeviceMetricsOverride")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_can_be_read(shown, scheme):
    shown.devtools(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
    )
    script = """
        const parse = text => text.match(/[\\d.]+/g).map(Number);
        const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
            .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
            .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
        return [...document.querySelectorAll('h1, h2, p, li, dt, dd, th, td, a, code, cite')]
            .filter(element => element.getClientRects().length)
            .map(element => {
                let ground = element;
                while (ground.parentElement
                       && parse(getComputedStyle(ground).backgroundColor)[3] === 0)
                    ground = ground.parentElement;
                const [a, b] = [getComputedStyle(element).color,
                    getComputedStyle(ground).backgroundColor].map(c => light(parse(c)))
                    .sort((x, y) => y - x);
                return (a + 0.05) / (b + 0.05);
            });
    """
    dark = shown.run("return matchMedia('(prefers-color-scheme: dark)').matches")
    assert dark == (scheme == "dark")
    contrast = shown.run(script)
    assert len(contrast) > 50 and min(contrast) >= 4.5
    shown.devtools("Emulation.setEmulatedMedia", features=[])


SIZES = "return [...document.images].map(image => image.getBoundingClientRect().width)"


def test_pictures_can_be_read_on_any_screen(shown):
    shown.devtools(
        "Emulation.setDeviceMetricsOverride",
        width=400,
        height=900,
        deviceScaleFactor=1,
        mobile=False,
    )
    # As wide as the screen, but for the margins; the first is drawn for this width.
    inside = shown.run("return document.documentElement.clientWidth - 32")
    assert shown.run(SIZES) == pytest.approx([inside] * 2, abs=1)
    assert shown.run("return document.images[0].currentSrc") == src(NARROW)
    shown.devtools(
        "Emulation.setDeviceMetricsOverride",
        width=700,
        height=900,
        deviceScaleFactor=1,
        mobile=False,
    )
    # In their regions, which scroll: three quarters of what they measure in inches.
    least = [0.75 * pixels / 200 * 96 for pixels in (2200, 750)]
    inside = shown.run("return document.documentElement.clientWidth - 48")
    assert shown.run(SIZES) == pytest.approx([max(each, inside) for each in least], abs=1)
    shown.devtools("Emulation.clearDeviceMetricsOverride")


def src(picture: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(picture).decode()


def test_nothing_scrolls_sideways_on_a_phone(shown):
    shown.devtools(
        "Emulation.setDeviceMetricsOverride",
        width=360,
        height=800,
        deviceScaleFactor=2,
        mobile=True,
    )
    wider = (
        "return [...document.querySelectorAll('body *')]"
        ".filter(e => e.scrollWidth > e.clientWidth + 1"
        " && getComputedStyle(e).overflowX != 'visible'"
        " || e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML)"
    )
    assert shown.run(wider) == []
    edges = [float(value) for value in column(shown, "Edges")]
    click(shown, "Edges")  # the headings are there, and sort
    assert [float(value) for value in column(shown, "Edges")] == sorted(edges)
    label = "return getComputedStyle(arguments[0], '::before').content"
    cell = "document.querySelector('.layers tbody td[data-heading=Edges]')"
    assert shown.run(label.replace("arguments[0]", cell)) == '"Edges"'
    shown.devtools("Emulation.clearDeviceMetricsOverride")


def test_pictures_turn_dark_with_the_page_and_stay_light_in_print(shown):
    """By how light what is seen of a white picture is."""
    script = "return getComputedStyle(document.images[1]).filter"
    seen = {}
    for scheme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        for media in ("screen", "print"):
            shown.devtools("Emulation.setEmulatedMedia", media=media, features=[feature])
            seen[scheme, media] = shown.run(script) != "none"
    shown.devtools("Emulation.setEmulatedMedia", media="", features=[])
    assert seen == {key: key == ("dark", "screen") for key in seen}


def test_print_cuts_nothing_off(shown):
    assert shown.pdf().startswith(b"%PDF-")
    shown.devtools("Emulation.setEmulatedMedia", media="print")
    inside = round((297 - 2 * 14) / 25.4 * 96)  # A4 landscape within its margins
    shown.devtools(
        "Emulation.setDeviceMetricsOverride",
        width=inside,
        height=700,
        deviceScaleFactor=1,
        mobile=False,
    )
    wide = (
        "return [...document.querySelectorAll('body *')]"
        ".filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML)"
    )
    assert shown.run(wide) == []
    # Letters of 8 points are no smaller than 7 in print.
    sizes = [size / 96 for size in shown.run(SIZES)]
    assert sizes[0] / 11 >= 7 / 8 and sizes[1] / 5 >= 7 / 8
    heads = "return [...document.querySelectorAll('.layers thead button')].map(b => b.offsetWidth)"
    assert set(shown.run(heads)) == {0}  # a heading with a button would not be repeated
    shown.devtools("Emulation.clearDeviceMetricsOverride")
    shown.devtools("Emulation.setEmulatedMedia", media="")
