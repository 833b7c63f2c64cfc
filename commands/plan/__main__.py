"""Plan hours of training: what each open number and sentence needs, what decides most per hour first.

    python -m commands plan full --hours 2            # what could be known in two hours on this machine
    python -m commands plan full --hours 2 --go       # work it off on all cores, and say what was decided
    python -m commands plan full --device cuda        # figures of a GPU, timed here or recorded elsewhere

Open are published numbers that no full run here has decided, the document's sentences that several seeds have not, and
how a run begins beside the authors' log, which decides no number and gets the time that is left. Hours are those of a
core of its own, by a timed step of each network. What was not timed on this machine with today's code is timed first,
for a twentieth of the hours at most, and recorded in HOME/pace.csv, which the report uses, too. A network that was not
reached is left out, or has "about" so many hours by the runs that were made, if this is their machine.

With --go one training per core works until the hours are over, each under its full recipe, for which splits that are
missing are made; what still trains then is paused at a checkpoint, and its whole epochs are in HOME/started.csv. Then
DVC evaluates what is complete (further seeds of a run are asked for in HOME/params.yaml), compares, and renders the
report. It ends with what was decided, and with what each training took beside what was foretold of its epochs. Asked
again, it goes on where it was. Ctrl-C pauses, too.
"""

from __future__ import annotations

import argparse
import math
import signal
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from commands.plan.account import accounted
from commands.plan.listed import gained, listed
from commands.plan.order import Epochs, Question, Step, Unit, ordered
from commands.plan.progress import trained_epochs, trained_exactly
from commands.plan.questions import questions
from commands.plan.timing import this_machine, time_steps, unknown
from commands.plan.work import Task, evaluate, has_split, make_split, render, tasks_of, units_of, work_off
from stages.cell import Compute
from stages.compare.pace import Pace
from stages.compare.tables import documents_of
from stages.core.cores import cores
from stages.core.errors import StageError, run_stage
from stages.core.layout import Layout
from stages.core.text import counted
from stages.core.torch_compiler import leave_out_compiler
from stages.params import Params, load_params
from stages.results.read import complete_seeds, read_results, split_images
from stages.results.started import replace_started
from stages.results.timed import Machine, Timed, read_timed, write_timed

SHARE = 1 / 20  # of the hours, for timing steps


@dataclass(frozen=True)
class Open:
    """What is open now, and how long an epoch takes."""

    questions: list[Question]
    pace: Pace


def what_is_open(layout: Layout, params: Params, machine: Machine) -> Open:
    """Judge every document anew, and ask it."""
    results = read_results(layout, params)
    pace = Pace(results.cells, tuple(read_timed(layout)), machine, split_images(layout, params))
    documents = documents_of(results, layout, params)
    return Open([each for document in documents for each in questions(document, params, pace, layout)], pace)


def machine_of(layout: Layout, compute: Compute, device: str | None) -> tuple[Machine, bool]:
    """The machine that is asked about, and whether it is this one.

    A :class:`StageError` if it is of another kind, of which no step was timed.
    """
    asked = compute if device is None else compute.model_copy(update={"device": device})
    try:
        return this_machine(asked)[0], True
    except StageError:
        if device != "cuda":
            raise
    recorded = [each.machine for each in read_timed(layout) if each.machine.device == device]
    if not recorded:
        raise StageError(
            f"--device {device}: there is none here, and {layout.pace} has no step that was timed on one; run this "
            f"command on a machine that has one, and bring its {layout.pace}."
        )
    return recorded[-1], False


def time_what_is_unknown(
    found: Open, params: Params, layout: Layout, machine: Machine, jobs: int, hours: float
) -> None:
    """Time and record a step of every network of which none is known, quick ones first, each recorded at once."""
    keys = dict.fromkeys(unit[0] for each in found.questions for unit in each.needs)
    cells = unknown((params.cell(key) for key in keys), read_timed(layout), machine)
    if not cells:
        return
    about = Pace(found.pace.results)  # on the machine of the results, which is good enough for an order
    expected = {cell.key: epoch.seconds for cell in cells if (epoch := about.epoch(cell)) is not None}
    cells.sort(key=lambda cell: expected.get(cell.key, math.inf))
    print(f"a step is timed of {counted(len(cells), 'network')}, {jobs} side by side", flush=True)

    def told(timed: Timed) -> None:
        print(f"{timed.key}: {timed.step_seconds:.3f} s per step ({timed.steps} steps)", flush=True)
        write_timed(layout, [timed])

    limit = None if math.isinf(hours) else SHARE * hours * 3600
    time_steps(cells, params.compute.model_copy(update={"device": machine.device}), jobs, limit, told)


def steps_of(found: Open, params: Params, done: Epochs, jobs: int, hours: float) -> list[Step]:
    """The plan."""

    def hours_of(key: str, epochs: int) -> float:
        epoch = found.pace.epoch(params.cell(key))
        return math.nan if epoch is None else epochs * epoch.seconds / 3600

    return ordered(found.questions, hours_of, done, jobs, hours)


def go(steps: Sequence[Step], before: Open, layout: Layout, machine: Machine, jobs: int, deadline: float) -> None:
    """Work the plan off, and tell what it brought."""
    params = load_params(layout.params)
    dataset = {key: params.cell(key).dataset for key in {task.unit[0] for task in tasks_of(steps)}}
    made = cache(lambda name: make_split(name, layout))  # when it is needed, and tried once
    had: dict[Unit, float] = {}

    def can_begin(task: Task) -> bool:
        if made(dataset[task.unit[0]]) and task.unit not in had:
            had.update(trained_exactly([task.unit], params, layout, before.pace))
        return task.unit in had

    worked = work_off(tasks_of(steps), layout.home, jobs, deadline, can_begin)
    has = trained_exactly(worked.taken, params, layout, before.pace)
    account = accounted(worked.taken, had, has, before.pace, params)
    units = [unit for unit in units_of(steps) if has_split(params.cell(unit[0]).dataset, layout)]
    keys = dict.fromkeys(key for key, _ in units)
    have = trained_epochs(_units(keys, params, units), params, layout)
    complete = {unit for unit, epochs in have.items() if epochs == params.cell(unit[0]).recipe.epochs}
    touched = list(dict.fromkeys(unit[0] for unit in units if unit in complete))
    said = evaluate(touched, complete, layout)
    replace_started(layout, [], gone=complete_seeds(layout, load_params(layout.params)))
    render(layout)
    for key, seed in sorted(worked.paused):
        print(f"paused: {key} seed {seed}, {have.get((key, seed), 0)} of {params.cell(key).recipe.epochs} epochs")
    for key, seed in sorted(worked.failed):
        print(f"failed: {key} seed {seed}; see above")
    now = what_is_open(layout, load_params(layout.params), machine)
    print("\n".join([*account, *said, *gained(before.questions, now.questions, layout)]), flush=True)


def _units(keys: Iterable[str], params: Params, units: Iterable[Unit]) -> list[Unit]:
    """The seeds that params.yaml asks for of ``keys``, and ``units``."""
    asked = [(key, seed) for key in keys for seed in params.cell(key).recipe.seeds]
    return list(dict.fromkeys([*asked, *units]))


def main() -> None:
    """The command line."""
    leave_out_compiler()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path, help="folder with params.yaml: . or full")
    parser.add_argument(
        "--hours", type=float, default=math.inf, help="how long from now (default: as long as it takes)"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), help="figures of this kind of machine")
    parser.add_argument("--jobs", type=int, help="trainings side by side (default: one per core, or one on a GPU)")
    parser.add_argument("--all", action="store_true", help="list every step that does not fit, too")
    parser.add_argument("--go", action="store_true", help="work it off")
    arguments = parser.parse_args()
    started = time.monotonic()
    if not arguments.hours > 0:
        parser.error(f"--hours is {arguments.hours:g}: more than 0 was expected")
    if arguments.go and math.isinf(arguments.hours):
        parser.error("--go needs --hours")
    if arguments.jobs is not None and arguments.jobs < 1:
        parser.error(f"--jobs is {arguments.jobs}: at least 1 was expected")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # pauses what trains, as Ctrl-C does
    layout = Layout(arguments.home)
    params = load_params(layout.params)
    machine, here = machine_of(layout, params.compute, arguments.device)
    jobs = arguments.jobs or (1 if machine.device == "cuda" else max(1, cores() // machine.threads))
    found = what_is_open(layout, params, machine)
    if here:
        time_what_is_unknown(found, params, layout, machine, jobs, arguments.hours)
        found = what_is_open(layout, params, machine)
    needed = dict.fromkeys(unit for each in found.questions for unit in each.needs)
    done = trained_epochs(needed, params, layout)
    steps = steps_of(found, params, done, jobs, arguments.hours)
    listed(steps, found.questions, found.pace, params, jobs, arguments.hours, arguments.all)
    if arguments.go and not here:
        raise StageError("--go trains here: leave out --device, or name one that this machine has.")
    if arguments.go:
        go(steps, found, layout, machine, jobs, started + 3600 * arguments.hours)


if __name__ == "__main__":
    run_stage(main)
