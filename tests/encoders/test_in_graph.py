"""What encoders compute in a graph is what they compute in a session."""

import pytest
import torch

from zoo import encoders
from zoo.encoders import Concat, Disks, InclusionExclusion, Pixels, StrokeRaster, TruncatedDistance
from zoo.errors import ConfigError
from zoo.interactions import Interactions

SIZE = (23, 31)
# On pixels and between them, two of one sign, outside the image on each side, padding.
CLICKS = [
    [[4.5, 5.5, 1], [4.9, 5.1, 0], [20.0, 13.0, 1], [-3.5, 2.5, 1], [33.25, 24.5, 0], [0, 0, -1]],
    [[0, 0, -1], [30.99, 22.99, 0], [7.25, 22.0, 0], [31.0, 5.0, 0], [5.0, 23.0, 0], [0, 0, -1]],
]


@pytest.mark.parametrize(
    "encoder",
    [
        *(getattr(encoders, name)() for name in ("Pixels", "Disks", "InverseDistance", "TanhDistance", "Gaussians")),
        TruncatedDistance(20, 10),
        InclusionExclusion(exclusion=False),
        encoders.NoGuidance(),
        Disks(radius=2.5),
        Concat([Pixels(), Disks(), encoders.Gaussians(3)]),
    ],
    ids=lambda encoder: type(encoder).__name__,
)
def test_of_clicks(encoder):
    clicks = torch.tensor(CLICKS)
    image = torch.rand(2, 3, *SIZE)
    points = torch.cat([clicks, torch.zeros(2, len(CLICKS[0]), 1)], -1)
    expected = encoder(Interactions.of(points, SIZE), image)
    assert encoder.graph_input == "clicks"
    found = encoder.in_graph(clicks, image)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_of_strokes():
    strokes = torch.rand(2, 2, *SIZE) < 0.1
    image = torch.rand(2, 3, *SIZE)
    for encoder in (StrokeRaster(), Concat([StrokeRaster(), StrokeRaster()])):
        assert encoder.graph_input == "strokes"
        expected = encoder(Interactions.of(torch.zeros(2, 0, 4), SIZE, strokes), image)
        assert torch.equal(encoder.in_graph(strokes.float(), image), expected)


def test_what_can_not_be_in_a_graph():
    for encoder in (encoders.GeodesicDistance(), encoders.Boxes(), Concat([Disks(), encoders.Boxes()])):
        with pytest.raises(ConfigError, match=r"(GeodesicDistance|Boxes) can't be part of a graph"):
            encoder.in_graph(torch.zeros(1, 1, 3), torch.zeros(1, 3, *SIZE))
    with pytest.raises(ConfigError, match="reads clicks and another strokes"):
        Concat([Disks(), StrokeRaster()]).in_graph(torch.zeros(1, 1, 3), torch.zeros(1, 3, *SIZE))
