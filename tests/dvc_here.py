"""DVC's command line in this process: a process of its own would read DVC anew, for a second each time."""

from __future__ import annotations

import logging
from argparse import Namespace
from collections.abc import Sequence


def parsed(words: Sequence[str]) -> Namespace:
    """What DVC understands by these words."""
    from dvc.cli.parser import get_main_parser

    arguments: Namespace = get_main_parser().parse_args(words)
    return arguments


def dvc(*words: str) -> int:
    """Run DVC in the working directory; its exit status. What it complains of is raised.

    It says nothing, for its log goes to the standard output of the first test that imported it.
    """
    arguments = parsed(words)
    logging.disable()
    try:
        status: int = arguments.func(arguments).do_run()
    finally:
        logging.disable(logging.NOTSET)
    return status
