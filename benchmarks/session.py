"""One more interaction in a session, beside the network's forward pass on the interaction's window."""

import tempfile
from pathlib import Path

import torch

from benchmarks.common import Row, best_of, best_of_each
from zoo.hub.folder import save_folder
from zoo.inference.session import Session
from zoo.interactions import Click, Scribble
from zoo.losses import BinaryCrossEntropy
from zoo.methods import GuideNet, NuClick, RefineNet
from zoo.networks import NuClickNet, Unet

WINDOW, PATCH = 128, 384
GUIDE = {
    "class_path": "zoo.methods.GuideNet",
    "init_args": {"network": "zoo.networks.Unet", "loss": "zoo.losses.BinaryCrossEntropy"},
}


def run() -> list[Row]:
    """Networks have random weights."""
    return [*_clicks(), _scribble()]


def _scribble() -> Row:
    """Time the second scribble of DeepScribble's RefineNet on a patch: guidance maps and one pass, nothing else."""
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        save_folder(Path(folder), GUIDE, GuideNet(Unet(), BinaryCrossEntropy()).state_dict(), "")
        method = RefineNet(Unet(in_channels=6), folder).eval()
    joined = torch.rand(1, 6, PATCH, PATCH).contiguous(memory_format=torch.channels_last)

    def bare() -> None:
        with torch.no_grad():
            torch.sigmoid(method.network(joined))

    session = Session(method.engine())
    session.set_image(torch.rand(1, 3, PATCH, PATCH))
    session.add(Scribble([(100.5, 100.5), (150.5, 120.5)]))

    def scribble() -> None:
        session.add(Scribble([(200.5, 250.5), (260.5, 250.5)], positive=False))
        session.undo()

    name = f"one more scribble, RefineNet, {PATCH}x{PATCH} px"
    ours_s, limit_s = best_of_each([scribble, bare], repeats=30, warmup=3)
    return Row(name, ours_s, limit_s, f"network, {PATCH}x{PATCH} px")


def _clicks() -> list[Row]:
    """Time the second click of NuClick at width 1/4 on images of two sizes."""
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
