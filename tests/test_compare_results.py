"""Two sets of results side by side: the same, moved, missing."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from commands import compare_results
from commands.compare_results import Moved, Tolerance, compare, shown
from commands.revisions import home_of
from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.params import load_params
from tests.fake_results import write_cells, write_fake_scores
from tests.small import REPOSITORY

METRICS = "results/evaluation/elman/metrics.json"
RUN = "results/training/elman/run.json"
CLOSE = Tolerance(each=0.02, mean=0.02)
WIDE = Tolerance(each=1, mean=1)
Homes = tuple[Path, Path]


@pytest.fixture
def homes(tmp_path: Path) -> Homes:
    """Two homes with the same result and its row in scores.csv."""
    params = load_params(REPOSITORY / "params.yaml")
    pair = tmp_path / "first", tmp_path / "second"
    for home in pair:
        write_cells(home, params, ["elman"])
        write_fake_scores(home, params)
    return pair


def change(home: Path, accuracy: float) -> None:
    """Add to the test accuracy of the one result."""
    path = home / METRICS
    metrics = json.loads(path.read_text())
    metrics["seeds"][0]["accuracy"] += accuracy
    path.write_text(json.dumps(metrics))


def test_the_same_results_have_not_moved(homes: Homes) -> None:
    assert compare(*homes, None) == []
    for path in (homes[1] / "results" / "clocks").rglob("*.*"):
        path.write_text("another clock")
    assert compare(*homes, None) == []


def test_only_the_folder_of_the_clocks_is_not_compared(homes: Homes) -> None:
    folder = homes[0].parent / "clocks"  # a home may lie in a folder of this name, or a run have it
    folder.mkdir()
    moved = homes[0].rename(folder / "first"), homes[1].rename(folder / "second")
    change(moved[1], 0.01)
    (moved[1] / "results" / "training" / "elman").rename(moved[1] / "results" / "training" / "clocks")
    found = {(each.file, each.what) for each in compare(*moved, None)}
    assert (METRICS, "seeds.0.accuracy") in found
    assert ("results/training/clocks/run.json", "file") in found


def test_a_number_that_moved_is_named_with_both_its_values(homes: Homes) -> None:
    change(homes[1], 0.01)
    (moved,) = compare(*homes, None)
    assert (moved.file, moved.what) == (METRICS, "seeds.0.accuracy")
    assert float(moved.second) - float(moved.first) == pytest.approx(0.01, abs=1e-12)


def test_the_headline_and_pictures_are_compared_too(homes: Homes) -> None:
    for home, number in zip(homes, (1, 2), strict=True):
        (home / "headline.json").write_text(f'{{"parameters": {number}}}')
        folder = Layout(home).composition("digits")
        folder.mkdir(parents=True)
        (folder / "samples.png").write_bytes(bytes([number]))
    assert compare(*homes, None) == [
        Moved("headline.json", "parameters", "1", "2"),
        Moved("results/splits/digits/samples.png", "bytes", "", "other bytes"),
    ]


def test_a_tolerance_lets_small_differences_pass_and_no_large_ones(homes: Homes) -> None:
    change(homes[1], 0.01)
    assert compare(*homes, CLOSE) == []
    (moved,) = compare(*homes, Tolerance(each=0.005, mean=1))
    assert (moved.file, moved.what) == (METRICS, "seeds.0.accuracy")


def test_many_small_differences_in_one_direction_are_one_that_is_too_large(homes: Homes) -> None:
    change(homes[1], 0.01)
    (moved,) = compare(*homes, Tolerance(each=1, mean=0.009))
    assert moved == Moved("all runs", "accuracies, mean difference", "at most 0.009", "0.0100")


def test_other_settings_data_code_or_counts_are_beyond_every_tolerance(homes: Homes) -> None:
    for file, key, value in (
        (RUN, "data_sha256", "0" * 64),
        (RUN, "code_sha256", "0" * 64),
        (METRICS, "parameters", 1),
    ):
        path = homes[1] / file
        before = path.read_text()
        path.write_text(json.dumps({**json.loads(before), key: value}))
        (moved,) = compare(*homes, WIDE)
        assert (moved.file, moved.what, moved.second) == (file, key, str(value))
        path.write_text(before)
    path = homes[1] / RUN
    path.write_text(path.read_text().replace('"epochs": ', '"epochs": 9'))
    assert [each.what for each in compare(*homes, WIDE)] == ["cell.recipe.epochs"]


def test_other_bytes_of_the_same_numbers_are_seen_when_it_has_to_be_exact(homes: Homes) -> None:
    change(homes[1], 0.0)
    assert compare(*homes, None) == [Moved(METRICS, "bytes", "", "other bytes, the same numbers")]
    assert compare(*homes, Tolerance(0, 0)) == []


def test_a_result_of_one_side_only_is_missing_on_the_other(homes: Homes) -> None:
    (homes[0] / METRICS).unlink()
    for tolerance in (None, CLOSE):
        assert compare(*homes, tolerance) == [Moved(METRICS, "file", "missing", "there")]


def scores(home: Path, old: str, new: str) -> None:
    path = home / "scores.csv"
    before = path.read_text()
    assert old in before
    path.write_text(before.replace(old, new))


def value(home: Path, column: str) -> str:
    head, row = (line.split(",") for line in (home / "scores.csv").read_text().replace('"', "").splitlines())
    return row[head.index(column)]


@pytest.fixture
def bare(homes: Homes) -> Homes:
    """A clone without results beside a home that has them."""
    shutil.rmtree(homes[1] / "results")
    return homes


def test_without_results_the_scores_are_compared(bare: Homes) -> None:
    assert compare(*bare, None) == []
    accuracy = value(bare[1], "test_accuracy")
    scores(bare[1], f",{accuracy},", ",0.5,")
    assert compare(*bare, None) == [Moved("scores.csv", "elman, test_accuracy", accuracy, "0.5")]
    assert compare(*bare, WIDE) == []
    assert [each.what for each in compare(*bare, CLOSE)] == ["elman, test_accuracy", "accuracies, mean difference"]


@pytest.mark.parametrize("column", ["settings", "data_sha256", "code_sha256", "parameters", "test_images", "scale"])
def test_what_decides_a_cell_is_beyond_every_tolerance_by_its_scores_too(bare: Homes, column: str) -> None:
    before = value(bare[1], column)
    scores(bare[1], f",{before},", ",other,")
    for tolerance in (None, WIDE):
        assert Moved("scores.csv", f"elman, {column}", before, "other") in compare(*bare, tolerance)


def test_digests_and_machines_are_compared_only_if_it_has_to_be_exact(bare: Homes) -> None:
    columns = ("training", "evaluation", "machine")
    for column in columns:
        scores(bare[1], value(bare[1], column), f"0{column}")
    assert [each.what for each in compare(*bare, None)] == [f"elman, {column}" for column in columns]
    assert compare(*bare, Tolerance(0, 0)) == []


def test_a_cell_without_a_row_on_one_side_is_missing(bare: Homes) -> None:
    lines = (bare[1] / "scores.csv").read_text().splitlines()
    (bare[1] / "scores.csv").write_text("\n".join([*lines, lines[1].replace("elman", "lstm", 1)]) + "\n")
    for tolerance in (None, WIDE):
        moved = compare(*bare, tolerance)
        assert Moved("scores.csv", "lstm, test_images", "missing", "1000") in moved
        assert {each.what.partition(",")[0] for each in moved} == {"lstm"}


def test_what_is_no_home_is_said_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StageError, match="expected a home with results"):
        compare(tmp_path, tmp_path, None)
    monkeypatch.chdir(REPOSITORY)
    with pytest.raises(StageError, match="neither a folder nor a git revision"), home_of("no-such-name"):
        pass
    with pytest.raises(StageError, match=r"HEAD:models has no scores\.csv"), home_of("HEAD:models"):
        pass


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The command line."""

    def run(*words: object) -> None:
        monkeypatch.setattr(sys, "argv", ["compare-results", *map(str, words)])
        compare_results.main()

    return run


def test_on_one_kind_of_machine_results_have_to_be_exact_and_elsewhere_close(
    homes: Homes, main: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    change(homes[1], 0.01)
    with pytest.raises(SystemExit, match="1"):
        main(*homes, "--auto")
    assert "byte for byte" in capsys.readouterr().out
    scores(homes[1], "fake processor", "another processor")
    main(*homes, "--auto")
    said = " ".join(capsys.readouterr().out.split())
    assert "the second on another processor, threads 2, torch 2.13.0" in said
    assert "accuracies within 0.25 each, 0.03 on average" in said
    with pytest.raises(SystemExit, match="1"):
        main(*homes, "--exact")


def test_what_was_compared_is_said(bare: Homes, main: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    main(bare[0], bare[0])
    count = sum("clocks" not in path.parts for path in (bare[0] / "results").rglob("*.*"))
    assert f"{count} result files compared" in capsys.readouterr().out
    main(*bare)
    assert "1 cells, by their rows in scores.csv, compared" in capsys.readouterr().out


@pytest.mark.parametrize(("files", "values", "told"), [(2, 15, 30), (2, 100, 40), (3, 100, 39), (100, 5, 40)])
def test_where_much_moved_something_of_as_many_files_as_possible_is_shown(files: int, values: int, told: int) -> None:
    moved = [Moved(f"{file}", f"row {value}", "0", "1") for file in range(files) for value in range(values)]
    chosen = shown(moved)
    assert len(chosen) == told
    assert len({each.file for each in chosen}) == min(files, 40)
