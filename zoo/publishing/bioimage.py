"""A model description of bioimage.io: a package that its programs check and run."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from PIL import Image

from zoo.files import write_bytes, write_text
from zoo.hub.index import CARD, LICENCE, SUMS
from zoo.images.drawing import overlay
from zoo.interactions import Interactions
from zoo.publishing.checkpoint import Publication
from zoo.publishing.compared import Arrays, check, run, session
from zoo.publishing.facts import facts
from zoo.publishing.graph_card import Texts, graph_card, texts_of
from zoo.publishing.onnx import OPSET, graphs, require
from zoo.publishing.place import write_sums
from zoo.publishing.source import read_segmenter
from zoo.testing import tiny_image

VERSION = "0.5.12"
"""Of the description's format."""
DESCRIPTION = "rdf.yaml"
PACKAGE = "package.zip"
MOST, DESCRIBED = 64, 500
"""Characters of a name and of a description."""
FILES = (PACKAGE, CARD, LICENCE, SUMS)
SPDX = re.compile(r"[A-Za-z0-9.+-]+")
"""Names of licences, as the standard has them."""
CLICKS = np.array([[[20.5, 40.5, 1.0], [60.0, 60.0, 0.0]]], np.float32)
"""On a disk of the tiny image, and beside all."""
FACTORS = (1, 2, 3, 4)
"""That the tiny image is enlarged by, until a method takes its disks for something."""
UNNAMED = re.compile(r"[^A-Za-z0-9_+() -]+")
"""What a description's name may not hold."""


def write_package(folder: Path, name: str, said: Publication) -> list[str]:
    """Write the package of a checkpoint with its card, and return the names of the files.

    `bioimageio.core.test_description` checks it, where the extra `bioimage` is installed.

    Raises:
        ConfigError: `onnx` or `onnxruntime` is not installed, or the method can't be a graph.
    """
    require("bioimage")
    method = read_segmenter(name)
    texts = texts_of(name, said)
    model = {part: content for part, content in graphs(method).items() if part in ("model", "start")}
    check(method, model)
    known = facts(method)
    content = {f"{part}.onnx": graph for part, graph in model.items()}
    content |= {CARD: graph_card(texts, said, known, model.keys()).encode()}
    content |= {LICENCE: texts.terms.encode()} if texts.terms else {}
    given, probability = _tested(model, known)
    content |= {f"{tensor}.npy": _saved(value) for tensor, value in (given | {"probability": probability}).items()}
    content |= {"cover.png": _cover(given, probability[0, 0] > known["threshold"])}
    description = describe(texts, known, content, list(given))
    content |= {DESCRIPTION: yaml.safe_dump(description, sort_keys=False, allow_unicode=True).encode()}
    buffer = BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED) as file:
        for path, data in content.items():
            file.writestr(path, data)
    write_bytes(folder / PACKAGE, buffer.getvalue())
    write_bytes(folder / CARD, content[CARD])
    if texts.terms:
        write_text(folder / LICENCE, texts.terms)
    return list(write_sums(folder))


def describe(texts: Texts, known: Mapping[str, Any], content: Mapping[str, bytes], inputs: list[str]) -> dict[str, Any]:
    """The description, as bioimage.io has it.

    Args:
        texts: of the checkpoint.
        known: of its method.
        content: of the package's other files.
        inputs: of its graph.
    """

    def file(name: str) -> dict[str, str]:
        return {"source": name, "sha256": hashlib.sha256(content[name]).hexdigest()}

    use = (texts.sections["Intended use"] or texts.title).split("\n\n")[0]
    licence: Any = texts.licence if SPDX.fullmatch(texts.licence) else None
    if licence is None and LICENCE in content:
        licence = file(LICENCE)
    return {
        "format_version": VERSION,
        "type": "model",
        "name": UNNAMED.sub("", texts.title).strip()[:MOST].ljust(5, "_"),
        "description": " ".join(use.split())[:DESCRIBED],
        "version": "1",
        "timestamp": datetime.now(UTC).isoformat(),
        "license": licence,
        "tags": ["interactive segmentation", "pathology", "2d", "pytorch", "onnx"],
        "documentation": file(CARD),
        "covers": [file("cover.png")],
        "attachments": [file("start.onnx")] if "start.onnx" in content else [],
        "inputs": [{**_input(name, known), "test_tensor": file(f"{name}.npy")} for name in inputs],
        "outputs": [
            {
                "id": "probability",
                "description": "per pixel of the image, in 0..1",
                "axes": [{"type": "batch"}, _channels("probability"), *_plane(known, "image")],
                "data": {"type": "float32", "range": [0.0, 1.0]},
                "test_tensor": file("probability.npy"),
            }
        ],
        "weights": {"onnx": {**file("model.onnx"), "opset_version": OPSET}},
        "config": {"isegzoo": dict(known)},
    }


def _input(name: str, known: Mapping[str, Any]) -> dict[str, Any]:
    batch = {"type": "batch"}
    if name == "image":
        axes: list[Any] = [batch, _channels("r", "g", "b"), *_plane(known)]
        return {"id": name, "description": "RGB", "axes": axes, "data": {"type": "uint8", "range": [0, 255]}}
    number = {"type": "float32"}
    if name == "clicks":
        axes = [batch, {"type": "index", "size": {"min": 1, "step": 1}}, _channels("x", "y", "label")]
        text = "x, y in pixels; 1 positive, 0 negative, -1 padding"
        return {"id": name, "description": text, "axes": axes, "data": number}
    channels = _channels("positive", "negative") if name == "strokes" else _channels("mask")
    text = {
        "strokes": "1 on the pixels of scribbles, else 0",
        "probability": "the last probability; zeros before the first turn",
        "start": "the probability of start.onnx, in all turns",
        "unused": "changes nothing in this model; zeros",
    }[name if name == "strokes" else known["previous"]]
    return {"id": name, "description": text, "axes": [batch, channels, *_plane(known, "image")], "data": number}


def _channels(*names: str) -> dict[str, Any]:
    return {"type": "channel", "channel_names": list(names)}


def _plane(known: Mapping[str, Any], like: str = "") -> list[dict[str, Any]]:
    """The axes of an image's rows and columns, of the same size as those of another tensor."""
    scale = {} if known["mpp"] is None else {"unit": "micrometer", "scale": float(known["mpp"])}
    free = {"min": 32, "step": 1}
    sizes = {axis: {"tensor_id": like, "axis_id": axis} if like else free for axis in ("y", "x")}
    return [{"type": "space", "id": axis, "size": size, **scale} for axis, size in sizes.items()]


def _tested(model: Mapping[str, bytes], known: Mapping[str, Any]) -> tuple[Arrays, NDArray[np.float32]]:
    """Inputs of the graph by name, and what it gives for them: on disks of a size that it finds something on."""
    found: list[tuple[Arrays, NDArray[np.float32]]] = []
    for factor in FACTORS:
        picture, labels = (each.repeat(factor, 0).repeat(factor, 1) for each in tiny_image())
        given: Arrays = {"image": picture.transpose(2, 0, 1)[None].copy()}
        if known["reads"] is not None:
            strokes = np.zeros((1, 2, *picture.shape[:2]), np.float32)
            strokes[0, 0, 40 * factor, 17 * factor : 24 * factor] = 1
            strokes[0, 1, 60 * factor, 40 * factor : 62 * factor] = 1
            scale = np.array([factor, factor, 1], np.float32)
            given |= {"clicks": CLICKS * scale} if known["reads"] == "clicks" else {"strokes": strokes}
            # Not empty, which the programs that test it refuse.
            disk = (labels == labels[40 * factor, 20 * factor]).astype(np.float32)[None, None]
            before = run(session(model["start"]), given)["probability"] if "start" in model else disk
            given |= {"previous": before}
        found.append((given, run(session(model["model"]), given)["probability"]))
        if found[-1][1].max() > known["threshold"]:
            break
    return max(found, key=lambda each: float(each[1].max()))


def _saved(value: NDArray[Any]) -> bytes:
    buffer = BytesIO()
    np.save(buffer, value)
    return buffer.getvalue()


def _cover(given: Arrays, mask: NDArray[np.bool_]) -> bytes:
    """The tested image with the clicks and the mask, as PNG."""
    image, said = given["image"][0], None
    if "clicks" in given:
        points = np.concatenate([given["clicks"], given["clicks"][..., :1] * 0], -1)
        said = Interactions.of(torch.from_numpy(points), (image.shape[1], image.shape[2]))
    shown = overlay(image.transpose(1, 2, 0), None, mask, said, scale=max(1, 384 // len(mask)))
    buffer = BytesIO()
    Image.fromarray(shown).save(buffer, "PNG")
    return buffer.getvalue()
