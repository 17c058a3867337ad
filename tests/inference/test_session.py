import warnings

import numpy as np
import pytest
import torch

from tests.helpers.fakes import Disks, NearestClick
from zoo import Box, Click, Scribble, Session
from zoo.errors import InteractionError
from zoo.interactions import Interactions
from zoo.methods import Watershed


def picture(height: int = 40, width: int = 50) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def disk(x: float, y: float, radius: float, height: int = 40, width: int = 50) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width] + 0.5
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


@pytest.fixture
def session() -> Session:
    out = Session(Disks())
    out.set_image(picture())
    return out


def test_turns_undo_and_reset(session):
    assert not session.mask.any()
    session.add(Click(20.5, 15.5))
    first = session.mask
    np.testing.assert_array_equal(first[0, 0], disk(20.5, 15.5, 5))
    session.add(Click(24.5, 15.5, positive=False), Click(40.5, 30.5))
    expected = (disk(20.5, 15.5, 5) & ~disk(24.5, 15.5, 5)) | disk(40.5, 30.5, 5)
    np.testing.assert_array_equal(session.mask[0, 0], expected)
    assert session.turn == 2
    assert session.interactions.points[0, :, 3].tolist() == [0, 1, 1]
    session.undo()
    assert torch.equal(session.mask, first)
    assert session.turn == 1
    session.reset()
    assert not session.mask.any()
    session.undo()
    assert session.turn == 0


def test_turns_of_boxes_are_counted(session):
    session.add(Click(1, 1))
    session.add(Box(1, 2, 3, 4))
    assert session.interactions.boxes[0, :, 4].tolist() == [1]


def test_an_empty_turn_changes_nothing(session):
    session.add(Click(20.5, 15.5))
    before = session.mask
    session.add()
    assert torch.equal(session.mask, before)
    assert len(session.engine.steps) == 1


def test_the_engine_sees_everything_said_and_only_samples_that_spoke():
    session = Session(Disks())
    session.set_image(torch.rand(2, 3, 40, 50))
    both = Interactions.from_lists([[Click(5.5, 5.5)], [Click(9.5, 9.5)]], (40, 50))
    session.add(both)
    session.add(Interactions.from_lists([[], [Click(30.5, 30.5)]], (40, 50)))
    assert [len(step) for step in session.engine.steps] == [2, 1]
    np.testing.assert_array_equal(session.mask[0, 0], disk(5.5, 5.5, 5))
    np.testing.assert_array_equal(session.mask[1, 0], disk(9.5, 9.5, 5) | disk(30.5, 30.5, 5))


def test_select_compacts_image_and_history():
    image = torch.rand(3, 3, 40, 50)
    session = Session(Disks())
    session.set_image(image)
    session.add(Interactions.from_lists([[Click(5.5, 5.5)], [Click(9.5, 9.5)], [Click(30.5, 9.5)]], (40, 50)))
    session.select(torch.tensor([2, 0]))
    assert torch.equal(session.image, image[[2, 0]])
    np.testing.assert_array_equal(session.mask[0, 0], disk(30.5, 9.5, 5))
    session.reset()
    assert session.mask.shape == (2, 1, 40, 50)


def test_initial_mask():
    session = Session(Disks())
    initial = disk(10, 10, 8).astype(np.uint8)
    session.set_image(picture(), mask=initial)
    np.testing.assert_array_equal(session.mask[0, 0], initial)


@pytest.mark.parametrize("inside", [np.uint8(255), np.int64(3), np.uint16(999), np.bool_(True), np.float32(0.9)])
@pytest.mark.parametrize("order", ["<", ">"])
def test_an_initial_mask_of_integers_is_a_mask(inside, order):
    session = Session(Disks())
    initial = disk(10, 10, 8)
    session.set_image(picture(), mask=(initial * inside).astype(inside.dtype.newbyteorder(order)))
    np.testing.assert_array_equal(session.mask[0, 0], initial)
    assert session.probability.max() == pytest.approx(0.9 if inside.dtype == np.float32 else 1)


@pytest.mark.parametrize("value", [255.0, -0.1, np.nan])
def test_an_initial_mask_is_a_probability(value):
    with pytest.raises(InteractionError, match=r"outside 0\.\.1"):
        Session(Disks()).set_image(picture(), mask=np.full((40, 50), value))


@pytest.mark.parametrize("mask", [np.zeros((40, 49)), torch.zeros(1, 40, 50), torch.zeros(2, 1, 40, 50)])
def test_a_mask_of_another_shape_is_an_error(mask):
    with pytest.raises(InteractionError, match=r"\(1, 1, 40, 50\)"):
        Session(Disks()).set_image(picture(), mask=mask)


@pytest.mark.parametrize("image", [np.zeros((4, 5), np.uint8), np.zeros((4, 5, 4), np.uint8), np.zeros((4, 5, 3))])
def test_what_is_no_image_is_an_error(image):
    with pytest.raises(InteractionError, match="uint8"):
        Session(Disks()).set_image(image)


@pytest.mark.parametrize(
    "image",
    [
        torch.zeros(3, 40, 50),
        torch.zeros(1, 4, 40, 50),
        torch.zeros(1, 3, 0, 50),
        torch.zeros(1, 3, 40, 50, dtype=torch.int64),
        torch.full((1, 3, 40, 50), 255.0),
        torch.full((1, 3, 40, 50), torch.nan),
        np.zeros((0, 5, 3), np.uint8),
        [[[1, 2, 3]]],
    ],
)
def test_what_is_no_batch_is_an_error(image):
    with pytest.raises(InteractionError, match=r"0\.\.1|uint8|asarray"):
        Session(Disks()).set_image(image)


def test_a_mask_is_an_array_or_a_tensor(session):
    with pytest.raises(InteractionError, match="asarray"):
        session.set_image(picture(), mask=[[0, 1]])
    session.set_image(picture(), mask=torch.ones(40, 50))
    assert session.mask.all()
    with pytest.raises(InteractionError, match="single interactions"):
        session.add((3, 4))


def test_a_fresh_session_without_history_is_an_error_once_something_was_said():
    session = Session(Disks(), undoable=False)
    session.set_image(picture())
    assert session.fresh().turn == 0
    session.add(Click(20.5, 20.5))
    with pytest.raises(InteractionError, match="undoable"):
        session.fresh()


def test_before_an_image_and_outside_of_it(session):
    for use in (lambda s: s.mask, lambda s: s.image, lambda s: s.add(Click(1, 1))):
        with pytest.raises(InteractionError, match="set_image"):
            use(Session(Disks()))
    with pytest.raises(InteractionError, match="outside"):
        session.add(Click(51, 3))
    assert session.turn == 0


def test_without_history_undo_is_an_error():
    session = Session(Disks(), undoable=False)
    session.set_image(picture())
    session.add(Click(5, 5))
    session.add(Click(15, 5))
    np.testing.assert_array_equal(session.mask[0, 0], disk(5, 5, 5) | disk(15, 5, 5))
    for back in (session.undo, session.reset):
        with pytest.raises(InteractionError, match="undoable"):
            back()


def test_a_read_only_image_neither_warns_nor_changes(session):
    image = picture()
    image.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        session.set_image(image)
    session.image[:] = 0
    assert image.any()


def test_coordinates_stay_in_pixels_of_the_given_image():
    # The engine draws disks of 5 of its pixels, which are 10 of an image of half its mpp.
    session = Session(Disks(), mpp=0.5)
    session.set_image(picture(80, 100), mpp=0.25)
    session.add(Click(40.0, 30.0))
    assert session.engine.steps[0].points[0, 0, :2].tolist() == [20.0, 15.0]
    assert session.engine.steps[0].size == (40, 50)
    assert session.interactions.points[0, 0, :2].tolist() == [40.0, 30.0]
    assert session.mask.shape == session.probability.shape == (1, 1, 80, 100)
    found, expected = session.mask[0, 0].numpy(), disk(40, 30, 10, 80, 100)
    assert (found & expected).sum() / (found | expected).sum() > 0.93
    assert session.image.shape == (1, 3, 80, 100)


@pytest.mark.parametrize("factor", [2, 3])
def test_an_upsampled_image_gives_the_same_mask(factor):
    image = np.full((40, 50, 3), 220, np.uint8)
    image[disk(20, 15, 8)] = (90, 60, 120)
    one = Session(Watershed(window=None), mpp=0.5)
    one.set_image(image, mpp=0.5)
    large = Session(Watershed(window=None), mpp=0.5)
    large.set_image(image.repeat(factor, 0).repeat(factor, 1), mpp=0.5 / factor)
    assert one.frame is None
    one.add(Click(20.5, 15.5), Click(40.5, 30.5, positive=False))
    large.add(Click(20.5 * factor, 15.5 * factor), Click(40.5 * factor, 30.5 * factor, positive=False))
    expected, found = one.mask[0, 0].numpy().repeat(factor, 0).repeat(factor, 1), large.mask[0, 0].numpy()
    assert expected.sum() > 100
    assert (found & expected).sum() / (found | expected).sum() > 0.97


def test_resampled_sessions_undo_select_and_take_masks():
    session = Session(NearestClick(), mpp=0.5)
    session.set_image(torch.rand(2, 3, 41, 51), mask=torch.ones(2, 1, 41, 51), mpp=0.3)
    assert torch.allclose(session.probability, torch.ones(2, 1, 41, 51))
    session.add(Interactions.from_lists([[Click(5.5, 5.5)], [Click(30.5, 20.5)]], (41, 51)))
    second = session.probability[1:]
    session.select(torch.tensor([1]))
    assert torch.equal(session.probability, second)
    session.add(Scribble(((3, 3), (40, 3))))
    assert session.engine.steps[-1].strokes[0, 0].any()
    session.undo()
    assert torch.equal(session.probability, second)


@pytest.mark.parametrize("mpp", [0.5, 0.3, 0.9])
def test_only_what_is_new_goes_through_the_frame(mpp, monkeypatch):
    engine = Disks()
    engine.boxes = True  # others are given a click for each
    session = Session(engine, mpp=0.5)
    session.set_image(picture(41, 51), mpp=mpp)
    assert not session.mask.any()
    taken = []
    through = Interactions.through

    def spy(self, frame):
        taken.append(self)
        return through(self, frame)

    monkeypatch.setattr(Interactions, "through", spy)
    turns = [
        [Click(5.3, 6.2)],
        [Scribble(((3, 3), (40, 30)))],
        [Click(20, 7), Click(9, 30, positive=False), Box(1, 2, 30, 31)],
        [Scribble(((3, 30), (45, 3)), positive=False, width=3), Scribble(((0, 0), (0, 40)))],
    ]
    for turn in turns:
        session.add(*turn)
    assert [part.points.shape[1] for part in taken] == ([] if mpp == 0.5 else [1, 0, 2, 0])
    said, seen = session.interactions, session.engine.steps[-1]
    expected = said if session.frame is None else through(said, session.frame)
    assert said.points[0, :, 3].tolist() == [0, 2, 2]
    assert said.boxes[0, :, 4].tolist() == [2]
    for name in ("points", "boxes", "strokes"):
        assert torch.equal(getattr(seen, name), getattr(expected, name))


def test_a_batch_that_was_given_stays_as_it_was(session):
    session.add(Click(1, 1))
    given = Interactions.from_lists([[Click(3, 4, turn=7)]], (40, 50))
    session.add(given)
    assert given.points[0, 0].tolist() == [3, 4, 1, 7]
    assert session.interactions.points[0, :, 3].tolist() == [0, 7]


def test_unknown_mpp_warns_once_and_is_not_resampled():
    session = Session(Disks(), mpp=0.5)
    with pytest.warns(UserWarning, match="unknown"):
        session.set_image(picture())
    assert session.frame is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        session.set_image(picture())
        Session(Disks()).set_image(picture())
    with pytest.warns(UserWarning, match="records no mpp"):
        Session(Disks()).set_image(picture(), mpp=0.5)


@pytest.mark.parametrize("mpp", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_mpp_is_an_error(mpp):
    with pytest.raises(InteractionError, match="mpp"):
        Session(Disks(), mpp=0.5).set_image(picture(), mpp=mpp)


def test_resampling_says_so(caplog):
    with caplog.at_level("INFO", "zoo"):
        Session(Disks(), mpp=0.5).set_image(picture(), mpp=0.25)
    assert "50 x 40 to 25 x 20" in caplog.text
