"""Turns of a network that looks at the image once, beside one that sees image and clicks together, on one thread."""

import torch

import zoo
from benchmarks.backends import medians, one_thread
from benchmarks.common import Row
from zoo.inference.session import Session
from zoo.networks import LateUnet, Unet
from zoo.segmenters import RITM

SIDE = 384


def run() -> list[Row]:
    """The same backbone in both; first turn and further ones with all that surrounds the network."""
    torch.manual_seed(0)
    image = torch.rand(1, 3, SIDE, SIDE)
    with one_thread(), torch.no_grad():
        early, late = (_network(kind) for kind in (Unet, LateUnet))
        joined = torch.rand(1, 6, SIDE, SIDE)
        sessions = [Session(RITM(network).engine(), undoable=False) for network in (early, late)]
        for session in sessions:
            session.set_image(image)
            session.add(zoo.Click(9.5, 9.5))

        def further(session: Session) -> None:
            session.add(zoo.Click(200.5, 100.5))

        calls = [lambda: early(joined), lambda: late(joined)]
        calls += [lambda: further(sessions[0]), lambda: further(sessions[1])]
        limit, whole, early_turn, late_turn = medians(calls)
    name = f"U-Net, {SIDE}x{SIDE} px"
    return [
        Row(f"{name}, late fusion, a bare pass", whole, limit, "early fusion, a bare pass"),
        Row(f"{name}, early fusion, a further click", early_turn, limit, "early fusion, a bare pass"),
        Row(f"{name}, late fusion, a further click", late_turn, limit, "early fusion, a bare pass"),
    ]


def _network(kind: type[Unet] | type[LateUnet]) -> torch.nn.Module:
    return kind(6).eval().to(memory_format=torch.channels_last)
