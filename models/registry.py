"""Builds an architecture by its name. A model file registers what it defines; nothing else has to know of it."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from torch import nn

_Model = TypeVar("_Model", bound=type[nn.Module])
_REGISTRY: dict[str, type[nn.Module]] = {}


class UnknownModelError(ValueError):
    """No such architecture, or an option that it does not have."""


def register(name: str) -> Callable[[_Model], _Model]:
    """Class decorator: make a module known as ``name``.

    Its constructor takes ``in_channels`` and ``classes``, then its own options as keyword-only arguments.
    """

    def add(model: _Model) -> _Model:
        if name in _REGISTRY:
            raise ValueError(f"two models are registered as '{name}'")
        _REGISTRY[name] = model
        return model

    return add


def models() -> Mapping[str, type[nn.Module]]:
    """Every registered architecture by name."""
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        importlib.import_module(f"models.{module.name}")
    return dict(sorted(_REGISTRY.items()))


def check_options(architecture: str, options: Mapping[str, object]) -> None:
    """Raise :class:`UnknownModelError` with one sentence if the architecture or one of its options does not exist."""
    known = models()
    if architecture not in known:
        raise UnknownModelError(f"unknown architecture '{architecture}': expected one of {', '.join(known)}")
    allowed = [
        name
        for name, parameter in inspect.signature(known[architecture]).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    for name in options:
        if name not in allowed:
            raise UnknownModelError(f"{architecture} has no option '{name}': it has {', '.join(allowed)}")


def build(architecture: str, in_channels: int, classes: int, options: Mapping[str, object]) -> nn.Module:
    """A freshly initialised model, on the CPU in float32; weights are drawn from torch's current random state."""
    check_options(architecture, options)
    return models()[architecture](in_channels, classes, **options)
