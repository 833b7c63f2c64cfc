"""Where an archive is from: revision, machines, packages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands.export.contents import Home
from commands.git import git
from stages.compare.columns import INTERFACE
from stages.core.dependencies import ROOT
from stages.core.errors import StageError

CODE = ("commands", "models", "papers", "schemas", "stages", "dvc.yaml", "params.yaml", "full/dvc.yaml",
        "full/params.yaml", "requirements.lock")  # fmt: skip

README = """# Does it hold?

What the home `{home}` of the project found at revision `{commit}` of {committed}, about

{titles}
`reports/report.html` is the report; `reports/tables/` has its tables as CSV, `latex/` those of them that a paper prints
as LaTeX (`latex/tables.tex` shows them all). `codecheck/<id>/` is a CODECHECK bundle of a document, with a certificate
to read. `provenance.json` says where all of it is from, `schemas/` what is in the files, and `ro-crate-metadata.json`
both in the words of RO-Crate.

`sha256sum --check SHA256SUMS` shows that nothing was changed. MIT (LICENSE); the documents belong to their authors.
"""


@dataclass(frozen=True)
class Revision:
    """The commit of the working tree, its time in ISO 8601, and the files of :data:`CODE` that differ from it."""

    commit: str
    committed: str
    changed: tuple[str, ...]

    @property
    def short(self) -> str:
        """The commit as people write it."""
        return self.commit[:7]


def revision(root: Path = ROOT) -> Revision:
    """The revision of the project; a :class:`StageError` where it is no clone, since nothing could be found again."""
    said = git("log", "-1", "--format=%H %cI", folder=root)
    if said.returncode or not (root / ".git").exists():
        raise StageError(
            f"{root} is no clone of git, and an archive names the revision that it is of; export in a clone."
        )
    commit, committed = said.stdout.decode().split()
    changed = git("status", "--porcelain", "--", *CODE, folder=root).stdout.decode().splitlines()
    return Revision(commit, committed, tuple(line[3:] for line in changed))


def packages(lock: Path = ROOT / "requirements.lock") -> dict[str, list[str]]:
    """By name the versions that requirements.lock pins; several where they depend on the Python or the platform."""
    pinned: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", lock.read_text(encoding="utf-8"), re.MULTILINE):
        pinned.setdefault(name, []).append(version)
    return pinned


def readme(home: Home, of: Revision) -> str:
    """The README of an archive, for who unpacks it."""
    titles = "".join(f"- {paper.title} (`{paper.id}`)\n" for paper in home.papers)
    return README.format(home=home.name, commit=of.commit, committed=of.committed, titles=titles)


def provenance(home: Home, of: Revision) -> dict[str, Any]:
    """What provenance.json holds; docs/interface.md says what its keys mean."""
    return {
        "interface": INTERFACE,
        "home": home.name,
        "revision": of.commit,
        "committed": of.committed,
        "changed": list(of.changed),
        "results": [cell.key for cell in home.at_hand],
        "machines": home.summary["environments"],
        "packages": packages(),
    }
