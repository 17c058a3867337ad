import pytest
import torch

from tests.contracts.engines import SIZE, EngineContract, images, play
from tests.helpers.views import method
from zoo.inference.engine import Engine
from zoo.inference.zoom_in import ZoomIn
from zoo.refiners import CGAM, FBRSA, FBRSB, FBRSC, RGBBRS, DistMapBRS, ScipyLBFGSB


class RefinedContract(EngineContract):
    # A search widens what convolutions round differently in another batch.
    tolerance = 2e-2


class TestDistMap(RefinedContract):
    @pytest.fixture
    def engine(self) -> Engine:
        return method(DistMapBRS()).engine()


class TestRGB(RefinedContract):
    @pytest.fixture
    def engine(self) -> Engine:
        return method(RGBBRS()).engine()


class TestA(RefinedContract):
    @pytest.fixture
    def engine(self) -> Engine:
        return method(FBRSA()).engine()


class TestB(RefinedContract):
    @pytest.fixture
    def engine(self) -> Engine:
        return method(FBRSB()).engine()


class TestBWithScipy(RefinedContract):
    @pytest.fixture
    def engine(self) -> Engine:
        return method(FBRSB(optimizer=ScipyLBFGSB())).engine()


class TestC(RefinedContract):
    @pytest.fixture
    def engine(self) -> Engine:
        return method(FBRSC()).engine()


class TestCGAM(RefinedContract):
    @pytest.fixture
    def engine(self) -> Engine:
        return method(CGAM()).engine()


class TestZoomedFlippedC(RefinedContract):
    @pytest.fixture
    def engine(self) -> Engine:
        return method(FBRSC(), ZoomIn(32, least=16), flip=True).engine()


class TestZoomedFlippedDistMap(RefinedContract):
    @pytest.fixture
    def engine(self) -> Engine:
        return method(DistMapBRS(), ZoomIn(32, least=16), flip=True).engine()


@pytest.mark.parametrize("refiner", [DistMapBRS(), RGBBRS(), FBRSA(), FBRSB(), FBRSC(), CGAM()], ids=str)
def test_states_keep_their_shapes_and_learn_from_the_second_click(refiner):
    engine = method(refiner, ZoomIn(32, least=16)).engine()
    history = [state for _, state in play(engine, [0, 1, 2])]
    shapes = {name: (value.shape, value.dtype) for name, value in history[0].items()}
    assert all({name: (v.shape, v.dtype) for name, v in state.items()} == shapes for state in history)
    learned = [state["refiner.parameters"] for state in history]
    # The third sample is given two clicks at once.
    assert torch.equal(learned[0][:2], learned[1][:2])
    assert not torch.equal(learned[1][0], learned[2][0])
    assert not torch.equal(learned[0][2], learned[1][2])


def test_distmap_starts_anew_in_another_crop():
    refiner = DistMapBRS(still=1.0)
    engine = method(refiner).engine()
    image = images()
    said, state = play(engine, [0, 1, 2], turns=2)[-1]
    moved = dict(state) | {"frame": state["frame"] + 1}
    fresh = dict(moved) | {"refiner.parameters": torch.zeros_like(state["refiner.parameters"])}
    assert state["refiner.parameters"].any()
    again, anew = engine.step(image, said, moved), engine.step(image, said, fresh)
    assert torch.equal(again["probability"], anew["probability"])
    warm = engine.step(image, said, state)
    assert not torch.equal(warm["probability"], anew["probability"])


def test_a_refiner_has_no_weights():
    plain, refined = method(), method(FBRSB())
    assert plain.state_dict().keys() == refined.state_dict().keys()
    assert plain.engine().start(torch.rand(1, 3, *SIZE)).keys() < refined.engine().start(torch.rand(1, 3, *SIZE)).keys()
