"""Check the parameters before anything runs.

    python -m stages.check HOME

Every other stage depends on this one's output, whose content never changes: a mistake in params.yaml stops the
pipeline at once, and a correct change re-runs only what it touches.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from models.registry import UnknownModelError, check_options, models
from stages.errors import StageError, run_stage
from stages.files import write_text
from stages.layout import Layout
from stages.params import Model, Params, load_params


def run(params: Params, source: Path) -> None:
    """A :class:`StageError` names the file and key of an architecture, option or model file that does not exist."""
    grid = params.recurnets.models
    named = {f"recurnets.models.{name}": Model(file="recurnets", name=name, options=grid[name]) for name in grid}
    named |= {f"runs.{key}.model": run.model for key, run in params.runs.items()}
    for name, study in params.studies.items():
        named |= {f"studies.{name}, run {key}": run.model for key, run in study.runs(name).items()}
    for key, model in named.items():
        try:
            check_options(model.name, model.options)
        except UnknownModelError as error:
            raise StageError(f"{source}: key '{key}': {error}.") from None
        if (file := models()[model.name].__module__.removeprefix("models.")) != model.file:
            raise StageError(f"{source}: key '{key}': {model.name} is in models/{file}.py, not models/{model.file}.py.")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path, help="folder with params.yaml: . or full")
    layout = Layout(parser.parse_args().home)
    run(load_params(layout.params), layout.params)
    write_text(layout.checked, "The parameters are valid.\n")


if __name__ == "__main__":
    run_stage(main)
