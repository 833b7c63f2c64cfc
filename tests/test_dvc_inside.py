"""DVC's inside is what commands/dvc_inside/ takes it for; else a sentence says what a newer DVC changed, and what for.

If one of these fails, commands/dvc_inside/ has to be fitted to the new DVC before anything else is looked at.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import dvc
import pytest
import yaml
from dvc.dependency import param

from commands.dvc_inside import lock_file, repository
from commands.dvc_inside.errors import DvcError
from commands.dvc_inside.stage import Stage
from stages.core import dvc_files
from tests import dvc_here
from tests.dvc_used import STAGE, USED, broken
from tests.small import REPOSITORY

ROOM = REPOSITORY / "commands" / "dvc_inside"
OTHERS = {REPOSITORY / "tests" / name for name in ("dvc_here.py", "dvc_used.py", "test_dvc_inside.py")}
PACKAGES = {"dvc", "dvc_data", "dvc_objects", "scmrepo"}
PIPELINE = """
stages:
  second: {cmd: cp first/file second, deps: [first], outs: [second]}
  first: {cmd: mkdir first && cp source first/file, deps: [source], outs: [first]}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of two stages, of which none has run."""
    folder = tmp_path_factory.mktemp("made")
    with contextlib.chdir(folder):
        dvc_here.dvc("init", "--no-scm")
    (folder / "source").write_text("one")
    (folder / "dvc.yaml").write_text(PIPELINE)
    return folder


@pytest.fixture
def home(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to run stages in, which is the working directory."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("path", USED)
def test_it_is_there_and_takes_what_it_is_given(path: str, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made)
    if sentence := broken(path):
        pytest.fail(sentence, pytrace=False)


def holds(true: object, what: str, who: str = "commands/dvc_inside/") -> None:
    """Fail with a sentence unless DVC does what we rely on."""
    if not true:
        pytest.fail(f"DVC {dvc.__version__}: {what}; {who} relies on the contrary.", pytrace=False)


def run(stage: Stage) -> None:
    """As the driver runs a stage."""
    stage.remove_outputs()
    command, folder, environment = stage.command({"OMP_NUM_THREADS": "1"})
    with stage.locked():
        stage.while_unlocked(lambda: subprocess.run(command, shell=True, cwd=folder, env=environment, check=True))
    stage.save()
    lock_file.record([stage])


def test_a_stage_that_has_run_is_recorded_kept_and_taken_from_the_cache(home: Path) -> None:
    with repository.planned(Path()) as plan:
        holds([stage.name for stage in plan] == ["first", "second"], "plan_repro no longer puts what is needed first")
        first, second = plan
        holds(second.needs == [first], "the graph's successors of a stage are no longer what it needs")
        holds(first.changed(), "Stage.changed is false of a stage that has never run")
        holds(not first.restore(), "StageCache.restore takes what was never run from the cache")
        for stage in plan:
            run(stage)
        holds(not first.changed(), "Stage.changed is true of a stage that has just been recorded")
        lock_file.move_to_end(first.lock, ["first"])
    recorded = yaml.safe_load(Path("dvc.lock").read_text())["stages"]
    holds(list(recorded) == ["second", "first"], "modify_yaml no longer keeps the order that it is given")
    holds(repository.stale_stages(Path()) == [], "Stage.changed is true of what the plan before has recorded")
    Path("dvc.lock").unlink()
    Path("second").unlink()
    with repository.planned(Path(), ["sec*"]) as plan:
        holds(plan[1].restore(), "StageCache.restore no longer finds a run that Stage.save(run_cache=True) has kept")
        holds(Path("second").read_text() == "one", "StageCache.restore no longer checks out the outputs")


def test_locks_are_held_and_opened_where_we_say(home: Path) -> None:
    held = Path(".dvc/tmp/rwlock")
    with repository.planned(Path()) as (stage, _):
        lock = stage.inside.repo.lock
        holds(lock.is_locked, "Repo.lock is not taken by `with`")
        holds(not stage.while_unlocked(lambda: lock.is_locked), "unlocked_repo no longer opens Repo.lock")
        holds(lock.is_locked, "unlocked_repo no longer takes Repo.lock again")
        with stage.locked():
            (owner,) = json.loads(held.read_text())["write"].values()
            holds(owner["pid"] == os.getpid(), "rwlock no longer notes who writes an output")
        holds(not json.loads(held.read_text()).get("write"), "rwlock no longer ends with its block")
        _, folder, environment = stage.command({"OMP_NUM_THREADS": "7"})
        holds(Path(folder).samefile(home), "prepare_kwargs no longer gives the folder of a command as `cwd`")
        holds(environment.get("OMP_NUM_THREADS") == "7", "prepare_kwargs no longer adds our variables to `env`")
        holds(environment.get("DVC_STAGE") == "first", "prepare_kwargs no longer names the stage in `env`")


def test_an_edit_shows_in_the_hashes_of_what_a_stage_depends_on(home: Path) -> None:
    with repository.planned(Path(), ["first"]) as (stage,):
        before = stage.hashes()
        holds(before == stage.hashes(), "Dependency.hash_info differs though nothing was changed")
        Path("source").write_text("another")
        holds(before != stage.hashes(), "Dependency.hash_info stays though a dependency was edited")


def test_a_file_of_parameters_is_parsed_once_and_again_after_an_edit(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed, parse = list[str](), param.load_path
    monkeypatch.setattr(param, "load_path", lambda path, *others: parsed.append(path) or parse(path, *others))
    (home / "params.yaml").write_text("size: 1")
    (home / "dvc.yaml").write_text("stages: {only: {cmd: echo, params: [size]}}")
    with repository.planned(Path()) as (stage,):
        before = stage.hashes()
        holds(stage.hashes() == before, "hashes of parameters change by themselves")
        holds(len(parsed) == 1, f"params.yaml is parsed {len(parsed)} times")
        (home / "params.yaml").write_text("size: 20")
        holds(stage.hashes() != before, "an edit of params.yaml is not seen")
    holds(len(parsed) == 2, f"params.yaml is parsed {len(parsed)} times after an edit")


def test_the_files_that_dvc_leaves_are_as_we_read_them(home: Path) -> None:
    reads = partial(holds, who="stages/core/dvc_files.py")
    dvc_here.dvc("repro")
    cache = dvc_files.cache_folder(Path())
    assert cache is not None
    objects = cache / dvc_files.OBJECTS
    reads(objects.samefile(repository.cache_objects()), "its cache is no longer in files/md5")
    recorded = dvc_files.recorded_outputs(Path("dvc.lock"))
    reads(set(recorded) == {Path("first"), Path("second")}, "dvc.lock no longer has the `path` of its `outs`")
    reads(recorded[Path("second")] == dvc_files.md5_of(b"one"), "the `md5` of a file in dvc.lock is no longer its MD5")
    listing = dvc_files.object_path(objects, recorded[Path("first")])
    reads(listing.is_file(), "an object of the cache no longer lies in a folder of the first two letters of its MD5")
    files = dvc_files.listed_files(listing)
    reads(files == {"file": dvc_files.md5_of(b"one")}, "the list of a folder's files no longer has `relpath` and `md5`")
    reads(
        dvc_files.listing_md5(files) == recorded[Path("first")], "the `md5` of a folder is no longer that of its list"
    )


def test_a_lock_file_is_written_as_dvc_writes_it_and_a_damaged_one_is_complained_of(home: Path) -> None:
    dvc_here.dvc("repro")
    text = Path("dvc.lock").read_text()
    written = lock_file.written_lock(lock_file.parsed_lock(text, "dvc.lock"))
    holds(written == text, "dumps_yaml no longer writes what parse_yaml_for_update has read of a dvc.lock")
    with pytest.raises(DvcError, match=r"^unable to read: 'ours', YAML file structure is corrupted\.?"):
        lock_file.parsed_lock("a: [", "ours")


def imported(path: Path) -> Iterator[str]:
    """The dotted names that a file imports, within functions and for type checkers, too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_nobody_else_knows_the_inside_of_dvc() -> None:
    folders = ("stages", "models", "commands", "benchmarks", "tests")
    files = {path for folder in folders for path in (REPOSITORY / folder).rglob("*.py")} - {*ROOM.iterdir(), *OTHERS}
    assert len(files) > 300
    assert not [path for path in files if PACKAGES & {name.partition(".")[0] for name in imported(path)}]


def test_all_that_is_used_is_looked_after_here() -> None:
    """What the room imports of DVC, and every attribute it takes from DVC's objects."""
    files = list(ROOM.glob("*.py"))
    names = {name for path in files for name in imported(path) if name.partition(".")[0] in PACKAGES}
    assert names - {"dvc.stage.PipelineStage"} <= USED.keys()  # that one is for type checkers
    known = {name for path in USED for name in re.findall(r"\w+", path)}
    taken = {
        name
        for path in files
        for name in re.findall(r"\b(?:repo|inside|deps?|outs?|entry|graph|file|dvcfile)\.(\w+)", path.read_text())
    }
    assert {"changed", "fs_path", "use_cache", "tmp_dir", "successors"} <= taken
    assert taken <= known


@pytest.mark.parametrize(
    ("target", "change", "path", "said"),
    [
        (
            "dvc.stage.cache.StageCache.restore",
            None,
            "dvc.stage.cache.StageCache.restore",
            "is gone; commands/dvc_inside/: stage.py takes outputs from the run cache with it.",
        ),
        (
            "dvc.rwlock.rwlock",
            lambda folder, read, write: None,
            "dvc.rwlock.rwlock",
            "no longer takes (folder, fs, command, read, write, hardlink), too many positional arguments; "
            "commands/dvc_inside/: stage.py locks what a command reads and writes.",
        ),
        (
            "dvc.output.Output.is_plot",
            None,
            f"{STAGE}.outs[0].is_plot",
            "is gone; commands/dvc_inside/: stage.py learns from it whether a run may be kept in the cache.",
        ),
    ],
)
def test_what_a_newer_dvc_changed_is_named_with_what_it_is_for(
    target: str, change: Any, path: str, said: str, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(made)
    assert broken(path) is None
    if change is None:
        monkeypatch.delattr(target)
    else:
        monkeypatch.setattr(target, change)
    assert broken(path) == f"DVC {dvc.__version__}: {path} {said}"
