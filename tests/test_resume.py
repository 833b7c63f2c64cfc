"""Training that is killed, wherever it is, goes on and ends bit for bit as if it had not been."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from stages.core.layout import Layout
from stages.params import load_params
from stages.train.side_by_side import run
from tests.preloaded import preloaded
from tests.small import REPOSITORY, write_split

KEY = "digits-recurnet1-5"

# What the killed process runs: checkpoints after every step, and a fault where the test wants it.
PROGRAM = """
import os, signal, sys
from contextlib import contextmanager
from stages.core import progress
from stages.core.errors import run_stage
from stages.train import checkpoint
from stages.train import outstanding as train
from stages.train.__main__ import main

where, count = sys.argv.pop(1), int(sys.argv.pop(1))
seen = 0

def due():
    global seen
    seen += 1
    return seen == count

def die(signum=signal.SIGKILL):
    os.kill(os.getpid(), signum)

signals = {"step": signal.SIGKILL, "interrupt": signal.SIGINT, "pause": signal.SIGUSR2}
if where in signals:
    advance = progress.Progress.advance

    def step(self):
        advance(self)
        if due():
            die(signals[where])

    progress.Progress.advance = step
elif where == "write":
    whole = checkpoint.atomic_path

    @contextmanager
    def half(target):
        with whole(target) as temporary:
            yield temporary
            if due():
                os.truncate(temporary, temporary.stat().st_size // 2)
                die()

    checkpoint.atomic_path = half
elif where == "outputs":
    train.write_outputs = lambda *arguments: die()
run_stage(main)
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a short recipe of two seeds and made-up digits."""
    folder = tmp_path_factory.mktemp("home")
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text(encoding="utf-8"))
    params["recurnets"]["recipe"] |= {"seeds": [0, 1], "epochs": 3, "batch_size": 4, "test_batch_size": 25}
    params["recurnets"]["models"]["recurnet1"]["width"] = 0.1
    params["compute"] |= {"device": "cpu", "threads": 1}
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    write_split(Layout(folder))
    return folder


@pytest.fixture(scope="module")
def expected(home: Path) -> dict[str, bytes]:
    params = load_params(home / "params.yaml")
    run([params.cell(KEY)], params.compute, Layout(home))
    return outputs(home)


@pytest.fixture
def fresh(home: Path, expected: dict[str, bytes], tmp_path: Path) -> Iterator[Path]:
    """A home with the same parameters and data, and nothing trained."""
    del expected  # made first
    (tmp_path / "params.yaml").write_bytes((home / "params.yaml").read_bytes())
    (tmp_path / "data").symlink_to(home / "data")
    yield tmp_path
    leftovers = [str(path) for path in tmp_path.rglob("*.part")]
    assert not leftovers


def outputs(home: Path) -> dict[str, bytes]:
    """Weights and results, but for what tells the time."""
    params = load_params(home / "params.yaml")
    cell, layout = params.cell(KEY), Layout(home)
    return {path.name: path.read_bytes() for path in layout.training(cell).iterdir()}


def start(home: Path, where: str, count: int = 0, *, python: str = "python") -> subprocess.Popen[str]:
    command = [python, "-c", PROGRAM, where, str(count), str(home), KEY]
    seconds = "1000" if where == "pause" else "0"
    environment = preloaded({**os.environ, "OMP_NUM_THREADS": "1", "RECURNETS_CHECKPOINT_SECONDS": seconds})
    return subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def finish(home: Path, expected: dict[str, bytes]) -> str:
    """Run to the end, and compare."""
    process = start(home, "nowhere")
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert outputs(home) == expected
    assert not Layout(home).checkpoints.exists() or not any(Layout(home).checkpoints.iterdir())
    return said


@pytest.mark.parametrize(
    ("where", "count", "continues"),
    [
        ("step", 17, "seed 0: continues after epoch 1/3 and 4/12 steps"),  # in the middle of an epoch
        ("step", 49, "seed 1: continues after epoch 0/3 and 12/12 steps"),
        ("interrupt", 30, "seed 0: continues after epoch 2/3 and 5/12 steps"),
        ("pause", 30, "seed 0: continues after epoch 2/3 and 6/12 steps"),  # with no other checkpoint than that
        ("write", 20, "seed 0: continues after epoch 1/3 and 7/12 steps"),  # half a checkpoint is on the disk
        ("outputs", 0, "seed 1: trained before, taken over"),  # when all is trained and nothing written
    ],
)
def test_killed_training_continues_and_ends_bit_identical(
    fresh: Path, expected: dict[str, bytes], where: str, count: int, continues: str
) -> None:
    process = start(fresh, where, count)
    said, _ = process.communicate(timeout=300)
    if where in ("interrupt", "pause"):
        reason = "interrupted" if where == "interrupt" else "paused at a checkpoint after 2 of 3 epochs and 6 steps"
        assert process.returncode == 1
        assert f"{reason}; run the same command again to continue." in said
    else:
        assert process.returncode == -signal.SIGKILL
    assert continues in finish(fresh, expected)


def test_killed_at_random_times_again_and_again(fresh: Path, expected: dict[str, bytes]) -> None:
    """From outside, a random number of lines after it began to work; three times in a row."""
    draws = random.Random(7)
    for _ in range(3):
        process = start(fresh, "nowhere", python=sys.executable)
        assert process.stdout is not None
        for _ in range(draws.randint(1, 2)):
            process.stdout.readline()
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    assert "continues after" in finish(fresh, expected)


def test_a_damaged_checkpoint_is_not_used_and_training_starts_anew(fresh: Path, expected: dict[str, bytes]) -> None:
    process = start(fresh, "step", 10)
    process.communicate(timeout=300)
    (path,) = Layout(fresh).checkpoints.rglob("seed-0.pt")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    said = finish(fresh, expected)
    assert "seed-0.pt is damaged and not used; these seeds start anew" in said
    assert "continues" not in said
