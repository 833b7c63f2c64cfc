"""Is what is committed whole, and made by the code, the parameters and the data committed with it?

    python -m commands audit . full

Every output that is there, committed or not, must be as dvc.lock recorded it, and every object of DVC's cache as its
name says: else each damaged file is named, and the exit status is 1. So it is if the first home's dvc.lock is not
current; every stage that DVC would run again is then named. Of the results of the others, which take days, it only says
which of those that are here (`python -m commands pull` brings them) were made with other parameters, code or data.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from commands.damage import Damage, damaged_objects, damaged_outputs
from commands.dvc_inside.repository import cache_objects, remote_objects, stage_names, stale_stages
from commands.pull import REMOTE
from commands.spotcheck import read_spotchecks
from stages.core.errors import StageError, run_stage
from stages.core.files import read_json, read_yaml
from stages.core.layout import Layout
from stages.core.text import counted
from stages.params import load_params
from stages.results.read import read_results
from stages.train.code_digest import code_digest

DATA_STAGES = ("split", "split-folder", "subset")


def damages(homes: Sequence[Path]) -> list[Damage]:
    """What is damaged in ``homes`` and in DVC's cache."""
    cache, *published = (Path(os.path.relpath(path)) for path in (cache_objects(), remote_objects(REMOTE)) if path)
    stores = [cache, *published]
    objects = [damage for store in stores for damage in damaged_objects(store, homes)]
    return [*objects, *(damage for home in homes for damage in damaged_outputs(home, cache))]


def dead_entries(home: Path) -> list[str]:
    """The entries of a home's dvc.lock whose stages no longer exist; DVC keeps them for ever."""
    lock = home / "dvc.lock"
    if not lock.is_file():
        return []
    known = stage_names(home)
    return [name for name in read_yaml(lock).get("stages", {}) if name not in known]


def outdated_results(layout: Layout) -> dict[str, str]:
    """The results of a home that do not belong to its parameters or to this code, and why."""
    results, checked = read_results(layout, load_params(layout.params)), read_spotchecks(layout)
    why = dict.fromkeys(results.stale, "made with other parameters")
    why |= dict.fromkeys(results.unevaluated, "trained, but not evaluated with these seeds")
    for result in results.cells:
        if result.run.code_sha256 != code_digest(result.cell.architecture):
            said = checked.get(result.cell.key, "models/ or the engine have changed since")
            why[result.cell.key] = f"trained with other code ({said})"
        about = layout.data(result.cell.dataset) / "dataset.json"
        if about.is_file() and read_json(about)["digest"] != result.run.data_sha256:
            why[result.cell.key] = f"trained on other data than {about.parent}"
    return why


def outdated_data(home: Path) -> list[str]:
    """The stages that prepare the data of a home's results and would run again, so that the data may become others."""
    layout = Layout(home)
    used = {result.cell.dataset for result in read_results(layout, load_params(layout.params)).cells}
    wanted = {f"{stage}@{dataset}" for stage in DATA_STAGES for dataset in used}
    return [name for name in stale_stages(home) if name.rpartition(":")[2] in wanted]


def audit(homes: Sequence[Path]) -> None:
    """Print what is out of date; a :class:`StageError` if a file is damaged, or the first home's dvc.lock is stale."""
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False)
    if found := damages(homes):
        for damage in found:
            console.print(str(damage))
        raise StageError(
            f"{counted(len(found), 'file')} not as recorded, {found[0].path} first; run what is said above."
        )
    first, *others = homes
    for home in others:
        if not Layout(home).trained():
            console.print(f"{home}: its results are not here; `python -m commands pull {home}` brings them.")
            continue
        outdated = outdated_results(Layout(home))
        current = f"{counted(len(outdated), 'result')} not of this revision" if outdated else "every result is current"
        console.print(f"{home}: {current}.")
        for key, why in outdated.items():
            console.print(f"  {key}: {why}")
        if data := outdated_data(home):
            console.print(f"  {', '.join(data)} would run again; results that need it may be of other data")
    if stale := stale_stages(first):
        raise StageError(
            f"{first / 'dvc.lock'} is stale: {', '.join(stale)} would run again; "
            "run `dvc repro` and commit what it writes."
        )
    for home in homes:
        if dead := dead_entries(home):
            raise StageError(
                f"{home / 'dvc.lock'} has entries of stages that no longer exist: {', '.join(dead)}; remove them."
            )
    console.print(f"{first / 'dvc.lock'} is current.")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("homes", nargs="+", type=Path, help="folders with params.yaml, the one to be checked first")
    audit(parser.parse_args().homes)


if __name__ == "__main__":
    run_stage(main)
