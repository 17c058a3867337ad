import copy
import json
import warnings

import numpy as np
import pytest
import torch
import yaml
from torch import nn

import zoo
from tests.helpers.blobs import write_experiment, write_store
from tests.helpers.checkpoints import CONFIG, nuclick_folder
from tests.methods.test_engines import network as nuclick_network
from zoo.cli import main
from zoo.errors import ConfigError
from zoo.hub.index import entries
from zoo.images.labels import read_labels
from zoo.inference import openvino
from zoo.inference.backend import run_on
from zoo.inference.engine import Engine
from zoo.inference.openvino import OpenVINONetwork
from zoo.inference.precision import in_precision
from zoo.inference.zoom import WholeImage
from zoo.interactions import write_json
from zoo.methods import NuClick
from zoo.methods.nuclick import PostProcess
from zoo.networks import DeepLabV3Plus, HRNetOCR, NuClickNet
from zoo.store.reader import Store
from zoo.testing.engines import EngineContract

pytest.importorskip("openvino", reason="OpenVINO is not installed: isegzoo[openvino]")

CPU = torch.device("cpu")
CLOSE = 2e-4
"""Of probabilities."""


def some(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ISEGZOO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "openvino"


@pytest.fixture
def tiny() -> NuClickNet:
    return copy.deepcopy(nuclick_network()).eval()


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    """Embedded images that hold a window of 128 px."""
    store = Store("experiments/data/dsb2018.h5")
    found = [store.image(name, 0) for name in sorted(store.names)]
    return [image for image in found if min(image.shape[:2]) >= 128][:2]


@pytest.mark.parametrize("name", sorted(entries()))
def test_shipped_checkpoints(name, cache, pictures):
    """The same masks, and probabilities that differ by rounding."""
    ours, theirs = zoo.load(name, backend="openvino"), zoo.load(name, precision="float32", backend="torch")
    for image in pictures:
        height, width = image.shape[:2]
        for session in (ours, theirs):
            session.set_image(image, mpp=session.mpp)
            session.add(zoo.Click(width // 2 + 0.5, height // 2 + 0.5))
            session.add(zoo.Click(width // 2 + 20.5, height // 2 + 9.5, positive=False))
        assert theirs.probability.std() > 0.01
        assert (ours.probability - theirs.probability).abs().max() <= CLOSE
        assert torch.equal(ours.mask, theirs.mask)


@pytest.mark.parametrize("made", [lambda: HRNetOCR(6, fusion="stem"), lambda: DeepLabV3Plus(5)])
def test_any_batch_and_size(made):
    torch.manual_seed(0)
    network = made().eval()
    channels = 6 if isinstance(network, HRNetOCR) else 5
    ours = OpenVINONetwork(network)
    with torch.no_grad():
        for shape in [(1, 64, 64), (3, 32, 96), (2, 160, 64), (1, 64, 64)]:
            x = some(shape[0], channels, *shape[1:])
            # As methods give it to networks on a CPU.
            found, expected = ours(x.contiguous(memory_format=torch.channels_last)), network(x)
            assert found.shape == expected.shape
            assert (found.sigmoid() - expected.sigmoid()).abs().max() <= CLOSE
    assert ours.precisions == ["f32"]


class TestOpenVINO(EngineContract):
    def make(self) -> Engine:
        ours = NuClick(
            network=copy.deepcopy(nuclick_network()), zoom=WholeImage(), postprocess=PostProcess(min_object=5)
        )
        run_on(ours, "openvino", CPU)
        return ours.eval().engine("float32")


def test_kept_on_disk(tiny, tmp_path, monkeypatch):
    x = some(1, 5, 32, 32)
    first = OpenVINONetwork(tiny, tmp_path)(x)
    (file,) = tmp_path.iterdir()
    with monkeypatch.context() as without:
        without.setattr(openvino, "_convert", lambda *_: pytest.fail("converted again"))
        assert torch.equal(OpenVINONetwork(copy.deepcopy(tiny), tmp_path)(x), first)
    file.write_bytes(file.read_bytes()[:100])
    assert torch.equal(OpenVINONetwork(tiny, tmp_path)(x), first)
    assert file.stat().st_size > 100


@pytest.mark.parametrize("changed", ["weight", "statistics", "attribute"])
def test_another_network_is_another_file(tiny, tmp_path, changed):
    OpenVINONetwork(tiny, tmp_path)(some(1, 5, 32, 32))
    if changed == "weight":
        tiny.out.weight.data[0, 0] += 1
    elif changed == "statistics":
        tiny.conv1[0][1].running_mean += 1
    else:
        tiny.scale = 2
    OpenVINONetwork(tiny, tmp_path)(some(1, 5, 32, 32))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_cache_that_can_not_be_written_is_done_without(tiny, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.warns(UserWarning, match="compiled networks are not kept"):
        OpenVINONetwork(tiny, tmp_path / "file")(some(1, 5, 32, 32))


class DependsOnItsBatch(nn.Module):
    """Tracing takes the first branch for all."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :1] if len(x) == 1 else -x[:, :1]


class Unknown(nn.Module):
    """What OpenVINO knows no operation for."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.special.bessel_j0(x[:, :1])


@pytest.mark.parametrize(
    ("network", "said"), [(DependsOnItsBatch(), "gives other logits"), (Unknown(), "OpenVINO can't run Unknown")]
)
def test_what_can_not_be_converted(network, said):
    x = some(2, 3, 32, 32)
    with pytest.raises(ConfigError, match=said):
        OpenVINONetwork(network.eval())(x)
    optional = OpenVINONetwork(network.eval(), required=False)
    with pytest.warns(UserWarning, match="so torch does"):
        assert torch.equal(optional(x), network(x))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optional(x)
    assert optional.precisions == []


def test_a_size_that_does_not_fit_is_said_as_by_torch(tiny):
    ours = OpenVINONetwork(tiny)
    ours(some(1, 5, 32, 32))
    with pytest.raises(ConfigError, match="must be divisible by 32"):
        ours(some(1, 5, 40, 32))


def test_bfloat16(tiny):
    from openvino import Core

    if "BF16" not in Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this CPU has no bfloat16")
    x, ours = some(4, 5, 64, 64), OpenVINONetwork(tiny)
    exact = ours(x).sigmoid()
    with in_precision("bfloat16", CPU):
        half = ours(x)
    assert ours.precisions == ["bf16", "f32"]
    assert half.dtype == torch.float32
    assert 1e-5 < (half.sigmoid() - exact).abs().mean() < 0.05


def test_copies_run_by_themselves(tiny):
    x, ours = some(1, 5, 32, 32), OpenVINONetwork(tiny)
    assert torch.equal(ours(x), copy.deepcopy(ours)(x))


def test_segment(tmp_path, cache):
    from PIL import Image

    from zoo.testing import tiny_image
    from zoo.testing.stores import DISKS

    folder = nuclick_folder(tmp_path / "tiny")
    Image.fromarray(tiny_image()[0]).save(tmp_path / "image.png")
    write_json(tmp_path / "clicks.json", [[zoo.Click(x + 0.5, y + 0.5)] for y, x in DISKS[:3]])
    common = ["segment", str(tmp_path / "image.png"), "--checkpoint", str(folder)]
    common += ["--interactions", str(tmp_path / "clicks.json"), "--mpp", "0.25"]
    for backend in ("torch", "openvino"):
        assert main([*common, "--out", str(tmp_path / f"{backend}.png"), "--backend", backend]) == 0
    assert np.array_equal(*(read_labels(tmp_path / f"{name}.png") for name in ("torch", "openvino")))
    assert len(list(cache.iterdir())) == 1


def test_experiments_say_what_ran_their_network(tmp_path):
    store = write_store(tmp_path / "blobs.h5")
    path = write_experiment(tmp_path / "a.yaml", store, "NuClick", **CONFIG["init_args"])
    path.write_text(path.read_text() + yaml.safe_dump({"backend": "openvino"}))
    found = {}
    for name, more in {"openvino": [], "torch": ["--set", "backend=torch"]}.items():
        assert main(["compare", str(path), "--out", str(tmp_path / name), *more]) == 0
        (found[name],) = json.loads((tmp_path / name / "results.json").read_text())["results"]
    assert found["openvino"]["backend"].startswith("openvino ")
    assert found["openvino"]["backend"].endswith(", f32")
    assert found["torch"]["backend"] is None
    assert found["openvino"]["config_hash"] != found["torch"]["config_hash"]
    assert found["openvino"]["metrics"]["noc@85"] == pytest.approx(found["torch"]["metrics"]["noc@85"])
