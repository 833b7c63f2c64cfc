"""scores.csv: what a clone without results knows of every cell."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import shutil
from pathlib import Path
from statistics import fmean

import pytest

from stages.compare.scores import folder_digest
from stages.compare.tables import compare
from stages.core.layout import Layout
from stages.documents.paper import load_papers
from stages.params import Params, load_params
from stages.results.read import read_results
from tests.fake_results import ENVIRONMENT, write_cells, write_fake_scores
from tests.small import REPOSITORY, small_params

Row = dict[str, str]
SEEDED = small_params(seeds=(0, 1, 2))
KEY = "digits-recurnet1-4"
STUDY = "resnet1"

pytestmark = pytest.mark.slow


def scored(home: Path) -> dict[str, Row]:
    """The rows of a home by their keys, none of them twice."""
    with (home / "scores.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    found = {row["key"]: row for row in rows}
    assert len(found) == len(rows)
    return found


def score(home: Path, params: Params = SEEDED) -> dict[str, Row]:
    write_fake_scores(home, params)
    return scored(home)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_cells(tmp_path, SEEDED, [KEY, STUDY])
    return tmp_path


def moved(before: Row, after: Row) -> set[str]:
    return {column for column in before if before[column] != after[column]}


def test_comparing_writes_a_row_for_every_cell_with_its_scale(tmp_path: Path) -> None:
    params = load_params(REPOSITORY / "full" / "params.yaml")
    keys = ["mnist-recurnet1-4", "mnist-recurnet2-8", *params.runs, *params.studies["sensitivity"].runs("sensitivity")]
    write_cells(tmp_path, params, keys)
    compare(read_results(Layout(tmp_path), params), Layout(tmp_path), params)
    rows = scored(tmp_path)
    assert set(rows) == set(keys)
    assert {key: row["paper"] for key, row in rows.items()} == {key: params.cell(key).paper for key in keys}
    readings = {paper.id for paper in load_papers() if paper.reading}
    assert {(row["paper"] in readings, row["scale"]) for row in rows.values()} == {
        (False, "full run"),
        (True, "our reading"),
    }
    assert len({row["settings"] for row in rows.values()}) == len(keys)


def test_what_is_stale_or_not_evaluated_has_no_row(home: Path) -> None:
    write_cells(home, load_params(REPOSITORY / "params.yaml"), ["digits-recurnet1-5"])
    write_cells(home, SEEDED, ["digits-recurnet1-6"], evaluated=False)
    assert set(score(home)) == {KEY, STUDY}


def test_the_scores_are_means_over_the_seeds_unrounded(home: Path) -> None:
    layout, cell = Layout(home), SEEDED.cell(KEY)
    row = score(home)[KEY]
    metrics = json.loads((layout.evaluation(cell) / "metrics.json").read_text())
    for column, name in (("test_accuracy", "accuracy"), ("test_loss", "loss")):
        assert float(row[column]) == pytest.approx(fmean(seed[name] for seed in metrics["seeds"]), rel=1e-15)
    with (layout.training(cell) / "curves.csv").open(newline="") as stream:
        last = [float(line["train_accuracy"]) for line in csv.DictReader(stream) if line["epoch"] == "2"]
    assert len(last) == 3
    assert float(row["train_accuracy"]) == pytest.approx(fmean(last), rel=1e-15)
    for column in ("parameters", "macs", "training_macs", "test_images"):
        assert int(row[column]) == metrics[column]
    run = json.loads((layout.training(cell) / "run.json").read_text())
    assert {name: row[name] for name in ("data_sha256", "code_sha256")}.items() <= run.items()


def test_nothing_of_the_clock_is_in_it(home: Path) -> None:
    before = score(home)
    for path in (home / "results" / "clocks").rglob("timing.csv"):
        path.write_text(re.sub(r",\d+\.\d+,0\.25", ",7.5,0.5", path.read_text()))
        assert ",7.5,0.5\n" in path.read_text()
    for path in (home / "results" / "clocks").rglob("latency.json"):
        path.write_text(path.read_text().replace("1.5", "99.5"))
    assert score(home) == before
    assert not [column for column in before[KEY] if re.search("second|joule|energy|latency|python|platform", column)]


@pytest.mark.parametrize("key", [KEY, STUDY])
def test_a_changed_byte_of_any_file_changes_the_digest_of_its_folder_and_no_other(home: Path, key: str) -> None:
    layout, cell, before = Layout(home), SEEDED.cell(key), score(home)
    for column, folder in (("training", layout.training(cell)), ("evaluation", layout.evaluation(cell))):
        names = sorted(path.name for path in folder.iterdir())
        assert len(names) >= 3
        for path in (folder / name for name in names):
            whole = path.read_bytes()
            path.write_bytes(whole + b"\n")  # which no reader minds
            after = score(home)
            assert moved(before[key], after[key]) == {column}
            assert {other: row for other, row in after.items() if other != key} == {
                other: row for other, row in before.items() if other != key
            }
            path.write_bytes(whole)
    assert score(home) == before


def test_the_digest_of_a_folder_is_that_of_its_names_and_contents(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    contents = {"a.csv": b"1,2\n", "sub/b.bin": bytes(range(9))}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    listed = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    text = json.dumps(listed, sort_keys=True, separators=(",", ":"))
    digest = folder_digest(folder)
    assert digest == hashlib.sha256(text.encode()).hexdigest()
    shutil.copytree(folder, tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / ".a.csv.xyz.part").write_bytes(b"of a killed process")
    assert folder_digest(tmp_path / "elsewhere") == digest
    (tmp_path / "elsewhere" / "a.csv").rename(tmp_path / "elsewhere" / "c.csv")
    assert folder_digest(tmp_path / "elsewhere") != digest
    for name, content in contents.items():
        for position in range(len(content)):
            flipped = bytearray(content)
            flipped[position] ^= 1
            (folder / name).write_bytes(flipped)
            assert folder_digest(folder) != digest
        (folder / name).write_bytes(content)


def test_other_settings_are_another_digest_of_the_cell(tmp_path: Path) -> None:
    rows = []
    for number, batch in enumerate((16, 17, 16)):
        params = small_params(batch_size=batch)
        write_cells(tmp_path / str(number), params, [KEY])
        rows.append(score(tmp_path / str(number), params)[KEY])
    assert rows[0] == rows[2]
    assert moved(rows[0], rows[1]) == {"settings", "training"}  # run.json has them, too


def test_the_machines_of_all_seeds_are_named(home: Path) -> None:
    assert score(home)[KEY]["machine"] == "fake processor, threads 2, torch 2.13.0"
    path = Layout(home).training_clock(SEEDED.cell(KEY)) / "environment.json"
    other = {**ENVIRONMENT, "device_name": "another", "instructions": "AVX2", "threads": 1}
    path.write_text(json.dumps({"seeds": {"0": ENVIRONMENT, "1": other, "2": ENVIRONMENT}}))
    rows = score(home)
    assert rows[KEY]["machine"] == "another AVX2, threads 1, torch 2.13.0 and fake processor, threads 2, torch 2.13.0"
    assert rows[STUDY]["machine"] == "fake processor, threads 2, torch 2.13.0"
