"""Putting a cell together: its architecture, checked."""

from __future__ import annotations

from models.registry import UnknownModelError, check_options
from stages.cell import Cell
from stages.core.errors import StageError


def check_cell(cell: Cell) -> None:
    """A :class:`StageError` if the architecture or one of its options does not exist."""
    try:
        check_options(cell.architecture, cell.options)
    except UnknownModelError as error:
        raise StageError(f"{cell.key}: {error}.") from None
