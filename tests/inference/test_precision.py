import pytest
import torch

import zoo
from tests.helpers.checkpoints import nuclick_folder
from zoo.inference import precision
from zoo.inference.precision import in_precision

CPU = torch.device("cpu")


def product() -> torch.dtype:
    return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype


@pytest.mark.parametrize(
    ("name", "units", "expected"),
    [
        ("auto", True, torch.bfloat16),
        ("auto", False, torch.float32),
        ("float32", True, torch.float32),
        ("bfloat16", False, torch.bfloat16),
        ("trainer", True, torch.float32),
    ],
)
def test_choice(monkeypatch, name, units, expected):
    monkeypatch.setattr(precision, "has_matrix_units", lambda: units)
    with in_precision(name, CPU):
        assert product() == expected
    assert product() == torch.float32


@pytest.mark.parametrize(("name", "expected"), [("trainer", torch.bfloat16), ("float32", torch.float32)])
def test_inside_lightnings_mixed_precision(name, expected):
    with torch.autocast("cpu", torch.bfloat16), in_precision(name, CPU):
        assert product() == expected


def test_loaded_sessions(tmp_path, monkeypatch):
    """The network runs in the chosen precision; guidance and probabilities stay float32."""
    folder = str(nuclick_folder(tmp_path / "x"))
    monkeypatch.setattr(precision, "has_matrix_units", lambda: True)
    found, guided, probabilities = {}, [], {}
    for name in ("auto", "float32", "bfloat16"):
        session = zoo.load(folder, precision=name, backend="torch")
        method = session.engine.method
        method.network.out.register_forward_hook(lambda *args, name=name: found.update({name: args[2].dtype}))
        method.encoder.register_forward_hook(lambda *_: guided.append(product()))
        session.set_image(torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)), mpp=0.25)
        session.add(zoo.Click(16.5, 16.5))
        probabilities[name] = session.probability
        assert session.probability.dtype == torch.float32
    assert found["auto"] == found["bfloat16"] == torch.bfloat16
    assert found["float32"] == torch.float32
    assert guided == [torch.float32] * 3
    assert torch.equal(probabilities["auto"], probabilities["bfloat16"])
    assert not torch.equal(probabilities["auto"], probabilities["float32"])
