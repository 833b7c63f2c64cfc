"""A seed is trained once, whatever set of seeds asks for it, and found again where it lies."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from stages.cell import Cell, Compute
from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.splits.format import read_split
from stages.train.__main__ import asked, train_only
from stages.train.plan import ANEW, plan
from stages.train.seeds import fingerprint, kept_seeds
from stages.train.side_by_side import run
from tests.dvc_here import dvc
from tests.small import small_cell, write_split

COMPUTE = Compute(device="cpu", threads=1)
ONE, TWO = small_cell(seeds=(0,)), small_cell(seeds=(0, 3))

pytestmark = pytest.mark.slow


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    write_split(layout)
    return layout


def train(cell: Cell, layout: Layout, capsys: pytest.CaptureFixture[str], compute: Compute = COMPUTE) -> list[int]:
    """The seeds that are really trained."""
    capsys.readouterr()
    run([cell], compute, layout)
    said = capsys.readouterr().out
    return [seed for seed in cell.recipe.seeds if f"{cell.key} seed {seed}: epoch 1/" in said]


def rows(layout: Layout, cell: Cell, name: str, seed: int) -> list[bytes]:
    lines = (layout.training(cell) / name).read_bytes().splitlines()
    return [line for line in lines if line.startswith(f"{seed},".encode())]


def test_a_second_seed_leaves_the_first_as_it_was_byte_for_byte(
    layout: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(ONE, layout, capsys) == [0]
    weights = (layout.training(ONE) / "seed-0.safetensors").read_bytes()
    curves = {name: rows(layout, ONE, name, 0) for name in ("curves.csv", "class_curves.csv")}
    clock = (layout.training_clock(ONE) / "timing.csv").read_text()
    shutil.rmtree(layout.results)  # as DVC does before it runs the stage again
    assert train(TWO, layout, capsys) == [3]
    assert (layout.training(TWO) / "seed-0.safetensors").read_bytes() == weights
    assert {name: rows(layout, TWO, name, 0) for name in curves} == curves
    assert (layout.training_clock(TWO) / "timing.csv").read_text().startswith(clock)
    assert train(small_cell(seeds=(3,)), layout, capsys) == []


def test_a_seed_trained_by_itself_writes_nothing_and_is_found(
    layout: Layout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = small_cell(seeds=(3,))
    train_only([one], COMPUTE, layout)
    assert not layout.results.exists()
    assert train(TWO, layout, capsys) == [0]
    other = Layout(tmp_path / "other")
    write_split(other)
    run([TWO], COMPUTE, other)
    for path in other.training(TWO).iterdir():
        assert (layout.training(TWO) / path.name).read_bytes() == path.read_bytes()


def test_a_seed_that_the_parameters_lack_is_named() -> None:
    with pytest.raises(StageError, match=r"--seeds: 7 is none of the seeds of lstm-128 \(0\)\."):
        asked(Layout(Path("full")), "lstm-128", [0, 7])


def test_it_ends_as_if_both_had_been_trained_at_once(
    layout: Layout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(ONE, layout, capsys)
    train(TWO, layout, capsys)
    other = Layout(tmp_path / "other")
    write_split(other)
    assert train(TWO, other, capsys) == [0, 3]
    for path in other.training(TWO).iterdir():
        assert path.read_bytes() == (layout.training(TWO) / path.name).read_bytes()


def test_its_name_its_study_and_draws_of_other_seeds_do_not_matter(
    layout: Layout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    renamed = ONE.model_copy(update={"key": "again", "study": "many", "paper": "another"})
    train(ONE, layout, capsys)
    assert train(renamed, layout, capsys) == []
    drawn, more = Layout(tmp_path / "drawn"), Layout(tmp_path / "more")
    write_split(drawn, draws={0: range(20)})
    write_split(more, draws={0: range(20), 1: range(10, 50)})
    fewer, further = (read_split(each.data("digits")) for each in (drawn, more))
    assert fewer.digest != further.digest
    assert fewer.seen_by(0) == further.seen_by(0) != further.seen_by(1)


def test_everything_that_decides_a_seeds_numbers_is_in_its_fingerprint(layout: Layout) -> None:
    split = read_split(layout.data("digits"))
    other_split = Layout(layout.home / "other")
    write_split(other_split, images=40)
    longer = small_cell(seeds=(0,), epochs=4)
    prints = [
        fingerprint(ONE, 0, split.seen_by(0), "code", COMPUTE),
        fingerprint(ONE, 1, split.seen_by(1), "code", COMPUTE),
        fingerprint(ONE, 0, split.seen_by(0), "other code", COMPUTE),
        fingerprint(ONE, 0, split.seen_by(0), "code", Compute(device="cpu", threads=2)),
        fingerprint(ONE, 0, read_split(other_split.data("digits")).seen_by(0), "code", COMPUTE),
        fingerprint(longer, 0, split.seen_by(0), "code", COMPUTE),
        fingerprint(small_cell(depth=6, seeds=(0,)), 0, split.seen_by(0), "code", COMPUTE),
        fingerprint(small_cell("recurnet2", seeds=(0,)), 0, split.seen_by(0), "code", COMPUTE),
        fingerprint(ONE.model_copy(update={"transform": ONE.transform.model_copy(update={"flip": False})}), 0,
                    split.seen_by(0), "code", COMPUTE),
    ]  # fmt: skip
    assert len(set(prints)) == len(prints)
    assert fingerprint(TWO, 0, split.seen_by(0), "code", COMPUTE) == prints[0]


def test_a_damaged_one_is_named_and_trained_again(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    train(ONE, layout, capsys)
    folder = kept_seeds(layout.home).path(plan(ONE, COMPUTE, layout).fingerprints[0])
    for name in ("seed-0.safetensors", "kept.json"):
        path = folder / name
        content = path.read_bytes()
        path.write_bytes(content[:-4] + bytes([content[-4] ^ 1]) + content[-3:])
        shutil.rmtree(layout.results)
        capsys.readouterr()
        run([ONE], COMPUTE, layout)
        said = capsys.readouterr().out
        assert f"{name} is" in said
        assert "It is not used." in said
        assert f"{ONE.key} seed 0: epoch 1/3" in said


def test_it_can_be_trained_anew(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train(ONE, layout, capsys)
    monkeypatch.setenv(ANEW, "1")
    assert train(ONE, layout, capsys) == [0]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A home in a repository of DVC's, in which a stage has the outputs of a training."""
    monkeypatch.chdir(tmp_path)
    layout = Layout(Path())
    write_split(layout)
    dvc("init", "--no-scm")
    outs = [f"results/training/{ONE.key}", f"results/clocks/training/{ONE.key}"]
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": {"train": {"cmd": "true", "outs": outs}}}))
    return layout


def test_it_is_found_among_the_outputs_that_the_lock_records(
    repository: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    """As after `dvc pull`: DVC has removed the outputs from the workspace, and nothing is kept here."""
    train(ONE, repository, capsys)
    weights = (repository.training(ONE) / "seed-0.safetensors").read_bytes()
    dvc("commit", "--force")
    assert Path(".dvc/cache/seeds").is_dir()
    for folder in (".dvc/cache/seeds", "results"):
        shutil.rmtree(folder)
    assert train(TWO, repository, capsys) == [3]
    assert (repository.training(TWO) / "seed-0.safetensors").read_bytes() == weights


def test_the_outputs_of_a_study_hold_its_cells(repository: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    cell = ONE.model_copy(update={"study": ONE.key, "key": "of-a-study"})  # the study's folder is the stage's output
    train(cell, repository, capsys)
    dvc("commit", "--force")
    for folder in (".dvc/cache/seeds", "results"):
        shutil.rmtree(folder)
    assert train(cell, repository, capsys) == []


def test_what_the_cache_lacks_is_trained_again(repository: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    train(ONE, repository, capsys)
    dvc("commit", "--force")
    for folder in (".dvc/cache", "results"):
        shutil.rmtree(folder)
    assert train(ONE, repository, capsys) == [0]


def test_the_configuration_of_dvc_says_where_seeds_are_kept(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    assert kept_seeds(tmp_path / "full").folder == tmp_path / ".dvc" / "cache" / "seeds"
    (tmp_path / ".dvc" / "config.local").write_text("[cache]\n    dir = ../../elsewhere\n")
    assert kept_seeds(tmp_path).folder.resolve() == (tmp_path.parent / "elsewhere" / "seeds").resolve()
