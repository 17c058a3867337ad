"""UCTransNet's channel transformer, which works on all skips of a U-Net together (Wang et al. 2022)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import instance_norm, interpolate


class ChannelTransformer(nn.Module):
    """Skips of different sizes to skips of the same shapes.

    Each is cut into as many patches, so that a token of one skip belongs to a token of every other. Attention is
    between channels: those of one skip to those of all.

    Args:
        channels: of the skips.
        patches: sides of their patches, in their own pixels.
        grid: rows and columns of tokens that the positional embeddings are learned for; they are resampled for others.
        heads: of the attention, each of full width.
        layers: of the transformer.
    """

    def __init__(self, channels: Sequence[int], patches: Sequence[int], grid: int, heads: int, layers: int) -> None:
        super().__init__()
        self.embed = nn.ModuleList(
            nn.Conv2d(width, width, patch, stride=patch) for width, patch in zip(channels, patches, strict=True)
        )
        self.positions = nn.ParameterList(torch.zeros(1, width, grid, grid) for width in channels)
        self.dropout = nn.Dropout(0.1)
        self.layers = nn.ModuleList(Layer(channels, heads) for _ in range(layers))
        self.norms = _norms(channels)
        self.reconstruct = nn.ModuleList(
            nn.Sequential(nn.Upsample(scale_factor=patch), nn.Conv2d(width, width, 1), nn.BatchNorm2d(width), nn.ReLU())
            for width, patch in zip(channels, patches, strict=True)
        )

    def forward(self, skips: Sequence[Tensor]) -> list[Tensor]:
        """Each skip with what the transformer made of all."""
        tokens = []
        for embed, position, skip in zip(self.embed, self.positions, skips, strict=True):
            embedded = embed(skip)
            grid = (embedded.shape[-2], embedded.shape[-1])
            if position.shape[-2:] != grid:
                position = interpolate(position, size=grid, mode="bilinear", align_corners=False)
            tokens.append(self.dropout((embedded + position).flatten(2).transpose(1, 2)))
        for layer in self.layers:
            tokens = layer(tokens)
        out = []
        for norm, rebuild, token, skip in zip(self.norms, self.reconstruct, tokens, skips, strict=True):
            out.append(skip + rebuild(norm(token).transpose(1, 2).unflatten(2, grid)))
        return out


class Layer(nn.Module):
    """Channel attention and a perceptron, each around a shortcut: tokens (B, N, C_i) of every skip to the same."""

    def __init__(self, channels: Sequence[int], heads: int) -> None:
        super().__init__()
        self.norms = _norms(channels)
        self.norm_of_all = nn.LayerNorm(sum(channels), eps=1e-6)
        self.attention = ChannelAttention(channels, heads)
        self.norms_after = _norms(channels)
        self.perceptrons = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)) for width in channels
        )

    def forward(self, tokens: Sequence[Tensor]) -> list[Tensor]:
        """As the class says."""
        normed = [norm(token) for norm, token in zip(self.norms, tokens, strict=True)]
        attended = self.attention(normed, self.norm_of_all(torch.cat(list(tokens), 2)))
        out = []
        for token, given, norm, perceptron in zip(tokens, attended, self.norms_after, self.perceptrons, strict=True):
            token = token + given
            out.append(token + perceptron(norm(token)))
        return out


class ChannelAttention(nn.Module):
    """softmax(norm(Q_i^T K / sqrt(sum of C))) V^T of every skip i, the mean over heads, and a linear map.

    The norm is over the matrix of one head of one sample.
    """

    def __init__(self, channels: Sequence[int], heads: int) -> None:
        super().__init__()
        total = sum(channels)
        self.heads = heads
        # A linear map to all heads at once; each has the full width.
        self.query = nn.ModuleList(nn.Linear(width, heads * width, bias=False) for width in channels)
        self.key = nn.Linear(total, heads * total, bias=False)
        self.value = nn.Linear(total, heads * total, bias=False)
        self.out = nn.ModuleList(nn.Linear(width, width, bias=False) for width in channels)
        self.dropout = nn.Dropout(0.1)

    def forward(self, tokens: Sequence[Tensor], every: Tensor) -> list[Tensor]:
        """Tokens (B, N, C_i) and those of all skips (B, N, sum of C), to (B, N, C_i)."""
        key, value = self._split(self.key(every)), self._split(self.value(every))
        out = []
        for query, last, token in zip(self.query, self.out, tokens, strict=True):
            scores = self._split(query(token)).transpose(2, 3) @ key / every.shape[2] ** 0.5
            weights = self.dropout(instance_norm(scores).softmax(-1))
            context = (weights @ value.transpose(2, 3)).mean(1)
            out.append(self.dropout(last(context.transpose(1, 2))))
        return out

    def _split(self, x: Tensor) -> Tensor:
        """(B, N, heads C) to (B, heads, N, C)."""
        heads: Tensor = x.unflatten(2, (self.heads, -1)).transpose(1, 2)
        return heads


def _norms(channels: Sequence[int]) -> nn.ModuleList:
    return nn.ModuleList(nn.LayerNorm(width, eps=1e-6) for width in channels)
