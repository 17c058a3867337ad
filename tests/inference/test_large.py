from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.helpers.fakes import Disks
from zoo import Click, Scribble, Session
from zoo.errors import ConfigError
from zoo.images.raster import Raster
from zoo.inference.engine import Engine, State
from zoo.inference.large import LargeObject, Tiling
from zoo.inference.painted import paint
from zoo.inference.said import Said
from zoo.inference.tiling import TiledEngine
from zoo.interactions import Interactions
from zoo.slides import open_slide
from zoo.slides.field import Field

SIZE = (150, 210)
WHOLE = slice(0, SIZE[0]), slice(0, SIZE[1])
SAID = [Click(30.5, 40.5), Click(35.5, 44.5, positive=False, turn=1), Scribble(((90.0, 20.0), (150.0, 100.0)), width=3)]


class Bright(Engine):
    """Begins with the red channel; where something is said, the tile becomes its mean of green, beside the clicks."""

    warmup = 0

    def __init__(self) -> None:
        self.starts = 0

    def start(self, image: torch.Tensor, mask: torch.Tensor | None = None) -> State:
        self.starts += mask is None
        first = image[:, :1] if mask is None else mask
        return {"probability": first, "first": first}

    def step(self, image: torch.Tensor, interactions: Interactions, state: State) -> State:
        after = (state["first"] + image[:, 1:2].mean((2, 3), keepdim=True)) / 2
        return {**state, "probability": torch.where(interactions.pixels(1)[:, None], 1.0, after)}


@pytest.fixture
def field(tmp_path: Path) -> Field:
    y, x = np.ogrid[: SIZE[0], : SIZE[1]]
    channels = (127 + 120 * np.sin(x / 9) * np.cos(y / 11), x * 255 / SIZE[1] + 0 * y, y * 255 / SIZE[0] + 0 * x)
    Image.fromarray(np.stack(channels, -1).astype(np.uint8)).save(tmp_path / "a.png")
    with open_slide(tmp_path / "a.png", mpp=0.5) as slide:
        yield Field.of(slide)


@pytest.mark.parametrize("engine", [Disks(9), Bright()])
@pytest.mark.parametrize("own", [False, True])
def test_as_tiles_in_memory(field, tmp_path, engine, own):
    """Of the engine's own tiles, or of the given ones."""
    tiled = TiledEngine(engine, 48, 16)
    session = Session(tiled)
    session.set_image(field.read(WHOLE))
    session.add(*SAID)
    used, tiling = (tiled, None) if own else (engine, Tiling(48, 16))
    with closing(LargeObject(Session(used), field, tmp_path / "a", tiling)) as large:
        large.segment(Said(SAID, SIZE, engine.boxes))
        np.testing.assert_allclose(large.probability(WHOLE), session.probability[0, 0].numpy(), atol=1e-6)
        np.testing.assert_array_equal(large.mask(WHOLE), session.mask[0, 0].numpy())
        with Raster(tmp_path / "labels.h5", SIZE, np.uint8) as labels:
            found = paint(large, labels)
            mask = session.mask[0, 0].numpy()
            np.testing.assert_array_equal(labels.read(WHOLE), mask)
    rows, columns = np.nonzero(mask)
    assert found.pixels == mask.sum() > 0
    assert found.mean == pytest.approx(float(session.probability[0, 0].numpy()[mask].mean()), abs=1e-4)
    assert found.place == (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))


def test_a_single_tile_is_a_session(field, tmp_path):
    session = Session(Disks(9))
    session.set_image(field.read(WHOLE))
    session.add(*(each for each in SAID if each.turn == 0))
    session.add(SAID[1])
    with closing(LargeObject(Session(Disks(9)), field, tmp_path / "a")) as large:
        large.segment(Said(SAID, SIZE, False))
        np.testing.assert_array_equal(large.mask(WHOLE), session.mask[0, 0].numpy())


def test_only_tiles_with_tissue_begin_and_only_those_told_something_go_on(field, tmp_path):
    engine, told = Bright(), []
    with closing(LargeObject(Session(engine), field, tmp_path / "a", Tiling(48, 1))) as large:
        said = Said([Click(5, 5)], SIZE, False)
        large.segment(said, lambda place: place[1].start > 100, lambda *each: told.append(each))
        tiles = [place for place, _ in Tiling(48, 1).tiles(SIZE)]
        begun = 1 + sum(place[1].start > 100 for place in tiles)
        assert engine.starts == begun < len(tiles)
        assert told == [(done, begun + 1) for done in range(begun + 2)]
        assert not large.probability((slice(60, 100), slice(0, 40))).any()
        assert large.probability((slice(60, 100), slice(160, 200))).any()
    silent = Disks(9)
    with closing(LargeObject(Session(silent), field, tmp_path / "b", Tiling(48, 1))) as large:
        large.segment(Said([Click(5, 5)], SIZE, False))
        assert len(silent.starts) == len(silent.steps) == 1


def test_an_overlap_that_does_not_fit():
    with pytest.raises(ConfigError, match="overlap of 30 px"):
        Tiling(48, 30)
