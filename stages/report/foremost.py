"""What the page shows of a document of which more runs were made than it has room for: a study may have thousands."""

from __future__ import annotations

from collections.abc import Sequence

from stages.core.tables import Row
from stages.documents.paper import Paper

MOST = 300  # runs of a document, and rows of a table about them: some 5 kB of the page each


def foremost(paper: Paper, cells: Sequence[Row]) -> list[Row]:
    """At most :data:`MOST` rows of cells.csv, in their order: the document's own runs, then the most accurate ones."""
    if len(cells) <= MOST:
        return list(cells)
    ranked = sorted(
        range(len(cells)), key=lambda at: (not paper.knows(cells[at]["key"]), -float(cells[at]["test_accuracy"]))
    )
    return [cells[at] for at in sorted(ranked[:MOST])]


def commonest(differences: Sequence[Row]) -> list[Row]:
    """At most :data:`MOST` rows of recipe_differences.csv, those of most runs first if that leaves some out."""
    if len(differences) <= MOST:
        return list(differences)
    return sorted(differences, key=lambda row: -len(row["cells"].split()))[:MOST]
