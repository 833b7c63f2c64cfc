"""DVC's own verbs on a pipeline of few cells: what a change runs, what it does not, and what mistakes and damage do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.clone import Clone

pytestmark = pytest.mark.pipeline


@pytest.fixture
def clean(few: Clone, tmp_path: Path) -> Clone:
    """A pipeline of few cells as committed, with everything up to date."""
    return few.copied(tmp_path)


@pytest.fixture
def plain(clean: Clone) -> Clone:
    """The same, in which nothing is spared: every DVC and every stage is a process of its own, as a user's are."""
    return Clone(clean.folder, copies=False)


def test_another_depth_of_the_grid_on_a_branch_runs_only_its_headline_and_shows_as_a_handful_of_rows(
    plain: Clone,
) -> None:
    plain.run("git", "checkout", "-qb", "deeper")
    assert plain.stages_run("exp", "run", "-S", "depth=5") == {"check", "headline"}
    metrics = json.loads((plain.folder / "results" / "evaluation" / "digits-recurnet1-5" / "metrics.json").read_text())
    assert json.loads((plain.folder / "headline.json").read_text())["test_accuracy"] == metrics["seeds"][0]["accuracy"]
    plain.commit("depth 5")
    rows = json.loads(plain.dvc("metrics", "diff", "main", "--json").stdout)
    plain.run("git", "checkout", "-q", "main")
    assert set(rows) == {"headline.json"}
    assert 1 <= len(rows["headline.json"]) <= 8


def test_what_is_new_or_changed_is_trained_and_nothing_else(clean: Clone) -> None:
    """A depth beyond the grid, a run with another setting, a study with other cells."""
    executed = clean.stages_run(
        *("exp", "run", "-S", "depth=9"),
        *("-S", "runs.lstm-generalized.changes.objective.irm.weight=10.0"),
        *("-S", "studies.gunn-order.grid.group=[5]"),
    )
    trained = {f"{stage}@digits-{name}-9" for stage in ("train", "evaluate") for name in ("recurnet1", "recurnet2")}
    trained |= {f"{stage}-run@lstm-generalized" for stage in ("train", "evaluate")}
    trained |= {f"{stage}-study@gunn-order" for stage in ("train", "evaluate")}
    assert executed == {"check", *trained, "headline", "compare", "report"}


def test_what_was_run_before_is_taken_from_the_cache(clean: Clone) -> None:
    def other(params: dict) -> None:
        params["runs"]["lstm"]["changes"] = {"epochs": 1}

    scores = clean.folder / "results" / "evaluation" / "lstm" / "metrics.json"
    before = scores.read_bytes()
    clean.change(other)
    assert {"train-run@lstm", "evaluate-run@lstm"} <= clean.stages_run("repro", "evaluate-run@lstm")
    after = scores.read_bytes()
    assert after != before
    clean.reset()
    assert clean.stages_run("repro", "evaluate-run@lstm") == set()
    assert scores.read_bytes() == before
    assert clean.run("git", "status", "--porcelain").stdout == ""
    clean.change(other)
    assert clean.stages_run("repro", "evaluate-run@lstm") == set()
    assert scores.read_bytes() == after


def test_another_seed_costs_one_training(clean: Clone) -> None:
    folder = clean.folder / "results" / "training" / "lstm"
    first = (folder / "seed-0.safetensors").read_bytes()
    clean.change(lambda params: params["runs"]["lstm"].update(changes={"seeds": [1, 0]}))
    said = clean.dvc("repro", "train-run@lstm").stdout
    assert "lstm seed 0: trained before, taken over" in said
    assert "lstm seed 1: epoch 2/2" in said
    assert "lstm seed 0: epoch" not in said
    assert (folder / "seed-0.safetensors").read_bytes() == first
    assert (folder / "seed-1.safetensors").read_bytes() != first


def test_one_changed_model_option_retrains_that_model_alone(clean: Clone) -> None:
    executed = clean.stages_run(
        "exp", "run", "-S", "recurnets.models.recurnet1.head_every_iterate=false", "-S", "depth=5", "headline"
    )
    assert executed == {"check", "train@digits-recurnet1-5", "evaluate@digits-recurnet1-5", "headline"}


def test_plots_and_experiments_can_be_shown(clean: Clone) -> None:
    page = clean.dvc("plots", "show").stdout
    assert "index.html" in page
    assert "headline.json" in clean.dvc("metrics", "show").stdout
    commits = {entry["rev"]: entry for entry in json.loads(clean.dvc("exp", "show", "--json").stdout)}
    head = clean.run("git", "rev-parse", "HEAD").stdout.strip()
    assert commits[head]["error"] is None
    assert commits[head]["data"]["metrics"]["headline.json"]["data"]["parameters"] > 0


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("depth=3", "error: params.yaml: key 'depth': input should be greater than or equal to 4"),
        ("+depht=5", "error: params.yaml: unknown key 'depht'"),
    ],
)
def test_a_bad_parameter_stops_the_pipeline_at_once_and_leaves_it_usable(
    clean: Clone, assignment: str, words: str
) -> None:
    ended = clean.dvc("exp", "run", "-S", assignment, ok=False)
    assert ended.returncode != 0
    assert words in ended.stderr
    clean.reset()
    assert clean.stages_run("repro", "headline") <= {"check"}


@pytest.mark.parametrize("cached", [True, False], ids=["restored", "trained again"])
def test_damaged_weights_are_restored_or_trained_again(clean: Clone, cached: bool) -> None:
    path = clean.folder / "results" / "training" / "digits-recurnet1-4" / "seed-0.safetensors"
    good = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    ended = clean.run("python", "-m", "stages.evaluate", ".", "digits-recurnet1-4", ok=False)  # without DVC's care
    assert ended.returncode == 1
    assert "seed-0.safetensors is damaged" in ended.stderr
    executed = set()
    if not cached:
        cache = clean.folder / ".dvc" / "cache"
        shutil.rmtree(cache / "seeds")
        for stored in (cache / "files").rglob("*"):
            if stored.is_file() and stored.read_bytes() == good:
                stored.unlink()
        executed = {"train@digits-recurnet1-4", "headline"}  # for training has another timing.csv
    assert clean.stages_run("repro", "headline") == executed
    assert path.read_bytes() == good
