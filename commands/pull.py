"""Bring the published results of a home, with the weights that are published, into this clone.

    python -m commands pull full

fetches every output of HOME/dvc.lock that the repository's own remote (published/) holds, and puts it in its place. It
needs no server. `dvc repro` then does not train them, unless parameters, data or code have changed since. Data are not
published, but made again from the official files. Results that come without weights are named: they can be shown and
compared, but not be evaluated again.

    dvc push -r published HOME/dvc.yaml

publishes what was run here; commit published/ with HOME/dvc.lock.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from commands.dvc_inside import repository
from stages.core.dvc_files import object_path, recorded_outputs
from stages.core.errors import StageError, run_stage
from stages.core.layout import Layout
from stages.core.text import counted

REMOTE = "published"


def published(home: Path, remote: Path) -> list[Path]:
    """The outputs of a home's dvc.lock whose objects are in ``remote``, a folder."""
    return [path for path, md5 in recorded_outputs(home / "dvc.lock").items() if object_path(remote, md5).is_file()]


def pull(home: Path) -> list[Path]:
    """Fetch and check out what is published of ``home``; gives the outputs.

    A :class:`StageError` if nothing is published, or if a file that is in the way would be lost.
    """
    remote = repository.remote_objects(REMOTE)
    outputs = published(home, remote) if remote else []
    if not outputs:
        raise StageError(f"nothing of {home / 'dvc.lock'} is in {remote or REMOTE}; restore it with `git checkout`.")
    repository.pull(outputs, REMOTE)
    return outputs


def without_weights(layout: Layout) -> list[str]:
    """The results that came without weights, which have to be trained again before they can be evaluated again."""
    trained = (path.parent for path in layout.trained())
    return [folder.name for folder in trained if not (folder / "weights.json").is_file()]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path, help="folder with dvc.lock: full")
    layout = Layout(parser.parse_args().home)
    outputs = pull(layout.home)
    trained = counted(len(layout.trained()), "trained cell")
    print(f"{layout.home} has {counted(len(outputs), 'output')} in place, {trained} among them.")
    if lacking := without_weights(layout):
        print(f"Published without their weights: {', '.join(lacking)}.")


if __name__ == "__main__":
    run_stage(main)
