"""Working a plan off: it stops in time, at a checkpoint, and what was trained is the beginning of the complete run."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from commands.begin import begin_cell
from commands.plan import work
from commands.plan.progress import trained_epochs, with_seeds
from commands.plan.work import Task, work_off
from stages.core.layout import Layout
from stages.params import load_params
from tests.begun import EPOCHS, KEY, complete, make_home, recorded

pytestmark = pytest.mark.slow


def test_when_the_time_is_up_what_trains_is_paused_and_is_the_beginning_of_the_complete_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = make_home(tmp_path / "planned", epochs=5000)
    # The time is up once an epoch is recorded.
    clock = SimpleNamespace(monotonic=lambda: 2.0 * layout.started.exists(), sleep=work.time.sleep)
    monkeypatch.setattr(work, "time", clock)
    tasks = [Task(("nothing", 0), 1), Task((KEY, 1), 4999), Task((KEY, 0), 5000)]
    paused, failed = work_off(tasks, layout.home, 1, 1.0)
    assert (paused, failed) == ({(KEY, 1)}, {("nothing", 0)})
    params = load_params(layout.params)
    epochs = len(recorded(layout))
    assert 1 <= epochs < 4999
    assert trained_epochs([(KEY, 0), (KEY, 1)], params, layout) == {(KEY, 1): epochs}
    undisturbed = make_home(tmp_path / "undisturbed", epochs=5000)
    begin_cell(with_seeds(params.cell(KEY), [1]), params, undisturbed, epochs)
    assert recorded(layout) == recorded(undisturbed)


def test_a_seed_that_comes_to_its_end_is_kept_for_the_stage(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    layout = make_home(tmp_path)
    task = Task((KEY, 1), EPOCHS)
    assert work_off([task], layout.home, 2, float("inf")) == (set(), set())
    params = load_params(layout.params)
    assert trained_epochs([task.unit], params, Layout(tmp_path)) == {task.unit: EPOCHS}
    capfd.readouterr()
    complete(layout)
    assert f"{KEY} seed 1: trained before, taken over" in capfd.readouterr().out


def test_what_cannot_begin_is_passed_over_when_it_is_its_turn(tmp_path: Path) -> None:
    asked: list[Task] = []
    tasks = [Task((KEY, 0), 1), Task((KEY, 1), 1)]
    assert work_off(tasks, tmp_path, 1, float("inf"), lambda task: bool(asked.append(task))) == (set(), set())
    assert asked == tasks
