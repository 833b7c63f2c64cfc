"""Take over another team's results, so that the report shows them beside ours.

    python -m commands team add HOME NAME SOURCE

SOURCE is their home: a folder (that of another clone), an archive of it (zip or tar), or a
git revision that was fetched into this repository (REVISION, or REVISION:full). Only tables and records of numbers are
copied, into HOME/teams/NAME, with the SHA-256 of each; weights are not, and nothing of theirs is run. Results that are
not in the folder or revision itself are taken from DVC's objects there (published/, .dvc/cache), never from a server.

What of it fits ours, and is therefore compared, is printed; `dvc repro -s HOME/dvc.yaml:compare` and `:report` show it.
Deleting HOME/teams/NAME undoes it.
"""

from __future__ import annotations

import argparse
import datetime
import re
from pathlib import Path
from typing import Any

from commands.team.gather import gather
from commands.team.sources import MOST_OF_A_FILE, Source, opened
from stages.compare.fitting import paired
from stages.core.dependencies import ROOT
from stages.core.errors import StageError, run_stage
from stages.core.files import atomic_folder, read_json, sha256, write_json
from stages.core.layout import Layout
from stages.core.text import counted
from stages.params import Params, load_params
from stages.params.mistakes import check_name
from stages.results.read import read_results
from stages.results.teams import RECORD, Team, TeamRecord, read_sound, read_team

MOST_SAID = 300  # characters of what a source says of itself
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([A-Za-z0-9.+!-]+)", re.MULTILINE)


def add(layout: Layout, name: str, given: str, cache: Path, today: datetime.date) -> Team:
    """Copy the results of ``given`` to HOME/teams/<name>.

    ``cache``: this clone's folder of DVC's objects. A :class:`StageError` says why not, and leaves nothing behind.
    """
    target = layout.teams / name
    try:
        check_name("NAME", name)
    except ValueError as error:
        raise StageError(f"{error}; {name!r} was given.") from None
    if not layout.params.is_file():
        raise StageError(f"{layout.params} is missing; expected a home, . or full.")
    if target.exists():
        raise StageError(f"{target} is there already; delete it first, or give the team another name.")
    with opened(given, cache) as source, atomic_folder(target) as folder:
        names = gather(source, folder)
        kept, left_out = _readable(folder, names)
        if not kept:
            why = next((f" ({said})" for said in left_out.values()), "")
            raise StageError(f"{given} has no results that can be read{why}; expected a home with results.")
        for each in set(names) - set(kept):
            (folder / each).unlink()
        record = TeamRecord(
            name=name, source=given, kind=source.kind, added=today.isoformat(), left_out=left_out,
            sha256={each: sha256(folder / each) for each in kept}, **_origin(source),
        )  # fmt: skip
        write_json(folder / RECORD, record.model_dump(mode="json"))
    return read_team(target)


def _readable(folder: Path, names: list[str]) -> tuple[list[str], dict[str, str]]:
    """The files of runs that can be read, and of the others, by where they lie, why they cannot."""
    layout, cells = Layout(folder), []
    left_out: dict[str, str] = {}
    for path in layout.trained():
        try:
            cells.append(read_sound(layout, path).cell)
        except StageError as error:
            address = path.parent.relative_to(layout.results / "training").as_posix()
            left_out[address] = str(error).replace(f"{folder}/", "")[:MOST_SAID]
    places = (layout.training, layout.evaluation, layout.training_clock, layout.evaluation_clock)
    folders = {place(cell) for cell in cells for place in places} | {layout.composition(c.dataset) for c in cells}
    return [name for name in names if (folder / name).parent in folders], left_out


def _origin(source: Source) -> dict[str, Any]:
    """The revision of a source, its time, and the packages that it pins otherwise than this repository."""
    told = source.folder / "provenance.json"
    about = read_json(told) if source.kind == "archive" and told.is_file() else {}
    theirs, ours = (_pinned(root / "requirements.lock") for root in (source.root, ROOT))
    return {
        "revision": str(about.get("revision", source.revision))[:MOST_SAID],
        "committed": str(about.get("committed", source.committed))[:MOST_SAID],
        "other_packages": {name: version for name, version in theirs.items() if ours.get(name, version) != version},
    }


def _pinned(lock: Path) -> dict[str, str]:
    """Versions of packages by a requirements.lock, if there is one."""
    if not lock.is_file() or lock.stat().st_size > MOST_OF_A_FILE:
        return {}
    return dict(PINNED.findall(lock.read_text(encoding="utf-8", errors="replace")))


def told(team: Team, layout: Layout, params: Params) -> list[str]:
    """A line per run of a team, whether it fits, and one of what was left out."""
    ours = {result.cell.key: result for result in read_results(layout, params).cells}
    pairs = {key: paired(result, ours.get(key), params) for key, result in team.results.items()}
    lines = [f"{key}: {pair.reason or 'fits'}" for key, pair in pairs.items()]
    lines += [f"left out: {said}" for said in team.record.left_out.values()]
    fits = sum(not pair.reason for pair in pairs.values())
    folder, runs = layout.teams / team.record.name, counted(len(pairs), "run")
    return [*lines, f"{folder} has {runs} of {team.record.name}; of these fit: {fits}."]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True, metavar="add")
    adding = verbs.add_parser("add", help="take over a team's results", description=__doc__,
                              formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    adding.add_argument("home", type=Path, help="folder with params.yaml: . or full")
    adding.add_argument("name", help="what the team is called here")
    adding.add_argument("source", help="their home: a folder, an archive, or a git revision")
    asked = parser.parse_args()
    layout = Layout(asked.home)
    team = add(layout, asked.name, asked.source, ROOT / ".dvc" / "cache" / "files" / "md5", datetime.date.today())
    print("\n".join(told(team, layout, load_params(layout.params))))
    where = asked.home / "dvc.yaml"
    print(f"`dvc repro -s {where}:compare {where}:report` shows them; deleting the folder undoes it.")


if __name__ == "__main__":
    run_stage(main)
