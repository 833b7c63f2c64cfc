"""What is committed against the code and the parameters that are committed with it."""

import shutil
from pathlib import Path

import pytest

from commands import audit
from stages.core.errors import StageError
from stages.core.files import read_json, write_json
from stages.core.layout import Layout
from stages.params import load_params
from stages.train.code_digest import code_digest
from tests.dvc_here import dvc
from tests.fake_results import write_cells

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.slow


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A home with two results of this very code."""
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    params = load_params(tmp_path / "params.yaml")
    write_cells(tmp_path, params, ["elman", "lstm"])
    for key in ("elman", "lstm"):
        path = Layout(tmp_path).training(params.cell(key)) / "run.json"
        write_json(path, {**read_json(path), "code_sha256": code_digest(params.cell(key).architecture)})
    return Layout(tmp_path)


def test_results_of_this_code_and_these_parameters_are_current(layout: Layout) -> None:
    assert audit.outdated_results(layout) == {}


def test_other_code_and_other_parameters_are_told_apart(layout: Layout) -> None:
    params = load_params(layout.params)
    path = layout.training(params.cell("lstm")) / "run.json"
    write_json(path, {**read_json(path), "code_sha256": "0" * 64})
    record = read_json(layout.training(params.cell("elman")) / "run.json")
    record["cell"]["recipe"]["epochs"] += 1
    write_json(layout.training(params.cell("elman")) / "run.json", record)
    outdated = audit.outdated_results(layout)
    assert "other parameters" in outdated["elman"]
    assert "other code" in outdated["lstm"]


def test_what_was_trained_but_not_evaluated_is_told(layout: Layout) -> None:
    shutil.rmtree(layout.evaluation(load_params(layout.params).cell("lstm")))
    assert audit.outdated_results(layout) == {"lstm": "trained, but not evaluated with these seeds"}


def test_a_cell_of_a_study_is_told_by_its_own_name(layout: Layout) -> None:
    params = load_params(layout.params)
    write_cells(layout.home, params, ["resnet1"])
    assert "other code" in audit.outdated_results(layout)["resnet1"]
    assert layout.training(params.cell("resnet1")).parent.name == "recnet-runs"


def test_results_of_other_data_than_are_there_are_told(layout: Layout) -> None:
    cell = load_params(layout.params).cell("lstm")
    digest = read_json(layout.training(cell) / "run.json")["data_sha256"]
    about = layout.data(cell.dataset) / "dataset.json"
    write_json(about, {"digest": digest})
    assert audit.outdated_results(layout) == {}
    write_json(about, {"digest": "0" * 64})
    assert "trained on other data than" in audit.outdated_results(layout)["lstm"]


def test_data_that_would_be_made_anew_is_told(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audit, "damages", lambda _homes: [])
    monkeypatch.setattr(
        audit,
        "stale_stages",
        lambda home: ["x/dvc.yaml:split@digits", "split@svhn", "report"] if home != Path() else [],
    )
    audit.audit([Path(), layout.home])
    said = capsys.readouterr().out
    assert "\n  x/dvc.yaml:split@digits would run again; results that need it may be of other data" in said
    assert "report" not in said


def test_what_python_compiles_beside_its_sources_makes_no_stage_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    dvc("init", "--no-scm")
    shutil.copy(ROOT / ".dvcignore", tmp_path)
    ignored, kept = 0, 1
    for folder, status in {"models/__pycache__": ignored, "stages/params/__pycache__": ignored, "stages": kept}.items():
        Path(folder).mkdir(parents=True, exist_ok=True)
        assert dvc("check-ignore", folder) == status


def test_a_stale_lock_is_an_error_that_names_its_stages(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audit, "stale_stages", lambda _home: ["train-run@lstm", "report"])
    with pytest.raises(StageError, match=r"dvc\.lock is stale: train-run@lstm, report would run again"):
        audit.audit([layout.home, layout.home])
    assert "every result is current" in capsys.readouterr().out
    monkeypatch.setattr(audit, "stale_stages", lambda _home: [])
    audit.audit([layout.home, layout.home])
    assert "dvc.lock is current" in capsys.readouterr().out
