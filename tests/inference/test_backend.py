import pytest
import torch

import zoo
from tests.helpers.checkpoints import nuclick_folder, watershed_folder
from tests.helpers.views import method
from zoo.errors import ConfigError
from zoo.inference import backend
from zoo.inference.backend import backend_of, run_on
from zoo.inference.openvino import OpenVINONetwork
from zoo.methods import Watershed
from zoo.refiners import FBRSB

CPU = torch.device("cpu")


@pytest.fixture
def installed(monkeypatch):
    """As if OpenVINO were there; nothing is converted before a network is used."""
    monkeypatch.setattr(backend, "is_installed", lambda: True)


@pytest.fixture
def missing(monkeypatch):
    monkeypatch.setattr(backend, "is_installed", lambda: False)


def is_converted(session: zoo.Session) -> bool:
    return isinstance(session.engine.method.network, OpenVINONetwork)


def test_auto_takes_it_where_it_is_installed(tmp_path, installed):
    folder = str(nuclick_folder(tmp_path / "x"))
    assert is_converted(zoo.load(folder))
    assert is_converted(zoo.load(folder, backend="openvino"))
    assert not is_converted(zoo.load(folder, backend="torch"))


def test_without_it_auto_is_torch(tmp_path, missing):
    folder = str(nuclick_folder(tmp_path / "x"))
    assert not is_converted(zoo.load(folder))
    with pytest.raises(ConfigError, match=r"pip install 'isegzoo\[openvino\]'"):
        zoo.load(folder, backend="openvino")


def test_a_guide_is_run_too(installed):
    session = zoo.load("deepscribble-refine-glas")
    refine = session.engine.engine.engine.method  # tiled, merged
    assert isinstance(refine.network, OpenVINONetwork)
    assert isinstance(refine._guide[0].network, OpenVINONetwork)


def test_refiners_stay_on_torch(installed):
    refined = method(FBRSB())
    run_on(refined, "auto", CPU)
    assert not isinstance(refined.network, OpenVINONetwork)
    with pytest.raises(ConfigError, match="backend openvino: FBRSB needs gradients"):
        run_on(refined, "openvino", CPU)


def test_methods_without_a_network(tmp_path, installed):
    run_on(Watershed(), "auto", CPU)
    with pytest.raises(ConfigError, match="Watershed has no network"):
        run_on(Watershed(), "openvino", CPU)
    zoo.load(str(watershed_folder(tmp_path / "w")))


def test_accelerators_stay_on_torch(installed):
    ours = method()
    run_on(ours, "auto", torch.device("cuda"))
    assert not isinstance(ours.network, OpenVINONetwork)
    with pytest.raises(ConfigError, match="runs on the CPU, not on cuda"):
        run_on(ours, "openvino", torch.device("cuda"))


def test_an_unknown_backend():
    with pytest.raises(ConfigError, match="'onnx' is none of torch, openvino, auto"):
        run_on(method(), "onnx", CPU)


def test_twice_is_once_and_what_never_ran_is_not_said(installed):
    ours = method()
    run_on(ours, "openvino", CPU)
    first = ours.network
    run_on(ours, "openvino", CPU)
    assert ours.network is first
    assert backend_of(ours) is None
