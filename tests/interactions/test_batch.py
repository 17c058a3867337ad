import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from tests.interactions.some import HEIGHT, SIZE, WIDTH, samples
from zoo.errors import InteractionError
from zoo.interactions import PADDING, Box, Click, Interaction, Interactions, Scribble
from zoo.ops.frame import Frame


def same(a: Interactions, b: Interactions) -> bool:
    strokes = [torch.zeros(len(i), 2, *i.size).bool() if i.strokes is None else i.strokes for i in (a, b)]
    points = [i.points[i.points[..., 2] >= 0] for i in (a, b)]
    boxes = [i.boxes[i.boxes[..., 4] >= 0] for i in (a, b)]
    return (
        a.size == b.size
        and torch.equal(*strokes)
        and torch.allclose(points[0], points[1], atol=1e-4)
        and torch.allclose(boxes[0], boxes[1], atol=1e-4)
    )


def rows(batch: Interactions, i: int) -> tuple[list[list[float]], list[list[float]], list[list[int]]]:
    points, boxes = batch.points[i], batch.boxes[i]
    strokes = [] if batch.strokes is None else batch.strokes[i].nonzero().tolist()
    return points[points[:, 2] >= 0].tolist(), boxes[boxes[:, 4] >= 0].tolist(), strokes


@given(samples)
def test_from_lists_keeps_everything_in_time_order(lists: list[list[Interaction]]) -> None:
    batch = Interactions.from_lists(lists, SIZE)
    assert len(batch) == len(lists)
    for i, sample in enumerate(lists):
        points, boxes, strokes = rows(batch, i)
        clicks = sorted((c for c in sample if isinstance(c, Click)), key=lambda c: c.turn)
        assert points == torch.tensor([[c.x, c.y, c.positive, c.turn] for c in clicks]).tolist()
        assert len(boxes) == sum(isinstance(each, Box) for each in sample)
        for each in sample:
            if isinstance(each, Scribble):
                for x, y in each.points:
                    assert [0 if each.positive else 1, int(y), int(x)] in strokes
        assert bool(batch.spoken[i]) == bool(sample)


@given(samples)
def test_flipping_twice_changes_nothing(lists: list[list[Interaction]]) -> None:
    batch = Interactions.from_lists(lists, SIZE)
    assert same(batch.flip().flip(), batch)


@given(samples)
@example([[Click(0.0, 3.0), Click(7.0, 3.0)]])
def test_a_flip_mirrors_the_pixels(lists: list[list[Interaction]]) -> None:
    batch = Interactions.from_lists(lists, SIZE)
    for label in (0, 1):
        assert torch.equal(batch.flip().pixels(label), batch.pixels(label).flip(-1))
    assert (batch.flip().boxes[..., 0] <= batch.flip().boxes[..., 2])[batch.boxes[..., 4] >= 0].all()


@given(samples, st.floats(-30, 30), st.floats(-30, 30), st.floats(0.2, 4))
def test_points_go_through_a_frame_and_back(lists: list[list[Interaction]], x0: float, y0: float, scale: float) -> None:
    batch = Interactions.from_lists(lists, SIZE)
    ones = torch.ones(len(batch), dtype=torch.float64)
    frame = Frame(ones * x0, ones * y0, ones * scale, (40, 50))
    there = batch.through(frame)
    assert there.size == (40, 50)
    back = there.through(frame.inverse(SIZE))
    for before, after, flag in ((batch.points, back.points, 2), (batch.boxes, back.boxes, 4)):
        valid = before[..., flag] >= 0
        torch.testing.assert_close(after[valid], before[valid], atol=1e-3, rtol=1e-4)
        assert torch.equal(after[..., flag], before[..., flag])
    if there.strokes is not None:
        assert there.strokes.dtype == torch.bool


@given(samples, samples, st.floats(-30, 30), st.floats(-30, 30), st.floats(0.2, 4), st.booleans())
def test_a_frame_takes_parts_as_it_takes_the_whole(
    first: list[list[Interaction]],
    second: list[list[Interaction]],
    x0: float,
    y0: float,
    scale: float,
    whole: bool,
) -> None:
    count = min(len(first), len(second))
    a, b = Interactions.from_lists(first[:count], SIZE), Interactions.from_lists(second[:count], SIZE)
    ones = torch.ones(count, dtype=torch.float64)
    frame = Frame.whole(count, SIZE) if whole else Frame(ones * x0, ones * y0, scale / (ones.cumsum(0)), (12, 15))
    parts, together = a.through(frame).add(b.through(frame)), a.add(b).through(frame)
    assert parts.size == together.size
    assert torch.equal(parts.points, together.points)
    assert torch.equal(parts.boxes, together.boxes)
    assert (parts.strokes is None) == (together.strokes is None)
    if parts.strokes is not None and together.strokes is not None:
        assert torch.equal(parts.strokes, together.strokes)


@given(samples, samples)
def test_add(first: list[list[Interaction]], second: list[list[Interaction]]) -> None:
    count = min(len(first), len(second))
    a, b = Interactions.from_lists(first[:count], SIZE), Interactions.from_lists(second[:count], SIZE)
    both = a.add(b)
    for i in range(count):
        points, boxes, strokes = rows(both, i)
        assert points == rows(a, i)[0] + rows(b, i)[0]
        assert boxes == rows(a, i)[1] + rows(b, i)[1]
        expected = {tuple(p) for each in (a, b) for p in rows(each, i)[2]}
        assert {tuple(p) for p in strokes} == expected
    assert torch.equal(both.spoken, a.spoken | b.spoken)


@given(samples, st.data())
def test_select_and_spread(lists: list[list[Interaction]], data: st.DataObject) -> None:
    batch = Interactions.from_lists(lists, SIZE)
    index = torch.tensor(data.draw(st.permutations(range(len(lists)))))[: len(lists) // 2 + 1]
    part = batch.select(index)
    whole = part.spread(index, len(batch))
    for position, i in enumerate(index.tolist()):
        assert rows(part, position) == rows(batch, i) == rows(whole, i)
    for i in set(range(len(batch))) - set(index.tolist()):
        assert not whole.spoken[i]
    keep = torch.zeros(len(batch), dtype=torch.bool)
    keep[index] = True
    assert same(batch.only(keep), whole)
    assert same(batch.select(keep), batch.select(index.sort().values))


@given(samples, st.integers(0, 7))
def test_first(lists: list[list[Interaction]], n: int) -> None:
    batch = Interactions.from_lists(lists, SIZE)
    for i in range(len(batch)):
        assert rows(batch.first(n), i)[0] == rows(batch, i)[0][:n]
        assert rows(batch.first(n), i)[1:] == rows(batch, i)[1:]


@given(samples, st.integers(0, 9))
def test_at_another_turn(lists: list[list[Interaction]], turn: int) -> None:
    batch = Interactions.from_lists(lists, SIZE)
    later = batch.at(turn)
    assert torch.equal(batch.points, Interactions.from_lists(lists, SIZE).points)
    for i in range(len(batch)):
        points, boxes, strokes = rows(batch, i)
        assert rows(later, i) == ([[*p[:3], turn] for p in points], [[*b[:4], turn] for b in boxes], strokes)


@given(samples, st.integers(-1, 6))
def test_until_a_turn(lists: list[list[Interaction]], turn: int) -> None:
    batch = Interactions.from_lists(lists, SIZE)
    early = batch.until(turn)
    for i in range(len(batch)):
        points, boxes, strokes = rows(batch, i)
        assert rows(early, i) == ([p for p in points if p[3] <= turn], [b for b in boxes if b[4] <= turn], strokes)


@given(samples)
def test_newest(lists: list[list[Interaction]]) -> None:
    batch = Interactions.from_lists(lists, SIZE)
    newest = batch.newest()
    assert newest.points.shape == batch.points.shape
    for i in range(len(batch)):
        points, boxes, strokes = rows(batch, i)
        assert rows(newest, i) == ([p for p in points if p[3] == points[-1][3]], boxes, strokes)


def test_newest_whatever_stands_in_padding() -> None:
    points = torch.tensor(
        [[[1.0, 1, 1, 0], [2, 2, 0, 1], [3, 3, 1, 1], [0, 0, -1, 5]], [[4, 4, 1, 0], *[[0, 0, -1, 0]] * 3]]
    )
    assert Interactions.of(points, (8, 8)).newest().points[..., 2].tolist() == [[-1, 0, 1, -1], [1, -1, -1, -1]]


@given(samples, samples)
def test_cat(first: list[list[Interaction]], second: list[list[Interaction]]) -> None:
    batches = [Interactions.from_lists(each, SIZE) for each in (first, second)]
    whole = Interactions.cat(batches)
    expected = Interactions.from_lists(first + second, SIZE)
    assert len(whole) == len(expected)
    for i in range(len(whole)):
        assert rows(whole, i) == rows(expected, i)


@given(samples)
def test_to_keeps_everything(lists: list[list[Interaction]]) -> None:
    batch = Interactions.from_lists(lists, SIZE)
    assert same(batch.to("cpu"), batch)


def test_an_empty_batch_says_nothing() -> None:
    batch = Interactions.empty(3, SIZE)
    assert len(batch) == 3
    assert not batch.spoken.any()
    assert not batch.pixels(1).any()
    assert Interactions.from_lists([], SIZE).points.shape == (0, 0, 4)


def test_clicks_hide_what_stands_in_padding() -> None:
    x = torch.tensor([[3.5, torch.nan]])
    batch = Interactions.clicks(x, x, torch.tensor([[1.0, PADDING]]), 2, SIZE)
    assert batch.points.tolist() == [[[3.5, 3.5, 1.0, 2.0], [0.0, 0.0, PADDING, 2.0]]]


def test_interactions_of_other_images_are_refused() -> None:
    with pytest.raises(InteractionError, match="same images"):
        Interactions.empty(2, SIZE).add(Interactions.empty(3, SIZE))
    with pytest.raises(InteractionError, match="same images"):
        Interactions.empty(2, SIZE).add(Interactions.empty(2, (5, 5)))


@pytest.mark.parametrize("x", [float(WIDTH), WIDTH - 1e-9])
def test_the_far_edges_belong_to_the_last_pixels(x: float) -> None:
    batch = Interactions.from_lists([[Click(x, HEIGHT)]], SIZE)
    assert batch.pixels(1)[0].nonzero().tolist() == [[HEIGHT - 1, WIDTH - 1]]


def test_a_scribble_may_end_on_the_far_edge() -> None:
    batch = Interactions.from_lists([[Scribble(((0, 5.5), (WIDTH, 5.5)))]], SIZE)
    assert batch.strokes is not None
    assert batch.strokes[0, 0].nonzero().tolist() == [[5, c] for c in range(WIDTH)]
