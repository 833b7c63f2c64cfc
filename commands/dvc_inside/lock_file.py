"""Reading and writing dvc.lock as DVC does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from commands.dvc_inside.errors import told
from commands.dvc_inside.stage import Stage


def recorded(stages: Iterable[Stage]) -> dict[Path, set[str]]:
    """The entries of the dvc.lock files that ``stages`` are recorded in, as they were read for the plan."""
    files = {stage.lock: stage.inside.dvcfile for stage in stages if stage.inside.cmd}
    return {lock: set(file.lockfile_contents.get("stages", {})) for lock, file in files.items()}


@told()
def record(stages: Sequence[Stage]) -> None:
    """Write ``stages`` into their dvc.lock files: each file once, for DVC parses and writes it as a whole."""
    for lock in dict.fromkeys(stage.lock for stage in stages):
        own = [stage.inside for stage in stages if stage.lock == lock]
        own[0].dvcfile.dump_stages(own, update_pipeline=False)


@told()
def move_to_end(lock: Path, names: Iterable[str]) -> None:
    """Have these entries of a dvc.lock follow the others, in this order."""
    from dvc.utils.serialize import modify_yaml

    with modify_yaml(lock) as data:
        for name in names:
            data["stages"][name] = data["stages"].pop(name)


@told()
def parsed_lock(text: str, what: str) -> Any:
    """What a dvc.lock of this text holds, so that :func:`written_lock` gives the text again; ``what``: its name."""
    from dvc.utils.serialize import parse_yaml_for_update

    return parse_yaml_for_update(text, what)


def written_lock(content: Mapping[str, Any]) -> str:
    """The text of a dvc.lock as DVC writes it."""
    from dvc.utils.serialize import dumps_yaml

    return str(dumps_yaml(content))
