"""Does running the default pipeline once more give the committed results?

    python -m commands rerun
    python -m commands rerun --keep FOLDER

Runs every stage in a copy of what git tracks here (changes that are not committed included), without a cache, so that
nothing can be taken over and nothing here is touched; then compares headline.json and scores.csv as
:mod:`commands.compare_results` does: digests of all result files if both were trained on the same kind of machine, else
accuracies within its tolerances. Prints what moved; the exit status is 1 if anything did. ``--keep``: leave the copy,
with the fresh results and reports/report.html, in this folder, which must not exist yet.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
from pathlib import Path

from commands.compare_results import Tolerance, files, report
from commands.git import git, snapshot
from commands.revisions import unpacked
from stages.core.errors import StageError, run_stage


def rerun(copy: Path) -> None:
    """Every stage of the pipeline in ``copy``, an unpacked revision; a :class:`StageError` if one of them fails."""
    for name in ("headline.json", "scores.csv"):
        (copy / name).unlink(missing_ok=True)
    git("init", "--quiet", folder=copy).check_returncode()
    # DVC keeps notes on every repository outside of it; those on this one shall go with it.
    environment = os.environ | {"DVC_SITE_CACHE_DIR": str(copy / ".dvc" / "tmp" / "site")}
    if subprocess.run(["dvc", "repro", "--force"], cwd=copy, env=environment).returncode:
        raise StageError("running the pipeline again failed; the stage that DVC names above says why.")


def check(keep: Path | None) -> bool:
    """Run again and print what moved; whether nothing did."""
    if keep is not None and keep.exists():
        raise StageError(f"{keep} exists; expected a new folder for the fresh results.")
    revision = snapshot()
    with unpacked(revision) as committed, unpacked(revision) as fresh:
        files(committed, results=False)  # is there anything to compare with?
        print("Running the default pipeline again, in a copy; this takes minutes.", flush=True)
        rerun(fresh)
        same = report(committed, fresh, None, Tolerance())
        if keep is not None:
            shutil.move(fresh, keep)
            fresh.mkdir()
    return same


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave the fresh results here")
    if not check(parser.parse_args().keep):
        raise SystemExit(1)


if __name__ == "__main__":
    run_stage(main)
