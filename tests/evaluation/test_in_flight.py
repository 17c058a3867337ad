"""Many sessions of a network in one batch, zoomed in, against one at a time."""

import torch

from zoo.data.batch import Batch
from zoo.evaluation.interactive import Interactive
from zoo.inference.zoom_in import ZoomIn
from zoo.methods.ritm import RITM
from zoo.users.base import Truth

COUNT, TURNS, HEIGHT, WIDTH = 5, 5, 40, 56


class Tiny(torch.nn.Module):
    """Two convolutions whose logits follow darkness, the previous mask and the clicks."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Conv2d(6, 8, 3, padding=1)
        self.last = torch.nn.Conv2d(8, 1, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        noise = 0.3 * self.last(self.first(x).relu())
        return noise + 6 * (0.52 - x[:, :3].mean(1, keepdim=True)) + 4 * (x[:, 3:4] - x[:, 4:5])


def test_sessions_in_flight_leave_the_traces_of_one_at_a_time():
    torch.manual_seed(0)
    rows, columns = torch.arange(HEIGHT)[:, None], torch.arange(WIDTH)
    near = [(rows - 12 - 3 * k) ** 2 + (columns - 15 - 6 * k) ** 2 <= (6 + k) ** 2 for k in range(COUNT)]
    target = torch.stack(near)[:, None]
    image = torch.where(target, 0.2, 0.4) + 0.5 * torch.rand(COUNT, 3, HEIGHT, WIDTH)
    truth = Truth(target, torch.arange(COUNT) + 7)
    engine = RITM(Tiny(), zoom=ZoomIn(32, least=12)).eval().engine()
    given = Batch(image, truth, truth.sample_id)
    everything = Interactive(max_interactions=TURNS).run(engine, given)
    # An IoU that ends some sessions earlier than others.
    stop_at = float(everything.ious.nan_to_num(0).amax(1).median())
    protocol = Interactive(max_interactions=TURNS, stop_at=stop_at)
    together = protocol.run(engine, given)
    lengths = (~together.ious.isnan()).sum(1)
    assert len(lengths.unique()) > 1
    for k in range(COUNT):
        one = Batch(image[k : k + 1], truth.select(torch.tensor([k])), truth.sample_id[k : k + 1])
        alone = protocol.run(engine, one)
        assert torch.equal(alone.interactions.points[0], together.interactions.points[k][: lengths[k]])
        assert torch.equal(alone.ious.nan_to_num(-1)[0], together.ious.nan_to_num(-1)[k])
        assert torch.equal(alone.mask[0], together.mask[k])
