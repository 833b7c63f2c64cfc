"""Another team's results beside ours, number by number, with where they are from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from stages.compare.columns import TEAM_COLUMNS, TEAM_RUN_COLUMNS, TEAM_SOURCE_COLUMNS, TableRow
from stages.compare.fitting import NOT_HERE, Pairing, paired
from stages.compare.pooled import spread_of, step_of
from stages.compare.scale import NOT_RUN
from stages.compare.scores import described
from stages.compare.side_by_side import Beside
from stages.compare.two_teams import AGREE, CANNOT_TELL, CONFLICT, Side, difference, outcome
from stages.compare.verdicts import BETTER, MATCH, OURS_HIGHER, OURS_LOWER, WORSE
from stages.core.files import sha256_of
from stages.core.tables import write_csv
from stages.documents.claims import Claim
from stages.params import Cells
from stages.results.cell_result import CellResult
from stages.results.teams import Team

REPEAT, NOT_COMPARED = "repeat", "not compared"
TEAM_OUTCOMES = (AGREE, CONFLICT, CANNOT_TELL, REPEAT, NOT_COMPARED)
ABOVE = {MATCH: 0, BETTER: 1, WORSE: -1, OURS_HIGHER: 1, OURS_LOWER: -1}  # verdicts that decide
PRINTED = ("id", "table", "group", "row", "column", "run", "metric", "unit", "published", "value", "margin")
SIDES = ("low", "high", "seeds", "verdict", "reason", "scale")  # columns of claims.csv that both sides have


@dataclass(frozen=True)
class Facing:
    """A document's results beside those of another team."""

    beside: Beside
    team: Team
    cells: Cells

    @cached_property
    def pairs(self) -> dict[str, Pairing]:
        """Every run of theirs that is about the document."""
        ours, about = self.beside.ours, self.beside.paper.id
        runs = {key: run for key, run in self.team.results.items() if run.cell.paper == about}
        return {key: paired(run, ours.get(key), self.cells) for key, run in runs.items()}

    @cached_property
    def theirs(self) -> Beside:
        """Their runs that were made as ours beside the document, as if they were ours."""
        runs = {key: pair.theirs for key, pair in self.pairs.items() if pair.reason in ("", NOT_HERE)}
        return Beside(self.beside.paper, self.beside.claims, runs, self.beside.energy)

    @cached_property
    def new(self) -> dict[str, CellResult]:
        """Their runs that are compared, with the seeds that no computation of ours has."""
        return {key: pair.new for key, pair in self.pairs.items() if pair.new is not None}

    def runs(self) -> list[TableRow]:
        """Every run of theirs, whether it is compared, and where it is from; columns :data:`TEAM_RUN_COLUMNS`."""
        return [_run_row(key, pair) | {"team": self.team.record.name} for key, pair in self.pairs.items()]

    def claims(self) -> list[TableRow]:
        """Every published number of a run that they have: both sides and the test; columns :data:`TEAM_COLUMNS`."""
        rows = zip(self.beside.claims, self.beside.claim_rows, self.theirs.claim_rows, strict=True)
        return [self._row(*each) for each in rows if each[0].run in self.pairs]

    def _row(self, claim: Claim, own: TableRow, other: TableRow) -> TableRow:
        verdicts = str(own["verdict"]), str(other["verdict"])
        return {
            "team": self.team.record.name,
            **{key: own.get(key) for key in PRINTED},
            "ours": own.get("ours"),
            "theirs": other.get("ours"),
            **{f"our_{key}": own.get(key) for key in SIDES},
            **{f"their_{key}": other.get(key) for key in SIDES},
            "opposite": "" if NOT_RUN in verdicts else _yes(opposite(*verdicts)),
            **self._outcome(claim, own.get("ours"), other.get("ours")),
        }

    def _outcome(self, claim: Claim, ours: object, theirs: object) -> TableRow:
        """The outcome with its reason, and the test where there is one."""
        pair = self.pairs[str(claim.run)]
        if pair.reason:
            return {"outcome": NOT_COMPARED, "reason": pair.reason}
        if not isinstance(ours, float) or not isinstance(theirs, float):
            return {"outcome": NOT_COMPARED, "reason": "not measured by both"}
        apart = {"difference": theirs - ours}
        if claim.metric.counted:
            return {"outcome": AGREE if ours == theirs else CONFLICT, "reason": "a count", **apart}
        if pair.new is None:
            words = "the number is the same" if ours == theirs else "the number is another all the same"
            return {"outcome": REPEAT, "reason": f"our own computation again, and {words}", **apart}
        return self._tested(claim, pair, pair.new)

    def _tested(self, claim: Claim, pair: Pairing, new: CellResult) -> TableRow:
        assert pair.ours is not None
        metric = claim.metric
        images = round(1 / step_of(pair.ours, metric)) if metric.is_share else None
        sides = [
            Side(result.values(metric), spread_of(result, metric, others.values()))
            for result, others in ((pair.ours, self.beside.ours), (new, self.new))
        ]
        found = difference(sides[0], sides[1], images)
        low, high = found.interval or (None, None)
        return {
            "outcome": outcome(found, claim.margin),
            "reason": _why(claim, len(pair.repeated), found.basis),
            "new_seeds": len(new.cell.recipe.seeds),
            "difference": found.mean,
            "difference_low": low,
            "difference_high": high,
            "freedom": found.freedom,
            "basis": found.basis,
            "p_within": None if claim.margin is None else found.within(claim.margin),
            "p_beyond": found.beyond(claim.margin),
        }


def opposite(ours: str, theirs: str) -> bool:
    """Whether two verdicts on a published number exclude each other."""
    return ours in ABOVE and theirs in ABOVE and ABOVE[ours] != ABOVE[theirs]


def machines(result: CellResult) -> str:
    """Where and with what the seeds of a run were trained."""
    told = {f"{described(each)}, python {each.python}, {each.precision}" for each in result.environments.values()}
    return " and ".join(sorted(told))


def team_row(team: Team, papers: set[str]) -> TableRow:
    """Where a team's results are from; columns :data:`TEAM_SOURCE_COLUMNS`. ``papers``: the documents that are here."""
    record = team.record
    return {
        "team": record.name,
        "source": record.source,
        "kind": record.kind,
        "revision": record.revision,
        "committed": record.committed,
        "added": record.added,
        "runs": len(team.results),
        "files": len(record.sha256),
        "sha256": sha256_of(record.sha256),
        "other_packages": ", ".join(f"{name} {version}" for name, version in record.other_packages.items()),
        "left_out": " ".join(record.left_out.values()),
        "of_no_document": " ".join(key for key, run in team.results.items() if run.cell.paper not in papers),
    }


def write_team_tables(documents: Sequence[Beside], teams: Sequence[Team], cells: Cells, tables: Path) -> None:
    """Write teams.csv into the folder of all tables; teams.csv and team_runs.csv into that of every document."""
    if teams:
        papers = {beside.paper.id for beside in documents}
        write_csv(tables / "teams.csv", [team_row(team, papers) for team in teams], TEAM_SOURCE_COLUMNS)
    for beside in documents:
        facing = [each for team in teams if (each := Facing(beside, team, cells)).pairs]
        if facing:
            folder = tables / beside.paper.id
            write_csv(folder / "teams.csv", [row for each in facing for row in each.claims()], TEAM_COLUMNS)
            write_csv(folder / "team_runs.csv", [row for each in facing for row in each.runs()], TEAM_RUN_COLUMNS)


def _run_row(key: str, pair: Pairing) -> TableRow:
    theirs, ours = pair.theirs, pair.ours
    row: TableRow = {
        "run": key,
        "compared": _yes(not pair.reason),
        "reason": pair.reason,
        "seeds": " ".join(map(str, theirs.cell.recipe.seeds)),
        "repeated": " ".join(map(str, pair.repeated)),
        "data_sha256": theirs.run.data_sha256,
        "code_sha256": theirs.run.code_sha256,
        "machine": machines(theirs),
    }
    if ours is None:
        return row
    return {
        **row,
        "same_code": _yes(theirs.run.code_sha256 == ours.run.code_sha256),
        "our_seeds": " ".join(map(str, ours.cell.recipe.seeds)),
        "our_machine": machines(ours),
    }


def _yes(true: bool) -> str:
    return "yes" if true else "no"


def _why(claim: Claim, repeated: int, basis: str) -> str:
    """What stands beside an outcome."""
    parts = [
        "no margin was declared" if claim.margin is None else "",
        "" if basis else "one seed each, no interval",
        f"{repeated} of their seeds left out: our own computation again" if repeated else "",
    ]
    return "; ".join(part for part in parts if part)
