"""Do the tests notice a wrong program? mutmut changes a module in one place after another and runs its tests.

    python -m benchmarks.mutants stages/learning/schedules.py     one module; without arguments all of them
    make mutants MODULE=stages/learning/schedules.py              the same, mutmut installed first

Every change is a mutant: another number, operator or branch, an argument that is left out or None, a string in other
letters. It is killed if a test of the module fails, and survives if all pass. One whose tests do not end within ten
times what they took before, and a minute, counts as neither: it may be an endless loop, or the machine was busy.
Printed is a row per module, then as a difference everything that was not killed; docs/mutants.md has the last figures,
and says why survivors survive. Nothing is written to the repository: all happens in a copy. A module takes minutes of
one core, about half a second for a mutant that is killed and all of its tests for one that survives, all modules some
hours; --jobs runs several mutants side by side.

Texts of errors are not mutated, nor what is decorated, nor what stands outside of functions: mutmut leaves these alone.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
COPIED = ("benchmarks", "commands", "dvc.yaml", "full/dvc.yaml", "full/params.yaml", "models", "papers", "params.yaml",
          "pyproject.toml", "stages", "tests")  # fmt: skip
# The tests that are to notice a change of a module, by the middle of their files' names: fast ones that are about it.
TESTS = {
    "models/cnn_gru.py": "cnn_gru written_out registry",
    "models/gunn.py": "gunn written_out",
    "models/gunn15.py": "gunn written_out",
    "models/mnist_rnn.py": "written_out recurrence models stepwise",
    "models/recnet.py": "recnet written_out registry",
    "models/recurnets.py": "models written_out registry",
    "models/registry.py": "registry models",
    "models/layers/iterated.py": "registry",
    "models/layers/normalisation.py": "normalisation written_out",
    "models/layers/recurrence.py": "recurrence",
    "models/layers/stepwise.py": "stepwise learner",
    "stages/learning/batches.py": "batches recipes folders",
    "stages/learning/learner.py": "step learner recipes",
    "stages/learning/metrics.py": "metrics",
    "stages/learning/objectives.py": "objectives recipes",
    "stages/learning/schedules.py": "schedules recipes",
    "stages/compare/claims_in_words.py": "statements statements_of_many grounds",
    "stages/compare/contradictions.py": "findings",
    "stages/compare/findings.py": "finding_rows",
    "stages/compare/intervals.py": "statistics statements",
    "stages/compare/pooled.py": "pooled",
    "stages/compare/verdicts.py": "verdicts",
}
SLOW = (
    "test_registry.py::test_it_decides", "test_gunn.py::test_the_benchmark", "test_learner.py::test_no_step_waits",
    "test_learner.py::test_seeds_that_are_trained_together_end_like_their_solo_runs[gunn15",
)  # fmt: skip
KILLED = ("killed", "segfault")


def settings(module: str, tests: Sequence[str]) -> str:
    """mutmut's part of pyproject.toml."""
    selected = [*tests, *(f"--deselect=tests/{test}" for test in SLOW)]
    options = {
        "source_paths": ["models", "stages"],
        "only_mutate": [module],
        "do_not_mutate_patterns": [r"raise \w+\("],
        "also_copy": sorted({name.partition("/")[0] for name in COPIED} - {"models", "stages"}),
        "pytest_add_cli_args": ["-n0", "-pno:cacheprovider"],
        "pytest_add_cli_args_test_selection": selected,
        "timeout_multiplier": 10.0,
        "timeout_constant": 6.0,
    }
    return "\n[tool.mutmut]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in options.items())


def copy_to(folder: Path, module: str, tests: Sequence[str]) -> None:
    """The parts of the repository that tests read, and the settings."""
    for name in COPIED:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (REPOSITORY / name).is_dir():
            shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(REPOSITORY / name, folder / name)
    with (folder / "pyproject.toml").open("a") as file:
        file.write(settings(module, tests))


def mutmut(folder: Path, *arguments: str) -> str:
    """What mutmut prints; its end where it fails. One thread each: they are forked, and share few cores."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", "from mutmut.__main__ import cli; cli()", *arguments]
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if ended.returncode:
        sys.exit(f"mutmut {' '.join(arguments)} failed: {(ended.stdout + ended.stderr)[-3000:]}")
    return ended.stdout


def outcomes(folder: Path) -> dict[str, str]:
    """Killed, survived, ... of every mutant."""
    lines = (line.strip().rpartition(": ") for line in mutmut(folder, "results", "--all", "true").splitlines())
    return {name: outcome for name, _, outcome in lines if name}


def difference(folder: Path, mutant: str) -> str:
    """The lines that a mutant changes."""
    lines = mutmut(folder, "show", mutant).splitlines()
    return "\n".join(f"    {line}" for line in lines if line[:1] in "+-" and not line.startswith(("+++", "---")))


def row(module: str, found: Counter[str]) -> str:
    """A row of the table."""
    killed, late = sum(found[outcome] for outcome in KILLED), found["timeout"]
    share = f"{killed / (found.total() - late):.1%}" if found.total() > late else "-"
    return f"| `{module}` | {found.total()} | {killed} | {late} | {share} |"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="default: all of them")
    parser.add_argument("--jobs", type=int, default=1, help="mutants side by side (default: 1)")
    options = parser.parse_args()
    for module in options.modules:
        if module not in TESTS:
            parser.error(f"unknown module '{module}': expected one of {', '.join(TESTS)}")
    print("| module | mutants | killed | out of time | share |\n|---|---|---|---|---|", flush=True)
    survivors = []
    for module in options.modules or TESTS:
        tests = [f"tests/test_{name}.py" for name in TESTS[module].split()]
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            copy_to(folder, module, tests)
            mutmut(folder, "run", "--max-children", str(options.jobs))
            found = outcomes(folder)
            print(row(module, Counter(found.values())), flush=True)
            left = [mutant for mutant, outcome in found.items() if outcome not in KILLED]
            survivors += [f"{mutant}: {found[mutant]}\n{difference(folder, mutant)}" for mutant in left]
    print("", *survivors, sep="\n")


if __name__ == "__main__":
    main()
