"""What the tests in a browser need: a page to look at, made of fake results, and ways to ask it."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page

from stages import compare, report
from stages.layout import Layout
from stages.params import load_params
from tests.fake_results import write_cells, write_split

ROOT = Path(__file__).resolve().parents[1]
KEYS = [
    *(f"mnist-recurnet{number}-{depth}" for number in (1, 2) for depth in (4, 6, 8)),
    *("elman", "lstm", "lstm-unbalanced", "mnist-cnn", "recnet", "resnet1", "gunn", "sunn", "cnn", "rnn"),
]


def chromium() -> str | None:
    """The system's Chromium."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def write_report(home: Path) -> Path:
    """The report of a full run that misses most cells; two of its recipes have three seeds."""
    text = (ROOT / "full" / "params.yaml").read_text()
    assert text.count("\n    seeds: [0]\n") > 1
    (home / "params.yaml").write_text(text.replace("\n    seeds: [0]\n", "\n    seeds: [0, 1, 2]\n", 2))
    params = load_params(home / "params.yaml")
    write_cells(home, params, KEYS)
    for split in {params.cell(key).dataset for key in KEYS}:
        write_split(home, split)
    for stage in (compare, report):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.argv", ["stage", str(home)])
            stage.main()
    return Layout(home).reports / "report.html"


def unfold(page: Page) -> None:
    """Open everything that can be opened."""
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")


def draw_all(page: Page) -> int:
    """Scroll through the whole page, until every chart is drawn; gives their number."""
    unfold(page)
    page.evaluate("""async () => {
        for (let y = 0; y < document.documentElement.scrollHeight; y += innerHeight) {
            scrollTo(0, y);
            await new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)));
        }
    }""")
    charts = "[...document.querySelectorAll('figure.drawn')].filter((figure) => figure.querySelector('script'))"
    page.wait_for_function(f"{charts}.every((figure) => figure.dataset.drawn === 'yes')")
    return page.evaluate(f"{charts}.length")


def pixels(figure: Locator) -> str:
    """The canvas of a chart as text."""
    return figure.evaluate("(figure) => figure.querySelector('canvas').toDataURL()")


def wait_for_pixels(figure: Locator, before: str, *, same: bool) -> str:
    """Wait until the canvas is ``before`` again, or is another; gives what it is then."""
    figure.page.wait_for_function(
        "([id, before, same]) => (document.querySelector(`#${id} canvas`)?.toDataURL() === before) === same",
        arg=[figure.get_attribute("id"), before, same],
    )
    return pixels(figure)


def wait_for_color(figure: Locator, variable: str) -> str:
    """Wait until the canvas has pixels of exactly the colour that ``variable`` is now; gives the colour."""
    return figure.page.wait_for_function(
        """([id, variable]) => {
            const color = getComputedStyle(document.documentElement).getPropertyValue(variable).trim();
            const [red, green, blue] = [1, 3, 5].map((place) => parseInt(color.slice(place, place + 2), 16));
            const canvas = document.querySelector(`#${id} canvas`);
            const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
            for (let n = 0; n < data.length; n += 4)
                if (data[n] === red && data[n + 1] === green && data[n + 2] === blue && data[n + 3] === 255) return color;
            return null;
        }""",
        arg=[figure.get_attribute("id"), variable],
    ).json_value()


def column(table: Locator, index: int) -> list[str]:
    """What the cells of a column stand for, from top to bottom."""
    return table.evaluate(
        """(table, index) => [...table.tBodies[0].rows].map((row) => row.cells[index])
            .map((cell) => cell.dataset.v ?? cell.textContent.trim())""",
        index,
    )


def visible(page: Page, selector: str) -> int:
    """How many elements show."""
    return page.evaluate(
        "(selector) => [...document.querySelectorAll(selector)].filter((each) => each.checkVisibility()).length",
        selector,
    )


def downloaded(button: Locator) -> tuple[str, Path]:
    """Press ``button``; gives the name and the place of the file that comes."""
    with button.page.expect_download() as coming:
        button.click()
    return coming.value.suggested_filename, coming.value.path()


def read_csv(path: Path) -> list[dict[str, Any]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
