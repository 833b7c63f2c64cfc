"""Others' state dicts: read without running anything from them, and given to a network of ours."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from stages.core.errors import StageError

# What torch names the tensors of its layers; a name may end in something else.
KINDS = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
# What torch raises for a file that is something else or damaged.
_UNREADABLE = (pickle.UnpicklingError, EOFError, LookupError, RuntimeError, TypeError, UnicodeDecodeError, ValueError)


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a file that `torch.save` wrote of a state dict, by name, in its order, on the CPU.

    torch's restricted unpickler runs nothing from the file: it knows tensors and plain containers, and refuses all
    else. A :class:`StageError` names a file that holds something else.
    """
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        more = isinstance(error, pickle.UnpicklingError)
        why = "it holds something else than tensors" if more else "it is damaged, or of another format"
        raise StageError(f"{path} is not a plain state dict: {why}; nothing of it was run.") from None
    if not isinstance(found, dict) or not found:
        raise StageError(f"{path} holds a {type(found).__name__} where a state dict with tensors was expected.")
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise StageError(f"{path}: '{name}' is a {type(value).__name__} where a tensor was expected.")
    return dict(found)


def partners(theirs: Mapping[str, Tensor], ours: Mapping[str, Tensor], path: Path) -> dict[str, str]:
    """For every name of ``ours`` that of its partner in ``theirs``, by shape and order.

    Names are the authors' own, so they say nothing of the place; but both list their layers in the order in which they
    were made. So the first tensor of a shape and type is the first one here, the second the second, and so on; which of
    several alike is which, the order alone decides. It is refused where the ends of the names, which are torch's, show
    that the order is another: a ``running_mean`` is no ``bias``. A :class:`StageError` names the first tensor without a
    partner; ``path`` is that of the file.
    """
    left: dict[str, list[str]] = {}
    for name, value in theirs.items():
        left.setdefault(_form(value), []).append(name)
    found = {}
    for name, value in ours.items():
        if not left.get(_form(value)):
            raise _misfit(path, f"it has no tensor {_form(value)} for {name}")
        found[name] = left[_form(value)].pop(0)
        if _kind(name) and _kind(found[name]) and _kind(name) != _kind(found[name]):
            raise _misfit(path, f"by order {found[name]} would become {name}, which is of another kind")
    for form, names in left.items():
        if names:
            raise _misfit(path, f"the network has no place for {names[0]}, {form}")
    return found


def _form(value: Tensor) -> str:
    return f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"


def _kind(name: str) -> str:
    last = name.rpartition(".")[2]
    return last if last in KINDS else ""


def _misfit(path: Path, why: str) -> StageError:
    return StageError(f"{path} does not fit the network of its run: {why}; correct `run` in paper.yaml.")
