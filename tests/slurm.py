"""A Slurm of one node, this machine, for as long as a test needs it."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
SEARCHED = f"{os.environ['PATH']}{os.pathsep}/usr/sbin"
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
JobRequeue=1
KillWait=1
MpiDefault=none
ReturnToService=2
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


class UnavailableError(Exception):
    """Why there is no Slurm."""


def until(true: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    """Wait for it."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} seconds: {what}")
        time.sleep(0.1)


def said(*command: str) -> str:
    """What a command prints; empty if it fails."""
    return subprocess.run(command, capture_output=True, text=True, timeout=30).stdout


@contextmanager
def slurm() -> Iterator[dict[str, str]]:
    """Start it; gives the variables of the environment in which Slurm's commands find it.

    Raises :class:`UnavailableError` where it is not installed or does not start.
    """
    if missing := [program for program in PROGRAMS if not shutil.which(program, path=SEARCHED)]:
        raise UnavailableError(f"no {missing[0]}: apt-get install slurm-wlm munge")
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))  # the path of a socket has to be short
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)
        (folder / "state").mkdir()
        (folder / "munge.key-file").write_bytes(bytes(range(256)))
        (folder / "munge.key-file").chmod(0o400)
        file = folder / "slurm.conf"
        host, user = socket.gethostname().partition(".")[0], getpass.getuser()
        file.write_text(CONFIGURATION.format(folder=folder, host=host, user=user, ports=free_ports(2)))
        own = [f"--{name}={folder}/munge.{name}" for name in ("key-file", "pid-file", "log-file", "seed-file")]
        own.append(f"--socket={folder}/munge.socket")
        try:
            running(stack, folder, "munged", "--foreground", "--force", *own)
            until((folder / "munge.socket").exists, "munged's socket")
            running(stack, folder, "slurmctld", "-D", "-f", str(file))
            running(stack, folder, "slurmd", "-D", "-f", str(file))
            os.environ["SLURM_CONF"] = str(file)
            stack.callback(os.environ.pop, "SLURM_CONF", None)
            until(lambda: "idle" in said("sinfo", "--noheader", "--format=%T"), "an idle node")
        except TimeoutError as error:
            logs = "".join(path.read_text(errors="replace")[-300:] for path in folder.glob("*.said"))
            raise UnavailableError(f"Slurm does not start here, {error}: {' '.join(logs.split())}") from None
        stack.callback(end_jobs)
        yield {"SLURM_CONF": str(file)}


def end_jobs() -> None:
    """Their processes would outlive Slurm."""
    said("scancel", "--me")
    said("scancel", "--me", "--signal=KILL")
    until(lambda: not said("squeue", "--noheader", "--me").strip(), "an empty queue")


def running(stack: ExitStack, folder: Path, program: str, *arguments: str) -> None:
    """Have a daemon run until the stack is closed."""
    with (folder / f"{program}.said").open("wb") as output:
        path = shutil.which(program, path=SEARCHED)
        assert path is not None
        process = subprocess.Popen([path, *arguments], stdout=output, stderr=subprocess.STDOUT)

    def stop() -> None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    stack.callback(stop)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
