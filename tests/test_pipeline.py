"""The whole pipeline as a user runs it, in a temporary clone with a tiny budget."""

from __future__ import annotations

import json
import re

import html5lib
import pandas as pd
import pytest
import yaml

from stages.params import load_params
from tests.clone import Clone
from tests.small import REPOSITORY

PARAMS = load_params(REPOSITORY / "params.yaml")
CELLS = {f"digits-{architecture}-{depth}" for architecture in ("recurnet1", "recurnet2") for depth in range(4, 9)}

pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def clone(complete: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """One in which all was run and committed; no test changes it."""
    made = complete.copied(tmp_path_factory.mktemp("clone"))
    made.commit("results")
    return made


def test_the_pipeline_has_these_stages_and_no_others(clone: Clone) -> None:
    once = {"check", "download@digits", "split@digits", "headline", "compare", "report"}
    grid = {f"{stage}@{cell}" for stage in ("train", "evaluate") for cell in CELLS}
    named = {f"{stage}-run@{run}" for stage in ("train", "evaluate") for run in PARAMS.runs}
    named |= {f"{stage}-study@{study}" for stage in ("train", "evaluate") for study in PARAMS.studies}
    named |= {f"explain@{run}" for run in PARAMS.explanations}
    executed = yaml.safe_load((clone.folder / "dvc.lock").read_text())["stages"]
    assert set(executed) == once | grid | named | {f"subset@{name}" for name in PARAMS.subsets}


def test_the_full_pipeline_is_the_same_pipeline() -> None:
    assert (REPOSITORY / "full" / "dvc.yaml").read_bytes() == (REPOSITORY / "dvc.yaml").read_bytes()


def test_a_second_run_executes_nothing_and_changes_nothing(clone: Clone) -> None:
    assert clone.stages_run("repro") == set()
    assert clone.run("git", "status", "--porcelain").stdout == ""


def test_the_report_holds_every_cell_and_calls_it_reduced(clone: Clone) -> None:
    text = (clone.folder / "reports" / "report.html").read_text(encoding="utf-8")
    html5lib.HTMLParser(strict=False).parse(text)
    assert "reduced run" in text.lower()
    tables = (clone.folder / "reports" / "tables").glob("*/cells.csv")
    cells = pd.concat([pd.read_csv(path) for path in tables])
    assert set(cells.key) == CELLS | set(load_params(clone.folder / "params.yaml").named)
    assert set(cells.scale) == {"reduced run"}
    for key, accuracy in zip(cells.key, cells.test_accuracy, strict=True):
        (path,) = (clone.folder / "results" / "evaluation").glob(f"**/{key}/metrics.json")
        metrics = json.loads(path.read_text())
        assert accuracy == metrics["seeds"][0]["accuracy"]
        assert f"{accuracy:.4f}" in text
    page = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)  # what runs is watched in tests/test_browser.py
    loaded = re.findall(r'<(?:img|script|link|iframe)\b[^>]*?\b(?:src|href)="([^"]*)"', page)
    assert loaded
    assert all(address.startswith("data:") for address in loaded)
