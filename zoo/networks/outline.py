"""What a module is made of, as text that can be compared: shapes alone do not tell two networks apart."""

from __future__ import annotations

from typing import Any

from torch import nn

PLAIN = (bool, int, float, str, type(None))


def outline(module: nn.Module | None) -> dict[str, str]:
    """Class and plain attributes of a module and of all in it, by their names."""
    return {} if module is None else {name: _written(part) for name, part in module.named_modules()}


def _written(module: nn.Module) -> str:
    attributes = {name: value for name, value in vars(module).items() if name[0] != "_" and name != "training"}
    plain = {name: value for name, value in attributes.items() if _is_plain(value)}
    kind = type(module)
    return f"{kind.__module__}.{kind.__qualname__}({', '.join(f'{name}={value!r}' for name, value in plain.items())})"


def _is_plain(value: Any) -> bool:
    return all(map(_is_plain, value)) if isinstance(value, tuple | list) else isinstance(value, PLAIN)
