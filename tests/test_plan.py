"""The plan of the hours: its order from made-up costs, what it asks for, and where its hours come from."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from commands.plan.listed import BEYOND, counted, gained, listed, trained
from commands.plan.order import FIRST, KINDS, NUMBER, SENTENCE, Question, Schedule, Step, ordered
from commands.plan.questions import FEW_DRAWS, questions
from commands.plan.timing import time_step, unknown
from commands.plan.work import ask_for_seeds, tasks_of
from stages.cell import Compute
from stages.compare.pace import TIMED, Pace
from stages.compare.tables import judged
from stages.core.layout import Layout
from stages.core.tables import read_csv
from stages.params import Params, load_params
from stages.results.timed import PACE_COLUMNS, Machine, Timed, read_timed, work_of, write_timed
from tests.judged import beside, drawn_for
from tests.small import REPOSITORY, small_cell

HERE, THERE = Machine("cpu", "abacus", 1), Machine("cuda", "loom", 16)


def ask(name: str, **needs: int) -> Question:
    """A question that needs so many epochs of seed 0 of each run."""
    return Question("paper", NUMBER, name, {(run, 0): epochs for run, epochs in needs.items()})


def hours(key: str, epochs: int) -> float:
    return {"quick": 0.1, "slow": 1.0}.get(key, math.nan) * epochs


def told(steps: list[Step]) -> list[tuple[str, float, float]]:
    return [(" ".join(each.id for each in step.answers), round(step.hours, 9), round(step.ends, 9)) for step in steps]


def test_most_answers_per_hour_come_first_and_what_is_shared_is_paid_once() -> None:
    asked = [ask("a", slow=2), ask("b", slow=2), ask("c", quick=10), ask("d", slow=2, quick=10)]
    # c: 1 answer in 1 h. a and b: 2 answers in 2 h. d with all of them: 4 answers in 3 h, the most per hour.
    assert told(ordered(asked, hours, {}, cores=1)) == [("a b c d", 3.0, 3.0)]
    assert told(ordered(asked[:3], hours, {}, cores=1)) == [("c", 1.0, 1.0), ("a b", 2.0, 3.0)]  # the cheaper of equals
    assert told(ordered([*asked[:2], ask("c", quick=20)], hours, {}, cores=1)) == [("a b", 2.0, 2.0), ("c", 2.0, 4.0)]


def test_first_epochs_are_the_beginning_of_the_whole_run() -> None:
    asked = [ask("first", slow=1), ask("whole", slow=10)]  # as if both decided something
    steps = ordered(asked, hours, {}, cores=2)
    assert told(steps) == [("first", 1.0, 1.0), ("whole", 9.0, 10.0)]  # not at the same time, though a core is free
    assert [trained(step) for step in steps] == ["slow seed 0, epochs 1 to 1", "slow seed 0, epochs 2 to 10"]


def test_first_epochs_get_the_time_that_what_decides_leaves_over() -> None:
    begins = [replace(ask(f"begins {n}", **{f"quick{n}": 1}), kind=FIRST) for n in range(3)]

    def each(key: str, epochs: int) -> float:
        return epochs * (0.1 if key.startswith("quick") else 1.0)

    steps = ordered([*begins, ask("decided", slow=2), ask("late", slow2=9)], each, {}, cores=1, limit=2.25)
    assert [step.answers[0].id for step in steps[:3]] == ["decided", "begins 0", "begins 1"]
    assert [step.ends <= 2.25 for step in steps] == [True, True, True, False, False]
    shared = [replace(ask("begins", slow=1), kind=FIRST), ask("decided", slow=2)]
    assert [answer.id for answer in ordered(shared, each, {}, cores=1)[0].answers] == ["begins", "decided"]


def test_what_is_trained_already_costs_nothing() -> None:
    assert told(ordered([ask("a", slow=10)], hours, {("slow", 0): 7}, cores=1)) == [("a", 3.0, 3.0)]
    (step,) = ordered([ask("a", slow=10)], hours, {("slow", 0): 10}, cores=1)
    assert (step.hours, trained(step)) == (0.0, "nothing more: evaluate it")


def test_what_fits_into_the_time_comes_before_what_does_not() -> None:
    asked = [*(ask(f"many {n}", slow=5) for n in range(9)), ask("one", quick=20)]
    assert told(ordered(asked, hours, {}, cores=1))[0][1] == 5.0
    assert [each[1] for each in told(ordered(asked, hours, {}, cores=1, limit=3))] == [2.0, 5.0]


def test_seeds_of_a_run_are_trained_side_by_side() -> None:
    three = Question("paper", SENTENCE, "three", {("slow", seed): 2 for seed in range(3)})
    assert told(ordered([three], hours, {}, cores=2)) == [("three", 6.0, 4.0)]
    assert told(ordered([three], hours, {}, cores=3)) == [("three", 6.0, 2.0)]
    tasks = tasks_of(ordered([three], hours, {}, cores=2))
    assert [(task.unit, task.epochs) for task in tasks] == [(("slow", seed), 2) for seed in range(3)]
    assert tasks[1].command(Path("full"))[-7:] == ["begin", "full", "slow", "--epochs", "2", "--seeds", "1"]


def test_the_longest_training_of_an_answer_begins_first() -> None:
    three = Question("paper", SENTENCE, "three", {("slow", 0): 9, ("slow", 1): 9, ("slow", 2): 10})
    (step,) = ordered([three], hours, {("slow", 0): 6, ("slow", 1): 6}, cores=2)
    assert [task.unit[1] for task in tasks_of([step])] == [2, 0, 1]
    assert (step.hours, step.ends) == (16.0, 10.0)  # 3 and 3 hours beside 10; in the order of seeds 3, then 10


def test_what_nothing_answers_or_of_unknown_length_is_left_out() -> None:
    assert ordered([ask("a"), ask("b", unknown=1)], hours, {}, cores=1) == []
    assert Schedule((0.0,), {("slow", 0): 3}).lacking({("slow", 0): 3, ("slow", 1): 1}) == {("slow", 1): 1}
    assert counted([ask("a"), ask("b"), Question("p", FIRST, "c")]) == "2 numbers, 1 first epochs"


@pytest.fixture(scope="module")
def full() -> Params:
    return load_params(REPOSITORY / "full" / "params.yaml")


def test_every_kind_of_question_names_its_runs_seeds_and_epochs(full: Params) -> None:
    asked = {
        (each.kind, each.id): each
        for paper in ("mnist-rnn", "gunn")
        for each in questions(judged(beside(paper, ())), full, Pace(()), Layout(Path("full")))
    }
    assert asked[NUMBER, "S6-gunn-test_accuracy"].needs == {("gunn", 0): 100}
    assert asked[NUMBER, "S6-gunn-train_accuracy"].needs == {("gunn", seed): 100 for seed in range(3)}
    assert asked[FIRST, "lstm"].needs == {("lstm", seed): 10 for seed in range(2)}
    about = {statement.id: statement for statement in judged(beside("mnist-rnn", ())).paper.statements}
    found = next(each for (kind, _), each in asked.items() if kind == SENTENCE and len(each.needs) == 6)
    runs = {about[found.id].first, about[found.id].second}
    assert found.needs == {(run, seed): 100 for run in runs for seed in range(3)}
    numbers = [each for (kind, _), each in asked.items() if kind == NUMBER]
    assert len({each.id for each in numbers}) == len(numbers)


def test_seeds_that_a_random_split_is_not_drawn_for_are_not_planned(full: Params) -> None:
    def needs(*seeds: int) -> dict[str, Question]:
        params, document = drawn_for(full, "mnist-augmented", *seeds), judged(beside("mnist-rnn", ()))
        asked = questions(document, params, Pace(()), Layout(Path("full")))
        return {each.kind: each for each in asked if each.why == FEW_DRAWS or ("lstm-augmented", 7) in each.needs}

    assert set(needs(0)) == set(KINDS)
    assert not any(each.needs for each in needs(0).values())
    assert needs(0, 7)[FIRST].needs == {("lstm-augmented", 0): 10, ("lstm-augmented", 7): 10}
    assert needs(0, 7)[SENTENCE].needs == {}
    whole = needs(0, 7, 9)
    assert {seed for run, seed in whole[SENTENCE].needs if run == "lstm-augmented"} == {0, 7, 9}
    assert FEW_DRAWS not in {each.why for each in whole.values()}


def timed(cell_key: str, work: str, machine: Machine = HERE, step: float = 0.5) -> Timed:
    return Timed(cell_key, work, machine, "2", "code", 10, step, 0.9 * step, 1.2 * step, 0.1)


def test_hours_come_from_timed_steps_of_the_machine_that_is_asked_about(full: Params) -> None:
    cell = full.cell("mnist-recurnet1-4")
    known = (timed(cell.key, work_of(cell)), timed(cell.key, work_of(cell), THERE, 0.01))
    epoch = Pace((), known, HERE).epoch(cell)
    assert epoch is not None
    assert epoch.basis == TIMED
    assert epoch.seconds == pytest.approx(468 * 0.5 + 200 * 0.1)  # 60,000 / 128, the rest dropped; 10,000 / 50
    assert (epoch.low, epoch.high) == (pytest.approx(468 * 0.45 + 20), pytest.approx(468 * 0.6 + 20))
    elsewhere = Pace((), known, THERE).epoch(cell)
    assert elsewhere is not None
    assert elsewhere.seconds == pytest.approx(468 * 0.01 + 20)
    lstm = full.cell("lstm")  # 60,000 / 1,024 = 58.6 batches, none dropped
    assert Pace((), (timed("lstm", work_of(lstm)),)).epoch(lstm).seconds == pytest.approx(59 * 0.5 + 10 * 0.1)  # type: ignore[union-attr]
    assert Pace((), known, replace(HERE, threads=2)).epoch(cell) is None


def test_runs_whose_steps_do_the_same_share_a_figure(full: Params) -> None:
    same = [work_of(full.cell(key)) for key in ("lstm", "lstm-unbalanced")]
    assert len(set(same)) == 1
    others = {work_of(full.cell(key)) for key in ("lstm", "elman", "lstm-generalized", "mnist-recurnet1-4", "gunn")}
    assert len(others) == 5


def test_of_what_does_not_fit_the_first_few_are_listed_unless_all_are_asked_for(
    full: Params, capsys: pytest.CaptureFixture[str]
) -> None:
    pace = Pace((), (timed("lstm", work_of(full.cell("lstm"))),), HERE)
    steps = [
        Step((ask(str(epochs), lstm=epochs),), {("lstm", 0): epochs}, {("lstm", 0): epochs - 1}, 1.0, float(epochs))
        for epochs in range(1, 11)
    ]
    asked = [answer for step in steps for answer in step.answers]
    listed(steps, asked, pace, full, 1, 2.5)
    said = capsys.readouterr().out
    assert said.count("lstm seed 0, epochs") == 2 + BEYOND
    assert f"{8 - BEYOND} further steps do not fit" in said
    assert "Within 2.5 hours: 2 numbers." in said
    listed(steps, asked, pace, full, 1, 2.5, every=True)
    said = capsys.readouterr().out
    assert said.count("lstm seed 0, epochs") == len(steps)
    assert "further" not in said


def test_a_step_is_timed_recorded_and_not_timed_again(tmp_path: Path) -> None:
    cell, compute, layout = small_cell(), Compute(device="cpu", threads=1), Layout(tmp_path)
    found = time_step(cell, compute)
    assert found.machine.device == "cpu"
    assert 0 < found.step_low <= found.step_seconds <= found.step_high
    assert found.test_seconds > 0
    write_timed(layout, [found, timed("other", "w", THERE)])
    assert sorted(read_timed(layout), key=str) == sorted([found, timed("other", "w", THERE)], key=str)
    twin = cell.model_copy(update={"key": "twin"})
    assert unknown([cell, twin], read_timed(layout), found.machine) == []
    assert unknown([cell, twin], [replace(found, code_sha256="old")], found.machine) == [cell]
    assert unknown([cell], read_timed(layout), THERE) == [cell]
    write_timed(layout, [replace(found, step_seconds=1.0)])
    assert [each.step_seconds for each in read_timed(layout) if each.machine == found.machine] == [1.0]


@pytest.mark.parametrize("home", [".", "full"])
def test_both_homes_have_the_file_that_comparing_depends_on(home: str) -> None:
    read_csv(REPOSITORY / home / "pace.csv", PACE_COLUMNS)


def test_further_seeds_are_asked_for_and_all_else_stays(tmp_path: Path) -> None:
    source = (REPOSITORY / "params.yaml").read_text(encoding="utf-8")
    layout = Layout(tmp_path)
    layout.params.write_text(source, encoding="utf-8")
    ask_for_seeds(layout, "lstm", [0, 1, 2])
    assert load_params(layout.params).cell("lstm").recipe.seeds == (0, 1, 2)
    before, after = source.splitlines(), layout.params.read_text(encoding="utf-8").splitlines()
    assert Counter(after) - Counter(before) == {"    changes: {seeds: [0, 1, 2]}": 1}
    assert not Counter(before) - Counter(after)


def test_a_comment_stays_before_the_run_that_it_is_about(tmp_path: Path) -> None:
    layout, run = Layout(tmp_path), "  # About the LSTM.\n  lstm:\n"
    source = (REPOSITORY / "params.yaml").read_text(encoding="utf-8")
    layout.params.write_text(source.replace("  lstm:\n", run, 1), encoding="utf-8")
    ask_for_seeds(layout, "elman", [0, 1])
    changed = layout.params.read_text(encoding="utf-8")
    assert run in changed
    assert "changes: {seeds: [0, 1]}" in changed.partition(run)[0]


def test_what_was_decided_is_what_is_no_longer_open(tmp_path: Path) -> None:
    assert gained([ask("a")], [ask("a")], Layout(tmp_path)) == ["Nothing was decided that was open before."]
