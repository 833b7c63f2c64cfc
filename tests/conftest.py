"""Settings that have to stand before torch is imported, and what the tests in a browser share."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from stages.core.torch_compiler import leave_out_compiler
from tests.preloaded import do_without_fsync

if TYPE_CHECKING:  # most tests need no browser
    from playwright.sync_api import Browser

    from tests.browser import Visit
    from tests.clone import Clone

MAKERS = ("test_pipeline", "test_dvc_verbs", "test_browser")  # each first needs another fixture that files share
FIRST = ("pipeline", "browser", "slow")  # by their marks: what is begun last should not take long

# Test files run side by side; threads and processes of several tests on few cores would only wait for each other.
os.environ["OMP_NUM_THREADS"] = os.environ["RECURNETS_CORES"] = "1"
os.environ["LOKY_MAX_CPU_COUNT"] = "2"  # joblib's: on a machine of 64 a pipeline would else start 64 stages at once
leave_out_compiler()  # as the stages do
do_without_fsync()
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's & has it ignored by all below


class AtOnce:
    """Shows what fails when it fails: of a run that is ended from outside nobody would else learn why."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self.terminal = terminal

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.terminal.write_line(f"\n{report.nodeid}, {report.when}\n{report.longreprtext}")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    terminal = config.pluginmanager.getplugin("terminalreporter")  # which the processes that run the tests lack
    if isinstance(terminal, pytest.TerminalReporter):
        config.pluginmanager.register(AtOnce(terminal))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, so that all cores are busy to the end; before them those that others would wait for."""

    def place(item: pytest.Item) -> int:
        if item.path.stem in MAKERS:
            return MAKERS.index(item.path.stem) - len(MAKERS)
        return min((FIRST.index(mark.name) for mark in item.iter_markers() if mark.name in FIRST), default=len(FIRST))

    items.sort(key=place)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    from tests.browser import chromium

    path = chromium()
    if path is None:
        reason = "no chromium on the PATH: apt-get install chromium"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a full run that misses most cells, in its home."""
    from tests.browser import report_of, write_report

    return report_of(made_once(tmp_path_factory, "report", write_report))


@pytest.fixture(scope="session")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which the whole pipeline was run, to be copied; what runs there are processes of their own."""
    from tests.clone import Clone

    return Clone(made_once(tmp_path_factory, "complete", Clone.complete), copies=False)


@pytest.fixture(scope="session")
def few(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which a pipeline of few cells was run and committed, to be copied."""
    from tests.clone import Clone

    return Clone(made_once(tmp_path_factory, "few", Clone.of_few))


def made_once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The folder that ``make`` fills, for the first of the processes of this test run that needs it."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, done = shared / name, shared / f"{name}.done"
    with FileLock(shared / f"{name}.lock"):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


@pytest.fixture
def visit(browser: Browser, report: Path) -> Iterator[Visit]:
    from tests.browser import visits

    with visits(browser, report) as visit:
        yield visit
