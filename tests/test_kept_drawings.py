"""What was drawn for the last report: taken over where it would come out the same, drawn anew where it might not."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import matplotlib as mpl
import pytest

from stages.report.figures import kept as module
from stages.report.figures.kept import Files, made


def drawn(log: Path, text: str) -> Files:
    """Notes in ``log`` that it was asked."""
    with log.open("a") as file:
        file.write(text)
    return text.encode(), b"%PDF"


@pytest.fixture
def asked(tmp_path: Path) -> Callable[[str], str]:
    """Make a report of figures, a letter each; gives the letters of those that were drawn for it."""
    kept, log = tmp_path / "home" / ".drawings.zip", tmp_path / "log"

    def ask(letters: str) -> str:
        log.write_text("")
        assert made([partial(drawn, log, each) for each in letters], kept) == [
            (each.encode(), b"%PDF") for each in letters
        ]
        return log.read_text()

    return ask


def test_only_what_the_last_report_did_not_have_is_drawn(asked: Callable[[str], str]) -> None:
    assert asked("ab") == "ab"
    assert asked("ab") == asked("ba") == ""
    assert asked("bcc") == "c"
    assert asked("abc") == "a"


def test_other_code_libraries_or_settings_draw_all_anew(
    asked: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked("ab")
    for name, other in (("sha256", lambda path: f"other {path.name}"), ("version", lambda _: "0.0")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, other)
            assert asked("ab") == "ab"
        assert asked("ab") == "ab"
    with mpl.rc_context({"font.size": 5}):
        assert asked("ab") == "ab"


def test_a_damaged_archive_is_made_anew(asked: Callable[[str], str], tmp_path: Path) -> None:
    asked("ab")
    (kept,) = tmp_path.rglob(".drawings.zip")
    whole = kept.read_bytes()
    for damaged in (whole.replace(b"%PDF", b"%pdf", 1), whole[: len(whole) // 2], b""):
        kept.write_bytes(damaged)
        assert asked("ab") == "ab"
        assert asked("ab") == ""


def test_several_cores_give_the_same_in_the_same_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    processes = tmp_path / "processes"
    expected = [(str(number).encode(),) for number in range(12)]
    for cores, elsewhere in (("1", False), ("2", True)):
        monkeypatch.setenv("RECURNETS_CORES", cores)
        processes.write_text("")
        tasks = [partial(number_and_process, processes, number) for number in range(12)]
        assert made(tasks, tmp_path / f"{cores}.zip") == expected
        assert (str(os.getpid()) not in processes.read_text().split()) == elsewhere
    assert module.read_kept(tmp_path / "1.zip") == module.read_kept(tmp_path / "2.zip")


def number_and_process(log: Path, number: int) -> Files:
    with log.open("a") as file:
        file.write(f"{os.getpid()}\n")
    return (str(number).encode(),)


@pytest.mark.parametrize("cores", ["1", "2"])
def test_a_figure_that_cannot_be_drawn_ends_it_and_leaves_what_was_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: str
) -> None:
    monkeypatch.setenv("RECURNETS_CORES", cores)
    kept = tmp_path / "kept.zip"
    made([partial(drawn, tmp_path / "log", "a")], kept)
    before = kept.read_bytes()
    with pytest.raises(ZeroDivisionError):
        made([partial(drawn, tmp_path / "log", "b"), impossible], kept)
    assert kept.read_bytes() == before


def impossible() -> Files:
    return (bytes(1 // 0),)
