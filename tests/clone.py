"""A copy of the repository, as a user's clone: with parameters that take a minute, or seconds for a few cells."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from tests.preloaded import preloaded
from tests.small import REPOSITORY

BIN = Path(sys.executable).parent
ALL_DEPTHS, DEPTHS = '"${depth}", 4, 5, 6, 7, 8]', '"${depth}", 4, 5]'
PAPERS, FIGURES = ("recurnets", "mnist-rnn", "gunn"), ("charts", "own_charts")
FEW = {
    "subsets": ["digits-unbalanced", "digits-gunn"],
    "runs": ["lstm", "lstm-unbalanced", "lstm-generalized"],
    "studies": ["gunn-order"],
    "explanations": [],
}


class Clone:
    """A repository in ``folder``; ``copies``: what runs in it are copies of a process that has the libraries."""

    def __init__(self, folder: Path, *, copies: bool = True) -> None:
        self.folder, self.copies = folder, copies

    @classmethod
    def made(cls, folder: Path) -> Clone:
        """One with the project's files and tiny parameters."""
        clone = cls(folder)
        listed = clone.run("git", "ls-files", "-co", "--exclude-standard", "-z", cwd=REPOSITORY).stdout
        for name in filter(None, listed.split("\0")):
            source, target = REPOSITORY / name, folder / name
            if source.is_file() and Path(name).name != "dvc.lock":
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target, follow_symlinks=False)
        clone.change(cls.tiny)
        clone.run("git", "init", "-q", "-b", "main")
        clone.run("git", "config", "user.name", "Test")
        clone.run("git", "config", "user.email", "test@example.org")
        clone.commit("start")
        return clone

    @classmethod
    def complete(cls, folder: Path) -> Clone:
        """As :meth:`made`, with the whole pipeline run by the project's own driver; git knows nothing of that yet."""
        clone = cls.made(folder)
        clone.reproduce()
        return clone

    @classmethod
    def of_few(cls, folder: Path) -> Clone:
        """As :meth:`complete`, but :meth:`shorten`-ed, and all is committed."""
        clone = cls.made(folder)
        clone.shorten()
        clone.reproduce()
        clone.commit("few cells and their results")
        return clone

    def shorten(self) -> None:
        """Leave two depths, what :data:`FEW` names, and few figures; of full/ one stage, which never ran.

        For what is about how DVC and the stages play together: the time that DVC takes goes with the number of stages.
        """
        text = (self.folder / "dvc.yaml").read_text()
        assert text.count(ALL_DEPTHS) == 1
        (self.folder / "dvc.yaml").write_text(text.replace(ALL_DEPTHS, DEPTHS))
        self.change(lambda full: full.update(stages={"check": full["stages"]["check"]}, plots=[]), "full/dvc.yaml")
        self.change(self.few)
        for paper in (self.folder / "papers").iterdir():
            if paper.is_dir() and paper.name not in PAPERS:
                shutil.rmtree(paper)
        for paper in PAPERS:
            self.change(lambda about: [about.pop(name, None) for name in FIGURES], f"papers/{paper}/paper.yaml")
        for name in ("full/reports", "published"):
            shutil.rmtree(self.folder / name)

    @staticmethod
    def few(params: dict) -> None:
        for section, kept in FEW.items():
            params[section] = {name: params[section][name] for name in kept}

    def reproduce(self, *arguments: str) -> str:
        """Run the project's own driver, which copies processes itself; gives what it said."""
        driver = Clone(self.folder, copies=False)
        said = driver.run(sys.executable, "-m", "commands", "reproduce", ".", *arguments).stdout
        assert "`dvc repro` finds nothing to do." in said
        return said

    def copied(self, folder: Path) -> Clone:
        """The same in another folder, with DVC's cache."""
        return Clone(shutil.copytree(self.folder, folder, symlinks=True, dirs_exist_ok=True), copies=self.copies)

    @staticmethod
    def tiny(params: dict) -> None:
        params["data"]["digits"] = {"train_first": 96, "test_first": 50}
        for subset in params["subsets"].values():
            subset |= {"train_first": 200, "test_first": 50}
        for options in params["recurnets"]["models"].values():
            options["width"] = 0.125
        params["recurnets"]["recipe"] |= {"epochs": 2, "batch_size": 32}
        for recipe in params["recipes"].values():
            recipe |= {"epochs": 2}
        grids = {"sensitivity": {"layers": [3], "hidden": [8, 16]}, "gunn-order": {"group": [4], "reverse": [False]}}
        for name, grid in grids.items():
            params["studies"][name]["grid"] = grid
        for explanation in params["explanations"].values():
            explanation |= {"images": 10, "steps": 2}
        models = [run["model"] for run in (*params["runs"].values(), *params["studies"].values())]
        for study in params["studies"].values():
            models += [cell for cell in study.get("cells", {}).values() if cell.get("options")]
        for model in models:
            small = {"hidden": 8, "channels": 4}
            model["options"] |= {key: small[key] for key in small.keys() & model["options"].keys()}

    def change(self, edit, name: str = "params.yaml") -> None:
        path = self.folder / name
        entries = yaml.safe_load(path.read_text())
        edit(entries)
        path.write_text(yaml.safe_dump(entries, sort_keys=False))

    def run(self, *command: str, cwd: Path | None = None, ok: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1"}
        environment.pop("PYTHONPATH", None)
        if self.copies and command[0] in ("python", "dvc"):
            environment = preloaded(environment)
        ended = subprocess.run(command, cwd=cwd or self.folder, env=environment, capture_output=True, text=True)
        assert not ok or ended.returncode == 0, ended.stdout + ended.stderr
        return ended

    def commit(self, message: str) -> None:
        self.run("git", "add", "-A")
        self.run("git", "commit", "-qm", message)

    def reset(self) -> None:
        """Go back to the last commit.

        DVC writes params.yaml twice within a second; a change of equal length, such as depth 4 to 3, then escapes git,
        which looks at size and second only. A missing file does not.
        """
        (self.folder / "params.yaml").unlink()
        self.run("git", "reset", "-q", "--hard")

    def dvc(self, *arguments: str, ok: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run("dvc", *arguments, ok=ok)

    def stages_run(self, *arguments: str) -> set[str]:
        """Run DVC and tell which stages were executed."""
        return set(re.findall(r"Running stage '([^']+)'", self.dvc(*arguments).stdout))
