"""The report in a real browser: the system's Chromium, headless, on a page made of fake results."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.browser import ROOT, Visit, chart, clipped, draw, leave_two_of_a_kind, opened, picture, remove, shows, unfold

SHOTS = ROOT / "test-artifacts"
PAPER, CHART = "mnist-rnn", "#mnist_rnn_figure_4"
WIDE, NARROW, PRINTED = 1400, 390, 1032  # the last: A4 on its side, in its margins

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module", params=[(scheme, width) for scheme in ("light", "dark") for width in (WIDE, NARROW)])
def unfolded(request: pytest.FixtureRequest, browser: Browser, report: Path) -> Iterator[tuple[Page, str, int]]:
    """Everything unfolded, one paper's charts drawn; its theme and its width. Only axe's test, the last, changes it.

    The dark page has only that paper: the others differ in nothing but their numbers.
    """
    scheme, width = request.param
    with opened(browser, report, width, color_scheme=scheme) as page:
        if scheme == "dark":
            remove(page.locator(f"main > section:not(#{PAPER}, #methods)"))
        unfold(page)
        draw(page, f"#{PAPER}")
        yield page, scheme, width


def test_nothing_is_wider_than_the_window(unfolded: tuple[Page, str, int]) -> None:
    page, _, width = unfolded
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    over = "(all) => all.map((each) => each.offsetWidth - each.closest('.live').clientWidth)"
    assert max(page.locator("canvas").evaluate_all(over)) <= 0


def test_pictures_of_the_page_are_kept(unfolded: tuple[Page, str, int]) -> None:
    page, scheme, width = unfolded
    SHOTS.mkdir(exist_ok=True)
    for name, selector, height in (("first", "header", 900), (PAPER, f"#{PAPER}", 4000), ("charts", CHART, 1400)):
        picture(page.locator(selector), height, SHOTS / f"{name}-{width}-{scheme}.png")


def test_axe_finds_nothing(unfolded: tuple[Page, str, int]) -> None:
    """Of the whole page in its widest light form; else of the parts that the dark page has."""
    page, scheme, width = unfolded
    leave_two_of_a_kind(page)  # what differs in nothing but its words has the same roles, names and contrasts
    parts = {"include": [["header"], [f"#{PAPER}"], ["#methods"]]}
    whole = (scheme, width) == ("light", WIDE)
    found = Axe().run(page, context=None if whole else parts, options={"resultTypes": ["violations"]})
    assert found.violations_count == 0, found.generate_report()


def test_without_scripts_everything_is_there_but_the_tools(visit: Visit, report: Path) -> None:
    page = visit(java_script_enabled=False)
    unfold(page)
    text = re.sub("<script>.*?</script>", "", report.read_text(), flags=re.DOTALL)
    drawn = len(re.findall('<figure id="[^"]+" class="[a-z]+ drawn"', text))
    assert shows(page.locator("figure.drawn .drawing > svg")) == drawn
    assert shows(page.locator("table")) == len(re.findall("<table[ >]", text))
    assert shows(page.locator("tr")) == len(re.findall("<tr[ >]", text))
    assert page.locator("button, canvas, .live, .filter").count() == 0


def test_on_paper_there_are_pictures_and_whole_tables(visit: Visit) -> None:
    page = visit(PRINTED, color_scheme="dark")
    chart(page, CHART)
    page.locator(f"section#{PAPER} .filter button").last.click()
    page.emulate_media(media="print")
    assert shows(page.locator(".live, .tool, .filter")) == 0
    assert shows(page.locator("figure.drawn .drawing > svg")) == page.locator("figure.drawn").count()
    assert shows(page.locator("tr")) == page.locator("tr").count() - page.locator("details.source tr").count()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert clipped(page.locator(".scroll, .wide .drawing")) == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= PRINTED
