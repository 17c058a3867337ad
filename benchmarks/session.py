"""One more click in a session, beside the network's forward pass on the click's window."""

import torch

from benchmarks.common import Row, best_of
from zoo.inference.session import Session
from zoo.interactions import Click
from zoo.methods import NuClick
from zoo.networks import NuClickNet

WINDOW = 128


def run() -> list[Row]:
    """Time the second click, NuClick at width 1/4 with random weights, on images of two sizes."""
    torch.manual_seed(0)
    method = NuClick(NuClickNet(width=0.25)).eval()
    crop = torch.rand(1, 5, WINDOW, WINDOW).contiguous(memory_format=torch.channels_last)

    def bare() -> None:
        with torch.no_grad():
            method.network(crop)

    limit_s = best_of(bare, repeats=10)
    rows = []
    for side in (WINDOW, 1000):
        session = Session(method.engine())
        session.set_image(torch.rand(1, 3, side, side))
        session.add(Click(side / 2 + 0.5, side / 2 + 0.5))

        def click(session: Session = session, side: int = side) -> None:
            session.add(Click(side / 2 + 9.5, side / 2 + 0.5, positive=False))
            session.undo()

        ours_s = best_of(click, repeats=10)
        rows.append(Row(f"one more click, {side}x{side} px", ours_s, limit_s, f"network, {WINDOW}x{WINDOW} px"))
    return rows
