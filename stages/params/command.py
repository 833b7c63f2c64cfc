"""The command line of the stages that work on a cell, or on those of a study."""

from __future__ import annotations

import argparse
from pathlib import Path

from stages.core.layout import Layout


def home_and_key(description: str | None) -> tuple[Layout, str]:
    """HOME KEY, as given."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_home_and_key(parser)
    arguments = parser.parse_args()
    return Layout(arguments.home), arguments.key


def add_home_and_key(parser: argparse.ArgumentParser) -> None:
    """HOME and KEY, for a parser that has more."""
    parser.add_argument("home", type=Path, help="folder with params.yaml: . or full")
    parser.add_argument(
        "key", help="a run or study of params.yaml, or DATASET-ARCHITECTURE-DEPTH, say mnist-recurnet1-7"
    )
