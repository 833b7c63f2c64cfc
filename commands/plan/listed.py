"""A plan as people read it, and what came of it."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from commands.plan.order import FIRST, KINDS, NUMBER, SENTENCE, Question, Step
from stages.compare.columns import LADDER_COLUMNS, STATEMENT_COLUMNS
from stages.compare.pace import TIMED, Pace
from stages.core.layout import Layout
from stages.core.tables import read_rows
from stages.params import Params

if TYPE_CHECKING:  # read where it is used
    from rich.table import Table

BEYOND = 5  # steps that are listed though they do not fit into the time
BUSY = 0.5  # processes that want each core, from which on the machine is not ours alone


def listed(
    steps: Sequence[Step],
    questions: Sequence[Question],
    pace: Pace,
    params: Params,
    jobs: int,
    limit: float,
    every: bool = False,
) -> None:
    """Print a row per step, of what does not fit the first few unless ``every``, and what no step answers."""
    from rich.console import Console

    console = Console(width=None if Console().is_terminal else 120)
    console.print(f"Open: {counted(questions)}. On {pace.machine}, {jobs} side by side.", highlight=False)
    fits = [step for step in steps if step.ends <= limit]
    shown = steps if every else steps[: len(fits) + BEYOND]
    console.print(_table(shown, fits, pace, params))
    if len(shown) < len(steps):
        console.print(f"{len(steps) - len(shown)} further steps do not fit, either: --all lists them.", highlight=False)
    if math.isfinite(limit):
        could = counted(each for step in fits for each in step.answers) or "nothing"
        console.print(f"Within {limit:g} hours: {could}.", highlight=False)
    answered = {id(each) for step in steps for each in step.answers}
    why = Counter(each.why or "how long an epoch takes is not known" for each in questions if id(each) not in answered)
    for reason, count in why.most_common():
        console.print(f"Not in the plan, {count}: {reason}.", highlight=False)
    if pace.machine is not None and pace.machine.device == "cpu" and _load() > BUSY * (os.cpu_count() or 1):
        console.print(f"Other work goes on here (load {_load():.1f}): it takes longer while that lasts.")


def _table(shown: Sequence[Step], fits: Sequence[Step], pace: Pace, params: Params) -> Table:
    from rich.table import Table

    table = Table(
        title="What decides most per hour first; first epochs get the time that is left", title_justify="left"
    )
    for column in ("answers", "hours of a core", "done after"):
        table.add_column(column, justify="left" if column == "answers" else "right")
    table.add_column("trains", overflow="fold")
    for number, step in enumerate(shown, 1):
        after = f"{step.ends:.2f} h" if number <= len(fits) else "-"
        last = number == len(fits) < len(shown)
        table.add_row(counted(step.answers), hours_of(step, pace, params), after, trained(step), end_section=last)
    return table


def _load() -> float:
    return os.getloadavg()[0]


def counted(questions: Iterable[Question]) -> str:
    """How many of each kind, in words."""
    count = Counter(each.kind for each in questions)
    one = {kind: kind for kind in KINDS}
    many = {kind: kind if kind.endswith("s") else f"{kind}s" for kind in KINDS}
    return ", ".join(f"{count[kind]} {(one if count[kind] == 1 else many)[kind]}" for kind in KINDS if count[kind])


def hours_of(step: Step, pace: Pace, params: Params) -> str:
    """The hours of one core, with the quartiles of the timed step where they are further apart than rounding."""
    low = high = 0.0
    exact = True
    for unit, epochs in step.epochs.items():
        epoch = pace.epoch(params.cell(unit[0]))
        assert epoch is not None
        further = (epochs - step.before[unit]) / 3600
        low, high, exact = low + further * epoch.low, high + further * epoch.high, exact and epoch.basis == TIMED
    between = f" ({low:.2f} to {high:.2f})" if f"{low:.2f}" != f"{high:.2f}" else ""
    return f"{'' if exact else 'about '}{step.hours:.2f}{between}"


def trained(step: Step) -> str:
    """Which epochs of which seeds, run by run."""
    parts: dict[tuple[str, int, int], list[int]] = {}
    for (key, seed), epochs in step.epochs.items():
        parts.setdefault((key, step.before[key, seed], epochs), []).append(seed)
    return "; ".join(_part(*part, seeds) for part, seeds in parts.items()) or "nothing more: evaluate it"


def _part(key: str, before: int, epochs: int, seeds: Sequence[int]) -> str:
    which = f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, sorted(seeds)))}"
    return f"{key} {which}, epochs {before + 1} to {epochs}"


def gained(before: Sequence[Question], now: Sequence[Question], layout: Layout) -> list[str]:
    """A line per question that was open before and is no longer, with its answer."""
    left = {(each.kind, each.id) for each in now}
    decided = [each for each in before if (each.kind, each.id) not in left]
    lines = [
        f"{'answered' if each.kind == FIRST else 'decided'}: {each.kind} {each.id}: {_answer(each, layout)}"
        for each in decided
    ]
    return lines or ["Nothing was decided that was open before."]


def _answer(question: Question, layout: Layout) -> str:
    return next(_answers(question, layout), "see the report")


def _answers(question: Question, layout: Layout) -> Iterator[str]:
    folder = layout.reports / "tables" / question.document
    if question.kind == NUMBER:
        rows = read_rows(folder / "ladder.csv", LADDER_COLUMNS)
        yield from (row["words"] for row in rows if row["id"] == question.id and row["rung"] == "run")
    elif question.kind == SENTENCE:
        yield from (
            row["outcome"]
            for row in read_rows(folder / "statements.csv", STATEMENT_COLUMNS)
            if row["id"] == question.id
        )
    else:
        path = folder / "first_epochs.csv"
        yield from (
            f"{row['answer']} ({row['words']})"
            for row in read_rows(path, ("run", "answer", "words"))
            if row["run"] == question.id
        )
