import subprocess
import sys

import pytest
import torch

from tests.helpers.fakes import Disks
from zoo import Box, Click, Session
from zoo.inference import working
from zoo.inference.objects import segment_objects
from zoo.inference.oneshot import OneShot
from zoo.inference.resolution import working_frame
from zoo.inference.working import WorkingImage
from zoo.ops import places
from zoo.ops.frame import Frame

SIZE = (150, 200)


@pytest.fixture
def pixels() -> torch.Tensor:
    return (torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(0)) * 255).byte()


def frames(*rows: tuple[float, float, float]) -> Frame:
    return Frame(*torch.tensor(rows, dtype=torch.float64).unbind(1), (32, 40))


@pytest.mark.parametrize("part", [2**20, 500])
@pytest.mark.parametrize(("mpp", "corner"), [(None, 0), (0.4, 0), (0.21, 0), (0.4, 7)])
def test_windows_of_a_large_image(pixels, mpp, corner, part, monkeypatch):
    frame = working_frame(1, SIZE, mpp, 0.3) if mpp else None
    if frame is not None:
        frame = places.part(frame, (slice(corner, frame.size[0]), slice(corner, frame.size[1])))
    whole = WorkingImage(pixels, frame)
    monkeypatch.setattr(working, "WHOLE", 0)
    monkeypatch.setattr(working, "PART", part)
    large = WorkingImage(pixels, frame)
    assert large.size == whole.size
    windows = frames((10, 20, 1), (-8, -3, 1), (170, 130, 1), (3.3, 4.9, 0.31), (-40, 7, 0.2), (80, 60, 1.7))
    found, expected = large.crop(windows), whole.crop(windows)
    # Positions in a part of the image are rounded otherwise than in the whole.
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=0)
    if frame is None:
        assert torch.equal(found[:3], expected[:3])


def test_large_images_give_the_same_objects(pixels, monkeypatch):
    objects = [[Click(30.5, 40.5)], [Click(100.5, 90.5), Click(104.5, 90.5, False, turn=1)], [Box(20, 20, 180, 140)]]
    maps = []
    for whole in (working.WHOLE, 0):
        monkeypatch.setattr(working, "WHOLE", whole)
        monkeypatch.setattr(working, "PART", whole or 900)
        session = Session(Disks(window=32))
        session.set_image(pixels)
        maps.append(segment_objects(session, objects, OneShot(window=32)))
        assert session.engine.starts == [3]  # windows, never the image
    assert torch.equal(*maps)
    assert maps[0].unique().tolist() == [0, 1, 2, 3]


CHILD = """
import resource, torch
from tests.helpers.fakes import Disks
from zoo import Click, Scribble, Session
from zoo.inference.objects import segment_objects
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
def session(side):
    made = Session(Disks(window=32))
    made.set_image(torch.zeros(1, 3, side, side, dtype=torch.uint8))
    return made
def objects(side): return [[Click(x, x)] for x in range(20, side, 40)] + [[Scribble(((5, 5), (9, 9)), turn=1)]] * 10
segment_objects(session(64), objects(64))
before = peak()
segment_objects(session({side}), objects({side}))
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts in kilobytes")
def test_memory_is_the_image_in_bytes_and_the_result():
    side = 4000
    code = CHILD.replace("{side}", str(side))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # A byte a colour; a label of 2 bytes and a probability of 4; the label of 4 that is returned.
    assert int(done.stdout) < (3 + 2 + 4 + 4) * side**2 + 30e6
