"""Other teams' results as the page shows them, read back from the tables of comparing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from stages.compare.columns import TEAM_COLUMNS, TEAM_RUN_COLUMNS, TEAM_SOURCE_COLUMNS
from stages.compare.teams import TEAM_OUTCOMES
from stages.core.tables import Row, read_rows


@dataclass(frozen=True)
class TeamView:
    """A team's results on one document: rows of teams.csv of all tables, and of the document's two tables."""

    source: Row
    claims: list[Row]
    runs: list[Row]

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many numbers have which outcome."""
        found = Counter(row["outcome"] for row in self.claims)
        return {word: found[word] for word in TEAM_OUTCOMES}

    @property
    def opposite(self) -> int:
        """On how many numbers the two verdicts are opposite."""
        return sum(row["opposite"] == "yes" for row in self.claims)

    @property
    def misfits(self) -> list[Row]:
        """Their runs that are not compared."""
        return [row for row in self.runs if row["compared"] == "no"]


def team_views(tables: Path, paper: str) -> list[TeamView]:
    """The teams with runs of a document; none where comparing wrote no table of them."""
    path = tables / paper / "team_runs.csv"
    if not path.is_file():
        return []
    sources = read_rows(tables / "teams.csv", TEAM_SOURCE_COLUMNS)
    runs, claims = read_rows(path, TEAM_RUN_COLUMNS), read_rows(tables / paper / "teams.csv", TEAM_COLUMNS)
    views = (
        TeamView(source, *([row for row in rows if row["team"] == source["team"]] for rows in (claims, runs)))
        for source in sources
    )
    return [view for view in views if view.runs]
