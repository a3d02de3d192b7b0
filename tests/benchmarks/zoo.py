"""Networks that others wrote, by library and family: how each is built, and what it reads.

None has trained weights. Most read 3 x 64 x 64: what they are made of is the same at any size.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import nn

TORCHVISION = {
    "residual": "resnext50_32x4d wide_resnet50_2 regnet_y_400mf",
    "plain": "squeezenet1_1",
    "mobile": "mobilenet_v3_small shufflenet_v2_x1_0 mnasnet0_5",
    "inception": "googlenet inception_v3",
    "attention": "swin_v2_t maxvit_t",
    "film": "r3d_18 mc3_18 r2plus1d_18",
    "segmentation": "fcn_resnet50 deeplabv3_mobilenet_v3_large lraspp_mobilenet_v3_large",
}
TIMM = {
    "residual": "resnet26d seresnet50 skresnet18 resnest14d resnetv2_50 nf_resnet26 dpn48b dla34 "
    "hrnet_w18_small cspresnet50 ese_vovnet19b_dw repvgg_a0 gcresnext26ts",
    "mobile": "ghostnet_050 tinynet_e fbnetc_100 hardcorenas_a mixnet_s mobileone_s0 rexnet_100 "
    "efficientvit_b0 mobilenetv4_conv_small",
    "inception": "xception41 inception_v4",
    "norm-free": "eca_nfnet_l0",
    "modern": "convnextv2_atto poolformer_s12 focalnet_tiny_srf edgenext_xx_small convmixer_768_32",
    "mixer": "mixer_s32_224 resmlp_12_224 gmlp_ti16_224",
    "attention": "vit_tiny_patch16_224 deit_tiny_distilled_patch16_224 cait_xxs24_224 "
    "xcit_nano_12_p16_224 beit_base_patch16_224 levit_128s pit_ti_224 twins_svt_small pvt_v2_b0 "
    "swin_tiny_patch4_window7_224 mobilevit_xxs mobilevitv2_050 efficientformer_l1 "
    "coatnet_nano_rw_224 maxvit_pico_rw_256 visformer_tiny eva02_tiny_patch14_224",
}
SMP = "Unet UnetPlusPlus Linknet FPN PSPNet MAnet PAN DeepLabV3Plus UPerNet"
BERT = {"hidden_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4, "vocab_size": 64}
WIDE = BERT | {"intermediate_size": 512}
TRANSFORMERS = {
    "GPT2": {"n_embd": 128, "n_layer": 3, "n_head": 4, "n_positions": 16, "vocab_size": 64},
    "Bert": WIDE,
    "DistilBert": {"dim": 128, "n_layers": 3, "n_heads": 4, "hidden_dim": 512, "vocab_size": 64},
    "Roberta": WIDE,
    "Electra": WIDE | {"embedding_size": 128},
    "OPT": BERT | {"ffn_dim": 512, "word_embed_proj_dim": 128},
    "GPTNeoX": WIDE,
    "Llama": WIDE,
}
"""Small bodies."""

SHAPES = {
    **dict.fromkeys(TORCHVISION["film"].split(), (3, 8, 56, 56)),
    **dict.fromkeys(TRANSFORMERS, (128, 16)),  # features and positions: embedded tokens
    **dict.fromkeys(("googlenet", "inception_v3", "inception_v4"), (3, 96, 96)),
    "PAN": (3, 128, 128),
    "swin_v2_t": (3, 256, 256),
    **dict.fromkeys(("levit_128s", "twins_svt_small", "efficientformer_l1"), (3, 224, 224)),
    "eva02_tiny_patch14_224": (3, 56, 56),
}
IMAGE = (3, 64, 64)
NO_AUXILIARY = {"aux_logits": False, "init_weights": False}
ARGUMENTS = {
    "googlenet": NO_AUXILIARY,
    "inception_v3": NO_AUXILIARY,
    "beit_base_patch16_224": {"embed_dim": 192, "depth": 6, "num_heads": 3},
    "swin_tiny_patch4_window7_224": {"img_size": 64, "window_size": 2},
    "maxvit_pico_rw_256": {"img_size": 64},
    "coatnet_nano_rw_224": {"img_size": 64},
}
SIZED = ("vit_", "deit", "cait", "xcit", "beit", "pit_", "twins", "eva02", "visformer")
SIZED += ("mixer", "resmlp", "gmlp")
"""Beginnings of names of networks that are built for a size of images."""


class Entry(NamedTuple):
    """A network: the library and the family that it is of, what builds it, its input's shape."""

    library: str
    family: str
    build: Callable[[], nn.Module]
    shape: tuple[int, ...]


class Embedded(nn.Module):
    """A body of `transformers` on embedded tokens (features, positions)."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(inputs_embeds=x.mT).last_hidden_state.mT


class Masks(nn.Module):
    """A network of `torchvision.models.segmentation`, without resizing its masks."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = self.net.backbone(x)
        return self.net.classifier(maps["out"] if len(maps) == 1 else maps)


def of_torchvision(name: str) -> nn.Module:
    """A network of torchvision."""
    from torchvision import models

    if name in TORCHVISION["segmentation"]:
        make = getattr(models.segmentation, name)
        return Masks(make(weights=None, weights_backbone=None, num_classes=4))
    if name == "maxvit_t":  # for images of 64 x 64 in windows of 2 x 2
        sizes = [64, 128, 256, 512], [2, 2, 5, 2]
        return models.MaxVit((64, 64), 64, 2, *sizes, head_dim=32, stochastic_depth_prob=0.2)
    of = models.video if name in TORCHVISION["film"] else models
    return getattr(of, name)(weights=None, **ARGUMENTS.get(name, {}))


def of_timm(name: str) -> nn.Module:
    """A network of timm, for 10 classes."""
    import timm

    given = {"img_size": SHAPES.get(name, IMAGE)[-1]} if name.startswith(SIZED) else {}
    return timm.create_model(name, num_classes=10, **given | ARGUMENTS.get(name, {}))


def of_smp(name: str) -> nn.Module:
    """One of segmentation_models_pytorch over ResNet-18, without resizing its masks."""
    import segmentation_models_pytorch as smp

    model = getattr(smp, name)("resnet18", encoder_weights=None, classes=4)
    model.segmentation_head[1] = nn.Identity()
    return model


def of_transformers(name: str) -> nn.Module:
    """A body of transformers, on embedded tokens."""
    import transformers

    config = getattr(transformers, f"{name}Config")(**TRANSFORMERS[name])
    alone = {"add_pooling_layer": False} if name in ("Bert", "Roberta") else {}
    return Embedded(getattr(transformers, f"{name}Model")(config, **alone))


def networks() -> dict[str, Entry]:
    """Every network by its name."""
    libraries = (
        ("torchvision", TORCHVISION, of_torchvision),
        ("timm", TIMM, of_timm),
        ("smp", {"segmentation": SMP}, of_smp),
        ("transformers", {"language": " ".join(TRANSFORMERS)}, of_transformers),
    )
    return {
        name: Entry(library, family, partial(build, name), SHAPES.get(name, IMAGE))
        for library, families, build in libraries
        for family, names in families.items()
        for name in names.split()
    }
