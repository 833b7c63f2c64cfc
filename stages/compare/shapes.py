"""Networks that hold shapes but no values, for what can be counted without them: they take no memory and no time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from models.registry import build

_FILLING = {getattr(nn.init, name) for name in dir(nn.init) if name.endswith("_") and not name.startswith("_")}
_FILLING |= {Tensor.fill_, Tensor.normal_, Tensor.uniform_, Tensor.zero_}


class _Unfilled(TorchFunctionMode):
    """Leaves parameters as they are: filling what holds no values takes most of the time, and has no effect."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _FILLING:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def of_shapes(architecture: str, in_channels: int, classes: int, options: Mapping[str, object]) -> nn.Module:
    """As :func:`models.registry.build`, on the meta device."""
    with torch.device("meta"), _Unfilled():
        return build(architecture, in_channels, classes, options)
