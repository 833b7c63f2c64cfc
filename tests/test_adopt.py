"""Adopting what was trained elsewhere: taken over unchanged, or refused with the reason."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from commands.adopt import CLOCK, TRAINING, adopt
from stages.cell import Compute
from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.train import side_by_side as train
from tests.small import small_params, write_split

KEY = "digits-recurnet1-5"
PARAMS = small_params()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    layout = Layout(tmp_path_factory.mktemp("there"))
    write_split(layout)
    train.run([PARAMS.cell(KEY)], Compute(device="cpu", threads=1), layout)
    return layout


@pytest.fixture
def there(trained: Layout, tmp_path: Path) -> Layout:
    shutil.copytree(trained.home, tmp_path / "there")
    return Layout(tmp_path / "there")


@pytest.fixture
def here(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "here")
    write_split(layout)
    return layout


def files(layout: Layout) -> dict[str, bytes]:
    folders = (layout.training(PARAMS.cell(KEY)), layout.training_clock(PARAMS.cell(KEY)))
    return {
        str(path.relative_to(layout.home)): path.read_bytes()
        for folder in folders
        if folder.is_dir()
        for path in folder.iterdir()
    }


def test_what_was_trained_elsewhere_arrives_byte_by_byte(here: Layout, there: Layout) -> None:
    adopt(here, there, PARAMS, KEY)
    assert files(here) == files(there)
    assert {Path(name).name for name in files(here)} >= {*TRAINING, *CLOCK, "seed-0.safetensors"}


def change_parameter(there: Layout) -> None:
    path = there.training(PARAMS.cell(KEY)) / "run.json"
    run = json.loads(path.read_text())
    run["cell"]["recipe"]["epochs"] = 200
    path.write_text(json.dumps(run))


def change_code(there: Layout) -> None:
    path = there.training(PARAMS.cell(KEY)) / "run.json"
    path.write_text(re.sub('"code_sha256": "....', '"code_sha256": "0000', path.read_text()))


def change_data(there: Layout) -> None:
    path = there.training(PARAMS.cell(KEY)) / "run.json"
    path.write_text(re.sub('"data_sha256": "....', '"data_sha256": "0000', path.read_text()))


def flip_a_byte_of_the_weights(there: Layout) -> None:
    path = there.training(PARAMS.cell(KEY)) / "seed-0.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def train_in_other_precision(there: Layout) -> None:
    path = there.training_clock(PARAMS.cell(KEY)) / "environment.json"
    path.write_text(path.read_text().replace("float32", "bfloat16"))


def lose_the_curves(there: Layout) -> None:
    (there.training(PARAMS.cell(KEY)) / "curves.csv").unlink()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (change_parameter, "trained with recipe.epochs 200, .* says 3"),
        (change_code, "trained with other code"),
        (change_data, "trained with other data"),
        (flip_a_byte_of_the_weights, "seed-0.safetensors is damaged"),
        (train_in_other_precision, "trained in bfloat16, compute.precision of .* is float32"),
        (lose_the_curves, "curves.csv is missing"),
    ],
)
def test_what_does_not_belong_here_is_refused_and_nothing_is_copied(
    here: Layout, there: Layout, damage: Callable[[Layout], None], said: str
) -> None:
    damage(there)
    with pytest.raises(StageError, match=said):
        adopt(here, there, PARAMS, KEY)
    assert files(here) == {}


def test_the_split_has_to_be_there_first(tmp_path: Path, there: Layout) -> None:
    with pytest.raises(StageError, match="make the split here first"):
        adopt(Layout(tmp_path / "empty"), there, PARAMS, KEY)


@pytest.mark.parametrize("key", ["cell", "data_sha256", "code_sha256"])
def test_a_record_without_its_keys_is_named(key: str, here: Layout, there: Layout) -> None:
    path = there.training(PARAMS.cell(KEY)) / "run.json"
    path.write_text(path.read_text().replace(f'"{key}"', f'"{key}?"'))
    with pytest.raises(StageError, match=rf"run\.json is damaged: key '{key}' is missing; train {KEY} there again"):
        adopt(here, there, PARAMS, KEY)
    assert files(here) == {}
