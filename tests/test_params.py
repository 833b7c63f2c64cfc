"""Bad parameters: one clear sentence that names the file and the key, exit status 1, nothing written."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from models.registry import build
from stages import check
from stages.core.errors import StageError
from stages.params import load_cells, load_params
from tests.preloaded import python
from tests.small import REPOSITORY

GOOD = (REPOSITORY / "params.yaml").read_text(encoding="utf-8")


def written(folder: Path, *change: str) -> Path:
    path = folder / "params.yaml"
    old, new = change or ("", "")
    assert old in GOOD
    path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("home", [".", "full"])
def test_the_shipped_parameters_pass_the_check(home: str) -> None:
    path = REPOSITORY / home / "params.yaml"
    check.run(load_params(path), path)


@pytest.mark.slow
@pytest.mark.parametrize("home", [".", "full"])
def test_what_the_check_writes_of_cells_gives_the_same_cells(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(REPOSITORY / home / "params.yaml", tmp_path)
    monkeypatch.setattr("sys.argv", ["check", str(tmp_path)])
    check.main()
    params, cells = load_params(tmp_path / "params.yaml"), load_cells(tmp_path / "checked" / "cells.json")
    keys = [*params.named, *(f"{dataset}-recurnet2-5" for dataset in params.grid.datasets)]
    assert [cells.cell(key) for key in keys] == [params.cell(key) for key in keys]
    assert cells.energy == params.energy


@pytest.mark.parametrize(
    ("old", "new"),
    [("depth: 4", "depth: 5"), ("threads: 1,", "threads: 2,"), ("# The default pipeline", "# Another remark")],
)
def test_what_decides_no_comparison_does_not_stand_beside_the_cells(tmp_path: Path, old: str, new: str) -> None:
    before = load_params(REPOSITORY / "params.yaml")
    after = load_params(written(tmp_path, old, new))
    assert after.comparable() == before.comparable()


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "is not valid JSON"), ('{"data": {}}', "key 'recurnets': Field required; delete it and run `dvc repro`")],
)
def test_damaged_cells_are_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "cells.json"
    path.write_text(text)
    with pytest.raises(StageError, match=f"{re.escape(str(path))}.*{re.escape(words)}"):
        load_cells(path)


BAD = [
    (
        ("      resnet1: {", "      elman: {"),
        "two runs or studies are called 'elman'; give every one a name of its own",
    ),
    (
        ("  cnn-gru: {data: digits, trained_in", "  cnn-grü: {data: digits, trained_in"),
        "unknown explanations 'cnn-grü': runs and studies has elman, lstm",
    ),
    (
        ("  cnn-gru: {data: digits, trained_in", "  cnn-gru: {data: digits-gunn, trained_in"),
        "explanations.cnn-gru.data: of cnn-gru it is digits, not digits-gunn",
    ),
    (
        ("trained_in: cnn-gru-runs", "trained_in: cnn-gru"),
        "explanations.cnn-gru.trained_in: of cnn-gru it is cnn-gru-runs, not cnn-gru",
    ),
    (("trained_in: cnn-gru-runs, ", ""), "key 'explanations.cnn-gru.trained_in' is missing"),
    (("schedule: {name: cosine}", "schedule: {name: sine}"), "key 'recipes.cnn-gru.schedule': input tag 'sine'"),
    (("depth: 4", "depht: 4"), "key 'depth' is missing; unknown key 'depht'; remove it or correct its spelling"),
    (("\ndepth: 4", "\ndepth: 3"), "key 'depth': input should be greater than or equal to 4"),
    (("\ndepth: 4", "\ndepth: deep"), "key 'depth': input should be a valid integer"),
    (("dataset: digits", "dataset: imagenet"), "unknown dataset 'imagenet': data has digits, mnist, svhn, cifar10"),
    (("architecture: recurnet1", "architecture: vgg"), "unknown architecture 'vgg': recurnets.models has recurnet1"),
    (("momentum: 0.9", "momentun: 0.9"), "unknown key 'recipes.gunn15.optimizer.momentun'"),
    (("lr: 0.003", "lr: -1"), "key 'recipes.mnist-rnn.optimizer.lr': input should be greater than 0"),
    (("mean: [0.1307]", "mean: [0.1, 0.2]"), "key 'recurnets.transforms.mnist': mean and std need one entry"),
    (("root:", "root: ["), "is not valid YAML"),
    (
        ("data: digits-augmented", "data: digit"),
        "unknown runs.lstm-augmented.data 'digit': data and subsets has digits",
    ),
    (("transform: scaled", "transform: none"), "unknown runs.elman.transform 'none': transforms has scaled"),
    (("recipe: mnist-rnn", "recipe: rnn"), "unknown runs.elman.recipe 'rnn': recipes has mnist-rnn"),
    (
        ("changes: {objective: {irm: {environments: same_batch, weight: 1.0}}}", "changes: {optimizer: {name: adam}}"),
        "key 'runs.lstm-generalized.changes.optimizer.lr' is missing",
    ),
    (
        ("changes: {objective: {irm:", "changes: {objective: {loss: {name: focal, gamma: 0.5}, irm:"),
        "key 'runs.lstm-generalized.changes.objective.loss.gamma': input should be greater than or equal to 1",
    ),
    (("environments: same_batch", "environments: none"), "runs.lstm-generalized.changes.objective.irm.environments"),
    (
        ("changes: {objective: {irm: {environments: same_batch, weight: 1.0}}}", "changes: {epoch: 3}"),
        "unknown key 'runs.lstm-generalized.changes.epoch'",
    ),
    (
        ("    seeds: [0]\n    epochs: 20", "    seeds: [1]\n    epochs: 20"),
        "seed 1 is none of the seeds that digits-un",
    ),
    (("digits-unbalanced:", "mnist:"), "subsets.mnist: data has a split of this name"),
    (("  digits-augmented:\n    source: digits", "  digits-augmented:\n    source: x"), "unknown subsets.digits-augm"),
]


@pytest.mark.parametrize(("change", "words"), BAD)
def test_a_bad_key_is_named(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    path = written(tmp_path, *change)
    with pytest.raises(StageError, match=f"{re.escape(str(path))}.*{re.escape(words)}"):
        load_params(path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "words"),
    [
        BAD[0],
        (("width: 0.25, head", "wide: 1, head"), "key 'recurnets.models.recurnet1': recurnet1 has no option 'wide'"),
        (("    recurnet2:", "    recurnet7:"), "unknown architecture 'recurnet7': expected one of "),
        (("options: {width: 8", "options: {wide: 8"), "key 'runs.elman.model': elman has no option 'wide'"),
        (("file: mnist_rnn", "file: recurnets"), "elman is in models/mnist_rnn.py, not models/recurnets.py"),
    ],
)
def test_the_check_stage_says_one_sentence_and_writes_nothing(
    tmp_path: Path, change: tuple[str, str], words: str
) -> None:
    written(tmp_path, *change)
    ended = python("-m", "stages.check", str(tmp_path))
    assert ended.returncode == 1
    assert words in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("digit-recurnet1-4", "unknown dataset 'digit'"),
        ("digits-recurnet3-4", "unknown cell 'digits-recurnet3-4': expected one of elman, .* or DATASET-ARCHITECTURE"),
        ("digits-recurnet1-x", "unknown cell"),
        ("digits", "unknown cell"),
        ("", "unknown cell ''"),
    ],
)
def test_an_unknown_cell_is_named(key: str, words: str) -> None:
    with pytest.raises(StageError, match=words):
        load_params(REPOSITORY / "params.yaml").cell(key)


@pytest.mark.parametrize("home", [".", "full"])
def test_every_named_run_can_be_built(home: str) -> None:
    params = load_params(REPOSITORY / home / "params.yaml")
    for key in params.runs:
        cell = params.cell(key)
        assert cell.split.source in {"digits", "mnist", "cifar10", "svhn"}
        assert build(cell.architecture, 1, 10, cell.options) is not None


def test_changes_replace_entries_of_the_recipe_and_nothing_else() -> None:
    params = load_params(REPOSITORY / "full" / "params.yaml")
    plain, changed = params.cell("lstm-unbalanced").recipe, params.cell("lstm-generalized").recipe
    assert changed.objective.irm is not None
    assert changed.model_copy(update={"objective": plain.objective, "seeds": plain.seeds}) == plain


def test_missing_parameters_are_named(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"params\.yaml is missing"):
        load_params(tmp_path / "params.yaml")


def test_a_study_is_its_cells_and_every_combination_of_its_grid() -> None:
    params = load_params(REPOSITORY / "full" / "params.yaml")
    cells = params.cells("sensitivity")
    assert len(cells) == 16
    assert {cell.study for cell in cells} == {"sensitivity"}
    options = {cell.key: (cell.options["layers"], cell.options["hidden"]) for cell in cells}
    expected = {f"sensitivity-{n}-{m}": (n, m) for n in (3, 6, 9, 12) for m in (64, 128, 256, 512)}
    assert options == expected
    assert all(cell.options["width"] == 1.0 for cell in cells)


def test_a_cell_of_a_study_with_a_model_of_its_own_has_only_its_own_options() -> None:
    params = load_params(REPOSITORY / "params.yaml")
    assert params.cell("resnet8").options == {"blocks": 8, "channels": 16}
    assert params.cell("recnet-own-norms").options == {"iterations": 7, "channels": 16, "own_norms": True}
    assert params.cell("recnet-own-norms-sgd").recipe.optimizer.name == "sgd"
    assert params.cell("recnet").recipe.optimizer.name == "adam"
    assert params.cell("elman").study is None
