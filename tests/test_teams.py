"""Another team's results beside ours: what fits, what comes out, and how both sides are shown."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import html5lib
import pandas as pd
import pytest

from stages.compare.side_by_side import Beside
from stages.compare.teams import Facing, opposite, write_team_tables
from stages.compare.verdicts import BETTER, INCONCLUSIVE, MATCH, OURS_LOWER, WORSE
from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.documents.claims import load_claims
from stages.documents.paper import PAPERS, load_paper
from stages.params import Energy
from stages.report.page import environment
from stages.report.team_views import team_views
from stages.results.read import read_results
from stages.results.teams import Team, read_teams
from tests.fake_results import write_cell
from tests.interface import about, wrong
from tests.other_team import PARAMS, added, edit, our_home, right, their_home, trained, write_all

PAPER = load_paper(PAPERS / "mnist-rnn")
CLAIMS = load_claims(PAPERS / "mnist-rnn" / "claims.csv", PAPER)
ACCURACY = "TII-elman-test_accuracy"


@pytest.fixture
def ours(tmp_path: Path) -> Layout:
    return our_home(tmp_path)


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    return their_home(tmp_path)


def facing(ours: Layout, team: Team) -> Facing:
    return Facing(Beside(PAPER, CLAIMS, read_results(ours, PARAMS).of("mnist-rnn"), Energy()), team, PARAMS)


def rows(ours: Layout, team: Team) -> dict[str, dict[str, object]]:
    return {str(row["id"]): row for row in facing(ours, team).claims()}


def test_a_file_that_is_changed_after_it_was_added_is_refused(ours: Layout, theirs: Path) -> None:
    added(ours, theirs)
    path = ours.teams / "them" / "results" / "evaluation" / "elman" / "metrics.json"
    path.write_text(path.read_text() + " ")
    with pytest.raises(StageError, match=r"metrics.json is not what was added; delete .* and add the team again"):
        read_teams(ours)


def test_teams_agree_or_are_in_conflict_and_what_we_have_not_run_is_shown_only(ours: Layout, theirs: Path) -> None:
    right(ours.home, "elman", 0.95)
    right(theirs, "elman", 0.949)
    assert rows(ours, added(ours, theirs, "near"))[ACCURACY]["outcome"] == "agree"
    right(theirs, "elman", 0.75)
    found = rows(ours, added(ours, theirs, "far"))
    assert found[ACCURACY]["outcome"] == "conflict"
    assert found[ACCURACY]["difference"] == pytest.approx(0.751 - 0.95)
    assert (found[ACCURACY]["our_seeds"], found[ACCURACY]["their_seeds"]) == (1, 3)
    assert (found["TII-lstm-test_accuracy"]["outcome"], found["TII-lstm-test_accuracy"]["reason"]) == (
        "not compared", "not run here",
    )  # fmt: skip
    assert found["TII-lstm-test_accuracy"]["theirs"] is not None


def recipe(home: Path) -> None:
    write_cell(Layout(home), trained("elman", 5, epochs=7))


def data(home: Path) -> None:
    edit(home / "results/training/elman/run.json", lambda value: value.update(data_sha256="0" * 64))


def labels(home: Path) -> None:
    for path in (home / "results/evaluation/elman").glob("predicted.csv"):
        table = pd.read_csv(path)
        ((table + 1) % 10).to_csv(path, index=False)


def unknown(home: Path) -> None:
    shutil.rmtree(home / "results" / "training" / "elman")
    write_cell(Layout(home), trained("elman", 5).model_copy(update={"key": "elman-of-theirs"}))


@pytest.mark.parametrize(("change", "reason"), [
    (recipe, "other recipe: recipe.epochs is 7 there, 20 here"), (data, "other data: their hash is another"),
    (labels, "other data: their test images have other labels"), (unknown, "no run of this name here"),
])  # fmt: skip
def test_what_does_not_fit_is_named_and_not_compared(
    ours: Layout, theirs: Path, change: Callable[[Path], object], reason: str
) -> None:
    change(theirs)
    team = added(ours, theirs)
    run = next(row for row in facing(ours, team).runs() if str(row["run"]).startswith("elman"))
    assert (run["compared"], run["reason"]) == ("no", reason)
    for row in rows(ours, team).values():
        assert row["outcome"] == "not compared"
        assert row["run"] != "elman" or (row["theirs"] is None and row["reason"] == reason)


def test_a_computation_of_ours_again_is_no_evidence(ours: Layout, tmp_path: Path) -> None:
    again = tmp_path / "again"
    write_all(again, trained("elman", 0))
    edit(again / "results/training/elman/run.json", lambda value: value.update(code_sha256="1" * 64))
    assert rows(ours, added(ours, again, "same"))[ACCURACY]["outcome"] == "repeat"
    write_all(again, trained("elman", 0, 1))
    row = rows(ours, added(ours, again, "more"))[ACCURACY]
    assert (row["new_seeds"], row["their_seeds"]) == (1, 2)
    assert row["reason"] == "1 of their seeds left out: our own computation again"


def test_verdicts_are_opposite_if_both_decide_and_exclude_each_other() -> None:
    assert opposite(MATCH, WORSE)
    assert opposite(BETTER, WORSE)
    assert opposite(OURS_LOWER, MATCH)
    assert not opposite(MATCH, MATCH)
    assert not opposite(MATCH, INCONCLUSIVE)


def test_the_section_shows_both_sides_and_escapes_what_they_say(ours: Layout, theirs: Path, tmp_path: Path) -> None:
    edit(theirs / "results/clocks/training/elman/environment.json",
         lambda value: value["seeds"]["5"].update(device_name="a<script>alert(1)</script>"))  # fmt: skip
    right(theirs, "elman", 0.5)
    found = facing(ours, added(ours, theirs))
    (tmp_path / "tables" / "mnist-rnn").mkdir(parents=True)
    write_team_tables([found.beside], [found.team], PARAMS, tmp_path / "tables")
    for name in ("teams.csv", "mnist-rnn/teams.csv", "mnist-rnn/team_runs.csv"):
        (said,) = about(f"reports/tables/{name}")
        assert wrong(tmp_path / "tables" / name, said) == []
    (team,) = team_views(tmp_path / "tables", "mnist-rnn")
    assert team_views(tmp_path / "tables", "gunn") == []
    section = '{% import "macros.html.j2" as m with context %}{% include "sections/teams.html.j2" %}'
    shown = {"id": "mnist-rnn", "paper": PAPER, "home": ".", "folder": "", "revision": ("abc", "")}
    page = environment().from_string(section).render(view={"teams": [team]}, **shown)
    html5lib.HTMLParser(strict=True).parseFragment(page)
    assert "<script>" not in page
    assert page.count(">conflict</span>") == 1 + team.counts["conflict"] > 1
    assert "not run here" in page
