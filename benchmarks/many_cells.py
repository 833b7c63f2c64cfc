"""What a study of many cells costs beside training: processor time and memory, step by step.

    python -m benchmarks.many_cells [--cells 100 1000 10000] [--csv FILE]

makes a study of so many tiny cells with made-up results, in a repository of its own, and runs what a user would:

- *check*: `python -m stages.check`, which reads params.yaml and lists all cells;
- *plan*: what the stage `train` does before it trains: its cells, their fingerprints, what is known of them;
- *train*: this stage, where all cells were trained before: their seeds are taken over, and their outputs written;
- *driver*: `python -m commands reproduce` of the study's stages, whose commands only put the made-up results in place:
  DVC's plan, its hashes and dvc.lock; then *dvc repro*, which has to find nothing to do;
- *compare*, *report*: these two stages on the results.

Seconds are of processor time, user and system, of a step with all of its processes, so that a busy machine matters
little; MB are the most that one of them held. The last column reckons ten times the largest study, by a straight line
or a power law through the last two, whichever gives more; the step that it makes the dearest is the next wall.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import yaml

from stages.cell import Cell
from stages.core.files import json_text, read_json, write_json
from stages.core.layout import Layout
from stages.core.tables import write_csv
from stages.params import load_params
from stages.report.benchmark_tables import MANY_CELLS_COLUMNS
from tests.fake_results import write_cell
from tests.fake_results import write_split as write_composition
from tests.small import write_split

REPOSITORY = Path(__file__).resolve().parents[1]
STUDY = "tiny"
STAGES = ("train-study", "evaluate-study")
PLAN = """
import sys
from pathlib import Path
from stages.core.layout import Layout
from stages.params import load_params
from stages.train.outstanding import Outstanding
layout = Layout(Path(sys.argv[1]))
params = load_params(layout.params)
assert len(Outstanding(params.cells(sys.argv[2]), params.compute, layout).tasks) == int(sys.argv[3])
"""


def build(folder: Path, cells: int) -> None:
    """A repository with a study of ``cells`` that differ in their learning rate, and its results in made/."""
    for name in ("stages", "models"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "params.yaml").write_text(yaml.safe_dump(params_of(cells), sort_keys=False))
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": pipeline()}, sort_keys=False))
    write_split(Layout(folder))
    checked, made = load_params(folder / "params.yaml"), Layout(folder / "made")
    write_json(Layout(folder).cells, checked.comparable().model_dump(mode="json"))
    first, *others = checked.cells(STUDY)
    write_cell(made, first)
    (made.training(first) / "seed-0.safetensors").write_text(first.key)
    for cell in others:
        write_like(made, first, cell)
    (folder / "started.csv").write_text((REPOSITORY / "started.csv").read_text())


def write_like(layout: Layout, first: Cell, cell: Cell) -> None:
    """Write the results of ``first`` as those of another cell."""
    for folder in (layout.training, layout.training_clock, layout.evaluation, layout.evaluation_clock):
        shutil.copytree(folder(first), folder(cell))
    for path, about in (
        (layout.training(cell) / "run.json", {"cell": cell.model_dump(mode="json")}),
        (layout.evaluation(cell) / "metrics.json", {"key": cell.key}),
    ):
        path.write_text(json_text(read_json(path) | about))


def keep_seeds(folder: Path) -> None:
    """Keep what training the first cell gives as what training each of them gave."""
    from stages.train.local import CellTraining, train_and_keep
    from stages.train.plan import Planner
    from stages.train.seeds import kept_seeds

    layout = Layout(folder)
    params = load_params(layout.params)
    planner, kept = Planner(params.compute, layout), kept_seeds(layout.home)
    plans = [planner.plan(cell) for cell in params.cells(STUDY)]
    (trained,) = train_and_keep(CellTraining(plans[0], layout), (0,), kept).values()
    for plan in plans[1:]:
        kept.keep(plan.fingerprints[0], 0, trained)


def apart(action: Callable[..., None], *arguments: Any) -> None:
    """Do it in a process of its own: what this one holds would count for every step that it starts."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        pool.submit(action, *arguments).result()


def params_of(cells: int) -> dict[str, Any]:
    """The default parameters with a study of ``cells`` and nothing else."""
    params: dict[str, Any] = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    params |= {"runs": {}, "explanations": {}, "subsets": {}}
    params["recipes"]["mnist-rnn"] |= {"seeds": [0], "epochs": 1}
    rates = (round(1e-4 * (1 + number / 100), 8) for number in range(cells))
    params["studies"] = {
        STUDY: {
            "paper": "mnist-rnn",
            "data": "digits",
            "model": {"file": "mnist_rnn", "name": "elman", "options": {"width": 8, "hidden": 4}},
            "transform": "scaled",
            "recipe": "mnist-rnn",
            "cells": {f"{STUDY}-{number:05d}": {"changes": {"optimizer": {"name": "adam", "lr": rate}}}
                      for number, rate in enumerate(rates)},
        }
    }  # fmt: skip
    return params


def pipeline() -> dict[str, Any]:
    """The stages of a study, whose commands put made-up results in place, and one that depends on all of them."""
    given = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"]
    stages = {name: given[name] for name in STAGES}
    for stage in stages.values():
        outs = " ".join(stage["do"]["outs"])
        stage["do"]["cmd"] = f"tar -C made -cf - {outs} | tar xf -"
    stages["compare"] = {"cmd": "echo compared > compared", "deps": ["results"], "outs": ["compared"]}
    return stages


@contextlib.contextmanager
def elsewhere() -> Iterator[Path]:
    """A temporary git and DVC repository as working folder."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        subprocess.run(["git", "init", "-q"], check=True)
        subprocess.run([sys.executable, "-m", "dvc", "init", "-q"], check=True)
        yield Path(folder)


def measured(*command: str, cwd: Path) -> dict[str, float]:
    """Seconds and MB of a command."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, env=environment) as run:
        _, status, used = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
    if run.returncode:
        raise subprocess.CalledProcessError(run.returncode, command)
    return {"s": used.ru_utime + used.ru_stime, "MB": used.ru_maxrss / 1e3}


def measure(cells: int) -> dict[str, dict[str, float]]:
    """Every step's seconds and MB for a study of so many ``cells``, which are told as they are measured."""
    python, found = (sys.executable, "-m"), dict[str, dict[str, float]]()

    def step(name: str, *command: str, cwd: Path = REPOSITORY) -> None:
        found[name] = measured(*command, cwd=cwd)
        print(f"  {name}: {found[name]['s']:.1f} s, {found[name]['MB']:.0f} MB", flush=True)

    with elsewhere() as folder:
        print(f"{cells} cells", flush=True)
        apart(build, folder, cells)
        home = str(folder)
        step("check", *python, "stages.check", home)
        step("plan", sys.executable, "-c", PLAN, home, STUDY, str(cells))
        apart(keep_seeds, folder)
        step("train", *python, "stages.train", home, STUDY)
        shutil.rmtree(folder / "results")
        step("driver", *python, "commands", "reproduce", ".", cwd=folder)
        step("dvc repro", *python, "dvc", "repro", "-q", cwd=folder)
        write_composition(folder, "digits")
        step("compare", *python, "stages.compare", home)
        step("report", *python, "stages.report", home)
    every = list(found.values())
    found["together"] = {"s": sum(each["s"] for each in every), "MB": max(each["MB"] for each in every)}
    return found


def rows(sizes: list[int], found: list[dict[str, dict[str, float]]]) -> list[dict[str, object]]:
    """A row per step: seconds and MB for every size, and what ten times the largest is reckoned to take."""
    table = []
    for step in found[0]:
        row: dict[str, object] = {"step": step}
        for unit in ("s", "MB"):
            values = [each[step][unit] for each in found]
            row |= {f"{size} cells, {unit}": round(value, 1) for size, value in zip(sizes, values, strict=True)}
            if len(sizes) > 1:
                row[f"{10 * sizes[-1]} reckoned, {unit}"] = round(reckoned(sizes, values), 1)
        table.append(row)
    return table


def reckoned(sizes: list[int], values: list[float]) -> float:
    """The value at ten times the last size; a power law alone would take what a step costs at any size for growth."""
    (small, large), (before, after) = sizes[-2:], values[-2:]
    line = after + 9 * large * (after - before) / (large - small)
    power = math.log(max(after, 1e-9) / max(before, 1e-9)) / math.log(large / small)
    return max(line, after * 10**power)


def main() -> None:
    """Measure, print, and write the table if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--csv", type=Path, help="write what was measured there, too")
    arguments = parser.parse_args()
    sizes = sorted(arguments.cells)
    found = [measure(cells) for cells in sizes]
    table = rows(sizes, found)
    print(*table, sep="\n")
    if len(sizes) > 1:
        wall = max(table[:-1], key=lambda row: float(str(row[f"{10 * sizes[-1]} reckoned, s"])))
        print(f"The next wall: {wall['step']}.")
    if arguments.csv:
        measured_rows = (
            {"step": step, "cells": size, "seconds": round(used["s"], 1), "megabytes": round(used["MB"])}
            for size, steps in zip(sizes, found, strict=True)
            for step, used in steps.items()
        )
        write_csv(arguments.csv, measured_rows, MANY_CELLS_COLUMNS)


if __name__ == "__main__":
    main()
