"""What commands/dvc_inside/ uses of DVC's inside, what for, and what a newer DVC has changed of it."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from types import ModuleType
from typing import Any

import dvc

STAGE = "Repo().index.stages[0]"

# Each with what it is given, "=" after a keyword, or None if it is not called; and what it is used for.
USED: dict[str, tuple[str | None, str]] = {
    "dvc.exceptions.DvcException": (None, "errors.py tells what DVC complains of by it"),
    "dvc.rwlock.RWLockFileCorruptedError": (None, "errors.py adds a remedy to it"),
    "dvc.rwlock.RWLockFileFormatError": (None, "errors.py adds a remedy to it"),
    "dvc.rwlock.rwlock": (
        "folder, fs, command, read, write, hardlink",
        "stage.py locks what a command reads and writes",
    ),
    "dvc.stage.run.prepare_kwargs": ("stage, environment", "stage.py asks it for a command's folder and environment"),
    "dvc.stage.cache.RunCacheNotFoundError": (None, "stage.py learns by it that the cache lacks a run"),
    "dvc.stage.cache.StageCache.restore": ("self, stage", "stage.py takes outputs from the run cache with it"),
    "dvc.stage.decorators.unlocked_repo": ("action", "stage.py opens DVC's lock with it while commands run"),
    "dvc.repo.Repo": ("_wait_for_lock=", "repository.py opens the repository with it"),
    "dvc.repo.Repo.reproduce": ("self, targets, glob=", "repository.py asks it whether anything is left to do"),
    "dvc.repo.Repo.pull": ("self, targets=, remote=", "repository.py fetches what is published with it"),
    "dvc.repo.reproduce.collect_stages": ("repo, targets, glob=", "repository.py finds the stages of a run with it"),
    "dvc.repo.reproduce.get_active_graph": ("graph", "repository.py learns from it what a stage needs"),
    "dvc.repo.reproduce.plan_repro": ("graph, stages", "repository.py orders the stages of a run with it"),
    "dvc.repo.metrics.diff.diff": ("repo, base, head", "repository.py compares two revisions with it"),
    "dvc.dependency.param": (None, "params_file.py has what it reads parsed once"),
    "dvc.dependency.param.load_path": ("path, fs", "params_file.py has DVC parse a file of parameters once"),
    "dvc.utils.serialize.modify_yaml": ("path", "lock_file.py orders the entries of dvc.lock with it"),
    "dvc.utils.serialize.parse_yaml_for_update": ("text, name", "lock_file.py reads a dvc.lock to be merged with it"),
    "dvc.utils.serialize.dumps_yaml": ("content", "lock_file.py writes a merged dvc.lock with it"),
    "dvc.dvcfile.ProjectFile.dump_stages": ("self, stages, update_pipeline=", "lock_file.py records stages with it"),
    "dvc.api.DVCFileSystem": ("rev=", "repository.py reads results of another revision with it"),
    "dvc.api.DVCFileSystem.get": ("self, path, target, recursive=", "repository.py copies such results with it"),
    "dvc_data.index.DataIndexDirError": (None, "repository.py learns by it that the cache lacks a list of files"),
    "dvc.progress": (None, "repository.py silences bars by the name of its log"),
    "dvc_data.callbacks": (None, "repository.py silences bars by the name of its log"),
    "dvc.cli.parser.get_main_parser": ("", "the tests run DVC's command line with it (tests/dvc_here.py)"),
    "Repo().lock": (None, "repository.py holds it"),
    "Repo().scm_context": (None, "repository.py lets DVC tell git of new files with it"),
    "Repo().index.graph.successors": ("stage", "repository.py learns from it what a stage needs"),
    "Repo().index.stages": (None, "repository.py lists the stages of a home with it"),
    "Repo().cache.local.path": (None, "repository.py asks it where the cache is"),
    "Repo().config": (None, "repository.py asks it for remotes"),
    "Repo().config['remote'].get": ("name, default", "repository.py asks it for remotes"),
    "Repo().config['core'].get": ("name, default", "stage.py asks it how locks are made"),
    "Repo().metrics.diff": ("base, head", "repository.py compares two revisions with it"),
    "Repo().tmp_dir": (None, "stage.py locks what a command reads and writes there"),
    "Repo().fs": (None, "stage.py locks what a command reads and writes with it"),
    "Repo().fs.protocol": (None, "params_file.py learns from it whether a file lies in this folder"),
    "Repo().stage_cache.restore": ("stage", "stage.py takes outputs from the run cache with it"),
    f"{STAGE}.addressing": (None, "stage.py calls a stage so"),
    f"{STAGE}.name": (None, "stage.py calls a stage so in dvc.lock"),
    f"{STAGE}.path": (None, "stage.py learns from it which dvc.lock records a stage"),
    f"{STAGE}.cmd": (None, "stage.py runs it"),
    f"{STAGE}.frozen": (None, "stage.py learns from it that a stage is not to be run"),
    f"{STAGE}.repo": (None, "stage.py asks a stage for its repository"),
    f"{STAGE}.changed": ("allow_missing=, upstream=", "stage.py asks it whether a stage has to run"),
    f"{STAGE}.run": ("", "stage.py records a stage without a command with it"),
    f"{STAGE}.dump": ("update_pipeline=", "stage.py records a stage without a command with it"),
    f"{STAGE}.remove_outs": ("ignore_remove=, force=", "stage.py removes outputs before a command with it"),
    f"{STAGE}.save_deps": ("", "stage.py hashes dependencies with it"),
    f"{STAGE}.save": ("run_cache=", "stage.py hashes outputs with it once a command is done"),
    f"{STAGE}.commit": ("", "stage.py puts outputs into the cache with it"),
    f"{STAGE}.deps[0].fs_path": (None, "stage.py locks it while a command runs"),
    f"{STAGE}.deps[0].hash_info": (None, "stage.py learns from it whether an input was edited meanwhile"),
    f"{STAGE}.outs[0].fs_path": (None, "stage.py locks it while a command runs"),
    f"{STAGE}.outs[0].is_metric": (None, "stage.py learns from it whether a run may be kept in the cache"),
    f"{STAGE}.outs[0].is_plot": (None, "stage.py learns from it whether a run may be kept in the cache"),
    f"{STAGE}.outs[0].use_cache": (None, "stage.py learns from it whether a run may be kept in the cache"),
    f"{STAGE}.dvcfile.dump_stages": ("stages, update_pipeline=", "lock_file.py records stages with it"),
    f"{STAGE}.dvcfile.lockfile_contents": (None, "lock_file.py learns from it what is recorded"),
}


def found(path: str) -> Any:
    """What is at a dotted path of :data:`USED`; a LookupError has what follows where that ends."""
    if path.startswith("Repo()"):
        at, steps = importlib.import_module("dvc.repo").Repo(), re.findall(r"\.\w+|\[[^]]+\]", path)
    else:
        first, *names = path.split(".")
        at, steps = importlib.import_module(first), [f".{name}" for name in names]
    for number, step in enumerate(steps):
        try:
            at = at[ast.literal_eval(step[1:-1])] if step[0] == "[" else _attribute(at, step[1:])
        except (AttributeError, LookupError, ImportError):
            raise LookupError("".join(steps[number + 1 :])) from None
    return at


def _attribute(at: Any, name: str) -> Any:
    """A module rather than a function of its name, as `from` finds it: dvc.repo.reproduce is both."""
    if isinstance(at, ModuleType):
        try:
            return importlib.import_module(f"{at.__name__}.{name}")
        except ImportError:
            pass
    return getattr(at, name)


def broken(path: str) -> str | None:
    """What a newer DVC has changed of ``path``, in a sentence; None if nothing."""
    call, why = USED[path]
    said = f"DVC {dvc.__version__}: {path} {{}}; commands/dvc_inside/: {why}."
    try:
        at = found(path)
    except LookupError as gone:
        rest = str(gone)
        return said.format(f"is gone with {path.removesuffix(rest)}" if rest else "is gone")
    if call is None:
        return None
    given = [word.strip() for word in call.split(",") if word.strip()]
    positional = [word for word in given if not word.endswith("=")]
    try:
        inspect.signature(at).bind(*positional, **{word[:-1]: None for word in given if word.endswith("=")})
    except TypeError as error:
        return said.format(f"no longer takes ({call}), {error}")
    return None
