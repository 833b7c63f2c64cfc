"""A job of Slurm: what becomes one, and what it does when it is warned or fails."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands.reproduce.slurm_tasks import trained_by, wanted
from stages.core.layout import Layout
from stages.params import load_params
from stages.train.__main__ import train_only
from stages.train.slurm_job import HOME, Job, environment, prepare
from tests.dvc_here import dvc
from tests.slurm import until
from tests.small import REPOSITORY, write_split

SHORT = {"seeds": [0, 1], "epochs": 1, "batch_size": 16, "test_batch_size": 10}


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A home of which runs are to be trained: lstm, again under another name, and one whose data cannot be made."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    dvc("init", "--no-scm")
    layout = Layout(Path())
    write_split(layout)
    set_recipe(layout, SHORT)
    train = {"cmd": "cd . && python -m stages.train . ${key}", "deps": ["data/digits"], "params": ["runs"]}
    stages = {
        "train": {"foreach": {"lstm": 0, "lstm-again": 0}, "do": {**train, "outs": ["${key}"]}},
        "split": {"cmd": "false", "outs": ["data/other"]},
        "train-other": {"cmd": "cd . && python -m stages.train . elman", "deps": ["data/other"], "outs": ["elman"]},
        "evaluate": {"cmd": "false", "deps": ["lstm"], "outs": ["evaluated"]},
    }
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    return layout


def set_recipe(layout: Layout, recipe: Mapping[str, Any]) -> None:
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    params["runs"]["lstm"]["changes"] = dict(recipe)
    params["runs"]["lstm-again"] = params["runs"]["lstm"]
    layout.params.write_text(yaml.safe_dump(params))


def test_what_is_to_be_trained_are_the_seeds_that_nobody_has_trained_each_of_them_once(
    pipeline: Layout, capfd: pytest.CaptureFixture[str]
) -> None:
    def asked() -> list[tuple[str, list[str]]]:
        return [(one.task.name, one.stages) for one in wanted(Path(), 2, [])]

    both = ["train@lstm", "train@lstm-again"]
    assert asked() == [("lstm seed 0", both), ("lstm seed 1", both)]
    assert "FAILED" in capfd.readouterr().out  # the split of what is left out
    params = load_params(pipeline.params)
    train_only(params.cells("lstm"), params.compute, pipeline)
    assert asked() == []
    for address in both:
        Path(address.removeprefix("train@")).write_text("trained")
    dvc("commit", "--force", *both)
    assert asked() == []
    set_recipe(pipeline, {**SHORT, "epochs": 2})
    assert asked() == [("lstm seed 0", both), ("lstm seed 1", both)]


@pytest.mark.slow
def test_submitit_itself_starts_a_warned_job_again_which_goes_on_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By submitit's executor for processes of this machine, which knows no queue."""
    submitit = pytest.importorskip("submitit")
    homes = [tmp_path / name / "home" for name in ("jobs", "here")]
    for folder in homes:
        (folder.parent / ".dvc").mkdir(parents=True)
        write_split(Layout(folder), images=100)
        set_recipe(Layout(folder), {"epochs": 20, "batch_size": 4, "test_batch_size": 50})
    code = homes[0] / "code"
    prepare(code, Layout(homes[0]))
    monkeypatch.chdir(code)
    monkeypatch.setenv("RECURNETS_CHECKPOINT_SECONDS", "1000")
    executor = submitit.LocalExecutor(tmp_path / "submitted")
    executor.update_parameters(timeout_min=10, stderr_to_stdout=True)
    job = executor.submit(Job("lstm", (0,), 10))
    log = job.paths.stdout
    until(lambda: log.is_file() and "epoch 2/20" in log.read_text(), "at work", 120)
    (process,) = Path(f"/proc/{job.job_id}/task/{job.job_id}/children").read_text().split()
    os.kill(int(process), signal.SIGUSR2)
    until(job.done, "the end", 240)
    assert "lstm seed 0: continues after epoch" in log.read_text()

    params = load_params(homes[1] / "params.yaml")
    train_only([params.cell("lstm")], params.compute, Layout(homes[1]))
    ours, theirs = ([path.read_bytes() for path in home.parent.rglob("seed-0.safetensors")] for home in homes)
    assert len(ours) == 1
    assert ours == theirs


@pytest.mark.parametrize(
    ("command", "key"),
    [
        ("cd . && python -m stages.train . lstm", "lstm"),
        ("cd .. && python -m stages.train full mnist-recurnet1-4", "mnist-recurnet1-4"),
        ("cd . && python -m stages.evaluate . lstm", None),
    ],
)
def test_a_training_is_known_by_its_command(command: str, key: str | None) -> None:
    assert trained_by(command) == key


@pytest.mark.parametrize(
    ("ended", "seconds", "saves", "said"),
    [
        ((1, True), 100, True, "requeued"),
        ((-signal.SIGUSR2, False), 5, False, "requeued"),  # for a more urgent job, when it had hardly begun
        ((1, True), 100, False, "error: no checkpoint was made in the time of a whole job; raise slurm.minutes"),
        ((1, False), 100, True, "1"),
        ((-9, False), 100, True, "error: its process was killed by SIGKILL, for want of memory perhaps."),
    ],
)
def test_a_warned_job_is_requeued_if_that_leads_on_and_one_that_fails_says_why(
    ended: tuple[int, bool], seconds: float, saves: bool, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    clock = iter((0.0, seconds))
    monkeypatch.setattr("stages.train.slurm_job.time.monotonic", lambda: next(clock))
    monkeypatch.setattr("stages.train.slurm_job.signal.getsignal", lambda _: lambda *_: sys.exit("requeued"))

    def run(job: Job) -> tuple[int, bool]:
        if saves:
            path = Path(HOME, ".checkpoints", job.key, "0123", "seed-0.pt")
            path.parent.mkdir(parents=True)
            path.touch()
        return ended

    monkeypatch.setattr(Job, "_run", run)
    with pytest.raises(SystemExit, match=said):
        Job("a", (0,), 2)()


def test_a_training_has_the_threads_of_its_job_unless_the_user_says_otherwise() -> None:
    job = {"SLURM_CPUS_PER_TASK": "3", "RAY_ADDRESS": "auto"}
    assert environment(job) == {"SLURM_CPUS_PER_TASK": "3", "OMP_NUM_THREADS": "3"}
    assert environment({**job, "OMP_NUM_THREADS": "2"})["OMP_NUM_THREADS"] == "2"
