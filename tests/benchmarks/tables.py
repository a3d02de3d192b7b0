"""The tables of networks that others wrote in graph_encoding/README.md, from the results.

python -m tests.benchmarks.tables            # into the README
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd

from .measure import ROOT

RESULTS = Path(__file__).with_name("results")
README = ROOT / "graph_encoding" / "README.md"
NAMES = {
    "resnet18": "ResNet-18",
    "resnet50": "ResNet-50",
    "vgg16": "VGG-16",
    "mobilenet_v2": "MobileNetV2",
    "efficientnet_b0": "EfficientNet-B0",
    "densenet121": "DenseNet-121",
    "convnext_tiny": "ConvNeXt-tiny",
    "vit_b_16": "ViT-B/16 (attention)",
    "swin_t": "Swin-T (attention)",
    "mlp": "MLP 784-300-100-10",
}
LIBRARIES = ("torchvision", "timm", "smp", "transformers")
FAMILIES = (
    *("plain", "residual", "mobile", "inception", "norm-free", "modern", "mixer", "attention"),
    *("film", "segmentation", "language"),
)


def at_224(table: pd.DataFrame) -> Iterator[str]:
    """Lines of ``encoding.csv``: one a network, in the order of `NAMES`."""
    for name, row in table.set_index("network").loc[list(NAMES)].iterrows():
        shape = "1 x 28 x 28" if name == "mlp" else "3 x 224 x 224"
        difference = _power(max(row.flow_difference, row.flow_difference_identity))
        yield _line(
            NAMES[name],
            shape,
            f"{row.nodes:,}",
            f"{row.edges:,}",
            f"{row.edges_identity - row.edges:,}",
            f"{row.seconds:.1f}",
            f"{row.megabytes - row.base_megabytes:.0f}",
            difference + ("*" if row.flow_of == "erk" else ""),
        )


def by_family(table: pd.DataFrame) -> Iterator[str]:
    """Lines of ``networks.csv``: one a family of a library, with the networks that encode."""
    families = dict(iter(table.groupby(["library", "family"])))
    for library in LIBRARIES:
        for family in FAMILIES:
            every = families.get((library, family), table[:0])
            there = every[every.refusal.isna()]
            if there.empty:
                continue
            count = f"{len(there)}" if len(there) == len(every) else f"{len(there)} of {len(every)}"
            yield _line(
                f"{library}, {family}",
                f"{count}: {', '.join(there.network)}",
                _span(there.nodes, _short),
                _span(there.edges, _short),
                _span(there.seconds, lambda seconds: f"{seconds:.1f}"),
                _span(there.megabytes, _short),
                _power(there.flow_difference.max()),
            )


TABLES = {
    "| network | input | nodes | edges | more with": ("encoding.csv", at_224),
    "| family | networks | nodes | edges |": ("networks.csv", by_family),
}
"""What a table in the README begins with, the file that it is of, and what makes its lines."""


def written(text: str) -> str:
    """The README with the tables as the results have them."""
    for head, (file, lines) in TABLES.items():
        start = text.index("\n", text.index("\n|---", text.index(head)) + 1) + 1
        end = text.index("\n\n", start)
        text = text[:start] + "\n".join(lines(pd.read_csv(RESULTS / file))) + text[end:]
    return text


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _power(difference: float) -> str:
    return f"{difference:.0e}".replace("e-0", "e-")


def _short(number: float) -> str:
    for unit, size in ((" G", 1e9), (" M", 1e6), (" k", 1e3)):
        if number >= size:
            digits = 1 if number < 10 * size else 0
            return f"{number / size:.{digits}f}{unit}"
    return f"{number:.0f}"


def _span(numbers: pd.Series, form: Callable[[float], str]) -> str:
    least, most = form(numbers.min()), form(numbers.max())
    return least if least == most else f"{least} to {most}"


if __name__ == "__main__":
    README.write_text(written(README.read_text()))
