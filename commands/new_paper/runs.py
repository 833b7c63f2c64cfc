"""The runs of a paper: which rows of its table become one, and names that nothing else has."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from commands.new_paper.columns import TITLES
from stages.core.errors import StageError
from stages.core.text import slug
from stages.params import load_params


@dataclass(frozen=True)
class Run:
    """``name``: in params.yaml. ``row``: of the table. ``data``: the paper's dataset. ``network``: registered as."""

    name: str
    row: str
    data: str
    title: str
    network: str


def taken_runs(root: Path) -> set[str]:
    """The names of all runs and studies of both homes of the repository ``root``; a StageError if one is invalid."""
    taken: set[str] = set()
    for path in (root / "params.yaml", root / "full" / "params.yaml"):
        if path.is_file():
            params = load_params(path)
            taken |= {*params.named, *params.studies}
    return taken


def taken_networks(root: Path) -> set[str]:
    """The names that the model files of the repository register."""
    sources = (path.read_text(encoding="utf-8") for path in (root / "models").glob("*.py"))
    return {name for source in sources for name in re.findall(r'@register\("([^"]+)"\)', source)}


def chosen_rows(asked: Sequence[str], rows: Collection[str]) -> dict[str, str]:
    """The rows that become runs, each with the name that was asked for, empty where none was; of ROW or ROW=NAME.

    Nothing asked for means all. A row may be called by its number, from 1.
    """
    chosen: dict[str, str] = {}
    for word in asked:
        row, name = (word, "") if word in rows else word.rpartition("=")[::2]
        if not row:
            row, name = name, ""
        if row not in rows and row.isdecimal() and 1 <= int(row) <= len(rows):
            row = list(rows)[int(row) - 1]
        if row not in rows:
            raise StageError(f"the table has no row '{row}' to make a run of; it has {', '.join(rows)}.")
        chosen[row] = name
    return chosen or dict.fromkeys(rows, "")


def made_runs(
    paper: str, chosen: Mapping[str, str], data: Mapping[str, Sequence[str]], runs: set[str], networks: set[str]
) -> tuple[Run, ...]:
    """A run for every chosen row and every dataset that the row has numbers of.

    ``data``: these, by row. ``runs``, ``networks``: names that are taken. A :class:`StageError` names one that was
    asked for and is.
    """
    made: list[Run] = []
    several = len({one for of_row in data.values() for one in of_row}) > 1
    for number, (row, asked) in enumerate(chosen.items(), start=1):
        stem = asked or slug(row).replace("_", "-")
        if not re.search(r"[a-df-z]", stem) or stem in ("null", "true", "false"):  # YAML would not read it as a name
            stem = f"row-{stem or number}"
        network = _free(_identifier(stem), f"{_identifier(paper)}_", {*networks, *(run.network for run in made)})
        for one in data[row]:
            name = f"{stem}-{_name(one)}" if several else stem
            title = f"{row}, {TITLES.get(one, one)}" if several else row
            known = {*runs, *(run.name for run in made)}
            if asked and (name in known or not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name)):
                why = "is taken" if name in known else "is not made of lower-case letters, digits, dashes and points"
                raise StageError(f"--runs calls row '{row}' '{name}', which {why}; give it another name.")
            made.append(Run(_free(name, f"{paper}-", known), row, one, title, network))
    if not made:
        raise StageError("the rows that were chosen have no numbers that are measured here; choose others with --runs.")
    return tuple(made)


def check_paper(paper: str, root: Path) -> str:
    """``paper`` as the id of a new one; a :class:`StageError` if it is none, or taken."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", paper) or paper in ("null", "true", "false"):
        raise StageError(f"'{paper}' cannot be an id: lower-case letters, digits and dashes were expected.")
    if (root / "papers" / paper).exists():
        raise StageError(f"papers/{paper} exists; choose another id, or correct that paper's files by hand.")
    if paper in load_params(root / "params.yaml").recipes:
        raise StageError(f"params.yaml has a recipe called '{paper}', as the paper's would be; choose another id.")
    return paper


def check_file(file: str, root: Path) -> str:
    """``file`` as the name of a new file in models/, without its ending."""
    stem = file.removeprefix("models/").removesuffix(".py")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", stem) or keyword.iskeyword(stem):
        raise StageError(f"models/{stem}.py cannot be a module: lower-case letters, digits and _ were expected.")
    if (root / "models" / f"{stem}.py").exists() or (root / "models" / stem).exists():
        raise StageError(f"models/{stem}.py exists; choose another name with --model.")
    return stem


def _free(name: str, prefix: str, taken: Collection[str]) -> str:
    """``name``, behind ``prefix`` or with a number where it is taken."""
    candidate: Callable[[int], str] = lambda number: f"{prefix}{name}{'' if number == 1 else number}"  # noqa: E731
    return name if name not in taken else next(c for c in map(candidate, range(1, 10_000)) if c not in taken)


def _identifier(name: str) -> str:
    return re.sub(r"\W", "_", name if name[0].isalpha() else f"net_{name}")


def _name(data: str) -> str:
    return slug(data).replace("_", "-") or "data"
