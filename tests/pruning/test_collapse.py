"""What is told of a network that pruning has cut."""

import torch
from torch import nn

from pruning import apply_masks, gaps
from pruning.weights import prunable_weights
from tests.pruning.small_nets import small_plain, small_residual

SHAPE = (3, 8, 8)


def cut(model, *removed):
    """The model without the weights that ``(name, index)`` name; what is missing of it."""
    masks = {
        name: torch.ones(w.shape, dtype=torch.bool) for name, w in prunable_weights(model).items()
    }
    for name, index in removed:
        masks[f"{name}.weight"][index] = False
    apply_masks(model, masks)
    return gaps(model, masks, SHAPE)


def test_nothing_is_missing():
    found = cut(small_residual())
    assert (found.empty_layers, found.layers, found.unreached, found.outputs) == ((), 7, (), 3)
    assert found.warning == ""


def test_a_layer_beside_a_shortcut_and_one_class():
    found = cut(small_residual(), ("a2", ...), ("linear", 1))
    assert (found.empty_layers, found.unreached) == (("a2",), (1,))
    assert found.warning == (
        "no weight is left in 1 of 7 layers (a2); no input reaches 1 of 3 classes (1): "
        "what the network says of them is the same for every image"
    )


def test_a_cut_takes_all_classes():
    found = cut(small_plain(), ("4", ...))
    assert (found.empty_layers, found.unreached) == (("4",), (0, 1, 2))


def test_many_are_counted():
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 200))
    assert "150 of 200 classes (0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 140 more)" in (
        cut(model, ("1", slice(150))).warning
    )


def test_classes_of_what_cannot_be_followed_are_not_known():
    class Squared(nn.Linear):
        def forward(self, x):
            return (x.flatten(1) @ x.flatten(1).T) @ self.weight

    found = cut(nn.Sequential(Squared(3, 1)), ("0", ...))
    assert (found.empty_layers, found.unreached, found.outputs) == (("0",), None, None)
    assert found.warning == "no weight is left in 1 of 1 layers (0)"
