"""What other programs read: every file is as its schema says, and the schemas have the columns that are written."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from jsonschema import Draft202012Validator

from stages.compare import columns
from stages.compare.badge import badge
from stages.compare.columns import INTERFACE
from stages.compare.ladder import RUNGS
from stages.compare.scale import SCALES
from stages.compare.scores import SCORE_COLUMNS
from stages.compare.tables import compare
from stages.compare.verdicts import VERDICTS
from stages.core.layout import Layout
from stages.headline import headline
from stages.params import load_cells, load_params
from stages.results import cell_result, records
from stages.results.read import read_cell, read_results
from stages.results.started import STARTED_COLUMNS
from stages.results.timed import PACE_COLUMNS
from stages.train.outputs import TIMING_COLUMNS
from tests.fake_results import write_cells, write_split
from tests.interface import INDEX, SCHEMAS, check, schema, wrong
from tests.small import REPOSITORY

COLUMNS = {
    "tables/author_weights": columns.AUTHOR_WEIGHTS_COLUMNS, "tables/begun": columns.BEGUN_COLUMNS,
    "tables/cells": columns.CELL_COLUMNS,
    "tables/claims": columns.CLAIM_COLUMNS, "tables/comparison": columns.COMPARISON_COLUMNS,
    "tables/findings": columns.FINDING_COLUMNS, "tables/first_epochs": columns.FIRST_EPOCH_COLUMNS,
    "tables/grid": columns.GRID_COLUMNS, "tables/headline": columns.HEADLINE_COLUMNS,
    "tables/iterations": columns.ITERATION_COLUMNS, "tables/ladder": columns.LADDER_COLUMNS,
    "tables/open": columns.OPEN_COLUMNS, "tables/recipe_differences": columns.DIFFERENCE_COLUMNS,
    "tables/reliability": columns.RUN_RELIABILITY_COLUMNS, "tables/sizes": columns.SIZE_COLUMNS,
    "tables/statements": columns.STATEMENT_COLUMNS, "tables/sweep": columns.SWEEP_COLUMNS,
    "tables/team_sources": columns.TEAM_SOURCE_COLUMNS, "tables/team_runs": columns.TEAM_RUN_COLUMNS,
    "tables/teams": columns.TEAM_COLUMNS, "tables/verdicts": columns.VERDICT_COLUMNS,
    "scores": SCORE_COLUMNS, "started": STARTED_COLUMNS, "pace": PACE_COLUMNS,
    "results/curves": cell_result.CURVE_COLUMNS, "results/class_curves": cell_result.CLASS_CURVE_COLUMNS,
    "results/timing": TIMING_COLUMNS, "results/calibration": cell_result.RELIABILITY_COLUMNS,
    "results/iterations": cell_result.ITERATION_COLUMNS, "results/composition": cell_result.COMPOSITION_COLUMNS,
    "results/predicted": ("true",),
}  # fmt: skip
RECORDS = {
    "results/run": records.Run, "results/metrics": records.Metrics, "results/latency": records.Latency,
    "results/environment": records.Environments, "results/scores": records.WeightScores,
}  # fmt: skip


def test_the_full_report_in_git_is_as_the_schemas_say() -> None:
    check(REPOSITORY / "full", 60)


@pytest.mark.slow
def test_everything_that_is_written_of_results_is_as_the_schemas_say(tmp_path: Path) -> None:
    params, layout = load_params(REPOSITORY / "full" / "params.yaml"), Layout(tmp_path)
    write_cells(tmp_path, params, ["elman", "lstm", "recnet", "mnist-recurnet1-4"])
    write_split(tmp_path, "mnist")
    cells = load_cells(layout.cells)
    compare(read_results(layout, cells), layout, cells)
    layout.headline.write_text(json.dumps(headline(read_cell(layout, params, params.cell("elman")))))
    check(tmp_path, 90)
    assert json.loads((layout.reports / "summary.json").read_text())["interface"] == INTERFACE == INDEX["version"]


@pytest.mark.parametrize(("name", "written"), COLUMNS.items(), ids=COLUMNS)
def test_a_schema_has_the_columns_that_the_code_names(name: str, written: tuple[str, ...]) -> None:
    assert [field["name"] for field in schema(f"{name}.json")["fields"]] == [*written]


def test_every_schema_is_one_of_the_index_and_has_its_columns_compared_or_is_a_json_schema() -> None:
    names = {path.relative_to(SCHEMAS).as_posix() for path in SCHEMAS.rglob("*.json")} - {"index.json"}
    assert names == {each["schema"] for each in INDEX["files"]}
    for name in names:
        if "fields" in schema(name):
            assert name.removesuffix(".json") in COLUMNS
            assert all(field["description"] for field in schema(name)["fields"])
        else:
            Draft202012Validator.check_schema(schema(name))


@pytest.mark.parametrize(("name", "record"), RECORDS.items(), ids=RECORDS)
def test_a_schema_has_the_keys_that_the_reader_of_a_result_needs(name: str, record: type[records.Record]) -> None:
    told = schema(f"{name}.json")
    assert {key for key, field in record.model_fields.items() if field.is_required()} <= {*told["required"]}
    assert {*record.model_fields} <= {*told["properties"]}


def test_the_words_of_a_schema_are_those_of_the_code() -> None:
    words = {field["name"]: field["constraints"].get("enum") for field in schema("tables/claims.json")["fields"]
             if "constraints" in field}  # fmt: skip
    assert words["verdict"] == [*VERDICTS]
    assert words["scale"] == [*SCALES]
    (rung,) = (field for field in schema("tables/ladder.json")["fields"] if field["name"] == "rung")
    assert rung["constraints"]["enum"] == [*RUNGS]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("published,", "printed,"),
        (",match,", ",matches,"),
        ("60000.0", "many"),
        (",0.004,higher", ",-0.004,higher"),
        ("TI-lstm-test_images", "TI-lstm-train_images"),
        ("TI-lstm-test_images", ""),
    ],
)
def test_a_damaged_table_is_noticed(tmp_path: Path, old: str, new: str) -> None:
    whole = REPOSITORY / "full/reports/tables/mnist-rnn/claims.csv"
    assert not wrong(whole, "tables/claims.json")
    damaged = whole.read_text(encoding="utf-8").replace(old, new, 1)
    assert damaged != whole.read_text(encoding="utf-8")
    (tmp_path / "claims.csv").write_text(damaged, encoding="utf-8")
    assert wrong(tmp_path / "claims.csv", "tables/claims.json")


def ladder(*numbers: tuple[str, str, int], distinct: int) -> dict[str, Any]:
    told = [{"rung": rung, "answer": answer, "numbers": count} for rung, answer, count in numbers]
    return {"a": {"numbers": told, "distinct": distinct, "open": distinct - sum(count for *_, count in numbers)}}


@pytest.mark.parametrize(
    ("numbers", "message", "color"),
    [
        ([("run", "match", 3)], "3 of 3 numbers hold", "brightgreen"),
        ([("run", "match", 2), ("log", "agrees", 1)], "2 of 3 numbers hold", "yellow"),
        ([("counted", "agrees", 2), ("run", "worse", 1)], "2 of 3 numbers hold, 1 does not", "yellow"),
        ([("run", "match", 1), ("document", "impossible", 2)], "1 of 3 numbers hold, 2 do not", "red"),
        ([("log", "agrees", 2), ("run", "differs (ours lower)", 1)], "0 of 3 numbers hold", "lightgrey"),
    ],
)
def test_the_badge_says_no_more_than_is_known(numbers: list[Any], message: str, color: str) -> None:
    made = badge(ladder(*numbers, distinct=3))
    assert (made["schemaVersion"], made["message"], made["color"]) == (1, message, color)


def test_the_two_lines_of_the_page_read_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    page = (REPOSITORY / "docs" / "interface.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"^```python\n(import pandas as pd\n\n.+\n)```", page, re.MULTILINE)
    names: dict[str, Any] = {}
    exec(lines, names)
    table = names["claims"]
    assert isinstance(table, pd.DataFrame)
    assert len(table) == 92
    assert table.loc["TII-elman-test_accuracy", "published"] == "98.16%"
