"""A stage as DVC knows it: whether it has to run, how, and what is recorded of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from commands.dvc_inside.errors import told

if TYPE_CHECKING:
    from dvc.stage import PipelineStage

Result = TypeVar("Result")


class Stage:
    """A stage of a plan, for as long as that is open (:func:`commands.dvc_inside.repository.planned`).

    ``inside``: DVC's own, for this package alone; ``needs``: the stages that it depends on.
    """

    def __init__(self, inside: PipelineStage) -> None:
        self.inside = inside
        self.needs: list[Stage] = []

    @property
    def addressing(self) -> str:
        """What DVC calls it on its command line, from the working directory."""
        return str(self.inside.addressing)

    @property
    def name(self) -> str:
        """What it is called in its dvc.lock."""
        return str(self.inside.name)

    @property
    def lock(self) -> Path:
        """The dvc.lock that records it."""
        return Path(self.inside.path).with_suffix(".lock")

    @property
    def runs(self) -> bool:
        """Whether there is a command to run; else it is data, or frozen."""
        return bool(self.inside.cmd) and not self.inside.frozen

    @property
    def line(self) -> str:
        """Its command as a line of shell; empty if there is none."""
        cmd = self.inside.cmd or ""
        return " && ".join(cmd if isinstance(cmd, list) else cmd.splitlines())

    def upstream(self) -> set[Stage]:
        """All stages that it depends on, directly or not."""
        return set(self.needs).union(*(stage.upstream() for stage in self.needs))

    def command(self, variables: Mapping[str, str]) -> tuple[str, str, dict[str, str]]:
        """Its command as a line of shell, the folder to run it in, and the environment with ``variables``."""
        from dvc.stage.run import prepare_kwargs

        settings = prepare_kwargs(self.inside, dict(variables))
        return self.line, settings["cwd"], settings["env"]

    @told()
    def changed(self) -> bool:
        """Whether `dvc repro` would run it."""
        return bool(self.inside.changed(upstream=[stage.inside for stage in self.needs]))

    @told()
    def verify(self) -> None:
        """Record the outputs of a stage that does not run as they are."""
        self.inside.run()
        self.inside.dump(update_pipeline=False)

    @told()
    def remove_outputs(self) -> None:
        """As DVC does before it runs a command."""
        self.inside.remove_outs(ignore_remove=False, force=False)

    @told()
    def restore(self) -> bool:
        """Take the outputs from DVC's cache, if it has a run with these dependencies; whether it has."""
        from dvc.stage.cache import RunCacheNotFoundError

        try:
            self.inside.repo.stage_cache.restore(self.inside)
        except RunCacheNotFoundError:
            return False
        return True

    @told()
    def hashes(self) -> dict[str, Any]:
        """What DVC knows the dependencies by, as they are now; to be compared, and for nothing else."""
        self.inside.save_deps()
        return {str(dep): dep.hash_info for dep in self.inside.deps}

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold DVC's lock on what the command reads and writes, which other DVC processes respect."""
        from dvc.rwlock import rwlock

        repo = self.inside.repo
        command = f"{' '.join(sys.argv)} ({self.addressing})"
        reads, writes = ([entry.fs_path for entry in entries] for entries in (self.inside.deps, self.inside.outs))
        hardlink = repo.config["core"].get("hardlink_lock", False)
        with told(), rwlock(repo.tmp_dir, repo.fs, command, reads, writes, hardlink):
            yield

    @told()
    def save(self) -> None:
        """As the end of DVC's ``Stage.run``, which keeps a run in the cache only if all of its outputs are there."""
        plain = (out for out in self.inside.outs if not (out.is_metric or out.is_plot))
        self.inside.save(run_cache=all(out.use_cache for out in plain))
        self.inside.commit()

    @told()
    def while_unlocked(self, action: Callable[[], Result]) -> Result:
        """What ``action`` gives, during which DVC's lock on the whole repository is open."""
        from dvc.stage.decorators import unlocked_repo

        result: Result = unlocked_repo(lambda _: action())(self.inside)
        return result
