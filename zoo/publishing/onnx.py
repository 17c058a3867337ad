"""ONNX graphs of a method, compared with it before they are published."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn

from zoo.errors import ConfigError
from zoo.files import write_bytes, write_text
from zoo.hub.index import CARD, LICENCE, SUMS
from zoo.inference.evaluating import evaluating
from zoo.publishing.checkpoint import Publication
from zoo.publishing.compared import check
from zoo.publishing.facts import facts
from zoo.publishing.graph import GraphPart, parts
from zoo.publishing.graph_card import graph_card, texts_of
from zoo.publishing.place import write_sums
from zoo.publishing.source import read_segmenter

OPSET = 18
"""2022's: what runs ONNX knows it, as far as an old phone."""
FILES = ("model.onnx", "start.onnx", "image.onnx", "click.onnx", CARD, LICENCE, SUMS)


def write_graphs(folder: Path, name: str, said: Publication) -> list[str]:
    """Write the graphs of a checkpoint with a card, and return the names of the files.

    Raises:
        ConfigError: `onnx` or `onnxruntime` is not installed, the method can't be a graph, or the graph gives others
            probabilities than the method.
    """
    require("onnx")
    method = read_segmenter(name)
    texts = texts_of(name, said)
    made = graphs(method, {"name": said.name, "title": texts.title, "licence": texts.licence})
    check(method, made)
    for part, content in made.items():
        write_bytes(folder / f"{part}.onnx", content)
    write_text(folder / CARD, graph_card(texts, said, facts(method), made.keys()))
    if texts.terms:
        write_text(folder / LICENCE, texts.terms)
    return list(write_sums(folder))


def require(extra: str, packages: tuple[str, ...] = ("onnx", "onnxruntime")) -> None:
    """Refuse to begin without the packages of an extra.

    Raises:
        ConfigError: one is not installed.
    """
    missing = [package for package in packages if find_spec(package.partition(".")[0]) is None]
    if missing:
        raise ConfigError(f"--format {extra} needs {' and '.join(missing)}; `pip install 'isegzoo[{extra}]'`")


def graphs(method: nn.Module, names: Mapping[str, str] | None = None) -> dict[str, bytes]:
    """ONNX files of a method by name, with what has to be known of it as metadata; see `parts`.

    Raises:
        ConfigError: the method can't be a graph.
    """
    known = {key: json.dumps(value) for key, value in facts(method).items()} | dict(names or {})
    return {part.name: _exported(part, known) for part in parts(method)}


def _exported(part: GraphPart, known: Mapping[str, str]) -> bytes:
    import onnx

    with TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad(), evaluating(part.module):
        file = str(Path(folder) / "model.onnx")
        # Of tracing: sizes are read by shape operations, and the graph is compared at others.
        warnings.simplefilter("ignore")
        # By tracing, which needs no further package and a second; the exporter of torch.export took minutes.
        torch.onnx.export(
            part.module.eval(),
            tuple(part.inputs.values()),
            file,
            input_names=list(part.inputs),
            output_names=part.outputs,
            dynamic_axes=part.axes,
            opset_version=OPSET,
            dynamo=False,
        )
        model = onnx.load(file)
    _keep_inputs(model, part)
    onnx.helper.set_model_props(model, {key: str(value) for key, value in known.items()})
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def _keep_inputs(model: Any, part: GraphPart) -> None:
    """Put back inputs that nothing depends on, so that all graphs are called alike."""
    import onnx

    found = {each.name: each for each in model.graph.input}
    kinds = {torch.uint8: onnx.TensorProto.UINT8, torch.float32: onnx.TensorProto.FLOAT}
    every = []
    for name, value in part.inputs.items():
        shape = [part.axes[name].get(axis, side) for axis, side in enumerate(value.shape)]
        every.append(found.get(name) or onnx.helper.make_tensor_value_info(name, kinds[value.dtype], shape))
    del model.graph.input[:]
    model.graph.input.extend(every)
