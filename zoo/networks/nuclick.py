"""NuClick's network: a residual U-Net with multi-scale blocks (Koohbanani et al. 2020, Fig. 2)."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from zoo.errors import ConfigError

MAX_MULTI_SCALE_BLOCKS = 4


def _conv(in_channels: int, out_channels: int, kernel: int = 3, dilation: int = 1) -> nn.Conv2d:
    padding = dilation * (kernel - 1) // 2
    return nn.Conv2d(in_channels, out_channels, kernel, padding=padding, dilation=dilation, bias=False)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1.001e-5)


def _conv_norm_relu(in_channels: int, out_channels: int, kernel: int = 3, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(_conv(in_channels, out_channels, kernel, dilation), _norm(out_channels), nn.ReLU(inplace=True))


class ResidualBlock(nn.Module):
    """Two normalised 3x3 convolutions whose outputs are added: (B,C,H,W) -> (B,C',H,W).

    The first has no ReLU and is itself the shortcut, so the channels may change without a projection.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.first = nn.Sequential(_conv(in_channels, out_channels), _norm(out_channels))
        self.second = nn.Sequential(_conv(out_channels, out_channels), _norm(out_channels))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Features (B,C,H,W) to features (B,C',H,W)."""
        first = self.first(x)
        out: Tensor = self.relu(self.second(first) + first)
        return out


class MultiScaleBlock(nn.Module):
    """Parallel dilated convolutions, concatenated: (B,C,H,W) -> (B,C',H,W), an equal share each."""

    def __init__(self, in_channels: int, out_channels: int, kernels: Sequence[int], dilations: Sequence[int]) -> None:
        super().__init__()
        share = out_channels // len(kernels)
        self.branches = nn.ModuleList(
            _conv_norm_relu(in_channels, share, kernel, dilation)
            for kernel, dilation in zip(kernels, dilations, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Features (B,C,H,W) to features (B,C',H,W)."""
        return torch.cat([branch(x) for branch in self.branches], dim=1)


class _Up(nn.Module):
    """Doubles the size, concatenates the skip and passes both through `body`."""

    def __init__(self, in_channels: int, out_channels: int, body: nn.Sequential) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(in_channels, out_channels, kernel_size=2, stride=2)
        self.body = body

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        out: Tensor = self.body(torch.cat([self.up(x), skip], dim=1))
        return out


class NuClickNet(nn.Module):
    """NuClick's network: image and click maps (B, in_channels, H, W) in [0, 1] to logits (B, 1, H, W).

    H and W must be divisible by 32. With the defaults it has 66,800,321 parameters.

    Source: Koohbanani et al., NuClick, Medical Image Analysis 2020, Fig. 2 and Table I. The paper does not
    say which blocks Table I leaves out, nor where its fourth stands. Here they come in the order of the data:
    conv3 (1/4 of the size), up6 (1/8), up8 (1/2); the fourth takes the middle of conv4 (1/8), as up6's mirror
    image. Where a multi-scale block is missing stands a residual block of the same channels.

    Args:
        in_channels: 5 for RGB + inclusion + exclusion, 4 without the exclusion map.
        width: multiplies every channel count (also the stem's and the multi-scale branches'); 1/4 is compact.
        multi_scale_blocks: 0 to 4; the paper's final network has 3.
        third_block: dilations of up8's block: [1, 3, 2, 6] as in the authors' PyTorch release ('torch') or
            [1, 3, 3, 6] as in their Keras release ('keras').

    Raises:
        ConfigError: a width that leaves no whole channel for a branch, a block number outside 0 to 4, or an
            input whose size is not divisible by 32.
    """

    def __init__(
        self,
        in_channels: int = 5,
        width: float = 1.0,
        multi_scale_blocks: int = 3,
        third_block: Literal["torch", "keras"] = "torch",
    ) -> None:
        super().__init__()
        if not 0 <= multi_scale_blocks <= MAX_MULTI_SCALE_BLOCKS:
            raise ConfigError(
                f"NuClickNet: multi_scale_blocks is {multi_scale_blocks}; "
                f"choose 0 to {MAX_MULTI_SCALE_BLOCKS} (the paper's network has 3)."
            )
        # The narrowest convolutions are up8's branches with 16 channels.
        if width <= 0 or not (16 * width).is_integer():
            raise ConfigError(
                f"NuClickNet: width {width} leaves broken channel counts; choose a multiple of 1/16, as 0.25."
            )

        def c(channels: int) -> int:
            return int(channels * width)

        def res(in_channels: int, out_channels: int) -> ResidualBlock:
            return ResidualBlock(c(in_channels), c(out_channels))

        def scales(number: int, channels: int, kernels: Sequence[int], dilations: Sequence[int]) -> nn.Module:
            if number > multi_scale_blocks:
                return res(channels, channels)
            return MultiScaleBlock(c(channels), c(channels), kernels, dilations)

        third_dilations = (1, 3, 2, 6) if third_block == "torch" else (1, 3, 3, 6)
        self.conv1 = nn.Sequential(
            _conv_norm_relu(in_channels, c(64), 7),
            _conv_norm_relu(c(64), c(32), 5),
            _conv_norm_relu(c(32), c(32), 3),
        )
        self.conv2 = nn.Sequential(res(32, 64), res(64, 64))
        self.conv3 = nn.Sequential(res(64, 128), scales(1, 128, (3, 3, 5, 5), (1, 3, 3, 6)), res(128, 128))
        self.conv4 = nn.Sequential(res(128, 256), scales(4, 256, (3, 3, 5, 5), (1, 3, 2, 3)), res(256, 256))
        self.conv5 = nn.Sequential(res(256, 512), res(512, 512), res(512, 512))
        self.conv51 = nn.Sequential(res(512, 1024), res(1024, 1024))
        self.pool = nn.MaxPool2d(2)
        self.up61 = _Up(c(1024), c(512), nn.Sequential(res(1024, 512), res(512, 256)))
        self.up6 = _Up(
            c(256),
            c(256),
            nn.Sequential(res(512, 256), scales(2, 256, (3, 3, 5, 5), (1, 3, 2, 3)), res(256, 256)),
        )
        self.up7 = _Up(c(256), c(128), nn.Sequential(res(256, 128), res(128, 128)))
        self.up8 = _Up(
            c(128),
            c(64),
            nn.Sequential(res(128, 64), scales(3, 64, (3, 3, 5, 7), third_dilations), res(64, 64)),
        )
        self.up9 = _Up(
            c(64),
            c(32),
            nn.Sequential(_conv_norm_relu(c(64), c(64)), _conv_norm_relu(c(64), c(32)), _conv_norm_relu(c(32), c(32))),
        )
        self.out = nn.Conv2d(c(32), 1, kernel_size=1)
        self.apply(_initialise)

    def forward(self, x: Tensor) -> Tensor:
        """Image and click maps (B, in_channels, H, W) to logits (B, 1, H, W)."""
        height, width = x.shape[-2:]
        if height % 32 or width % 32:
            raise ConfigError(
                f"NuClickNet: the input is {height} x {width} pixels but both must be divisible by 32; "
                "change the patch size or pad the image."
            )
        skip1 = self.conv1(x)
        skip2 = self.conv2(self.pool(skip1))
        skip3 = self.conv3(self.pool(skip2))
        skip4 = self.conv4(self.pool(skip3))
        skip5 = self.conv5(self.pool(skip4))
        y = self.conv51(self.pool(skip5))
        y = self.up61(y, skip5)
        y = self.up6(y, skip4)
        y = self.up7(y, skip3)
        y = self.up8(y, skip2)
        y = self.up9(y, skip1)
        logits: Tensor = self.out(y)
        return logits


def _initialise(module: nn.Module) -> None:
    """Draw convolution weights as He et al. 2015 and zero their biases."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        # A transposed convolution of stride 2 sees each input once: its fan-in is its input channels, whose
        # axis comes first, so torch's `fan_out` with a 2x2 kernel would be 4 times too large.
        if isinstance(module, nn.ConvTranspose2d):
            nn.init.normal_(module.weight, std=(2.0 / module.in_channels) ** 0.5)
        else:
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
