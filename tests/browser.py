"""What the tests in a browser need: a page to look at, made of fake results, and ways to ask it."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from stages.compare.__main__ import main as compare
from stages.core.layout import Layout
from stages.params import load_params
from stages.report.__main__ import main as report
from tests.fake_results import write_cells, write_split

ROOT = Path(__file__).resolve().parents[1]
Visit = Callable[..., Page]
KEYS = [
    *(f"mnist-recurnet{number}-{depth}" for number in (1, 2) for depth in (4, 6, 8)),
    *("elman", "lstm", "lstm-unbalanced", "mnist-cnn", "recnet", "resnet1", "gunn", "sunn", "cnn", "rnn"),
    *(f"sensitivity-{layers}-{hidden}" for layers in (3, 12) for hidden in (64, 512)),
]


def chromium() -> str | None:
    """The system's Chromium."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def report_of(home: Path) -> Path:
    return Layout(home).reports / "report.html"


def write_report(home: Path) -> None:
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
            stage()


@contextmanager
def opened(browser: Browser, report: Path, width: int = 1400, **options: object) -> Iterator[Page]:
    """The report in a context of its own. Whatever is done there, no error and no request may come of it."""
    problems = []
    size = {"width": width, "height": 900}
    with browser.new_context(viewport=size, reduced_motion="reduce", **options) as context:
        page = context.new_page()
        page.on("console", lambda message: problems.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: problems.append(f"page error: {error}"))
        own = (report.as_uri(), "data:", "blob:")
        page.on("request", lambda request: request.url.startswith(own) or problems.append(request.url))
        page.goto(report.as_uri())
        yield page
    assert not [problem for problem in problems if "willReadFrequently" not in problem]  # that comes of the tests


@contextmanager
def visits(browser: Browser, report: Path) -> Iterator[Visit]:
    """Gives what opens the report, as often as wanted."""
    with ExitStack() as stack:
        yield lambda *width, **options: stack.enter_context(opened(browser, report, *width, **options))


def excerpt(browser: Browser, report: Path, paper: str, figures: str, path: Path) -> Path:
    """Write the page with the section of one paper and, of its figures, those alone: it is read and drawn sooner."""
    with opened(browser, report, java_script_enabled=False) as page:
        remove(page.locator(f"main > section:not(#{paper})"))
        remove(page.locator(f"figure.drawn:not({figures})"))
        page.locator(".contents a").evaluate_all("""(all) =>
            all.filter(({ hash }) => !document.querySelector(hash)).forEach((link) => link.closest('li')?.remove())""")
        path.write_text(page.content(), encoding="utf-8")
    return path


def unfold(page: Page) -> None:
    """Open everything that can be opened."""
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")


def draw(page: Page, within: str = "main") -> None:
    """Scroll through a part of the page, until every chart in it is drawn that has anything to show."""
    page.locator(within).evaluate("""async (part) => {
        for (scrollTo(0, 0), scrollBy(0, part.getBoundingClientRect().top);
             part.getBoundingClientRect().bottom > 0 && scrollY < document.documentElement.scrollHeight - innerHeight;
             scrollBy(0, innerHeight))
            await new Promise((next) => {
                requestAnimationFrame(() => requestAnimationFrame(next));
                setTimeout(next, 2000);  // a busy machine's browser may draw no frame
            });
    }""")
    page.wait_for_function(
        """(within) => [...document.querySelectorAll(`${within} figure.drawn:not([data-drawn]) > script`)]
            .every((data) => !data.textContent.includes('"name"'))""",
        arg=within,
    )


def chart(page: Page, name: str) -> Locator:
    """A live chart, once it is drawn."""
    page.locator(name).scroll_into_view_if_needed()
    expect(page.locator(name)).to_have_attribute("data-drawn", "yes")
    return page.locator(name)


def panels(figure: Locator) -> list[dict]:
    return json.loads(figure.locator("script").text_content())["panels"]


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
            const wanted = new Uint32Array(new Uint8ClampedArray([red, green, blue, 255]).buffer)[0];
            return new Uint32Array(data.buffer).includes(wanted) ? color : null;
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


def line_names(figure: Locator) -> list[str]:
    """What its data name, in their order."""
    return list(dict.fromkeys(line["name"] for panel in panels(figure) for line in panel["lines"]))


def legends(charts: Locator) -> list[list[str]]:
    """The buttons of every legend."""
    return charts.locator(".legend").evaluate_all(
        "(all) => all.map((legend) => [...legend.querySelectorAll(':scope > button')].map((each) => each.textContent))"
    )


def clipped(elements: Locator) -> int:
    """How many of the elements may hide a part of what they hold."""
    return elements.evaluate_all("""(all) => all.map((each) => getComputedStyle(each)).filter((style) =>
        style.overflowX !== 'visible' || style.overflowY !== 'visible' || style.maxHeight !== 'none').length""")


def remove(elements: Locator) -> None:
    elements.evaluate_all("(all) => all.forEach((each) => each.remove())")


def leave_two_of_a_kind(page: Page) -> None:
    """Of siblings that are alike leave two: of the rows of a table, say, that differ in nothing but their words.

    Alike: in their tags, in the names of their attributes, in what decides how they look and are read out, in whether
    they have text, and so has all that is in them. A picture that is not read out has nothing in it. The contents stay
    whole, to which the page's script holds on.
    """
    page.evaluate("""() => {
        const told = (name) => name.startsWith('aria-') || ['class', 'style', 'role', 'scope', 'type'].includes(name);
        const form = (part) => {
            if (part.nodeType === Node.TEXT_NODE) return part.data.trim() ? 'text' : '';
            if (part.nodeType !== Node.ELEMENT_NODE || part.matches('nav')) return part.nodeName;
            if (part.matches('svg[aria-hidden=true]')) part.replaceChildren();
            const seen = new Map(), attributes = [...part.attributes].map(({ name, value }) =>
                `${name}=${told(name) ? value : value !== ''}`);
            const inside = [...part.childNodes].map((child) => {
                const own = form(child);
                seen.set(own, (seen.get(own) ?? 0) + 1);
                if (child.nodeType !== Node.ELEMENT_NODE || seen.get(own) <= 2) return own;
                child.remove();
                return '';
            });
            return `<${part.tagName} ${attributes.sort()}>${inside.join('')}</>`;
        };
        form(document.body);
    }""")


def picture(element: Locator, height: int, path: Path) -> None:
    """Keep what a window of that height shows from the element's top on."""
    element.page.set_viewport_size({"width": element.page.viewport_size["width"], "height": height})
    element.evaluate("(part) => scrollTo(0, part.getBoundingClientRect().top + scrollY)")
    element.page.screenshot(path=path)


def shows(elements: Locator) -> int:
    """How many of the elements show."""
    return elements.evaluate_all("(all) => all.filter((each) => each.checkVisibility()).length")


def downloaded(button: Locator) -> tuple[str, Path]:
    """Press ``button``; gives the name and the place of the file that comes."""
    with button.page.expect_download() as coming:
        button.click()
    return coming.value.suggested_filename, coming.value.path()


def read_csv(path: Path) -> list[dict[str, Any]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
