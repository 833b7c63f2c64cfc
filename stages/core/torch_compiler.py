"""torch without its compiler, which nothing here uses, and whose import takes longer than torch's own."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

NAME = "torch._dynamo"


class _NotAsked(ModuleType):
    """Stands for the compiler until something asks it for more than to leave a function alone."""

    @staticmethod
    def disable(function: Callable[..., Any], *_: object, **__: object) -> Callable[..., Any]:
        """The function itself: where nothing is compiled, there is nothing to keep out of it."""
        return function

    @staticmethod
    def graph_break() -> None:
        """Nothing: an optimizer's step says with it where a compiled piece would have to end."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__path__":  # `inspect` asks every module for its file
            raise AttributeError(f"module '{NAME}' has no attribute '{name}'")
        if sys.modules.get(NAME) is self:
            del sys.modules[NAME]
        return getattr(importlib.import_module(NAME), name)


def leave_out_compiler() -> None:
    """Spare this process the import of torch's compiler, some two seconds of it.

    torch's optimizers, its seeding and its counting of operations import it when they are first used, only to have
    themselves left alone by ``torch.compile``. A network that does ask for it gets it: it is imported then.
    """
    if NAME not in sys.modules:
        sys.modules[NAME] = _NotAsked(NAME)
