"""The networks: layer names, shapes, sizes and what they compute."""

import pytest
import torch
from torch import nn

import models


def shapes(name, num_classes=10):
    model = models.build(name, num_classes)
    return [(key, tuple(m.weight.shape)) for key, m in models.prunable(model).items()]


def resnet_shapes(blocks):
    """The layers as the paper's tables list them, spelt out independently of the module tree."""
    expected = [("conv1", (16, 3, 3, 3))]
    for group, (before, width) in enumerate([(16, 16), (16, 32), (32, 64)], start=1):
        for block in range(blocks):
            name = f"layer{group}.{block}"
            first = before if block == 0 else width
            expected.append((f"{name}.conv1", (width, first, 3, 3)))
            expected.append((f"{name}.conv2", (width, width, 3, 3)))
            if block == 0 and group > 1:
                expected.append((f"{name}.shortcut.0", (width, before, 1, 1)))
    return [*expected, ("linear", (10, 64))]


def test_conv6_layers():
    assert shapes("CONV-6") == [
        ("convs1.0", (64, 3, 3, 3)),
        ("convs1.3", (64, 64, 3, 3)),
        ("convs1.7", (128, 64, 3, 3)),
        ("convs1.10", (128, 128, 3, 3)),
        ("convs1.14", (256, 128, 3, 3)),
        ("convs1.17", (256, 256, 3, 3)),
        ("linear.0", (256, 4096)),
        ("linear.3", (256, 256)),
        ("linear.6", (10, 256)),
    ]


@pytest.mark.parametrize(("name", "blocks"), [("Resnet-20", 3), ("Resnet-32", 5)])
def test_resnet_layers(name, blocks):
    assert shapes(name) == resnet_shapes(blocks)


def test_wide_resnet_layers():
    found = shapes("Wide-Resnet-28-2")
    expected = [("conv1", (16, 3, 3, 3))]
    for group, (before, width) in enumerate([(16, 32), (32, 64), (64, 128)], start=1):
        expected += [
            (f"block{group}.layer.0.conv1", (width, before, 3, 3)),
            (f"block{group}.layer.0.conv2", (width, width, 3, 3)),
            (f"block{group}.layer.0.convShortcut", (width, before, 1, 1)),
        ]
        for block in (1, 2, 3):
            expected += [
                (f"block{group}.layer.{block}.conv1", (width, width, 3, 3)),
                (f"block{group}.layer.{block}.conv2", (width, width, 3, 3)),
            ]
    assert found == [*expected, ("fc", (10, 128))]


@pytest.mark.parametrize("classes", [10, 100, 200])
@pytest.mark.parametrize(
    ("name", "nodes"),
    [
        ("CONV-6", 233_366),
        ("Resnet-20", 191_894),
        ("Resnet-32", 306_582),
        ("Wide-Resnet-28-2", 478_614),
        ("MobileNetV2", 1_676_182),
    ],
)
def test_node_counts(name, nodes, classes):
    """Padded input and all feature maps; a 1 x 1 shortcut ends in a map that is already counted."""
    model = models.build(name, classes).eval()
    sizes = []
    for key, module in models.prunable(model).items():
        if "shortcut" not in key.lower():
            module.register_forward_hook(lambda _m, _i, out: sizes.append(out[0].numel()))
    with torch.no_grad():
        logits = model(torch.zeros(1, 3, 32, 32))
    assert logits.shape == (1, classes)
    assert 3 * 34 * 34 + sum(sizes) == nodes + classes - 10


@pytest.mark.parametrize("name", models.MODELS)
def test_traceable_and_runs_in_listed_order(name):
    model = models.build(name, 10).eval()
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    traced = torch.fx.symbolic_trace(model)
    with torch.no_grad():
        assert torch.equal(traced(images), model(images))
    called = [node.target for node in traced.graph.nodes if node.op == "call_module"]
    layers = list(models.prunable(model))
    assert [target for target in called if target in layers] == layers


@pytest.mark.parametrize("name", models.MODELS)
def test_every_weight_matters(name):
    """Every kept weight and every batch-norm parameter takes part in the output."""
    model = models.build(name, 10)
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    logits = model(images)
    (logits * torch.arange(40.0).reshape(4, 10).sin()).sum().backward()
    for key, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad.abs().sum() > 0, key


def test_identity_shortcut_adds_the_input():
    """With its convolutions zeroed, an inner block passes non-negative features through."""
    model = models.build("Resnet-20", 10).eval()
    block = model.layer2[1]
    for module in models.prunable(block).values():
        nn.init.zeros_(module.weight)
    features = torch.rand(1, 32, 16, 16, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        assert torch.equal(block(features), features)


def test_wide_block_against_its_paper():
    """Pre-activation, written out: both branches read the activated input where widths differ."""
    model = models.build("Wide-Resnet-28-2", 10).eval()
    block = model.block2.layer[0]
    weights = {key: value.detach() for key, value in block.named_parameters()}
    features = torch.randn(2, 32, 32, 32, generator=torch.Generator().manual_seed(4))
    # Untouched batch norm in evaluation mode only divides by sqrt(1 + eps).
    scale = (1 + 1e-5) ** -0.5
    conv = nn.functional.conv2d
    activated = (features * scale).clamp(min=0)
    inner = (conv(activated, weights["conv1.weight"], stride=2, padding=1) * scale).clamp(min=0)
    expected = conv(inner, weights["conv2.weight"], padding=1)
    expected += conv(activated, weights["convShortcut.weight"], stride=2)
    with torch.no_grad():
        torch.testing.assert_close(block(features), expected, rtol=1e-4, atol=1e-4)


def test_other_input_channels():
    model = models.build("Resnet-20", 3, in_channels=1).eval()
    assert model(torch.zeros(2, 1, 32, 32)).shape == (2, 3)


@pytest.mark.parametrize(
    ("name", "classes", "channels", "message"),
    [
        ("Resnet-18", 10, 3, "unknown model 'Resnet-18'"),
        ("Resnet-20", 0, 3, "needs classes"),
        ("Resnet-20", 10, 0, "needs classes"),
    ],
)
def test_refused(name, classes, channels, message):
    with pytest.raises(ValueError, match=message):
        models.build(name, classes, channels)
