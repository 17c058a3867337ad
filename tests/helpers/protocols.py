"""A server for viewers, with a model whose objects can be worked out by hand, and what the clients send."""

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient

from tests.helpers.fakes import Disks
from zoo.annotate.grid import PixelGrid
from zoo.annotate.models import About, Model, Models
from zoo.annotate.serving import create_server
from zoo.annotate.shapes import mask_of

ADDRESS = "http://localhost:8000"
OUTER, INNER, WIDE, WEAK = 40.0, 12.0, 150.0, 15.0
Json = dict[str, Any]


class Rings(Disks):
    """A ring with a hole around each positive click; where two rings overlap, both. Nothing near negative clicks.

    0.9 in the ring, 0.7 in its rim, 0.1 elsewhere: of a mask without the rim the mean is 0.9.
    """

    def step(self, image, interactions, state):
        self.steps.append(interactions)
        height, width = interactions.size
        y, x = torch.arange(height)[:, None] + 0.5, torch.arange(width) + 0.5
        out = torch.full((len(interactions), 1, height, width), 0.1)
        for i, points in enumerate(interactions.points.tolist()):
            for sign in (1, 0):
                for u, v, label, _ in points:
                    d = ((x - u) ** 2 + (y - v) ** 2) ** 0.5
                    if sign == 1 and label == 1:
                        out[i, 0][(d > INNER) & (d <= OUTER)] = 0.9
                    if sign == 0 and label == 0:
                        out[i, 0][d <= WEAK] = 0.1
            if interactions.strokes is not None:
                out[i, 0][interactions.strokes[i, 0]] = 0.8
        return {"probability": out}


def ring(
    size: tuple[int, int],
    *centres: tuple[float, float],
    gone: tuple[tuple[float, float], ...] = (),
    box: tuple[int, int, int, int] | None = None,
) -> Any:
    """(H, W) that `Rings` gives to clicks, or of it what lies in a box x0, y0, x1, y1."""
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    out = np.zeros(size, bool)
    for u, v in centres:
        d = np.hypot(x - u, y - v)
        out |= (d > INNER) & (d <= OUTER)
    for u, v in gone:
        out &= np.hypot(x - u, y - v) > WEAK
    if box is not None:
        out &= (x > box[0]) & (y > box[1]) & (x < box[2]) & (y < box[3])
    return out


def models(**engines: Any) -> Models:
    """Those of the index, with `rings` first, and what is given."""
    made = Models("nuclick-nuclei-compact", index=[])
    rings = Rings()
    rings.mpp = 0.5
    window = Rings(window=128)
    window.mpp = 0.5
    lines = Rings()
    for name, engine, task, kinds in (
        ("rings", rings, ("glands",), ("click",)),
        ("window", window, ("nuclei",), ("click",)),
        ("lines", lines, ("region",), ("click", "scribble")),
        *((name, engine, ("region",), ("click",)) for name, engine in engines.items()),
    ):
        made.known[name] = About(name, name.title(), task, kinds, engine.mpp, "CC0-1.0")
        made._models[name] = Model(name, engine, torch.device("cpu"))
    made.default = "rings"
    return made


@contextmanager
def client_of(path: Path | None = None, made: Models | None = None, **options: Any) -> Iterator[TestClient]:
    app = create_server(path, models=made or models(), **options)
    with TestClient(app, base_url=ADDRESS, raise_server_exceptions=False, follow_redirects=False) as client:
        yield client


def photo(height: int = 150, width: int = 200, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(100, 255, (height, width, 3)).astype(np.uint8)


def file(pixels: NDArray[np.uint8], kind: str = "PNG", mode: str | None = None) -> bytes:
    content = io.BytesIO()
    image = Image.fromarray(pixels)
    (image if mode is None else image.convert(mode)).save(content, kind)
    return content.getvalue()


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


def raster(geometry: Json, size: tuple[int, int]) -> NDArray[np.bool_]:
    """(H, W) of a GeoJSON geometry, by the zoo's reader."""
    return mask_of(geometry, PixelGrid((0.0, 0.0), 1.0, size, None))


def iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float((a & b).sum() / (a | b).sum())


def sentence(response: Any, status: int, *words: str) -> str:
    """What a refusal says; never a server error."""
    assert response.status_code == status, (response.status_code, response.text)
    said: str = response.json()["detail"]
    for word in words:
        assert word in said, said
    return said
