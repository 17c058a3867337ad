"""A network that OpenVINO runs on the CPU."""

from __future__ import annotations

import hashlib
import sys
import threading
import warnings
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import ConfigError, DataError
from zoo.files import sha256, write_bytes
from zoo.inference.evaluating import evaluating
from zoo.networks.outline import outline

TRACED, CHECKED = (1, 64, 96), (2, 96, 64)
"""Batch, height and width of what a network is converted on, and of what it is compared on."""
TOLERANCE = 1e-3
"""Of a converted network's logits on noise, in float32, relative to the largest, and to 1."""
MULTIPLE = 32
"""Of sizes; others are left to torch, whose networks refuse them where OpenVINO joins features that do not fit."""
ENDING = ".blob"
PRECISION = "INFERENCE_PRECISION_HINT"

_ONE_AT_A_TIME = threading.Lock()


def is_installed() -> bool:
    """Whether OpenVINO is there."""
    return find_spec("openvino") is not None


class OpenVINONetwork(nn.Module):
    """Logits (B, 1, H, W) of the input (B, C, H, W) as the network gives them, computed by OpenVINO on the CPU.

    The network is converted when it is first used, for any B, H and W, and compared with what it was. It runs in
    bfloat16 where it is called within autocast to bfloat16 (see `zoo.inference.precision`), else in float32. There are
    no gradients. Weights that change after the first use are not noticed.

    Args:
        network: in evaluation mode whenever it is called.
        cache: folder for compiled networks, which load faster; None: nothing is kept.
        required: whether it is an error when OpenVINO can't run the network; otherwise it warns, and torch goes on.
    """

    def __init__(self, network: nn.Module, cache: Path | None = None, required: bool = True) -> None:
        super().__init__()
        self.network, self.cache, self.required = network, cache, required
        self.refused = False
        self._compiled: dict[tuple[bool, int], Any] = {}
        self.train(network.training)

    def __getstate__(self) -> dict[str, Any]:
        # What is compiled belongs to this process.
        return {**self.__dict__, "_compiled": {}}

    @property
    def precisions(self) -> list[str]:
        """In which it has run; a CPU without bfloat16 takes float32 in its place."""
        return sorted({str(each.get_property(PRECISION).to_string()) for each in self._compiled.values()})

    def forward(self, x: Tensor) -> Tensor:
        """Logits float32.

        Raises:
            ConfigError: OpenVINO can't run the network.
        """
        if self.refused or x.shape[-2] % MULTIPLE or x.shape[-1] % MULTIPLE:
            return self._torch(x)
        half = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
        key = half, torch.get_num_threads()
        # A compiled network answers one at a time, and each answer takes all threads.
        with _ONE_AT_A_TIME:
            if key not in self._compiled:
                try:
                    self._compiled[key] = self._compile(x.shape[1], half)
                except Exception as error:  # whatever tracing and OpenVINO raise
                    self._refuse(error)
                    return self._torch(x)
            logits = self._compiled[key](x.detach().float().contiguous().numpy())[0]
        return torch.from_numpy(logits)

    def _torch(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network(x)
        return logits

    def _refuse(self, error: Exception) -> None:
        # Of OpenVINO's many lines the last one says it.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1].strip(" -")
        name = type(self.network).__name__
        if self.required:
            raise ConfigError(f"OpenVINO can't run {name} ({reason}); choose the backend torch") from error
        warnings.warn(f"OpenVINO can't run {name} ({reason}), so torch does", stacklevel=2)
        self.refused = True

    def _compile(self, channels: int, half: bool) -> Any:
        """The compiled network, from the cache where it is there."""
        import openvino

        core = openvino.Core()
        options = {
            PRECISION: "bf16" if half else "f32",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,  # or processes side by side would share their first cores
        }
        path = None
        if self.cache is not None:
            device = core.get_property("CPU", "FULL_DEVICE_NAME")
            path = self.cache / (_fingerprint(self.network, channels, half, device) + ENDING)
            if path.is_file():
                try:
                    return core.import_model(path.read_bytes(), "CPU", options)
                except (OSError, RuntimeError):  # damaged, or of another machine: it is made anew
                    path.unlink(missing_ok=True)
        model = _convert(self.network, channels)
        exact = core.compile_model(model, "CPU", options | {PRECISION: "f32"})
        _compare(self.network, exact, channels)
        compiled = core.compile_model(model, "CPU", options) if half else exact
        if path is not None:
            try:
                write_bytes(path, compiled.export_model().getvalue())
            except DataError as error:
                warnings.warn(f"{error}; compiled networks are not kept", stacklevel=2)
        return compiled


def _convert(network: nn.Module, channels: int) -> Any:
    """OpenVINO's model of a network, for any batch and size."""
    import openvino

    batch, height, width = TRACED
    example = torch.zeros(batch, channels, height, width)
    with warnings.catch_warnings(), torch.no_grad(), evaluating(network), _exactly():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(network, example, check_trace=False)
        shape = openvino.PartialShape([-1, channels, -1, -1])
        return openvino.convert_model(traced, example_input=example, input=[shape])


def _compare(network: nn.Module, compiled: Any, channels: int) -> None:
    """Refuse a conversion that gives other logits, on another batch and size than it was made on."""
    batch, height, width = CHECKED
    noise = torch.rand(batch, channels, height, width, generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), evaluating(network), _exactly():
        expected = network(noise).float()
    found = torch.from_numpy(compiled(noise.numpy())[0])
    allowed = TOLERANCE * expected.abs().max().clamp(min=1)  # noise drives some networks to logits of thousands
    if found.shape != expected.shape or not bool((found - expected).abs().max() <= allowed):
        raise ConfigError("the converted network gives other logits")


def _exactly() -> Any:
    """Float32, whatever surrounds the call."""
    return torch.autocast("cpu", enabled=False)


def _fingerprint(network: nn.Module, channels: int, half: bool, device: str) -> str:
    """Sha256 of everything that a compiled network depends on: weights, layers, their code, versions and processor."""
    digest = hashlib.sha256(repr((channels, half, device, torch.__version__, version("openvino"))).encode())
    digest.update(repr(outline(network)).encode() + repr(network).encode())
    for name, value in [*network.named_parameters(), *network.named_buffers()]:
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    files = {getattr(sys.modules.get(type(part).__module__), "__file__", None) for part in network.modules()}
    for file in sorted(filter(None, files)):
        digest.update(sha256(Path(file)).encode())
    return digest.hexdigest()
