"""Write an archive of a home that others accept: RO-Crate, CODECHECK bundles, LaTeX, checksums.

    python -m commands export full

writes HOME/export.zip: the report, its tables as CSV and as LaTeX, what was asked for and what it was made from,
results without weights where they are here, and for every document a CODECHECK manifest and certificate; all of it
described by ro-crate-metadata.json, a Workflow Run RO-Crate. What lies where is in docs/interface.md. Exported again,
the archive has the same bytes. It needs a report, and a clone of git, whose revision it names.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from commands.export.archive import write_archive
from commands.export.codecheck import MISSING, bundle
from commands.export.contents import Files, Home, contents
from commands.export.crate import METADATA, metadata
from commands.export.latex import latex
from commands.export.provenance import Revision, provenance, readme, revision
from stages.core.errors import StageError, run_stage
from stages.core.files import json_text
from stages.core.layout import Layout


def exported(home: Home, of: Revision) -> Files:
    """All files of the archive of a home but the checksums."""
    files = contents(home)
    files |= {path: text.encode() for path, text in latex(home).items()}
    files["README.md"] = readme(home, of).encode()
    files["provenance.json"] = json_text(provenance(home, of)).encode()
    for paper in home.papers:
        files |= {f"codecheck/{paper.id}/{path}": data for path, data in bundle(home, paper, files, of).items()}
    return files | {METADATA: json_text(metadata(home, files, of)).encode()}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", nargs="?", default=Path(), type=Path, help="folder with params.yaml (default: here)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="the archive (default: HOME/export.zip)")
    arguments = parser.parse_args()
    home, target = Home(Layout(arguments.home)), arguments.output or arguments.home / "export.zip"
    if target.is_dir():
        raise StageError(f"--output: {target} is a folder; expected a file, such as {target / 'export.zip'}.")
    files = exported(home, revision())
    write_archive(target, files)
    missing = len(home.runs) - len(home.at_hand)
    print(f"{target}: {len(files) + 1} files, {len(home.at_hand)} results of {len(home.runs)} with their files.")
    if missing and home.name == "full":
        print("`python -m commands pull full` brings those that are published.")
    print(f"What only people can add to a codecheck.yml (ORCIDs, certificate, report) stands there as {MISSING}.")


if __name__ == "__main__":
    run_stage(main)
