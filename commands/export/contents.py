"""What of a home goes into its archive: the files that other programs read, and what they were made from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from stages.cell import Cell
from stages.compare.columns import CELL_COLUMNS
from stages.compare.scores import SCORE_COLUMNS, folder_digest
from stages.core.dependencies import ROOT, files_in
from stages.core.errors import StageError
from stages.core.files import json_text, read_json, sha256_of
from stages.core.layout import Layout
from stages.core.tables import Row, read_rows
from stages.documents.paper import PAPERS, Paper, load_papers
from stages.params import Params, load_params

Files = dict[str, bytes]  # by path in the archive

OF_ROOT = ("requirements.lock", "pyproject.toml", "LICENSE", "CITATION.cff")
OF_HOME = ("params.yaml", "dvc.yaml", "dvc.lock", "scores.csv", "headline.json", "started.csv", "pace.csv")
OF_PAPER = ("paper.yaml", "claims.csv", "README.md")  # the authors' own logs are theirs
WEIGHTS = ".safetensors"


@dataclass(frozen=True)
class Home:
    """A home whose report has been made; every file is read once, at its first use."""

    layout: Layout

    @property
    def name(self) -> str:
        """What it is called in its repository: ``.`` or ``full``."""
        place = self.layout.home.resolve()
        return place.relative_to(ROOT).as_posix() if place.is_relative_to(ROOT) else place.name

    @cached_property
    def params(self) -> Params:
        """Its parameters."""
        return load_params(self.layout.params)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Its summary; a :class:`StageError` where nothing has been compared yet."""
        for path in (self.layout.reports / "summary.json", self.layout.reports / "report.html", self.layout.scores):
            if not path.is_file():
                raise StageError(f"{path} is missing: there is no report to export yet; `{self.remake}` makes it.")
        return read_json(self.layout.reports / "summary.json")

    @cached_property
    def papers(self) -> list[Paper]:
        """The documents that its report is about."""
        return [paper for paper in load_papers() if paper.id in self.summary["papers"]]

    def rows(self, paper: Paper, table: str, columns: Iterable[str] = ()) -> list[Row]:
        """The rows of a document's table, as text; none where there is no such table."""
        path = self.layout.reports / "tables" / paper.id / f"{table}.csv"
        return read_rows(path, columns) if path.is_file() else []

    @cached_property
    def scores(self) -> dict[str, Row]:
        """The rows of scores.csv by the keys of their cells."""
        return {row["key"]: row for row in read_rows(self.layout.scores, SCORE_COLUMNS)}

    @cached_property
    def runs(self) -> list[tuple[Cell, Row]]:
        """Every result that the report shows: its cell, and its row of cells.csv.

        A :class:`StageError` names one that the parameters, as they are now, do not have or have otherwise.
        """
        rows = [row for paper in self.papers for row in self.rows(paper, "cells", CELL_COLUMNS)]
        return [(self._cell(row["key"]), row) for row in rows]

    def _cell(self, key: str) -> Cell:
        with suppress(StageError):  # no such cell any more
            cell = self.params.cell(key)
            if key in self.scores and self.scores[key]["settings"] == sha256_of(cell.model_dump(mode="json")):
                return cell
        raise StageError(
            f"{self.layout.params} does not have {key} as the report shows it; `{self.remake}` makes the report anew."
        )

    @property
    def remake(self) -> str:
        """The command that makes the report anew from the results that are here."""
        return "dvc repro" if self.name == "." else f"dvc repro -s {self.name}/dvc.yaml:{{check,compare,report}}"

    @cached_property
    def at_hand(self) -> list[Cell]:
        """The cells of :attr:`runs` whose files are here; a :class:`StageError` names one that was not shown."""
        found = []
        for cell, _ in self.runs:
            folders = {"training": self.layout.training(cell), "evaluation": self.layout.evaluation(cell)}
            if not all(folder.is_dir() for folder in folders.values()):
                continue
            if folder_digest(folders["evaluation"]) != self.scores[cell.key]["evaluation"]:
                raise StageError(
                    f"{folders['evaluation']} is not what {self.layout.scores} records of {cell.key}; `dvc checkout` "
                    f"puts the recorded results back, `{self.remake}` shows those that are here."
                )
            found.append(cell)
        return found


def contents(home: Home) -> Files:
    """The files of a home under the names that they have there, and those of the repository that belong to it."""
    reports, root = home.layout.reports, home.layout.home
    home.summary  # noqa: B018  # nothing is read of a home without a report
    taken = [path for name in OF_HOME if (path := root / name).is_file()]
    taken += [path for path in files_in([reports]) if path.suffix in (".html", ".json", ".csv", ".svg", ".pdf")]
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in [*taken, *_results(home)]}
    files |= {name: (ROOT / name).read_bytes() for name in OF_ROOT}
    files |= {
        f"papers/{paper.id}/{name}": (PAPERS / paper.id / name).read_bytes()
        for paper in home.papers
        for name in OF_PAPER
        if (PAPERS / paper.id / name).is_file()
    }
    schemas = ROOT / "schemas"
    files |= {f"schemas/{path.relative_to(schemas).as_posix()}": path.read_bytes() for path in files_in([schemas])}
    cells: Mapping[str, Any] = home.params.comparable().model_dump(mode="json")
    return files | {"checked/cells.json": json_text(cells).encode()}


def _results(home: Home) -> Iterator[Path]:
    """The files of the results that the report shows, without weights."""
    layout, params = home.layout, home.params
    folders: list[Path] = []
    for cell in home.at_hand:
        folders += [layout.training(cell), layout.evaluation(cell)]
        folders += [layout.training_clock(cell), layout.evaluation_clock(cell)]
    folders += [layout.composition(name) for name in dict.fromkeys(cell.dataset for cell in home.at_hand)]
    folders += [layout.explanation(key) for key in params.explanations]
    folders += [layout.author_weights(key) for key in params.author_weights]
    for path in files_in([folder for folder in folders if folder.is_dir()]):
        if path.suffix != WEIGHTS:
            yield path
