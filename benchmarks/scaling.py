"""What DVC, the driver and the report cost for many cells, and what would be the first to become too slow.

    python -m benchmarks.scaling [--cells 60 300 1000] [--jobs 2]

builds repositories of this project's train-run and evaluate-run stages (so two stages a cell, with all that they depend
on) whose commands only copy made-up results of a run of 20 epochs into place; what is left is overhead. DVC reads
params.yaml several times for every stage, and it grows with the cells; so only five cells are run, in a pipeline of
all of them, and what all would take is reckoned. Times are processor time, so that a busy machine does not matter:

- *plan*: DVC reads dvc.yaml, params.yaml and dvc.lock, and we order the stages;
- *run*: what `python -m commands reproduce` adds to a cell, after the plan, but for dvc.lock;
- *check*: what a plain `dvc repro` needs to see that a cell is up to date, after the plan;
- *write dvc.lock*: once; DVC parses and writes the whole file;
- *run all, side by side*: plans, cells and checks; dvc.lock, written for many stages at once, may take 5 % of the time
  of the run and is written twice at its end;
- *run all, dvc repro*: plan and cells; dvc.lock is written after each of the stages, on average half of it;
- *compare*, *report*: the two commands, on results of all cells.

The last column reckons 10,000 cells, by a power law through the last two sizes. The default sizes took twenty minutes
on two cores that had other work, most of them making and deleting files.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import resource
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from commands.dvc_inside.repository import planned
from commands.dvc_inside.stage import Stage
from commands.reproduce.board import Board
from commands.reproduce.driver import Reproduction
from commands.reproduce.lock import SHARE, LockFile
from stages.core.files import write_json
from stages.core.layout import Layout
from stages.params import load_params
from tests.fake_results import write_cell, write_split

REPOSITORY = Path(__file__).parent.parent
PREDICTED = 10_000
SAMPLE = 5


def build(folder: Path, cells: int) -> None:
    """A repository with ``cells`` named runs, copies of one of the default parameters, and their results in made/."""
    for name in ("stages", "models"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    params["runs"] = {f"lstm-{number:05d}": params["runs"]["lstm"] for number in range(cells)}
    params |= {"studies": {}, "explanations": {}, "subsets": {}}
    (folder / "params.yaml").write_text(yaml.dump(params, Dumper=_Plain, sort_keys=False))
    pipeline = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"]
    stages = {name: pipeline[name] for name in ("train-run", "evaluate-run")}
    for stage in stages.values():
        outs = " ".join(out if isinstance(out, str) else next(iter(out)) for out in stage["do"]["outs"])
        stage["do"]["cmd"] = f"tar -C made -cf - {outs} | tar xf -"
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}, sort_keys=False))
    (folder / "data" / "digits").mkdir(parents=True)
    (folder / "data" / "digits" / "train_labels.npy").write_bytes(b"made up")
    checked, made = load_params(folder / "params.yaml"), Layout(folder / "made")
    write_json(Layout(folder).cells, checked.comparable().model_dump(mode="json"))
    for key in checked.runs:
        write_cell(made, checked.cell(key))
        (made.training(checked.cell(key)) / "seed-0.safetensors").write_text(key)
    write_split(made.home, "digits")


class _Plain(yaml.SafeDumper):
    """Without anchors: they would make of the runs' one text something shorter than a user's."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def plan() -> None:
    """Let DVC plan all stages."""
    with planned(Path()):
        pass


def run(stages: list[Stage], jobs: int) -> None:
    """What commands.reproduce.driver does after the plan."""
    with Board([stage.addressing for stage in stages], jobs) as board:
        reproduction = Reproduction(stages, jobs, board)
        reproduction.run()
    assert not reproduction.failed, "a copy of made-up results cannot fail"


def check(stages: list[Stage]) -> None:
    """What `dvc repro` does for stages that are up to date."""
    assert not any(stage.changed() for stage in stages), "they have just been run"


def grow_lock(cells: int) -> None:
    """Give every cell entries in dvc.lock like those of the first."""
    lock = Path("dvc.lock")
    known = yaml.safe_load(lock.read_text())["stages"]
    first = yaml.safe_dump({name: entry for name, entry in known.items() if name.endswith("@lstm-00000")})
    text = "".join(first.replace("lstm-00000", f"lstm-{number:05d}") for number in range(cells))
    lock.write_text("schema: '2.0'\nstages:\n" + textwrap.indent(text, "  "))


def write_lock(stages: list[Stage]) -> None:
    """Record one stage once more."""
    record = LockFile(stages, jobs=1)
    record.add(stages[0], seconds=0.0)
    record.write()


def seconds(action: Callable[..., object], *arguments: Any, whose: int = resource.RUSAGE_SELF) -> float:
    """The processor time that an action takes, in this process or in those that it waits for."""
    before = resource.getrusage(whose)
    action(*arguments)
    after = resource.getrusage(whose)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def command(module: str, home: Path) -> float:
    """The processor time of a stage on ``home``."""
    arguments = [sys.executable, "-m", module, str(home)]
    return seconds(
        lambda: subprocess.run(arguments, cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL),
        whose=resource.RUSAGE_CHILDREN,
    )


@contextlib.contextmanager
def elsewhere() -> Iterator[Path]:
    """A temporary git and DVC repository as working folder."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        subprocess.run(["git", "init", "-q"], check=True)
        subprocess.run([sys.executable, "-m", "dvc", "init", "-q"], check=True)
        yield Path(folder)


def measure(cells: int, jobs: int) -> dict[str, float]:
    """All figures for a number of cells: seconds, and MB."""
    with elsewhere() as folder, contextlib.redirect_stdout(io.StringIO()):
        build(folder, cells)
        found = {"plan, s": seconds(plan)}
        with planned(Path()) as stages:
            sample = [stage for stage in stages if int(stage.name[-5:]) < SAMPLE]
            found["run, s per cell"] = seconds(run, sample, jobs) / SAMPLE
            found["check, s per cell"] = seconds(check, sample) / SAMPLE
            grow_lock(cells)
            found["write dvc.lock, s"] = seconds(write_lock, stages)
        every = found["run, s per cell"] * cells
        checks, writes = found["check, s per cell"] * cells, 2 * found["write dvc.lock, s"]
        found["run all, side by side (reckoned), s"] = 2 * found["plan, s"] + every / (1 - SHARE) + writes + checks
        found["run all, dvc repro (reckoned), s"] = found["plan, s"] + every + found["write dvc.lock, s"] * cells
        shutil.rmtree("results")
        Path("made/results").rename("results")
        found |= {f"{name}, s": command(f"stages.{name}", folder) for name in ("compare", "report")}
        for name in ("params.yaml", "dvc.lock", "reports/report.html"):
            found[f"{Path(name).name}, MB"] = Path(name).stat().st_size / 1e6
    found["memory of the driver so far, MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return found


def predicted(sizes: list[int], values: list[float], target: int) -> float:
    """A power law through the last two sizes, at ``target``."""
    (small, large), (before, after) = sizes[-2:], values[-2:]
    power = math.log(max(after, 1e-9) / max(before, 1e-9)) / math.log(large / small)
    return after * (target / large) ** power


def main() -> None:
    """Measure, and print the table."""
    from rich.console import Console
    from rich.table import Table

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, nargs="+", default=[60, 300, 1000])
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    sizes = sorted(arguments.cells)
    measure(SAMPLE, arguments.jobs)  # imports, and what DVC keeps from its first run
    found = [measure(cells, arguments.jobs) for cells in sizes]
    table = Table(title="Overhead by number of cells, two stages each")
    several = len(sizes) > 1
    for column in ("", *(f"{cells:,} cells" for cells in sizes), *([f"{PREDICTED:,}, reckoned"] if several else [])):
        table.add_column(column, justify="right" if column else "left")
    for name in found[0]:
        values = [row[name] for row in found]
        values += [predicted(sizes, values, PREDICTED)] if several else []
        table.add_row(name, *(f"{value:,.2f}" for value in values))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
