"""Check the parameters before anything runs.

    python -m stages.check HOME

Every other stage depends on this one's output, whose content never changes: a mistake in params.yaml stops the
pipeline at once, and a correct change re-runs only what it touches.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from models.registry import UnknownModelError, check_options
from stages.errors import StageError, run_stage
from stages.files import write_text
from stages.layout import Layout
from stages.params import Params, load_params


def run(params: Params, source: Path) -> None:
    """A :class:`StageError` names the file and key of an architecture or option that does not exist."""
    for architecture, options in params.recurnets.models.items():
        try:
            check_options(architecture, options)
        except UnknownModelError as error:
            raise StageError(f"{source}: key 'recurnets.models.{architecture}': {error}.") from None


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path, help="folder with params.yaml: . or full")
    layout = Layout(parser.parse_args().home)
    run(load_params(layout.params), layout.params)
    write_text(layout.checked, "The parameters are valid.\n")


if __name__ == "__main__":
    run_stage(main)
