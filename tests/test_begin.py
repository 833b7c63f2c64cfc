"""First epochs under the full recipe: they are those of the complete run, which goes on from them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from commands.begin import begin_cell
from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.core.progress import Progress
from stages.evaluate.cell import evaluate_cell
from stages.params import load_params
from stages.results.started import STARTED_COLUMNS, read_started, started_rows
from stages.train import local
from tests.begun import EPOCHS, KEY, STEPS, complete, first_rows, make_home, recorded
from tests.preloaded import python
from tests.small import REPOSITORY

pytestmark = pytest.mark.slow


def begin(layout: Layout, epochs: int, seeds: tuple[int, ...] = (0, 1)) -> None:
    params = load_params(layout.params)
    cell = params.cell(KEY)
    begin_cell(
        cell.model_copy(update={"recipe": cell.recipe.model_copy(update={"seeds": seeds})}), params, layout, epochs
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What complete training leaves that nothing interrupted."""
    return complete(make_home(tmp_path_factory.mktemp("home")))


def test_the_complete_run_goes_on_from_what_was_begun_and_ends_bit_for_bit_alike(
    tmp_path: Path, whole: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    layout = make_home(tmp_path)
    begin(layout, 2)
    assert recorded(layout) == first_rows(whole["curves.csv"], 2)
    capsys.readouterr()
    assert complete(layout) == whole
    assert f"seed 1: continues after epoch 1/{EPOCHS} and {STEPS}/{STEPS} steps" in capsys.readouterr().out
    assert not any(layout.checkpoints.iterdir())


def test_seeds_that_are_trained_together_are_begun_together(tmp_path: Path) -> None:
    undisturbed = complete(make_home(tmp_path / "one", together=2))
    layout = make_home(tmp_path / "two", together=2)
    begin(layout, 3)
    assert recorded(layout) == first_rows(undisturbed["curves.csv"], 3)
    assert complete(layout) == undisturbed


def test_what_is_recorded_is_not_trained_again_and_more_epochs_continue(
    tmp_path: Path, whole: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    layout = make_home(tmp_path)
    begin(layout, 1, seeds=(0,))
    begin(layout, 1)
    said = capsys.readouterr().out
    assert "seed 0: recorded already, 1 epoch" in said
    assert said.count("epoch 1/4 train loss") == 2
    begin(layout, 3)
    said = capsys.readouterr().out
    assert "seed 0: continues after epoch 0/4 and 12/12 steps" in said
    assert recorded(layout) == first_rows(whole["curves.csv"], 3)
    begin(layout, 2)
    assert recorded(layout) == first_rows(whole["curves.csv"], 3)


def test_a_checkpoint_that_is_further_on_gives_its_epochs_without_training(
    tmp_path: Path, whole: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    layout = make_home(tmp_path)
    begin(layout, 3, seeds=(1,))
    layout.started.unlink()
    capsys.readouterr()
    begin(layout, 2, seeds=(1,))
    assert recorded(layout) == first_rows(whole["curves.csv"], 2, seeds=(1,))
    assert "train loss" not in capsys.readouterr().out
    assert complete(layout) == whole


def test_an_interrupted_beginning_keeps_whole_epochs_and_goes_on_from_its_checkpoint(
    tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    layout = make_home(tmp_path)
    monkeypatch.setattr(local, "CHECKPOINT_SECONDS", 0.0)
    advance = Progress.advance

    def interrupted(self: Progress) -> None:
        advance(self)
        if self.count == STEPS + 5:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Progress, "advance", interrupted)
        begin(layout, 2)
    assert recorded(layout) == first_rows(whole["curves.csv"], 1, seeds=(0,))
    begin(layout, 2)
    assert f"seed 0: continues after epoch 1/{EPOCHS} and 4/{STEPS} steps" in capsys.readouterr().out
    assert recorded(layout) == first_rows(whole["curves.csv"], 2)


def test_a_seed_whose_complete_run_is_there_is_no_longer_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layout = make_home(tmp_path)
    begin(layout, 1, seeds=(0, 1, 2))
    params = load_params(layout.params)
    complete(layout)
    evaluate_cell(params.cell(KEY), params.compute, layout)
    begin(layout, 2, seeds=(0, 2))
    assert "seed 0: its complete run is among the results" in capsys.readouterr().out
    assert [(row["seed"], row["epoch"]) for row in started_rows(layout)] == [("2", "0"), ("2", "1")]


def test_a_complete_run_whose_weights_are_not_here_is_trained_where_all_epochs_are_asked_for(
    tmp_path: Path, whole: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    """As results that were published without weights: further seeds need them to stand beside."""
    layout = make_home(tmp_path)
    params = load_params(layout.params)
    complete(layout)
    evaluate_cell(params.cell(KEY), params.compute, layout)
    shutil.rmtree(layout.home / ".seeds")
    for path in layout.training(params.cell(KEY)).glob("*.safetensors"):
        path.unlink()
    capsys.readouterr()
    begin(layout, EPOCHS - 1)
    assert "epoch 1" not in capsys.readouterr().out
    begin(layout, EPOCHS, seeds=(0, 1, 2))
    assert f"seed 0: epoch {EPOCHS}/{EPOCHS}" in capsys.readouterr().out
    begin(layout, EPOCHS)
    assert "seed 0: its complete run is among the results" in capsys.readouterr().out
    assert complete(layout) == whole


def test_a_finished_seed_gives_its_first_epochs(tmp_path: Path, whole: dict[str, bytes]) -> None:
    layout = make_home(tmp_path)
    complete(layout)  # not evaluated, so that it is no result
    begin(layout, 2)
    assert recorded(layout) == first_rows(whole["curves.csv"], 2)


def test_epochs_of_another_recipe_are_not_read(tmp_path: Path) -> None:
    layout = make_home(tmp_path)
    begin(layout, 2)
    read = read_started(layout, load_params(layout.params))[KEY].curves
    assert read["epoch"].tolist() == [0, 1, 0, 1]
    assert read["seed"].tolist() == [0, 0, 1, 1]
    make_home(tmp_path, seeds=[0])
    assert KEY in read_started(layout, load_params(layout.params))
    make_home(tmp_path, epochs=EPOCHS + 1)
    assert read_started(layout, load_params(layout.params)) == {}


def test_a_gap_and_a_missing_number_are_named(tmp_path: Path) -> None:
    layout = make_home(tmp_path)
    begin(layout, 3, seeds=(0,))
    params, table = load_params(layout.params), pd.read_csv(layout.started)
    table[table["epoch"] != 1].to_csv(layout.started, index=False)
    with pytest.raises(StageError, match=f"the epochs of {KEY}, seed 0, are not 0, 1, 2 and so on; restore it"):
        read_started(layout, params)
    table.assign(test_loss=None).to_csv(layout.started, index=False)
    with pytest.raises(StageError, match="column test_loss holds something that is not a number; restore it"):
        read_started(layout, params)


def said(layout: Layout, *words: str) -> str:
    done = python("-m", "commands", "begin", str(layout.home), *words)
    assert done.returncode != 0
    return done.stderr


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((KEY, "--epochs", "5"), f"--epochs is 5, but the recipe of {KEY} has 4; ask for no more"),
        ((KEY, "--epochs", "0"), "--epochs is 0: at least 1 was expected"),
        ((KEY, "--epochs", "1", "--seeds", "0", "0"), "--seeds is 0 0: different numbers from 0 on were expected"),
        (("gru", "--epochs", "1"), "unknown cell 'gru'"),
        (("lstm-unbalanced", "--epochs", "1", "--seeds", "7"), "seed 7 is none of the seeds that"),
        (("mnist-recurnet1-4", "--epochs", "1"), "is missing"),
    ],
)
def test_what_cannot_be_begun_is_said_in_a_sentence(tmp_path: Path, words: tuple[str, ...], complaint: str) -> None:
    layout = make_home(tmp_path)
    error = said(layout, *words)
    assert complaint in error
    assert "Traceback" not in error
    assert not layout.started.exists()


@pytest.mark.parametrize("home", [".", "full"])
def test_both_homes_have_the_file_that_comparing_depends_on(home: str) -> None:
    layout = Layout(REPOSITORY / home)
    header = layout.started.read_text(encoding="utf-8").partition("\n")[0]
    assert tuple(header.split(",")) == STARTED_COLUMNS
    read_started(layout, load_params(layout.params))
