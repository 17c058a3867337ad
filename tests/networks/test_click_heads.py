"""The heads of the networks for clicks, against slow references."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

from zoo.networks import DeepLabV3Plus, FCN8s, HRNetOCR
from zoo.networks.hrnet_ocr import ObjectContext


def up(x: Tensor, factor: int) -> Tensor:
    return interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


@torch.no_grad()
def test_fcn_scores_levels_and_adds_them():
    torch.manual_seed(0)
    net = FCN8s(5, "test_efficientnet", decoder_channels=12).eval()
    x = torch.rand(2, 5, 64, 96)
    *_, eighth, sixteenth, deepest = net.backbone(x)
    weight, total = net.head.weight, 0
    scores = []
    for features in (net.deep(deepest), sixteenth, eighth):
        part = weight[:, total : total + features.shape[1]]
        scores.append(torch.einsum("oi,bihw->bohw", part[..., 0, 0], features))
        total += features.shape[1]
    assert total == weight.shape[1]
    summed = up(up(scores[0], 2) + scores[1], 2) + scores[2]
    torch.testing.assert_close(net(x), up(summed + net.head.bias, 8), atol=1e-5, rtol=1e-4)


def vector(layer: nn.Module, features: Tensor) -> Tensor:
    """A row of 1x1 convolutions, normalisations and ReLUs on the features of one place."""
    for conv, norm, _ in layer.children() if isinstance(layer[0], nn.Sequential) else [layer]:
        features = conv.weight[..., 0, 0] @ features
        features = (features - norm.running_mean) / (norm.running_var + norm.eps).sqrt()
        features = relu(features * norm.weight + norm.bias)
    return features


@torch.no_grad()
def test_context_is_drawn_from_object_and_surroundings():
    torch.manual_seed(0)
    net = ObjectContext(6).eval()
    for norm in (module for module in net.modules() if isinstance(module, nn.BatchNorm2d)):
        norm.running_mean.normal_(std=0.1)
        norm.running_var.uniform_(0.1, 0.3)
        norm.bias.uniform_(0, 0.5)
    pixels, logits = torch.randn(2, 6, 3, 4), 3 * torch.randn(2, 1, 3, 4)
    found = net(pixels, logits)
    places = [(row, column) for row in range(3) for column in range(4)]
    for sample in range(2):
        regions = []
        for sign in (1, -1):
            weights = [math.exp(sign * float(logits[sample, 0, r, c])) for r, c in places]
            mean = sum(w * pixels[sample, :, r, c] for w, (r, c) in zip(weights, places, strict=True)) / sum(weights)
            regions.append(mean)
        for r, c in places:
            query = vector(net.query, pixels[sample, :, r, c])
            alike = [math.exp(float(query @ vector(net.key, region)) / math.sqrt(3)) for region in regions]
            taken = sum(a * vector(net.content, region) for a, region in zip(alike, regions, strict=True)) / sum(alike)
            torch.testing.assert_close(found[sample, :, r, c], vector(net.out, taken), atol=1e-5, rtol=1e-4)
    # Pixels of one image take differently.
    assert found.flatten(2).std(-1).max() > 1e-4


@pytest.mark.parametrize(
    ("backbone", "channels", "megabytes"), [("hrnet_w18_small_v2", 96, 16.5), ("hrnet_w18", 128, 38.8)]
)
def test_hrnets_have_the_size_of_ritms(backbone, channels, megabytes):
    """RITM's released checkpoints of HRNet-18s and HRNet-18 with OCR are that large."""
    with torch.device("meta"):
        net = HRNetOCR(6, backbone, "stem", channels)
    ours = sum(value.numel() * value.element_size() for value in net.state_dict().values()) / 2**20
    # A checkpoint holds the names of its layers as well.
    assert 0.97 * megabytes < ours < megabytes


@torch.no_grad()
@pytest.mark.parametrize(("stride", "rates"), [(8, [12, 24, 36]), (16, [6, 12, 18]), (32, [3, 6, 9])])
def test_the_pyramid_follows_the_output_stride(stride, rates):
    net = DeepLabV3Plus(5, "test_efficientnet", decoder_channels=8, output_stride=stride).eval()
    deepest = net.until(torch.rand(1, 5, 64, 64), "backbone").value
    assert deepest.shape[-1] == 64 // stride
    dilations = [m.dilation[0] for m in net.decoder.aspp.modules() if isinstance(m, nn.Conv2d) and m.dilation[0] > 1]
    assert dilations == rates
