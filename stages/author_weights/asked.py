"""Which weights are asked for: what paper.yaml says of the file, and the cell that they are of."""

from __future__ import annotations

from stages.cell import Cell
from stages.core.errors import StageError
from stages.documents.author_weights import AuthorWeights
from stages.documents.paper import PAPERS, load_paper
from stages.params import Cells


def asked(cells: Cells, key: str) -> tuple[AuthorWeights, Cell]:
    """The entry called ``key`` of a paper.yaml, and the cell of its run.

    A :class:`StageError` if params.yaml or the paper has none, or if params.yaml names another split than the run's.
    """
    if key not in cells.author_weights:
        known = ", ".join(cells.author_weights) or "none"
        raise StageError(f"unknown weights '{key}': `author_weights` of params.yaml has {known}.")
    wanted = cells.author_weights[key]
    published = {item.id: item for item in load_paper(PAPERS / wanted.paper).author_weights}
    if key not in published:
        path, known = PAPERS / wanted.paper / "paper.yaml", ", ".join(published) or "none"
        raise StageError(f"unknown weights '{key}': `author_weights` of {path} has {known}; correct params.yaml.")
    cell = cells.cell(published[key].run)
    if cell.dataset != wanted.data:
        raise StageError(
            f"params.yaml: key 'author_weights.{key}.data': of {cell.key} it is {cell.dataset}, not {wanted.data}."
        )
    return published[key], cell
