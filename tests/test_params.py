"""Bad parameters: one clear sentence that names the file and the key, exit status 1, nothing written."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from stages.errors import StageError
from stages.params import load_params
from tests.small import REPOSITORY

GOOD = (REPOSITORY / "params.yaml").read_text(encoding="utf-8")


def written(folder: Path, *change: str) -> Path:
    path = folder / "params.yaml"
    old, new = change or ("", "")
    assert old in GOOD
    path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    return path


@pytest.mark.parametrize("home", [".", "full"])
def test_the_shipped_parameters_are_valid(home: str) -> None:
    load_params(REPOSITORY / home / "params.yaml")


BAD = [
    (("depth: 4", "depht: 4"), "key 'depth' is missing; unknown key 'depht'; remove it or correct its spelling"),
    (("\ndepth: 4", "\ndepth: 3"), "key 'depth': input should be greater than or equal to 4"),
    (("\ndepth: 4", "\ndepth: deep"), "key 'depth': input should be a valid integer"),
    (("dataset: digits", "dataset: imagenet"), "unknown dataset 'imagenet': data has digits, mnist, svhn, cifar10"),
    (("architecture: recurnet1", "architecture: vgg"), "unknown architecture 'vgg': recurnets.models has recurnet1"),
    (("momentum: 0.9", "momentun: 0.9"), "unknown key 'recurnets.recipe.optimizer.momentun'"),
    (("mean: [0.1307]", "mean: [0.1, 0.2]"), "key 'recurnets.transforms.mnist': mean and std need one entry"),
    (("root:", "root: ["), "is not valid YAML"),
]


@pytest.mark.parametrize(("change", "words"), BAD)
def test_a_bad_key_is_named(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    path = written(tmp_path, *change)
    with pytest.raises(StageError, match=f"{re.escape(str(path))}.*{re.escape(words)}"):
        load_params(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        BAD[0],
        (("width: 0.25, head", "wide: 1, head"), "key 'recurnets.models.recurnet1': recurnet1 has no option 'wide'"),
        (("    recurnet2:", "    recurnet7:"), "unknown architecture 'recurnet7': expected one of recurnet1"),
    ],
)
def test_the_check_stage_says_one_sentence_and_writes_nothing(
    tmp_path: Path, change: tuple[str, str], words: str
) -> None:
    written(tmp_path, *change)
    ended = subprocess.run(
        [sys.executable, "-m", "stages.check", str(tmp_path)], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert ended.returncode == 1
    assert words in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


@pytest.mark.parametrize(
    ("dataset", "architecture", "words"),
    [("digit", "recurnet1", "unknown dataset 'digit'"), ("digits", "recurnet3", "unknown architecture 'recurnet3'")],
)
def test_an_unknown_cell_is_named(dataset: str, architecture: str, words: str) -> None:
    with pytest.raises(StageError, match=words):
        load_params(REPOSITORY / "params.yaml").cell(dataset, architecture, 4)


def test_missing_parameters_are_named(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"params\.yaml is missing"):
        load_params(tmp_path / "params.yaml")
