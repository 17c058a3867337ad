"""A small annotator: images, a slide, and two untrained checkpoints of an index."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient

from tests.helpers.slides import mosaic, write_pyramid
from zoo.annotate.app import create_app
from zoo.annotate.models import Models
from zoo.annotate.shapes import read_mask
from zoo.hub.folder import build, save_folder
from zoo.hub.index import checksums
from zoo.testing import tiny_image

ADDRESS = "http://127.0.0.1:8017"
Json = dict[str, Any]


def checkpoints(folder: Path) -> Path:
    """An index of `fine` (a window of 32 px, 0.25 um/px) and `whole` (whole images, 0.5 um/px), both told clicks."""
    entries = {}
    for name, mpp, kinds, config in (
        ("fine", 0.25, ["click"], _method("NuClick", 5, {"class_path": "zoo.inference.zoom.InteractionWindow",
                                                         "init_args": {"side": 32}})),
        ("whole", 0.5, ["click", "scribble", "box"], _method("RITM", 6, None)),
    ):  # fmt: skip
        config["init_args"]["mpp"] = mpp
        with torch.random.fork_rng():
            torch.manual_seed(0)
            save_folder(folder / name, config, build(config).state_dict(), "# tiny\n")
        files = checksums(folder / name)
        entries[name] = {
            "title": name,
            "licence": "CC0-1.0",
            "files": files,
            "mpp": mpp,
            "interaction": kinds,
            "task": ["nuclei"],
        }
    (folder / "index.yaml").write_text(yaml.safe_dump(entries))
    return folder / "index.yaml"


def _method(name: str, channels: int, zoom: Json | None) -> Json:
    network = {"class_path": "zoo.testing.TinyNetwork", "init_args": {"in_channels": channels}}
    init: Json = {"network": network} | ({} if zoom is None else {"zoom": zoom})
    if name == "NuClick":
        init["postprocess"] = {"class_path": "zoo.segmenters.nuclick.PostProcess", "init_args": {"min_object": 2}}
    return {"class_path": f"zoo.methods.{name}", "init_args": init}


def pictures(folder: Path) -> Path:
    """`a.png` (200 x 200), `deep/b.png` (90 x 120, 0.25 um/px) and `slide.svs` (1500 x 1200, 0.25 um/px)."""
    (folder / "deep").mkdir(parents=True)
    Image.fromarray(tiny_image(side=200)[0]).save(folder / "a.png")
    other = Image.fromarray(np.ascontiguousarray(tiny_image(1, side=120)[0][:, :90]))
    other.save(folder / "deep" / "b.png", dpi=(101_600, 101_600))
    write_pyramid(folder / "slide.svs", mosaic(1500, 1200), mpp=0.25, magnification=40)
    (folder / "notes.txt").write_text("no image")
    return folder


def models_of(index: Path, default: str = "whole") -> Models:
    return Models(default, index=[str(index)])


@contextmanager
def client_of(folder: Path, models: Models, **options: Any) -> Iterator[TestClient]:
    """What asks a server in this process as the page would."""
    app = create_app(folder, models=models, **options)
    with TestClient(app, base_url=ADDRESS, raise_server_exceptions=False, follow_redirects=False) as client:
        yield client


def click(x: float, y: float, positive: bool = True) -> Json:
    return {"type": "click", "x": x, "y": y, "positive": positive}


def begin(client: TestClient, *interactions: Json, image: str = "a.png", **more: Any) -> Json:
    """A new object."""
    return done(client.post("/api/objects", json={"image": image, "interactions": list(interactions), **more}))


def said(client: TestClient, identity: str, *interactions: Json) -> Json:
    return done(client.post(f"/api/objects/{identity}/interactions", json={"interactions": list(interactions)}))


def done(response: Any) -> Json:
    """The answer to a request that was granted."""
    assert response.status_code == 200, response.text
    answer: Json = response.json()
    return answer


def refused(response: Any, status: int, *words: str) -> str:
    """The sentence of a refusal."""
    assert response.status_code == status, (response.status_code, response.text)
    sentence: str = response.json()["detail"]
    assert len(sentence) > 10
    for word in words:
        assert word in sentence, sentence
    return sentence


def mask_of(client: TestClient, identity: str) -> NDArray[np.bool_]:
    response = client.get(f"/api/objects/{identity}/mask.png")
    assert response.status_code == 200, response.text
    return read_mask(response.content)
