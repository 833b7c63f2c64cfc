"""Training in jobs of Slurm: what is submitted, waited for, taken up again and said, without a Slurm."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from commands.reproduce import slurm, slurm_wait
from commands.reproduce.slurm import train_on_slurm
from commands.reproduce.slurm_queue import Queue, check_slurm
from commands.reproduce.slurm_tasks import Wanted
from commands.reproduce.slurm_wait import Waiting
from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.params import Slurm
from stages.train.seeds import KEPT, KeptSeeds
from stages.train.slurm_job import HOME, Job, prepare
from stages.train.tasks import Task
from tests.small import REPOSITORY

States = Mapping[str, str] | None


class FakeQueue:
    """Slurm as a list of answers; the last is given from then on. ``trains``: jobs that leave a seed when they end."""

    asks = Slurm(at_once=4)

    def __init__(self, folder: Path, answers: Sequence[States | type[BaseException]]) -> None:
        self.folder, self.answers = folder, list(answers)
        self.submitted: list[list[Job]] = []

    def submit(self, jobs: Sequence[Job], code: Path, at_once: int) -> list[str]:
        assert (code / "stages" / "train" / "slurm_job.py").is_file()
        self.submitted.append(list(jobs))
        return [f"{10 + len(self.submitted)}_{place}" for place in range(len(jobs))]

    def states(self) -> States:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, type):
            raise answer
        return answer

    def log(self, number: str) -> Path:
        return self.folder / f"{number}_0_log.out"


def wants(*keys: str) -> list[Wanted]:
    return [Wanted(Task(key, (0,)), (f"fingerprint of {key}",), [f"train-run@{key}"]) for key in keys]


def keep(kept: KeptSeeds, *keys: str) -> None:
    for key in keys:
        folder = kept.path(f"fingerprint of {key}")
        folder.mkdir(parents=True)
        (folder / KEPT).touch()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm_wait, "PAUSES", (0.0, 0.0))
    monkeypatch.setattr(slurm_wait, "PATIENCE_SECONDS", 0.0)


@pytest.fixture
def kept(tmp_path: Path) -> KeptSeeds:
    return KeptSeeds(tmp_path / "seeds")


def wait(folder: Path, kept: KeptSeeds, answers: Sequence[States]) -> dict[str, str]:
    """For the jobs 1 and 2, which train a and b; what is said of those that failed."""
    waited_for = dict(zip(("1", "2"), wants("a", "b"), strict=True))
    failed = Waiting(waited_for, FakeQueue(folder, answers), kept, 4).to_the_end()  # type: ignore[arg-type]
    return {job: reason for job, (_, reason) in failed.items()}


def test_a_job_is_seen_to_wait_run_wait_again_and_end(
    tmp_path: Path, kept: KeptSeeds, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "1_0_log.out").write_text(
        "submitit INFO - Starting\na seed 0: epoch 1/2\nerror: interrupted; run it again\nhalf a li"
    )
    keep(kept, "a", "b")
    running, waiting = {"1": "RUNNING", "2": "PENDING"}, {"1": "PENDING", "2": "RUNNING"}
    over = {"1": "COMPLETED", "2": "COMPLETED"}
    assert wait(tmp_path, kept, [{"1": "PENDING", "2": "PENDING"}, running, waiting, over]) == {}
    assert capsys.readouterr().out.splitlines() == [
        "a seed 0: started",
        "a seed 0: epoch 1/2",
        "a seed 0: waits in the queue again after 0 s",
        "b seed 0: started",
        "a seed 0: trained (1/2, 1 running, 0 queued)",
        "b seed 0: trained (2/2, 0 running, 0 queued)",
    ]


def test_a_failed_job_is_one_sentence_with_its_state_its_last_line_and_its_log(
    tmp_path: Path, kept: KeptSeeds, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "1_0_log.out").write_text(
        "a seed 0: epoch 1/2\nerror: the loss is nan.\nsrun: error: vm: task 0: Exit 1\n"
    )
    keep(kept, "b")
    failed = wait(tmp_path, kept, [{"1": "FAILED", "2": "COMPLETED"}])
    assert failed == {"1": f"job 1 (FAILED): the loss is nan; its log is {tmp_path / '1_0_log.out'}"}
    assert f"a seed 0: FAILED, {failed['1']} (1/2" in capsys.readouterr().out


def test_a_job_that_slurm_has_forgotten_or_calls_completed_has_failed_if_its_seeds_do_not_appear(
    tmp_path: Path, kept: KeptSeeds
) -> None:
    failed = wait(tmp_path, kept, [{"1": "COMPLETED"}])
    assert failed["1"].startswith("job 1 (COMPLETED): it printed nothing; its log is ")
    assert failed["2"].startswith("job 2: it printed nothing; its log is ")


def test_a_slurm_that_does_not_answer_for_a_while_is_asked_again(
    tmp_path: Path, kept: KeptSeeds, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(kept, "a", "b")
    assert wait(tmp_path, kept, [None, None, {}]) == {}
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["slurm: does not answer; it is asked again", "slurm: answers again"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home whose runs a and b are to be trained, on a machine that could submit jobs."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "params.yaml").write_bytes((REPOSITORY / "params.yaml").read_bytes())
    monkeypatch.setattr(slurm, "check_slurm", lambda: None)
    monkeypatch.setattr(slurm, "wanted", lambda *_: wants("a", "b"))
    monkeypatch.setattr(slurm, "kept_seeds", lambda _: KeptSeeds(tmp_path / "seeds"))
    return folder


def queue(home: Path, monkeypatch: pytest.MonkeyPatch, *answers: States | type[BaseException]) -> FakeQueue:
    made = FakeQueue(Layout(home).slurm / "jobs", answers)
    monkeypatch.setattr(slurm, "Queue", lambda *_: made)
    return made


def test_ctrl_c_leaves_the_jobs_in_the_queue_and_the_next_run_waits_for_them(
    home: Path, kept: KeptSeeds, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = queue(home, monkeypatch, {}, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        train_on_slurm(home, 1, ())
    assert first.submitted == [[Job("a", (0,), 240), Job("b", (0,), 240)]]
    assert capsys.readouterr().out.splitlines() == [
        "slurm: 2 jobs submitted: 11",
        "slurm: what is not over stays in the queue; `scancel 11` ends it",
    ]
    keep(kept, "a", "b")
    states = {"11_0": "RUNNING", "11_1": "PENDING"}
    second = queue(home, monkeypatch, states, {})
    assert train_on_slurm(home, 1, ()) == {}
    assert second.submitted == []
    assert "slurm: 2 jobs submitted before: 11" in capsys.readouterr().out
    assert not Layout(home).slurm.exists()  # all is trained


def test_of_jobs_that_slurm_refuses_nothing_is_left(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise StageError("Slurm refuses the jobs: no such partition.")

    queue(home, monkeypatch, {}).submit = refuse  # type: ignore[assignment]
    with pytest.raises(StageError, match="no such partition"):
        train_on_slurm(home, 1, ())
    assert not Layout(home).slurm.exists()


def test_what_failed_is_refused_by_its_stages_and_submitted_again_by_the_next_run(
    home: Path, kept: KeptSeeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(kept, "a")
    queue(home, monkeypatch, {}, {"11_0": "COMPLETED", "11_1": "TIMEOUT"})
    log = Layout(home).slurm / "jobs" / "11_1_0_log.out"
    assert train_on_slurm(home, 1, ()) == {
        "train-run@b": f"b seed 0: job 11_1 (TIMEOUT): it printed nothing; its log is {log}"
    }
    monkeypatch.setattr(slurm, "wanted", lambda *_: wants("b"))
    again = queue(home, monkeypatch, {"11_1": "TIMEOUT"}, {"11_0": "FAILED"})
    train_on_slurm(home, 1, ())
    assert again.submitted == [[Job("b", (0,), 240)]]


def test_jobs_of_something_else_are_named_and_kept_in_mind(
    home: Path, kept: KeptSeeds, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    queue(home, monkeypatch, {}, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        train_on_slurm(home, 1, ())
    keep(kept, "c")
    monkeypatch.setattr(slurm, "wanted", lambda *_: wants("c"))
    queue(home, monkeypatch, {"11_0": "RUNNING"}, {}).submitted.append([])  # so that the next number is another
    train_on_slurm(home, 1, ())
    assert "slurm: 1 job in the queue, not needed here: 11\n" in capsys.readouterr().out
    monkeypatch.setattr(slurm, "wanted", lambda *_: wants("a", "b"))
    keep(kept, "a", "b")
    third = queue(home, monkeypatch, {"11_0": "RUNNING"}, {})
    train_on_slurm(home, 1, ())
    assert third.submitted == [[Job("b", (0,), 240)]]


def test_more_jobs_than_an_array_holds_share_the_number_that_may_run(
    home: Path, kept: KeptSeeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slurm, "ARRAY", 1)
    keep(kept, "a", "b")
    made, shares = queue(home, monkeypatch, {}), []
    submit = made.submit
    made.submit = lambda jobs, code, at_once: shares.append(at_once) or submit(jobs, code, at_once)  # type: ignore
    train_on_slurm(home, 1, ())
    assert [[job.key for job in array] for array in made.submitted] == [["a"], ["b"]]
    assert shares == [2, 2]


def test_training_anew_and_taking_over_what_jobs_trained_do_not_go_together(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECURNETS_TRAIN_ANEW", "1")
    with pytest.raises(StageError, match="which RECURNETS_TRAIN_ANEW forbids; unset it"):
        train_on_slurm(home, 1, ())


def test_what_is_missing_is_said_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StageError, match="there is no `sbatch` on the PATH"):
        check_slurm()
    (tmp_path / "sbatch").write_text("")
    (tmp_path / "sbatch").chmod(0o755)
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(StageError, match="--slurm needs submitit; install it with "):
        check_slurm()


@pytest.fixture
def sbatch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that copies what it is given to `script`, and says what `answer` runs."""
    pytest.importorskip("submitit")
    for name, text in (("srun", ""), ("sbatch", f'cp "$1" {tmp_path}/script\n. {tmp_path}/answer\n')):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def test_sbatch_is_given_an_array_with_a_limit_and_what_the_parameters_ask_for(sbatch: Path) -> None:
    (sbatch / "answer").write_text("echo Submitted batch job 7")
    asks = Slurm(minutes=90, cpus=3, gpus=1, memory_gb=1.5, partition="night", options={"account": "vision"})
    made = Queue(sbatch / "jobs", asks).submit(
        [Job("a", (0,), 240), Job("a", (1,), 240), Job("b", (0,), 240)], sbatch, 2
    )
    assert made == ["7_0", "7_1", "7_2"]
    script = (sbatch / "script").read_text()
    given = {line.removeprefix("#SBATCH --") for line in script.splitlines() if line.startswith("#SBATCH")}
    assert given >= {
        "array=0-2%2", "time=90", "cpus-per-task=3", "gpus-per-node=1", "mem=1536M", "partition=night",
        "account=vision", "requeue", "signal=USR2@120", "open-mode=append", f"chdir={sbatch}",
    }  # fmt: skip
    assert "--cpus-per-task=3" in next(line for line in script.splitlines() if line.startswith("srun"))


def test_what_slurm_refuses_is_said_in_its_words(sbatch: Path) -> None:
    (sbatch / "answer").write_text("echo 'sbatch: error: invalid partition specified: nigth' >&2; exit 1")
    with pytest.raises(StageError) as error:
        Queue(sbatch / "jobs", Slurm(partition="nigth")).submit([Job("a", (0,), 240)], sbatch, 1)
    said = "Slurm refuses the jobs: invalid partition specified: nigth; correct `slurm` in params.yaml."
    assert str(error.value) == said


def test_a_jobs_folder_has_the_code_and_parameters_of_now_and_the_data_and_checkpoints_of_the_home(
    home: Path, tmp_path: Path
) -> None:
    (home / "data").mkdir()
    prepare(tmp_path / "job", Layout(home))
    (home / "params.yaml").write_text("edited")
    (home / "data" / "later").touch()
    (tmp_path / "job" / HOME / ".checkpoints" / "new").touch()
    assert (tmp_path / "job" / HOME / "params.yaml").read_bytes() == (REPOSITORY / "params.yaml").read_bytes()
    assert (tmp_path / "job" / HOME / "data" / "later").is_file()
    assert (home / ".checkpoints" / "new").is_file()
    code = tmp_path / "job" / "stages" / "train" / "slurm_job.py"
    assert code.stat().st_mtime_ns == (REPOSITORY / "stages" / "train" / "slurm_job.py").stat().st_mtime_ns
