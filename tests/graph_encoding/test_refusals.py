"""What has no multipartite graph is refused by its module and line, with what to do instead."""

import re

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import graph_encoding
from datasets.torchvision_import import import_torchvision
from graph_encoding import UnsupportedNetwork


class Net(nn.Module):
    """A network of one line."""

    def __init__(self, forward, **modules):
        super().__init__()
        self.line = forward
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, x):
        return self.line(self, x)


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 3)

    def forward(self, image, mask, *, scale=1.0):
        return self.fc(image + scale * mask)


def attention(net, x):
    q, k, v = net.qkv(x).chunk(3, -1)
    return (q @ k.transpose(-1, -2)).softmax(-1) @ v


def fused(net, x):
    return F.scaled_dot_product_attention(*net.qkv(x).chunk(3, -1))


def quantised():
    return nn.Sequential(nn.Identity(), torch.ao.nn.quantized.dynamic.LSTM(4, 3))


def detector():
    import_torchvision()
    from torchvision.models.detection import ssdlite320_mobilenet_v3_large

    return ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None)


ONE_BY_ONE = "rolled and rolled-channel take its layers one by one"
REFUSED = {
    "attention": (
        lambda: Net(attention, qkv=nn.Linear(4, 12)),
        (7, 4),
        r"Net: matmul .* two values: .*--attention tokens.*line \d+ of test_refusals.py: return",
    ),
    "fused attention": (
        lambda: Net(fused, qkv=nn.Linear(4, 12)),
        (7, 4),
        f"attention has no fixed graph.*{ONE_BY_ONE}",
    ),
    "recurrent": (
        lambda: Net(lambda net, x: net.cell(x)[0], cell=nn.LSTM(4, 3)),
        (7, 4),
        rf"cell \(LSTM\): .*its own outputs again.*{ONE_BY_ONE}.*line \d+",
    ),
    "two inputs": (
        TwoInputs,
        (4,),
        r"TwoInputs: its forward takes 2 inputs \(image, mask\), .*give example_input.*line \d+ of",
    ),
    "embedding": (
        lambda: Net(
            lambda net, x: net.fc(net.table(x)), table=nn.Embedding(9, 4), fc=nn.Linear(4, 3)
        ),
        (5,),
        r"table \(Embedding\): embedding looks rows up.*as whole numbers.*line \d+",
    ),
    "a dictionary": (
        lambda: Net(lambda net, x: net.fc(x["pixels"]), fc=nn.Linear(4, 3)),
        (4,),
        r"Net: it reads its input by the name 'pixels'.*example_input=.*line \d+",
    ),
    "a function that is not known": (
        lambda: Net(lambda net, x: torch.zeros(1, 4).copy_(net.fc(x)), fc=nn.Linear(4, 3)),
        (4,),
        r"Net: copy writes into a tensor that is no value; add instead \(line \d+",
    ),
    "a detector": (
        lambda: detector(),
        (3, 32, 32),
        rf"transform \(GeneralizedRCNNTransform\): a detector's boxes.*backbone.*{ONE_BY_ONE}",
    ),
    "cumulative sums": (
        lambda: Net(lambda net, x: net.fc(x).cumsum(1), fc=nn.Linear(4, 3)),
        (4,),
        rf"Net: cumsum .*write it as functions that have one.*{ONE_BY_ONE} \(line \d+",
    ),
    "a product with sparse weights": (
        lambda: Net(lambda net, x: torch.sparse.mm(net.fc.weight, x.T).T, fc=nn.Linear(4, 3)),
        (4,),
        r"sparse_mm .*torch.nn.functional.linear has one",
    ),
    "a product with weights": (
        lambda: Net(lambda net, x: x @ net.fc.weight.T, fc=nn.Linear(4, 3)),
        (4,),
        r"matmul.*torch.nn.functional.linear has one",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_name_the_module_the_line_and_what_to_do(name):
    make, shape, message = REFUSED[name]
    with pytest.raises(UnsupportedNetwork, match=message) as caught:
        graph_encoding.encode(make(), input_shape=shape)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.filterwarnings("ignore:.*torch.ao.quantization")
@pytest.mark.filterwarnings("ignore:torch.q")
@pytest.mark.parametrize("encoding", graph_encoding.ENCODINGS)
def test_quantised_weights_of_an_unknown_kind_are_refused(encoding):
    message = re.escape("1 (LSTM): its weights are quantised; give the network as it was before")
    with pytest.raises(UnsupportedNetwork, match=message):
        graph_encoding.encode(quantised(), encoding, (4,))


def test_an_unknown_encoding_is_told_the_closest():
    with pytest.raises(ValueError, match=r"'rolled_channel': did you mean rolled-channel\?"):
        graph_encoding.encode(nn.Linear(3, 2), "rolled_channel")
