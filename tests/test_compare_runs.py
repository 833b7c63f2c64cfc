"""Two sets of results side by side: the same, moved, missing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from commands import compare_results as compare_runs
from commands.compare_results import Moved, Tolerance, compare, shown
from stages.core.errors import StageError
from stages.params import load_params
from tests.fake_results import write_cells

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def homes(tmp_path: Path) -> tuple[Path, Path]:
    params = load_params(ROOT / "params.yaml")
    pair = tmp_path / "first", tmp_path / "second"
    for home in pair:
        write_cells(home, params, ["elman"])
    return pair


def change(home: Path, accuracy: float) -> None:
    path = home / "results" / "runs" / "elman" / "metrics.json"
    metrics = json.loads(path.read_text())
    metrics["seeds"][0]["accuracy"] += accuracy
    path.write_text(json.dumps(metrics))


METRICS = "results/runs/elman/metrics.json"
CLOSE = Tolerance(each=0.02, mean=0.02)


def test_the_same_results_have_not_moved(homes: tuple[Path, Path]) -> None:
    assert compare(*homes, None) == []
    (homes[1] / "results" / "runs" / "elman" / "timing.csv").write_text("another clock")
    assert compare(*homes, None) == []


def test_a_number_that_moved_is_named_with_both_its_values(homes: tuple[Path, Path]) -> None:
    change(homes[1], 0.01)
    (moved,) = compare(*homes, None)
    assert (moved.file, moved.what) == (METRICS, "seeds.0.accuracy")
    assert float(moved.second) - float(moved.first) == pytest.approx(0.01, abs=1e-12)


def test_the_headline_and_pictures_are_compared_too(homes: tuple[Path, Path]) -> None:
    for home, number in zip(homes, (1, 2), strict=True):
        (home / "headline.json").write_text(f'{{"parameters": {number}}}')
        (home / "results" / "samples.png").write_bytes(bytes([number]))
    assert compare(*homes, None) == [
        Moved("headline.json", "parameters", "1", "2"),
        Moved("results/samples.png", "bytes", "", "other bytes"),
    ]


def test_a_tolerance_lets_small_differences_pass_and_no_large_ones(homes: tuple[Path, Path]) -> None:
    change(homes[1], 0.01)
    assert compare(*homes, CLOSE) == []
    (moved,) = compare(*homes, Tolerance(each=0.005, mean=1))
    assert (moved.file, moved.what) == (METRICS, "seeds.0.accuracy")


def test_many_small_differences_in_one_direction_are_one_that_is_too_large(homes: tuple[Path, Path]) -> None:
    change(homes[1], 0.01)
    (moved,) = compare(*homes, Tolerance(each=1, mean=0.009))
    assert moved == Moved("all runs", "accuracies, mean difference", "at most 0.009", "0.0100")


def test_other_settings_data_code_or_counts_are_beyond_every_tolerance(homes: tuple[Path, Path]) -> None:
    wide = Tolerance(each=1, mean=1)
    for file, key, value in (("run.json", "data_sha256", "0" * 64), ("metrics.json", "parameters", 1)):
        path = homes[1] / "results" / "runs" / "elman" / file
        before = path.read_text()
        path.write_text(json.dumps({**json.loads(before), key: value}))
        (moved,) = compare(*homes, wide)
        assert (moved.what, moved.second) == (key, str(value))
        path.write_text(before)


def test_other_bytes_of_the_same_numbers_are_seen_when_it_has_to_be_exact(homes: tuple[Path, Path]) -> None:
    change(homes[1], 0.0)
    assert compare(*homes, None) == [Moved(METRICS, "bytes", "", "other bytes, the same numbers")]
    assert compare(*homes, Tolerance(0, 0)) == []


def test_a_result_of_one_side_only_is_missing_on_the_other(homes: tuple[Path, Path]) -> None:
    (homes[0] / METRICS).unlink()
    for tolerance in (None, CLOSE):
        assert compare(*homes, tolerance) == [Moved(METRICS, "file", "missing", "there")]


def test_a_revision_stands_for_its_committed_results(
    homes: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = homes[0]
    git = ["git", "-C", str(home), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "results"], check=True)
    subprocess.run([*git, "commit", "-qm", "results"], check=True)
    monkeypatch.chdir(home)
    monkeypatch.setattr(sys, "argv", ["compare_runs", "HEAD", ".", "--exact"])
    compare_runs.main()
    assert "Nothing moved" in capsys.readouterr().out
    change(home, 0.1)
    with pytest.raises(SystemExit, match="1"):
        compare_runs.main()
    assert "seeds.0.accuracy" in capsys.readouterr().out


def test_what_is_no_home_is_said_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StageError, match="expected a home with results"):
        compare(tmp_path, tmp_path, None)
    monkeypatch.chdir(ROOT)
    with pytest.raises(StageError, match="neither a folder nor a git revision"), compare_runs.home_of("no-such-name"):
        pass
    with pytest.raises(StageError, match="HEAD:models has no results/"), compare_runs.home_of("HEAD:models"):
        pass


def test_on_one_kind_of_machine_results_have_to_be_exact_and_elsewhere_close(
    homes: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    change(homes[1], 0.01)
    monkeypatch.setattr(sys, "argv", ["compare_runs", *map(str, homes), "--auto"])
    with pytest.raises(SystemExit, match="1"):
        compare_runs.main()
    path = homes[1] / "results" / "runs" / "elman" / "environment.json"
    path.write_text(path.read_text().replace("fake processor", "another processor"))
    compare_runs.main()


@pytest.mark.parametrize(("files", "values", "told"), [(2, 15, 30), (2, 100, 40), (3, 100, 39), (100, 5, 40)])
def test_where_much_moved_something_of_as_many_files_as_possible_is_shown(files: int, values: int, told: int) -> None:
    moved = [Moved(f"{file}", f"row {value}", "0", "1") for file in range(files) for value in range(values)]
    chosen = shown(moved)
    assert len(chosen) == told
    assert len({each.file for each in chosen}) == min(files, 40)
