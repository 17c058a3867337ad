"""Graphs that onnxruntime runs, beside the sessions that they stand for."""

import json

import numpy as np
import pytest
import torch

import zoo
from tests.helpers.checkpoints import unet_folder, watershed_folder
from zoo import encoders
from zoo.cli import main
from zoo.errors import ConfigError
from zoo.hub.index import entries
from zoo.hub.load import load_segmenter
from zoo.networks import LateUnet, Unet
from zoo.publishing.compared import check, example, run, session
from zoo.publishing.onnx import graphs
from zoo.refiners import FBRSB
from zoo.segmenters import RITM, NuClick, ZoomISEG
from zoo.testing import tiny_image

onnx = pytest.importorskip("onnx")
SIZES = [(1, 64, 64, 1), (3, 45, 100, 7), (2, 129, 32, 3)]


def late(encoder: encoders.InteractionEncoder | None = None) -> RITM:
    torch.manual_seed(0)
    return RITM(LateUnet(6, "test_efficientnet", (8, 8, 8, 8, 8)), encoder=encoder).eval()


def small(kind: type = NuClick, channels: int = 5, **arguments: object) -> torch.nn.Module:
    torch.manual_seed(0)
    return kind(Unet(channels, "test_efficientnet", (16, 8, 8, 8, 8)), **arguments).eval()


@pytest.mark.parametrize(
    "encoder",
    [
        encoders.InclusionExclusion(),
        encoders.Disks(3),
        encoders.TanhDistance(),
        encoders.Gaussians(),
        encoders.StrokeRaster(),
    ],
    ids=lambda encoder: type(encoder).__name__,
)
def test_the_guidance_is_inside(encoder):
    method = small(encoder=encoder)
    model = session(graphs(method)["model"])
    read = "strokes" if isinstance(encoder, encoders.StrokeRaster) else "clicks"
    assert [each.name for each in model.get_inputs()] == ["image", read, "previous"]
    for number, size in enumerate(SIZES):
        given, expected = example(method, *size, seed=10 + number)
        found = run(model, given)["probability"]
        assert found.shape == expected.shape == (size[0], 1, *size[1:3])
        assert np.abs(found - expected).max() < 1e-4
        # Said otherwise, it says otherwise.
        other = {**given, read: given[read][:, ::-1].copy() if read == "strokes" else given[read] * [1, 1, 0]}
        assert np.abs(run(model, {**other, read: other[read].astype(np.float32)})["probability"] - found).max() > 1e-4


@pytest.mark.parametrize("encoder", [None, encoders.Gaussians()])
def test_a_network_that_looks_once_is_two_graphs(encoder):
    method = late(encoder)
    made = graphs(method)
    assert sorted(made) == ["click", "image", "model"]
    look, answer, model = (session(made[name]) for name in ("image", "click", "model"))
    assert [each.name for each in look.get_inputs()] == ["image"]
    assert "image" not in [each.name for each in answer.get_inputs()]
    for number, size in enumerate(SIZES):
        given, expected = example(method, *size, seed=10 + number)
        features = run(look, given)
        for turn in range(2):  # the image is looked at once for both
            before = {**given, "previous": given["previous"] * turn}
            whole = run(model, before)["probability"]
            assert np.abs(run(answer, {**before, **features})["probability"] - whole).max() < 1e-4
        assert np.abs(whole - expected).max() < 1e-4


def test_the_previous_mask_counts_where_a_method_remembers():
    for mask_input, read in (("previous", True), ("zeros", False)):
        method = small(ZoomISEG, 6, mask_input=mask_input)
        model = onnx.load_from_string(graphs(method)["model"])
        known = {each.key: each.value for each in model.metadata_props}
        assert json.loads(known["previous"]) == ("probability" if read else "unused")
        graph = session(model.SerializeToString())
        given, _ = example(method, 1, 64, 64, 2)
        empty = run(graph, {**given, "previous": given["previous"] * 0})["probability"]
        assert (np.abs(run(graph, given)["probability"] - empty).max() > 1e-6) == read


def test_a_session_and_a_program_with_onnxruntime_agree(tmp_path):
    """NuClick on a window, as its card says."""
    folder = unet_folder(tmp_path / "tiny")
    out = tmp_path / "onnx"
    assert main(["publish", str(folder), "--to", str(out), "--format", "onnx"]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "SHA256SUMS", "model.onnx"]
    image, _ = tiny_image(side=32)
    ours = zoo.load(folder)
    ours.set_image(image, mpp=0.25)
    ours.add(zoo.Click(16.5, 14.5))
    program = (out / "README.md").read_text().partition("```python\n")[2].partition("```")[0]
    names = {
        "image": image.transpose(2, 0, 1)[None].copy(),
        "clicks": np.array([[[16.5, 14.5, 1], [0, 0, -1]]], np.float32),
        "previous": np.zeros((1, 1, 32, 32), np.float32),
    }
    exec(program.replace('"model.onnx"', repr(str(out / "model.onnx"))), names)
    assert np.abs(names["probability"] - ours.probability.numpy()).max() < 1e-4
    metadata = {each.key: each.value for each in onnx.load(str(out / "model.onnx")).metadata_props}
    assert (metadata["name"], metadata["window"], metadata["mpp"]) == ("onnx", "32", "0.25")
    assert main(["publish", str(folder), "--to", str(out), "--format", "onnx"]) == 0


@pytest.mark.parametrize("name", sorted(entries()))
@pytest.mark.slow
def test_every_shipped_checkpoint(name):
    method = load_segmenter(name)
    if getattr(method, "connected", False):
        with pytest.raises(ConfigError, match="has connected: true"):
            graphs(method)
        return
    made = graphs(method)
    assert ("start" in made) == (name == "deepscribble-refine-glas")
    check(method, made)


def test_a_graph_that_differs_is_refused(monkeypatch):
    method = small()
    made = graphs(method)
    with torch.no_grad():
        method.network.unet.segmentation_head[0].bias += 0.1
    with pytest.raises(ConfigError, match=r"model\.onnx of NuClick gives other probabilities .* by 0\.0"):
        check(method, made)


def test_what_can_not_be_a_graph(tmp_path, capsys, monkeypatch):
    geodesic = small(encoder=encoders.GeodesicDistance())
    with pytest.raises(ConfigError, match="GeodesicDistance can't be part of a graph"):
        graphs(geodesic)
    with pytest.raises(ConfigError, match="has a refiner, which a graph can't hold"):
        graphs(RITM(Unet(6, "test_efficientnet"), refiner=FBRSB()))
    with pytest.raises(ConfigError, match="has flip: true"):
        graphs(small(flip=True))
    with pytest.raises(ConfigError, match="has connected: true"):
        graphs(RITM(Unet(6, "test_efficientnet"), connected=True))
    to = ["--to", str(tmp_path / "x"), "--format", "onnx"]
    assert main(["publish", str(watershed_folder(tmp_path / "w")), *to]) == 2
    assert "Watershed" in capsys.readouterr().err
    monkeypatch.setattr("zoo.publishing.onnx.find_spec", lambda name: None)
    folder = unet_folder(tmp_path / "tiny")
    assert main(["publish", str(folder), *to]) == 2
    assert "needs onnx and onnxruntime; `pip install 'isegzoo[onnx]'`" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny", "w"]
