"""How many parameters the networks have, as published and as built here. Nothing is trained for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING

from stages.cell import Option
from stages.compare.columns import TableRow
from stages.compare.printed import agrees
from stages.documents.claims import Claim
from stages.documents.exhibits import Size
from stages.results.metric import Metric

if TYPE_CHECKING:  # importing it takes more than a second, which a report need not pay
    from torch import nn

EQUAL, DIFFERENT, NOT_PUBLISHED = "equal", "different", "not published"


def size_rows(sizes: Sequence[Size], claims: Sequence[Claim] = ()) -> list[TableRow]:
    """A row per network, and one per layer where the document lists them; columns :data:`SIZE_COLUMNS`.

    ``claims``: what of them is about the parameters of a network's runs is what was published of its size.
    """
    return [row for size in sizes for row in _rows(size, claims)]


def _rows(size: Size, claims: Sequence[Claim]) -> Iterator[TableRow]:
    options = tuple(size.options.items())
    counted, layers = _counted(size.model, size.channels, size.classes, options, size.statistics)
    about: TableRow = {"network": size.title, "where": size.where, "statistics": size.statistics}
    printed = [c for c in claims if c.metric == Metric("parameters") and fnmatchcase(c.run or "", size.runs)]
    yield {**about, **(_claimed(printed, counted) if printed else _compared(size.published, counted))}
    if size.layers:
        if len(layers) != len(size.layers):
            raise ValueError(f"{size.title}: {len(size.layers)} layers are listed, the network has {len(layers)}")
        for (name, published), (kind, counted) in zip(size.layers, layers, strict=True):
            yield {**about, "layer": name, "kind": kind, **_compared(published, counted)}


@cache
def _counted(
    name: str, channels: int, classes: int, options: tuple[tuple[str, Option], ...], statistics: bool
) -> tuple[int, list[tuple[str, int]]]:
    """The parameters of a network, and the kind and the parameters of each of its layers."""
    from stages.compare.shapes import of_shapes

    model = of_shapes(name, channels, classes, dict(options))
    layers = [(type(layer).__name__, count(layer, statistics=statistics)) for layer in _layers(model)]
    return count(model, statistics=statistics), layers


def _compared(published: int | None, counted: int) -> TableRow:
    outcome = NOT_PUBLISHED if published is None else EQUAL if published == counted else DIFFERENT
    return {"published": published, "counted": counted, "outcome": outcome}


def _claimed(claims: Sequence[Claim], counted: int) -> TableRow:
    """``claims`` says that the published number stands in claims.csv, where contradictions have a rule of their own."""
    published = ", ".join(dict.fromkeys(claim.published for claim in claims))
    equal = all(agrees(claim, counted) for claim in claims)
    return {"published": published, "counted": counted, "outcome": EQUAL if equal else DIFFERENT, "claims": True}


def count(model: nn.Module, *, statistics: bool) -> int:
    """Trainable parameters; with ``statistics`` the running ones of normalisations, too, as Keras counts."""
    kept = (value for name, value in model.named_buffers() if name.rpartition(".")[2].startswith("running_"))
    return sum(p.numel() for p in model.parameters()) + (sum(b.numel() for b in kept) if statistics else 0)


def _layers(model: nn.Module) -> Iterator[nn.Module]:
    """Outermost modules that are more than a container: those that the document would call a layer."""
    from torch import nn

    for child in model.children():
        if type(child) in (nn.Sequential, nn.ModuleList):
            yield from _layers(child)
        elif next(child.parameters(), None) is not None:
            yield child
