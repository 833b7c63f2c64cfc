"""A cell for a cluster's nodes: its home, its training as a process, and what it writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from stages.core.layout import Layout
from stages.params import load_params
from stages.train.side_by_side import run
from tests.small import REPOSITORY, write_split

KEY = "digits-recurnet1-4"
EPOCHS = 30  # many more than pass before what follows from a line about the second one


def make_home(folder: Path, **recipe: Any) -> Layout:
    layout = Layout(folder)
    write_split(layout, images=200)
    set_recipe(layout, **recipe)
    return layout


def set_recipe(layout: Layout, **recipe: Any) -> None:
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    params["recurnets"]["recipe"] |= {"epochs": EPOCHS, "batch_size": 16, "test_batch_size": 10, **recipe}
    layout.params.write_text(yaml.safe_dump(params))


def start(address: str, *command: str, cwd: Path = REPOSITORY) -> subprocess.Popen[str]:
    environment = {**os.environ, "RAY_ADDRESS": address, "DVC_NO_ANALYTICS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def train_on(address: str, layout: Layout) -> subprocess.Popen[str]:
    return start(address, "stages.train", str(layout.home), KEY)


def until(words: str, driver: subprocess.Popen[str]) -> str:
    """What ``driver`` prints, up to the line with ``words``."""
    assert driver.stdout is not None
    said = ""
    for line in driver.stdout:
        said += line
        if words in line:
            return said
    raise AssertionError(f"{words!r} was expected in:\n{said}")


def outputs(layout: Layout) -> dict[str, bytes]:
    """What training writes, byte by byte, but for the seconds that it took."""
    cell = load_params(layout.params).cell(KEY)
    return {path.name: path.read_bytes() for path in layout.training(cell).iterdir()}


def train_here(layout: Layout) -> dict[str, bytes]:
    """Train it in this process, without a cluster; gives its outputs."""
    params = load_params(layout.params)
    run(params.cells(KEY), params.compute, layout)
    return outputs(layout)
