"""Settings that have to stand before torch is imported, and what the tests in a browser share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # most tests need no browser
    from playwright.sync_api import Browser

    from tests.browser import Visit

# Test files run side by side; threads of several processes on few cores would only wait for each other.
os.environ["OMP_NUM_THREADS"] = "1"


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


@pytest.fixture(scope="module")
def report(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.browser import write_report

    return write_report(tmp_path_factory.mktemp("home"))


@pytest.fixture
def visit(browser: Browser, report: Path) -> Iterator[Visit]:
    from tests.browser import opened

    with ExitStack() as stack:
        yield lambda *width, **options: stack.enter_context(opened(browser, report, *width, **options))
