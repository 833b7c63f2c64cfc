"""torchvision, importable beside any build of torch."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

# The operators for which ``import torchvision`` registers a shape function whether or not they exist.
_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


@cache
def load_torchvision() -> ModuleType:
    """Import torchvision; its ``datasets`` and ``transforms`` work wherever torch does.

    The Linux wheel of torchvision on the package index holds operators compiled against CUDA. Beside a CPU-only torch
    they cannot load, and ``import torchvision`` ends in "operator torchvision::nms does not exist" although neither
    the datasets nor the transforms use an operator. Declaring the schemas first lets the import pass; calling such an
    operator still fails with torchvision's own explanation. Where the operators load, nothing is declared.
    """
    if not _operators_load():
        _declare(_SCHEMAS)
    import torchvision

    module: ModuleType = torchvision
    return module


def _operators_load() -> bool:
    import torch

    package = find_spec("torchvision")
    folders = (package.submodule_search_locations if package else None) or []
    libraries = [path for folder in folders for path in Path(folder).glob("_C*") if path.suffix in (".so", ".pyd")]
    try:
        for library in libraries:
            torch.ops.load_library(library)
    except OSError:
        return False
    return bool(libraries)


_declared: list[Any] = []  # a declaration lasts only as long as a reference to its library


def _declare(schemas: tuple[str, ...]) -> None:
    import torch

    library = torch.library.Library("torchvision", "DEF")
    for schema in schemas:
        library.define(schema)
    _declared.append(library)
