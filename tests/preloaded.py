"""Python's processes without their start: copies of one that has read other people's libraries, torch and DVC too.

:func:`preloaded` puts a `python` and a `dvc` on the PATH that hand their words, folder, variables and streams to that
process and end as its copy does. What runs is what would run: every copy reads this project's code anew, and DVC starts
stages by their commands, whose `python` is that of the PATH. A signal to such a `python` does not reach the copy, so
whoever sends one starts a process of its own.

This file is also the program of that process, and so imports nothing of this project.
"""

from __future__ import annotations

import ast
import atexit
import importlib
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
OF_STAGES = ROOT / "commands" / "reproduce" / "libraries.py"
LIBRARIES = (
    "dulwich.porcelain", "dvc.cli.parser", "dvc.lock", "dvc.repo.experiments.queue.celery", "dvc.repo.metrics",
    "dvc.repo.open_repo", "dvc.utils.hydra", "dvc_render", "jinja2", "joblib", "matplotlib.backends.backend_svg",
    "matplotlib.pyplot", "networkx", "psutil", "pydantic.main", "pygit2", "rich.console", "scipy.stats",
)  # fmt: skip
PROGRAM = """\
#!{python} -IS
import os, sys
words = (["-m", "dvc"] if sys.argv[0].endswith("/dvc") else []) + sys.argv[1:]
settled = os.environ.get("OMP_NUM_THREADS") == "1" and "PYTHONHASHSEED" not in os.environ
if words[:1] not in (["-m"], ["-c"]) or not settled:
    os.execv("{python}", ["{python}", *words])
import socket
with socket.socket(socket.AF_UNIX) as server:
    server.connect("{address}")
    socket.send_fds(server, [b" "], [0, 1, 2])
    server.sendall(ascii((words, os.getcwd(), dict(os.environ))).encode())
    server.shutdown(socket.SHUT_WR)
    status = int(server.recv(9))
if status < 0:
    os.kill(os.getpid(), -status)
sys.exit(status)
"""

Asked = tuple[list[str], str, dict[str, str]]  # words, folder, variables


def preloaded(environment: Mapping[str, str]) -> dict[str, str]:
    """These variables, with a PATH whose `python` and `dvc` have the libraries."""
    return {**environment, "PATH": f"{_programs()}{os.pathsep}{environment['PATH']}"}


def python(*words: str, folder: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `python` with these words in ``folder``, with these variables of the environment besides ours."""
    environment = preloaded({**os.environ, **variables})
    return subprocess.run(["python", *words], cwd=folder, env=environment, capture_output=True, text=True)


@cache
def _programs() -> Path:
    """The folder of both; the process behind them ends with this one."""
    folder = Path(tempfile.mkdtemp(prefix="python-", dir="/tmp"))  # the path of a socket has to be short
    address = folder / "socket"
    for name in ("python", "dvc"):
        (folder / name).write_text(PROGRAM.format(python=sys.executable, address=address))
        (folder / name).chmod(0o755)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(address))
        listening.listen()
        command = [sys.executable, __file__, str(folder), str(listening.fileno())]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        server = subprocess.Popen(command, env=environment, pass_fds=[listening.fileno()], stdin=subprocess.PIPE)
    atexit.register(server.communicate)
    return folder


def do_without_fsync() -> None:
    """Spare this process the wait for the disk: what tests write need not survive a power cut."""
    os.fsync = lambda _: None


def main() -> None:
    """Be asked until whoever started this process ends; a copy becomes what was asked for."""
    folder, listening = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    do_without_fsync()
    for library in LIBRARIES:
        importlib.import_module(library)
    runpy.run_path(str(OF_STAGES))
    if asked := _asked(socket.socket(fileno=int(listening))):
        _become(*asked)
    shutil.rmtree(folder)


def _asked(listening: socket.socket) -> Asked | None:
    """Returns in every copy, with what was asked for; None in the end."""
    while sys.stdin not in select.select([sys.stdin, listening], [], [])[0]:
        asking, _ = listening.accept()
        if os.fork() == 0:
            return _copy(asking)
        asking.close()
        _reap(os.WNOHANG)
    return _reap(0)


def _reap(how: int) -> None:
    """Take note of copies that have ended."""
    try:
        while os.waitpid(-1, how)[0]:
            pass
    except ChildProcessError:
        pass


def _copy(asking: socket.socket) -> Asked:
    """Returns in a process of its own, which has the streams of whoever asks; its parent tells them how it ended."""
    _, streams, *_ = socket.recv_fds(asking, 1, 3)
    asked: Asked = ast.literal_eval(b"".join(iter(lambda: asking.recv(1 << 20), b"")).decode())
    if copy := os.fork():
        _, ended = os.waitpid(copy, 0)
        asking.send(str(os.waitstatus_to_exitcode(ended)).encode())
        os._exit(0)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    return asked


def _become(words: list[str], folder: str, variables: dict[str, str]) -> None:
    """Be `python`."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)
    sys.path[:1] = [folder, *filter(None, variables.get("PYTHONPATH", "").split(os.pathsep))]
    sys.dont_write_bytecode = "PYTHONDONTWRITEBYTECODE" in variables
    kind, what, *arguments = words
    sys.argv = [kind, *arguments]
    status: object = None
    try:
        if kind == "-m":
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            sys.modules["__main__"] = ModuleType("__main__")
            exec(what, vars(sys.modules["__main__"]))
    except SystemExit as end:
        status = end.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    if not isinstance(status, int | None):
        print(status, file=sys.stderr)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if not stream.closed:
            stream.flush()
    # An interpreter that takes itself apart would touch all its memory, and so have it copied.
    os._exit((status or 0) if isinstance(status, int | None) else 1)


if __name__ == "__main__":
    main()
