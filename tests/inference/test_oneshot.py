import numpy as np
import pytest
import torch

from tests.helpers.fakes import Disks, NearestClick
from tests.methods.test_engines import nuclick
from zoo import Box, Click, Scribble, Session
from zoo.errors import ConfigError, InteractionError
from zoo.inference.engine import Engine
from zoo.inference.network_engine import NetworkEngine
from zoo.inference.objects import segment_objects
from zoo.inference.oneshot import OneShot
from zoo.inference.zoom import InteractionWindow
from zoo.interactions import Interaction, Interactions
from zoo.methods import Watershed

SIZE = (60, 90)
CENTRES = [(10.5, 12.5), (89.5, 59.5), (40.5, 30.5), (47.5, 30.5), (70.5, 5.5), (0.5, 45.5), (30.5, 50.5)]


def image(size: tuple[int, int] = SIZE) -> torch.Tensor:
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))


def run(
    engine: Engine, objects: list[list[Interaction]], size: tuple[int, int] = SIZE, **arguments: object
) -> np.ndarray:
    return OneShot(**arguments)(engine, image(size), Interactions.from_lists(objects, size)).numpy()


def nearest(centres: list[tuple[float, float]], radius: float, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Each pixel's nearest centre plus one, 0 beyond `radius`; the first of equally near ones."""
    out = np.zeros(size, np.int32)
    for row in range(size[0]):
        for column in range(size[1]):
            distances = [np.hypot(column + 0.5 - x, row + 0.5 - y) for x, y in centres]
            if min(distances) < radius:
                out[row, column] = int(np.argmin(distances)) + 1
    return out


@pytest.mark.parametrize("chunk", [1, 3, 64])
def test_the_likeliest_object_wins_whatever_the_chunk(chunk):
    engine = NearestClick(radius=8.0, window=32)
    found = run(engine, [[Click(x, y)] for x, y in CENTRES], chunk=chunk)
    np.testing.assert_array_equal(found, nearest(CENTRES, 8 * np.log(2)))
    assert found.dtype == np.int32


@pytest.mark.parametrize("jitters", [0, 2])
@pytest.mark.parametrize("make", [lambda: nuclick(InteractionWindow(32)), Watershed])
def test_chunks_do_not_matter_to_real_engines(make, jitters):
    objects: list[list[Interaction]] = [[Click(x, y)] for x, y in CENTRES]
    objects[2].append(Click(44.5, 30.5, positive=False, turn=2))
    objects[3].append(Click(52.5, 33.5, turn=1))
    objects[5] = [Scribble(((1.5, 40.5), (3.5, 48.5))), Click(5.5, 45.5, turn=1)]
    maps = [run(make(), objects, chunk=chunk, jitters=jitters) for chunk in (1, 2, 64)]
    assert (maps[0] != maps[2]).mean() < 0.002
    assert (maps[1] != maps[2]).mean() < 0.002
    assert len(np.unique(maps[2])) > 2


@pytest.mark.parametrize("size", [(20, 25), (1, 1), (20, 90), (60, 7)])
def test_an_image_smaller_than_the_window(size):
    x, y = size[1] - 0.5, size[0] - 0.5
    found = run(NearestClick(8.0, window=32), [[Click(x, y)]], size)
    np.testing.assert_array_equal(found, nearest([(x, y)], 8 * np.log(2), size))
    assert run(nuclick(InteractionWindow(32)), [[Click(x, y)]], size).shape == size


def test_the_others_are_negative_clicks():
    engine = Disks(window=32)
    run(engine, [[Click(40.5, 30.5), Click(38.5, 28.5)], [Click(47.5, 31.5)], [Click(5.5, 5.5)]])
    (said,) = engine.steps
    # windows: 24..56 x 14..46, 31..63 x 15..47 and 0..32 x 0..32
    given = [{tuple(point[:3]) for point in sample if point[2] >= 0} for sample in said.points.tolist()]
    assert given[0] == {(40.5 - 23, 30.5 - 13, 1), (38.5 - 23, 28.5 - 13, 1), (47.5 - 23, 31.5 - 13, 0)}
    assert given[1] == {(47.5 - 31, 31.5 - 15, 1), (40.5 - 31, 30.5 - 15, 0)}
    assert given[2] == {(5.5, 5.5, 1)}
    alone = Disks(window=32)
    run(alone, [[Click(40.5, 30.5)], [Click(47.5, 31.5)]], exclusion=False)
    assert (alone.steps[0].points[..., 2] != 0).all()


def test_a_scribble_excludes_at_a_pixel_of_it():
    engine = Disks(window=32)
    run(engine, [[Scribble(((40.5, 30.5), (44.5, 30.5)))], [Click(50.5, 30.5)]])
    negative = engine.steps[0].points[1][engine.steps[0].points[1, :, 2] == 0]
    assert len(negative) == 1
    assert 40 <= negative[0, 0] + 34 <= 45
    assert negative[0, 1] + 14 == 30.5


def test_scribbles_alone():
    strokes = [[Scribble(((x - 2, y), (x + 1, y)))] for x, y in [(20.5, 20.5), (60.5, 30.5)]]
    found = run(nuclick(InteractionWindow(32)), strokes)
    assert found.shape == SIZE
    engine = Disks(window=32)
    run(engine, strokes)
    (said,) = engine.steps
    assert said.strokes is not None
    assert said.strokes[:, 0].flatten(1).any(1).all()


def test_a_box_is_a_click_at_its_centre_in_a_window_that_holds_it():
    engine = Disks(window=32)
    run(engine, [[Box(36, 26, 45, 35)], [Click(5.5, 5.5)], [Box(0, 0, 64, 40)]])
    (said,) = engine.steps
    # windows: 24..56 x 14..46, and half the scale around the centre of the last box
    given = [[tuple(point[:3]) for point in sample if point[2] == 1] for sample in said.points.tolist()]
    assert given == [[(40.5 - 24, 30.5 - 14, 1)], [(5.5, 5.5, 1)], [(16, 16, 1)]]
    assert said.boxes[2, 0, :4].tolist() == [0, 6, 32, 26]
    inside = [each for sample in said.boxes.tolist() for each in sample if each[4] >= 0]
    assert all(0 <= value <= 32 for box in inside for value in box[:4])


class ReadsBoxes(Disks):
    boxes = True


@pytest.mark.parametrize("engine", [Watershed(), Disks(), Disks(window=32)])
def test_a_box_in_sessions_and_in_one_shot(engine):
    session = Session(engine)
    session.set_image((image()[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8))
    mask = session.add(Box(36, 26, 45, 35))
    assert bool(mask[0, 0, 30, 40])
    assert session.interactions.points.shape[1] == 0  # nobody clicked
    mask = session.add(Click(39.5, 30.5))
    assert bool(mask[0, 0, 30, 40])
    found = segment_objects(session, [[Box(36, 26, 45, 35)], [Click(80.5, 50.5)]])
    assert found[30, 40] == 1
    assert found[50, 80] == 2


def test_who_reads_boxes_is_given_no_click():
    engine = ReadsBoxes(window=32)
    run(engine, [[Box(36, 26, 45, 35)], [Click(5.5, 5.5)]])
    (said,) = engine.steps
    assert not (said.points[0, :, 2] == 1).any()
    assert (said.boxes[0, :, 4] >= 0).any()


def test_turns_reach_the_engine_in_order():
    engine = Disks(window=32)
    found = run(engine, [[Click(40.5, 30.5), Click(46.5, 30.5, False, turn=2)], [Click(70.5, 30.5)]])
    assert [len(step) for step in engine.steps] == [2, 1]
    positive_first = engine.steps[0].points[0]
    assert (positive_first[positive_first[:, 2] >= 0][:, 3] == 0).all()
    assert found[30, 40] == 1
    assert found[30, 42] == 0


def test_who_remembers_nothing_takes_only_the_last_turn(monkeypatch):
    draws = np.random.default_rng(0)
    objects: list[list[Interaction]] = [[Click(x, y)] for x, y in CENTRES]
    for turn in range(1, 6):
        x, y = draws.normal(CENTRES[2], 5)
        objects[2].append(Click(float(x), float(y), bool(turn % 2), turn))
    objects[4].append(Scribble(((65.5, 5.5), (69.5, 6.5)), turn=2))
    engine, taken = nuclick(InteractionWindow(32)), []
    assert not engine.remembers
    monkeypatch.setattr(engine, "step", lambda *given: taken.append(given) or NetworkEngine.step(engine, *given))
    last = segment_objects(session(engine), objects)
    assert len(taken) == 1
    engine.remembers = True
    assert (segment_objects(session(engine), objects) != last).float().mean() < 0.002
    assert len(taken) == 7
    assert last.any()


@pytest.mark.parametrize("jitters", [0, 2])
def test_a_scribble_reaches_the_engine_in_its_turn(jitters):
    engine = Disks(window=32)
    made = session(engine)
    correction = Scribble(((46.5, 30.5), (49.5, 30.5)), turn=1)
    found = segment_objects(made, [[Click(40.5, 30.5), correction], [Click(70.5, 30.5)]], OneShot(jitters=jitters))
    assert [len(step) for step in engine.steps] == [2, 1] * (jitters + 1)
    for first, second in zip(engine.steps[::2], engine.steps[1::2], strict=True):
        assert first.strokes is None
        assert second.strokes is not None
        assert second.strokes[0].sum() == 4
    assert found[30, 48] == 1


def test_jitters_are_averaged():
    engine = Disks(radius=6.0, window=32)
    found = run(engine, [[Click(40.5, 30.5)]], jitters=8, jitter=3.0)
    said = [step.points[0, 0, :2] for step in engine.steps]
    assert len(said) == 9
    assert said[0].tolist() == [16.5, 16.5]
    moves = torch.stack(said[1:]) - said[0]
    assert moves.abs().max() <= 3
    assert moves.unique(dim=0).shape[0] == 8
    rows, columns = np.mgrid[:32, :32] + 0.5
    votes = np.mean([(columns - x) ** 2 + (rows - y) ** 2 <= 36 for x, y in torch.stack(said).tolist()], 0)
    np.testing.assert_array_equal(found[14:46, 24:56] == 1, votes > 0.5)


def test_nothing_to_do_and_progress():
    assert not run(Disks(window=32), []).any()
    done: list[int] = []
    said = Interactions.from_lists([[Click(x, y)] for x, y in CENTRES], SIZE)
    OneShot(chunk=3)(Disks(window=32), image(), said, done.append)
    assert done == [3, 6, 7]


def test_an_object_needs_something_positive():
    with pytest.raises(InteractionError, match="positive"):
        run(Disks(window=32), [[Click(5, 5)], [Click(7, 7, positive=False)]])


def session(engine: Engine, mpp: float | None = None, given: float | None = None) -> Session:
    out = Session(engine, mpp=mpp)
    out.set_image(image(), mpp=given)
    return out


def test_objects_with_windows_are_one_shot():
    objects = [[Click(x, y)] for x, y in CENTRES]
    found = segment_objects(session(NearestClick(8.0, window=32)), objects)
    np.testing.assert_array_equal(found, nearest(CENTRES, 8 * np.log(2)))


def test_objects_without_windows_are_sessions_on_the_whole_image():
    engine = NearestClick(8.0)
    done: list[int] = []
    objects = [[Click(x, y)] for x, y in CENTRES]
    objects[0].append(Click(20.5, 12.5, turn=4))
    found = segment_objects(session(engine), objects, progress=done.append)
    assert done == list(range(1, 8))
    assert all(step.size == SIZE and len(step) == 1 for step in engine.steps)
    assert len(engine.steps) == 8
    assert found[12, 20] == found[12, 10] == 1
    expected = nearest(CENTRES, 8 * np.log(2))
    np.testing.assert_array_equal(found[:, 30:], expected[:, 30:])


@pytest.mark.parametrize("window", [32, None])
def test_objects_of_an_image_at_another_resolution(window):
    engine = NearestClick(8.0, window=window)
    found = segment_objects(session(engine, 0.5, 0.25), [[Click(20.0, 20.0)], [Click(60.0, 40.0)]]).numpy()
    expected = nearest([(20.0, 20.0), (60.0, 40.0)], 16 * np.log(2))
    assert found.shape == SIZE
    for number in (1, 2):
        one, other = found == number, expected == number
        assert (one & other).sum() / (one | other).sum() > 0.9
    assert engine.steps[0].size == ((30, 45) if window is None else (32, 32))


def test_objects_name_the_one_without_a_positive_interaction():
    with pytest.raises(InteractionError, match="object 2"):
        segment_objects(session(Disks()), [[Click(5, 5)], [Click(7, 7, positive=False)]])
    assert not segment_objects(session(Disks()), []).any()


@pytest.mark.parametrize("wrong", [{"chunk": 0}, {"chunk": -1}, {"window": 0}, {"jitters": -1}, {"jitter": -0.1}])
def test_numbers_that_are_too_small_are_named(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        OneShot(**wrong)
