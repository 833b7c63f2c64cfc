"""Files appear whole or not at all."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from stages.cell import Compute
from stages.core.errors import StageError, run_stage
from stages.core.files import atomic_folder, atomic_path, read_json, write_text
from stages.core.layout import Layout
from stages.train import side_by_side as train
from tests.small import small_cell, write_split


def full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device", "somewhere")


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "file"
    write_text(target, "old")
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_failed_folder_keeps_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    with atomic_folder(target) as temporary:
        (temporary / "file").write_text("old")
    with pytest.raises(RuntimeError), atomic_folder(target) as temporary:
        (temporary / "other").write_text("half")
        raise RuntimeError
    assert [path.name for path in target.iterdir()] == ["file"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_ends_training_with_one_sentence_and_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout(tmp_path)
    write_split(layout)
    cell = small_cell(epochs=1)
    with monkeypatch.context() as patch:
        patch.setattr("stages.core.files.os.fsync", full_disk)
        with pytest.raises(SystemExit, match="cannot write somewhere: No space left on device; nothing was left half"):
            run_stage(lambda: train.run([cell], Compute(device="cpu", threads=1), layout))
    assert not list(tmp_path.rglob("*.part"))
    assert not layout.training(cell).exists()
    train.run([cell], Compute(device="cpu", threads=1), layout)
    assert (layout.training(cell) / "curves.csv").is_file()


@pytest.mark.parametrize(("text", "words"), [("{", "is not valid JSON"), ("[1]", "holds a list where a JSON object")])
def test_a_damaged_json_file_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "file.json"
    path.write_text(text)
    with pytest.raises(StageError, match=rf"file\.json {words}"):
        read_json(path)


def test_a_defect_of_the_program_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run_stage(lambda: print(1 // 0))
