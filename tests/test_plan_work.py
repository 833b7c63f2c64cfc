"""Working a plan off: it stops in time, at a checkpoint, and what was trained is the beginning of the complete run."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from commands.begin import begin_cell
from commands.plan import __main__ as plan_command
from commands.plan import work
from commands.plan.account import accounted
from commands.plan.order import NUMBER, Question, Step
from commands.plan.process import Process, Taken
from commands.plan.progress import trained_epochs, trained_exactly, with_seeds
from commands.plan.work import Task, Worked, work_off
from stages.compare.pace import Pace
from stages.core.layout import Layout
from stages.params import load_params
from stages.results.timed import Machine, Timed, work_of
from stages.train.local import CellTraining
from stages.train.plan import plan
from tests.begun import EPOCHS, KEY, STEPS, complete, make_home, recorded
from tests.small import REPOSITORY

pytestmark = pytest.mark.slow


def test_when_the_time_is_up_what_trains_is_paused_and_is_the_beginning_of_the_complete_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = make_home(tmp_path / "planned", epochs=5000)
    # The time is up once an epoch is recorded.
    clock = SimpleNamespace(monotonic=lambda: 2.0 * layout.started.exists(), sleep=work.time.sleep)
    monkeypatch.setattr(work, "time", clock)
    tasks = [Task(("nothing", 0), 1), Task((KEY, 1), 4999), Task((KEY, 0), 5000)]
    worked = work_off(tasks, layout.home, 1, 1.0)
    assert (worked.paused, worked.failed) == ({(KEY, 1)}, {("nothing", 0)})
    params = load_params(layout.params)
    epochs = len(recorded(layout))
    assert 1 <= epochs < 4999
    assert trained_epochs([(KEY, 0), (KEY, 1)], params, layout) == {(KEY, 1): epochs}
    # A paused seed has its whole epochs and the steps of the next; what took time is on its account alone.
    exactly = trained_exactly([(KEY, 0), (KEY, 1)], params, layout, Pace((), tabulated={"digits": (4 * STEPS, 50)}))
    state = CellTraining(plan(with_seeds(params.cell(KEY), [1]), params.compute, layout), layout).checkpoint([1]).load()
    assert exactly == {(KEY, 0): 0, (KEY, 1): epochs + state["step"] / STEPS}
    assert set(worked.taken) == {("nothing", 0), (KEY, 1)}
    assert worked.taken[KEY, 1].clock > 0 < worked.taken[KEY, 1].processor
    undisturbed = make_home(tmp_path / "undisturbed", epochs=5000)
    begin_cell(with_seeds(params.cell(KEY), [1]), params, undisturbed, epochs)
    assert recorded(layout) == recorded(undisturbed)


def test_a_seed_that_comes_to_its_end_is_kept_for_the_stage(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    layout = make_home(tmp_path)
    task = Task((KEY, 1), EPOCHS)
    worked = work_off([task], layout.home, 2, float("inf"))
    assert not worked.paused and not worked.failed
    params = load_params(layout.params)
    assert trained_epochs([task.unit], params, Layout(tmp_path)) == {task.unit: EPOCHS}
    capfd.readouterr()
    complete(layout)
    assert f"{KEY} seed 1: trained before, taken over" in capfd.readouterr().out


def test_what_cannot_begin_is_passed_over_when_it_is_its_turn(tmp_path: Path) -> None:
    asked: list[Task] = []
    tasks = [Task((KEY, 0), 1), Task((KEY, 1), 1)]
    worked = work_off(tasks, tmp_path, 1, float("inf"), lambda task: bool(asked.append(task)))
    assert worked == Worked(frozenset(), frozenset(), {})
    assert asked == tasks


def test_a_plan_that_was_worked_off_ends_with_its_account_and_its_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    layout = make_home(tmp_path)
    asked, here = Question("paper", NUMBER, "a", {(KEY, 1): EPOCHS}), Machine("cpu", "abacus", 1)
    params = load_params(layout.params)
    begin_cell(with_seeds(params.cell(KEY), [1]), params, layout, 2)
    step = Timed(KEY, work_of(params.cell(KEY)), here, "2", "digest", 5, 9.0, 9.0, 9.0, 18.0)
    pace = Pace((), (step,), here, {"digits": (4 * STEPS, 50)})
    evaluated: list[str] = []
    monkeypatch.setattr(plan_command, "evaluate", lambda keys, *_: evaluated.extend(keys) or ["said of seeds"])
    monkeypatch.setattr(plan_command, "complete_seeds", lambda *_: {(KEY, 1)})  # by then
    monkeypatch.setattr(plan_command, "render", lambda _: True)
    monkeypatch.setattr(plan_command, "what_is_open", lambda *_: plan_command.Open([asked], pace))
    planned = Step((asked,), {(KEY, 1): EPOCHS}, {(KEY, 1): 0}, 1.0, 1.0)
    plan_command.go([planned], plan_command.Open([asked], pace), layout, here, 1, float("inf"))
    *_, account, seeds, answer = capfd.readouterr().out.splitlines()
    # Two epochs of 12 steps and 2 tests are 2 * (12 * 9 + 2 * 18) s, or 0.08 hours; what they took is less than 18 s.
    assert account.startswith(f"{KEY} seed 1, epochs 2.0 to 4.0 of 4: foretold 0.08 hours, took 0.00 of processor time")
    assert recorded(layout) == []  # the complete run has their place
    assert (evaluated, seeds, answer) == ([KEY], "said of seeds", "Nothing was decided that was open before.")
    nothing_more = Step((asked,), {}, {}, 0.0, 0.0)
    plan_command.go([nothing_more], plan_command.Open([asked], pace), layout, here, 1, float("inf"))
    assert evaluated == [KEY, KEY]  # trained before, say by a plan that was interrupted


def test_the_processor_time_of_a_process_is_its_own_and_its_childrens() -> None:
    child = "import time\nwhile time.process_time() < 0.2: pass"
    program = f"import subprocess, sys\n{child}\nsubprocess.run([sys.executable, '-c', {child!r}], check=True)\nexit(3)"
    process = Process([sys.executable, "-c", program])
    assert process.status(wait=True) == process.status() == 3
    assert process.taken.processor >= 0.4 <= process.taken.clock
    process.pause()  # it has ended: nothing happens


def test_what_was_foretold_is_told_beside_what_was_taken() -> None:
    params = load_params(REPOSITORY / "full" / "params.yaml")
    here, work_done = Machine("cpu", "abacus", 1), work_of(params.cell("lstm"))
    timed = Timed("lstm", work_done, here, "2", "digest", 5, 0.6, 0.6, 0.6, 0.36)
    pace = Pace((), (timed,))
    # 59 steps and 10 tests, of up to 1,024 images: 35.4 s and 3.6 s, so 2.5 epochs are 97.5 s, and 10 are 390.
    taken = {("lstm", 0): Taken(120.0, 180.0), ("lstm", 1): Taken(360.0, 360.0)}
    before, after = {("lstm", 0): 2.0, ("lstm", 1): 0.0}, {("lstm", 0): 4.5, ("lstm", 1): 10.0}
    assert list(accounted(taken, before, after, pace, params)) == [
        "lstm seed 0, epochs 2.0 to 4.5 of 100: foretold 0.03 hours, took 0.03 of processor time, 0.05 by the clock",
        "lstm seed 1, epochs 0.0 to 10.0 of 100: foretold 0.11 hours, took 0.10 of processor time, 0.10 by the clock",
        "all of them: foretold 0.14 hours, took 0.13 of processor time, 0.15 by the clock",
    ]
    loom = replace(timed, machine=Machine("cuda", "loom", 16))
    assert list(accounted({("lstm", 0): taken["lstm", 0]}, before, after, Pace((), (loom,)), params)) == [
        "lstm seed 0, epochs 2.0 to 4.5 of 100: foretold 0.03 hours, took 0.05"
    ]
    assert list(accounted(taken, before, after, Pace(()), params)) == []
