"""What would decide an open number: its run, how many seeds, about how many hours, and the command."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from models.registry import build
from stages.compare.columns import OPEN_COLUMNS
from stages.compare.deciding import NO_CELL, OTHER_RECIPE, SEVERAL, open_rows, seeds_needed
from stages.compare.pace import BY_MACS, SAME_NETWORK, THIS_RUN, Pace, macs, seconds_per_epoch, work
from stages.core.layout import Layout
from stages.documents.claims import Claim
from stages.evaluate.size import macs as macs_of_model
from stages.params import Params, load_params
from stages.results.cell_result import CellResult
from stages.results.read import read_results
from tests.fake_results import write_cells, write_split
from tests.judged import asking_for_one_seed, beside, drawn_for
from tests.small import REPOSITORY

MADE = ["lstm", "elman", "resnet1"]
STUDENT_95 = {3: 2.9200, 4: 2.3534, 5: 2.1318, 8: 1.8946, 9: 1.8595}  # by seeds, from a table


@pytest.fixture(scope="module")
def params() -> Params:
    return asking_for_one_seed(load_params(REPOSITORY / "full" / "params.yaml"))


@pytest.fixture(scope="module")
def results(params: Params, tmp_path_factory: pytest.TempPathFactory) -> tuple[CellResult, ...]:
    home = tmp_path_factory.mktemp("full")
    write_cells(home, params, MADE)
    for split in ("mnist", "cifar10"):
        write_split(home, split)
    return read_results(Layout(home), params).cells


def rows(paper: str, results: tuple[CellResult, ...], params: Params) -> dict[str, dict]:
    layout = Layout(Path("full"))
    return {str(row["id"]): row for row in open_rows(beside(paper, results), params, Pace(results), layout)}


def claim(**fields: object) -> Claim:
    return Claim.model_validate({
        "id": "c", "table": "1", "row": "r", "column": "c", "run": "elman", "metric": "train_accuracy",
        "published": "0.90", "value": 0.9, "unit": "fraction", "precision": 0.01, "margin": 0.02, "better": "higher",
        "author_log": 0.9, **fields,
    })  # fmt: skip


def with_accuracies(result: CellResult, accuracies: list[float]) -> CellResult:
    """A run whose training accuracies after the last epoch are these, a seed each."""
    recipe = result.cell.recipe.model_copy(update={"seeds": tuple(range(len(accuracies)))})
    curves = result.curves.head(len(accuracies)).assign(
        seed=range(len(accuracies)), epoch=recipe.epochs - 1, train_accuracy=accuracies
    )
    return replace(result, cell=result.cell.model_copy(update={"recipe": recipe}), curves=curves)


def test_one_seed_where_the_test_images_give_an_interval_else_several() -> None:
    assert seeds_needed(claim(metric="test_accuracy"), None) == 1
    assert seeds_needed(claim(metric="train_accuracy"), None) == SEVERAL
    assert seeds_needed(claim(metric="best_train_accuracy"), None) == SEVERAL
    assert seeds_needed(claim(metric="test_loss", margin=""), None) == SEVERAL


def test_a_single_inconclusive_seed_asks_for_several(results: tuple[CellResult, ...]) -> None:
    assert seeds_needed(claim(), with_accuracies(results[0], [0.9])) == SEVERAL


# Student's quantile times 0.005 sqrt(1 + 1 / n), below 0.02, 0.01 and 0.015.
@pytest.mark.parametrize(("mean", "seeds"), [(0.9, 4), (0.91, 9), (0.935, 4)])
def test_as_many_seeds_as_bring_the_half_interval_below_the_way_to_the_margin(
    results: tuple[CellResult, ...], mean: float, seeds: int
) -> None:
    spread = 0.005
    made = with_accuracies(results[0], [mean - spread, mean, mean + spread])  # standard deviation: spread
    room = abs(0.02 - abs(mean - 0.9))
    half = {n: t * spread * math.sqrt(1 + 1 / n) for n, t in STUDENT_95.items()}
    assert half[seeds] < room
    assert seeds == len(made.cell.recipe.seeds) + 1 or half[seeds - 1] > room
    assert seeds_needed(claim(), made) == seeds


def test_at_the_edge_of_the_margin_no_number_of_seeds_is_named(results: tuple[CellResult, ...]) -> None:
    made = with_accuracies(results[0], [0.90, 0.92, 0.94])
    assert seeds_needed(claim(), made) is None


def test_every_number_without_a_verdict_has_a_row_and_no_other(results: tuple[CellResult, ...], params: Params) -> None:
    for paper in ("mnist-rnn", "recnet", "recurnets"):
        document = beside(paper, results)
        open_ids = {
            row["id"]
            for row, number in zip(document.claim_rows, document.claims, strict=True)
            if row["run"] and not number.metric.counted and row["verdict"] in ("inconclusive", "not run")
            if row["margin"] is not None or row.get("plausible") != "yes"
        }
        found = rows(paper, results, params)
        assert set(found) == open_ids
        assert all(set(row) <= set(OPEN_COLUMNS) for row in found.values())


def test_the_command_is_a_stage_of_the_pipeline(results: tuple[CellResult, ...], params: Params) -> None:
    stages = yaml.safe_load((REPOSITORY / "full" / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    found = [row for paper in ("recurnets", "gunn", "recnet") for row in rows(paper, results, params).values()]
    for row in (row for row in found if row.get("command")):
        home, _, stage = str(row["command"]).removeprefix("dvc repro ").partition(":")
        assert home == "full/dvc.yaml"
        assert stage.partition("@")[0] in stages
        assert stage.partition("@")[2] == row["run"]


def test_hours_of_what_was_made_are_those_that_were_measured(results: tuple[CellResult, ...], params: Params) -> None:
    found = [row for row in rows("mnist-rnn", results, params).values() if row.get("basis") == THIS_RUN]
    assert {row["run"] for row in found} <= {"lstm", "elman"}
    assert found
    for row in found:
        (made,) = (result for result in results if result.cell.key == row["run"])
        seeds, trained = int(str(row["seeds"])), len(made.cell.recipe.seeds)
        assert seeds > trained
        assert row["further"] == seeds - trained
        assert row["hours"] == pytest.approx((seeds - trained) * made.seconds() / trained / 3600)
        assert row["setting"] == f"runs.{row['run']}.changes.seeds: {list(range(seeds))}"


def test_a_split_that_is_drawn_for_fewer_seeds_is_named_too(params: Params) -> None:
    few = drawn_for(params, "mnist-augmented", 0, 4)
    named = {row["run"]: row["setting"] for row in rows("mnist-rnn", (), few).values() if row.get("seeds") == SEVERAL}
    of_run = "runs.lstm-augmented.changes.seeds: [0, 1, 2]"
    assert named["lstm-augmented"] == f"subsets.mnist-augmented.seeds: [0, 1, 2, 4]; {of_run}"
    assert named["lstm"] == of_run.replace("-augmented", "")
    enough = drawn_for(params, "mnist-augmented", 0, 1, 2)
    assert {row.get("setting") for row in rows("mnist-rnn", (), enough).values() if row["run"] == "lstm-augmented"} >= {
        of_run
    }


def test_hours_of_the_same_network_and_data_are_those_of_the_run_that_was_made(
    results: tuple[CellResult, ...], params: Params
) -> None:
    lstm = next(result for result in results if result.cell.key == "lstm")
    twin = lstm.cell.model_copy(update={"key": "twin"})
    epoch = Pace(results).epoch(twin)
    assert epoch is not None
    assert (epoch.basis, epoch.seconds) == (SAME_NETWORK, pytest.approx(seconds_per_epoch(lstm)))


def test_other_hours_go_by_the_multiply_accumulates(results: tuple[CellResult, ...], params: Params) -> None:
    pace, cell = Pace(results), params.cell("mnist-recurnet1-4")
    training = macs_of_model(build("recurnet1", 1, 10, cell.options), torch.zeros(1, 1, 32, 32), training=True)
    testing = macs_of_model(build("recurnet1", 1, 10, cell.options), torch.zeros(1, 1, 32, 32), training=False)
    assert (macs(cell, training=True), macs(cell, training=False)) == (training, testing)
    epoch = pace.epoch(cell)
    images = next(result.images for result in results if result.cell.dataset == "mnist")
    assert epoch is not None
    assert images is not None
    assert epoch.basis == BY_MACS
    wanted = [(3 * images[0] * training + images[1] * testing) / rate for rate in pace.rates]
    assert epoch.seconds == pytest.approx(sorted(wanted)[1])  # the median of three runs
    assert (epoch.low, epoch.high) == (pytest.approx(min(wanted)), pytest.approx(max(wanted)))
    assert work((2, 5), 7, 11) == 3 * 2 * 7 + 5 * 11


def test_what_was_made_on_another_machine_tells_nothing(results: tuple[CellResult, ...], params: Params) -> None:
    cells = [params.cell(key) for key in ("elman", "lstm", "mnist-recurnet1-4")]
    elman = next(result for result in results if result.cell.key == "elman")
    others = tuple(result for result in results if result is not elman)
    elsewhere = replace(elman, environments={0: elman.environment.model_copy(update={"device_name": "loom"})})
    mixed, without = Pace((elsewhere, *others)), Pace(others)
    assert len(mixed.rates) == len(others)
    assert [mixed.epoch(cell) for cell in cells] == [without.epoch(cell) for cell in cells]
    assert Pace((elsewhere, *others), wanted=replace(mixed.machine, device_name="other")).epoch(cells[0]) is None  # type: ignore[type-var]


def test_images_that_no_split_tabulates_follow_from_the_parameters(
    results: tuple[CellResult, ...], params: Params
) -> None:
    pace = Pace(results)
    assert pace.images(params.cell("svhn-recurnet1-4")) == (73_257, 26_032)
    assert pace.images(params.cell("gunn")) == (5_000, 100)
    assert pace.images(params.cell("gunn-3000")) is None
    assert pace.images(params.cell("lstm-unbalanced")) is None
    assert pace.epoch(params.cell("lstm-unbalanced")) is None


def test_without_any_run_the_hours_are_not_known(params: Params) -> None:
    assert Pace(()).epoch(params.cell("gunn")) is None
    row = rows("gunn", (), params)["S6-gunn-train_accuracy"]
    assert row["command"] == "dvc repro full/dvc.yaml:evaluate-run@gunn"
    assert "hours" not in row


def test_why_no_run_is_named(results: tuple[CellResult, ...], params: Params) -> None:
    assert rows("cnn-gru", results, params)["1-imagenet-cnn-test_accuracy"]["words"] == NO_CELL
    reduced = load_params(REPOSITORY / "params.yaml")
    assert rows("gunn", (), reduced)["S6-gunn-train_accuracy"]["words"] == OTHER_RECIPE
