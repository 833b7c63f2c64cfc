"""A training that is stopped leaves its whole epochs, pauses at a checkpoint, and goes on elsewhere if that is said."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from stages.core.errors import StageError
from stages.core.files import read_json
from stages.core.layout import Layout
from stages.core.progress import Progress
from stages.params import load_params
from stages.results.started import STARTED_COLUMNS, replace_started, started_rows
from stages.train import local, pause
from stages.train.course import RESUME, at_end_of, beginning, environment_of, machines_of
from stages.train.pause import PausedError
from tests.begun import EPOCHS, KEY, STEPS, complete, first_rows, make_home, recorded

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What complete training leaves that nothing interrupted."""
    return complete(make_home(tmp_path_factory.mktemp("home"), seeds=[0]))


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return make_home(tmp_path, seeds=[0])


def at_step(number: int, act: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the training ``act`` after so many steps of its process."""
    advance, seen = Progress.advance, []

    def step(self: Progress) -> None:
        advance(self)
        seen.append(1)
        if len(seen) == number:
            act()

    monkeypatch.setattr(Progress, "advance", step)


def interrupt() -> None:
    raise KeyboardInterrupt


def on(machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this machine take itself for another one."""
    told = local.describe
    monkeypatch.setattr(local, "describe", lambda device: {**told(device), "device_name": machine})


def test_ctrl_c_leaves_the_whole_epochs_and_the_complete_run_takes_their_place(
    layout: Layout, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        at_step(2 * STEPS + 5, interrupt, patch)
        complete(layout)
    assert recorded(layout) == first_rows(whole["curves.csv"], 2)
    assert {row["epochs"] for row in started_rows(layout)} == {str(EPOCHS)}
    assert complete(layout) == whole
    assert started_rows(layout) == []


def test_sigterm_pauses_at_a_checkpoint_of_that_very_step(
    layout: Layout, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pause, "_asked", False)
    before = signal.getsignal(signal.SIGTERM)
    pause.pause_when_asked()
    with monkeypatch.context() as patch:
        at_step(STEPS + 5, lambda: os.kill(os.getpid(), signal.SIGTERM), patch)
        with pytest.raises(PausedError, match=f"{KEY} seed 0: paused at a checkpoint after 1 of {EPOCHS} epochs and 5"):
            complete(layout)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL  # a second one ends the process
    signal.signal(signal.SIGTERM, before)
    assert recorded(layout) == first_rows(whole["curves.csv"], 1)
    monkeypatch.setattr(pause, "_asked", False)
    capsys.readouterr()
    assert complete(layout) == whole
    assert f"continues after epoch 1/{EPOCHS} and 5/{STEPS} steps" in capsys.readouterr().out


def test_only_if_that_is_said_a_training_goes_on_elsewhere_and_its_machines_are_named(
    layout: Layout, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(local, "CHECKPOINT_SECONDS", 0.0)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        on("abacus", patch)
        at_step(2 * STEPS + 5, interrupt, patch)
        complete(layout)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        at_step(STEPS + 2, interrupt, patch)
        complete(layout)
    assert f"hardware is not used; {RESUME}=any goes on" in capsys.readouterr().out
    assert {row["device_name"] for row in started_rows(layout)} == {"abacus"}  # of two epochs, the other had one
    monkeypatch.setenv(RESUME, "any")
    on("astrolabe", monkeypatch)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        at_step(2 * STEPS - 6, interrupt, patch)
        complete(layout)
    assert "goes on from a checkpoint of abacus, torch" in capsys.readouterr().out
    assert [row["device_name"] for row in started_rows(layout)] == ["abacus", "abacus", "astrolabe"]
    assert complete(layout).keys() == whole.keys()
    run = read_json(layout.training(load_params(layout.params).cell(KEY)) / "run.json")
    told = [(part["epoch"], part["step"], part["device_name"]) for part in run["machines"]["0"]]
    assert told == [(0, 0, "abacus"), (2, 4, "astrolabe")]


def test_an_unclear_wish_is_refused(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "CHECKPOINT_SECONDS", 0.0)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        on("abacus", patch)
        at_step(3, interrupt, patch)
        complete(layout)
    monkeypatch.setenv(RESUME, "yes")
    with pytest.raises(StageError, match="RECURNETS_RESUME is 'yes': 'any' was expected, or nothing"):
        complete(layout)


def test_a_training_of_one_machine_tells_of_one() -> None:
    here, there = {"device_name": "here", "torch": "2"}, {"device_name": "there", "torch": "2"}
    first = beginning(here, None)
    assert environment_of(first) == here
    assert list(machines_of(here)) == list(first) == [{"epoch": 0, "step": 0, **here}]
    same = beginning(here, {"epoch": 3, "step": 7, "machines": list(first)})
    assert list(same) == list(first)
    moved = beginning(there, {"epoch": 3, "step": 7, "machines": list(first)})
    assert [at_end_of(epoch, moved)["device_name"] for epoch in (0, 2, 3, 9)] == ["here", "here", "there", "there"]
    assert list(machines_of(environment_of(moved))) == list(moved)
    old = beginning(here, {"epoch": 3, "step": 7})  # a checkpoint from before machines were recorded is of this one
    assert list(old) == list(first)


def test_the_longer_record_of_a_training_stays_and_that_of_another_one_goes(layout: Layout) -> None:
    def rows(seed: int, epochs: int, fingerprint: str = "a") -> list[dict[str, object]]:
        some = {**dict.fromkeys(STARTED_COLUMNS, "0"), "key": KEY, "seed": seed, "fingerprint": fingerprint}
        return [{**some, "epoch": n} for n in range(epochs)]

    def there() -> list[tuple[str, str, str]]:
        return [(row["seed"], row["epoch"], row["fingerprint"]) for row in started_rows(layout)]

    replace_started(layout, [*rows(10, 1), *rows(2, 2)])
    replace_started(layout, rows(2, 1))
    assert there() == [("2", "0", "a"), ("2", "1", "a"), ("10", "0", "a")]
    written = layout.started.stat().st_mtime_ns
    replace_started(layout, rows(2, 2), gone=[(KEY, 5)])
    assert layout.started.stat().st_mtime_ns == written
    replace_started(layout, rows(2, 1, "b"), gone=[(KEY, 10)])
    assert there() == [("2", "0", "b")]
