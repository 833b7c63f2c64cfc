"""What DVC is asked of a repository, and to do with it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from commands.dvc_inside.errors import told
from commands.dvc_inside.params_file import parsed_once
from commands.dvc_inside.stage import Stage
from stages.core.dvc_files import OBJECTS
from stages.core.errors import StageError

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc.stage import PipelineStage


@contextmanager
def planned(home: Path, targets: Sequence[str] = ()) -> Iterator[list[Stage]]:
    """The stages of ``home`` called ``targets`` (all by default) and what they need, in the order of dependencies.

    DVC's lock is held meanwhile, and DVC says nothing of what it does. A :class:`StageError` names what is no target.
    """
    from dvc.repo import Repo
    from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro

    logging.getLogger("dvc").setLevel(logging.WARNING)  # what it says of every stage, and its bars, would run into
    for bars in ("dvc.progress", "dvc_data.callbacks"):  # the board
        logging.getLogger(bars).setLevel(logging.CRITICAL)
    with told(), parsed_once(), Repo(_wait_for_lock=True) as repo, repo.lock, repo.scm_context:
        graph = get_active_graph(repo.index.graph)
        for target, address in zip(targets, _addresses(home, targets), strict=False):
            if not collect_stages(repo, [address], glob=True):  # DVC would take that for everything
                file = home / "dvc.yaml"
                raise StageError(f"{file} has no stage '{target}'; `dvc stage list {file}` lists them.")
        plan = plan_repro(graph, collect_stages(repo, _addresses(home, targets), glob=bool(targets)))
        stages = {inside: Stage(inside) for inside in plan}
        for inside, stage in stages.items():
            stage.needs = [stages[needed] for needed in graph.successors(inside)]
        yield list(stages.values())


@told()
def reproduced(home: Path, targets: Sequence[str] = ()) -> list[str]:
    """What `dvc repro` runs again of what :func:`planned` planned, once it is done."""
    from dvc.repo import Repo

    with parsed_once(), Repo(_wait_for_lock=True) as repo:
        return [stage.addressing for stage in repo.reproduce(_addresses(home, targets), glob=bool(targets))]


def _addresses(home: Path, targets: Sequence[str]) -> list[str]:
    file = str(home / "dvc.yaml")
    return [f"{file}:{target}" for target in targets] or [file]


@told()
def stale_stages(home: Path) -> list[str]:
    """The stages of a home's dvc.yaml whose commands, parameters or dependencies are not those of its dvc.lock."""
    from dvc.repo import Repo

    with parsed_once(), Repo() as repo, repo.lock:
        return [stage.addressing for stage in _stages(repo, home) if stage.changed(allow_missing=True)]


@told()
def stage_names(home: Path) -> set[str]:
    """The stages of a home, by their names in dvc.lock."""
    from dvc.repo import Repo

    with Repo() as repo:
        return {stage.name for stage in _stages(repo, home)}


def _stages(repo: Repo, home: Path) -> list[PipelineStage]:
    wanted = (home / "dvc.yaml").resolve()
    return [stage for stage in repo.index.stages if Path(stage.path).resolve() == wanted]


@told()
def cache_objects() -> Path:
    """Where the objects of DVC's cache lie."""
    from dvc.repo import Repo

    with Repo() as repo:
        return Path(repo.cache.local.path)


@told()
def remote_objects(name: str) -> Path | None:
    """Where the objects of a remote that is a folder lie; None if there is no such remote."""
    from dvc.repo import Repo

    with Repo() as repo:
        url = repo.config["remote"].get(name, {}).get("url")
    return Path(url) / OBJECTS if url else None


@told()
def pull(paths: Iterable[Path], remote: str) -> None:
    """Fetch these outputs from a remote, and put them in their places."""
    from dvc.repo import Repo

    with Repo() as repo:
        repo.pull(targets=[str(path) for path in paths], remote=remote)


@told()
def metrics_diff(base: str, head: str) -> dict[str, dict[str, dict[str, float | None]]]:
    """``dvc metrics diff BASE HEAD``: old, new and diff of each metric that moved, by its file and its name."""
    from dvc.repo import Repo

    with Repo() as repo:
        moved: dict[str, dict[str, dict[str, float | None]]] = repo.metrics.diff(base, head).get("diff", {})
    return moved


@told()
def copy_out(revision: str, path: Path, target: Path) -> bool:
    """Copy the folder ``path`` of a revision into ``target``, from DVC's cache or remotes; False if they lack some."""
    from dvc.api import DVCFileSystem
    from dvc_data.index import DataIndexDirError

    logging.getLogger("dvc").setLevel(logging.CRITICAL)  # what is not at hand is no error here
    try:
        DVCFileSystem(rev=revision).get(path.as_posix(), str(target), recursive=True)
    except (OSError, DataIndexDirError):
        return False
    return True
