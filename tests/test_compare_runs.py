"""Two sets of results side by side: the same, moved, missing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stages import compare_runs
from stages.compare_runs import Moved, close, compare
from stages.errors import StageError
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


def test_the_same_results_have_not_moved(homes: tuple[Path, Path]) -> None:
    assert compare(*homes, None) == []
    (homes[1] / "results" / "runs" / "elman" / "timing.csv").write_text("another clock")
    assert compare(*homes, None) == []


def test_a_number_that_moved_is_named_with_both_its_values(homes: tuple[Path, Path]) -> None:
    change(homes[1], 0.01)
    (moved,) = compare(*homes, None)
    assert (moved.file, moved.what) == ("runs/elman/metrics.json", "seeds.0.accuracy")
    assert float(moved.second) - float(moved.first) == pytest.approx(0.01, abs=1e-12)


def test_a_tolerance_lets_small_differences_pass_and_no_large_ones(homes: tuple[Path, Path]) -> None:
    change(homes[1], 0.01)
    assert compare(*homes, 0.02) == []
    assert len(compare(*homes, 0.005)) == 1


def test_other_bytes_of_the_same_numbers_are_seen_when_it_has_to_be_exact(homes: tuple[Path, Path]) -> None:
    change(homes[1], 0.0)
    assert compare(*homes, None) == [Moved("runs/elman/metrics.json", "bytes", "", "other bytes, the same numbers")]
    assert compare(*homes, 0.0) == []


def test_a_result_of_one_side_only_is_missing_on_the_other(homes: tuple[Path, Path]) -> None:
    (homes[0] / "results" / "runs" / "elman" / "curves.csv").unlink()
    assert compare(*homes, 0.1) == [Moved("runs/elman/curves.csv", "file", "missing", "there")]


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [("0.5", "0.51", True), ("0.5", "0.53", False), ("100", "101", True), ("100", "103", False), ("a", "b", False),
     ("nan", "nan", True), ("", "0.0", False)],
)  # fmt: skip
def test_numbers_are_close_by_the_tolerance_and_words_only_if_equal(first: str, second: str, same: bool) -> None:
    assert close(first, second, 0.02) is same


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
    assert "the same" in capsys.readouterr().out
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
