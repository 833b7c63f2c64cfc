"""The report in a real browser: the system's Chromium, headless, on a page made of fake results."""

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from stages.layout import Layout
from tests.browser import (
    ROOT,
    chromium,
    column,
    downloaded,
    draw_all,
    pixels,
    read_csv,
    unfold,
    visible,
    wait_for_color,
    wait_for_pixels,
    write_report,
)

Visit = Callable[..., Page]
SHOTS = ROOT / "test-artifacts"
PAPER, CHART, FOLDED = "mnist-rnn", "#mnist_rnn_figure_4", "#recurnets_figure_7_7"
WIDE, NARROW = 1400, 390
CLAIMS = f"section#{PAPER} table.claims"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
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
    return write_report(tmp_path_factory.mktemp("home"))


@pytest.fixture
def visit(browser: Browser, report: Path) -> Iterator[Visit]:
    """Open the report in a context of its own. Whatever a test does there, no error and no request may come of it."""
    contexts, problems = [], []

    def opened(width: int = WIDE, *, drawn: bool = False, **options: object) -> Page:
        size = {"width": width, "height": 900}
        contexts.append(browser.new_context(viewport=size, reduced_motion="reduce", **options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: problems.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: problems.append(f"page error: {error}"))
        inside = (report.as_uri(), "data:", "blob:")
        page.on("request", lambda request: request.url.startswith(inside) or problems.append(request.url))
        page.goto(report.as_uri())
        if drawn:
            draw_all(page)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not problems


def chart(page: Page, name: str = CHART) -> Locator:
    """A live chart, once it is drawn."""
    page.locator(name).scroll_into_view_if_needed()
    expect(page.locator(name)).to_have_attribute("data-drawn", "yes")
    return page.locator(name)


def test_every_chart_is_drawn_without_an_error_or_a_request(visit: Visit) -> None:
    page = visit()
    assert page.locator("figure[data-drawn]").count() < draw_all(page)
    for figure in page.locator("figure.drawn:has(script)").all():
        names = json.loads(figure.locator("script").text_content())["panels"]
        names = {line["name"] for panel in names for line in panel["lines"]}
        assert figure.locator("canvas").count() == 1
        assert set(figure.locator(".legend > button").all_text_contents()) == names
        expect(figure.locator(".drawing")).to_be_hidden()
    assert "bold: ours · faint: single seeds · dashed: authors’ log" in page.locator(".kinds").all_text_contents()


@pytest.mark.parametrize("key", [None, "Enter", "Space"])
def test_a_line_can_be_hidden_and_comes_back_as_it_was(visit: Visit, key: str | None) -> None:
    figure = chart(visit())
    button = figure.locator(".legend > button").first
    before, name = pixels(figure), button.text_content()
    press = button.click if key is None else lambda: button.press(key)
    expect(button).to_have_attribute("aria-pressed", "true")
    press()
    expect(button).to_have_attribute("aria-pressed", "false")
    expect(figure).to_have_attribute("data-hidden", name)
    wait_for_pixels(figure, before, same=False)
    press()
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(figure).to_have_attribute("data-hidden", "")
    wait_for_pixels(figure, before, same=True)


@pytest.mark.parametrize("axis", ["log epochs", "log values"])
def test_an_axis_turns_logarithmic_and_back(visit: Visit, axis: str) -> None:
    figure = chart(visit())
    button, before = figure.get_by_role("button", name=axis), pixels(figure)
    expect(button).to_have_attribute("aria-pressed", "false")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    wait_for_pixels(figure, before, same=False)
    button.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "false")
    wait_for_pixels(figure, before, same=True)


def test_a_hidden_line_stays_hidden_when_the_axis_changes(visit: Visit) -> None:
    figure = chart(visit())
    line, log = figure.locator(".legend > button").first, figure.get_by_role("button", name="log epochs")
    line.click()
    hidden = wait_for_pixels(figure, pixels(figure), same=True)
    log.click()
    logarithmic = wait_for_pixels(figure, hidden, same=False)
    line.click()
    wait_for_pixels(figure, logarithmic, same=False)
    expect(line).to_have_attribute("aria-pressed", "true")


def test_pointing_at_a_curve_tells_its_line_epoch_and_value(visit: Visit) -> None:
    figure = chart(visit())
    figure.locator("canvas").hover()
    told = figure.page.locator("#vg-tooltip-element")
    told.wait_for()
    panel = json.loads(figure.locator("script").text_content())["panels"][0]
    rows = dict(row.split("\t") for row in told.inner_text().splitlines())
    line = next(line for line in panel["lines"] if line["name"] == rows["line"])
    epoch, what = int(rows["epoch"]), rows["what"]
    values = {"seed": lambda: line["seeds"][rows["seed"]], "ours, mean": lambda: line["mean"]}
    values["authors’ log"] = lambda: line["log"]["y"]
    assert float(rows[panel["y"]].replace("−", "-")) == pytest.approx(values[what]()[epoch - 1], rel=1e-4)
    figure.page.mouse.move(0, 0)
    expect(told).to_be_hidden()


@pytest.mark.parametrize("keyboard", [False, True])
def test_a_header_sorts_up_then_down_then_as_it_was(visit: Visit, keyboard: bool) -> None:
    table = visit().locator(CLAIMS)
    heads = table.locator("thead th")
    index = [head.strip() for head in heads.all_text_contents()].index("Ours")
    head, original = heads.nth(index), column(table, 0)
    before = column(table, index)
    numbers = [float(value) for value in before if value not in ("", "–")]
    missing = len(before) - len(numbers)
    assert missing
    assert sorted(numbers) != [float(value) for value in sorted(map(str, numbers))]  # not as text
    for key, order, rows in (("Enter", "ascending", sorted(numbers)), ("Space", "descending", sorted(numbers)[::-1])):
        head.locator("button").press(key) if keyboard else head.locator("button").click()
        expect(head).to_have_attribute("aria-sort", order)
        assert table.locator("[aria-sort]").count() == 1
        after = column(table, index)
        assert [float(value) for value in after[: len(rows)]] == rows
        assert set(after[len(rows) :]) <= {"", "–"}
    head.locator("button").press("Enter") if keyboard else head.locator("button").click()
    expect(head).not_to_have_attribute("aria-sort", re.compile(".*"))
    assert column(table, 0) == original


def test_another_header_takes_over(visit: Visit) -> None:
    table = visit().locator(f"section#{PAPER} table.cells.sortable").first
    first, last = table.locator("thead th").first, table.locator("thead th").last
    last.locator("button").click()
    first.locator("button").click()
    expect(first).to_have_attribute("aria-sort", "ascending")
    expect(last).not_to_have_attribute("aria-sort", re.compile(".*"))
    assert column(table, 0) == ["elman", "lstm", "lstm-unbalanced"]


def test_verdicts_filter_the_rows(visit: Visit) -> None:
    page = visit()
    tables = [table for table in page.locator("table").all() if table.locator("tr[data-verdict]").count()]
    assert len(tables) > 5
    for table in tables:
        rows = table.locator("tbody tr")
        counts = Counter(rows.evaluate_all("(rows) => rows.map((row) => row.dataset.verdict)"))
        buttons = table.locator("xpath=../preceding-sibling::*[1][contains(@class, 'filter')]/button")
        labels = buttons.all_text_contents()
        assert labels == (
            [f"all {counts.total()}", *(f"{name} {n}" for name, n in counts.items())] if len(counts) > 1 else []
        )
        for button in buttons.all()[::-1]:
            button.click()
            name, _, count = button.text_content().rpartition(" ")
            assert buttons.and_(page.locator("[aria-pressed=true]")).all_text_contents() == [button.text_content()]
            shown = rows.evaluate_all(
                "(rows) => rows.filter((row) => row.checkVisibility()).map((row) => row.dataset.verdict)"
            )
            assert len(shown) == int(count)
            assert name == "all" or set(shown) == {name}


def test_the_theme_follows_the_system_until_the_button_says_otherwise(visit: Visit) -> None:
    seen = {}
    for scheme in ("light", "dark"):
        page = visit(color_scheme=scheme)
        figure, button = chart(page), page.locator("#theme")
        background = lambda page=page: page.evaluate("getComputedStyle(document.body).backgroundColor")  # noqa: E731
        looks = []
        for label in ("auto", "light", "dark", "auto"):
            expect(button).to_have_text(f"Theme: {label}")
            looks.append((background(), wait_for_color(figure, "--series-0")))
            button.click()
        seen[scheme] = dict(zip(("system", "light", "dark", "auto"), looks, strict=True))
        assert seen[scheme]["auto"] == seen[scheme]["system"] == seen[scheme][scheme]
        assert seen[scheme]["light"][0] != seen[scheme]["dark"][0]
        assert seen[scheme]["light"][1] != seen[scheme]["dark"][1]
    assert seen["light"]["light"] == seen["dark"]["light"]
    assert seen["light"]["dark"] == seen["dark"]["dark"]


def test_a_chart_follows_when_the_system_turns_dark(visit: Visit) -> None:
    page = visit(color_scheme="light")
    figure = chart(page)
    light = wait_for_color(figure, "--series-0")
    page.emulate_media(color_scheme="dark")
    assert wait_for_color(figure, "--series-0") != light


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_nothing_is_wider_than_the_window(visit: Visit, width: int) -> None:
    page = visit(width, drawn=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    cut = "[...document.querySelectorAll('canvas')].filter((each) => each.getBoundingClientRect().right > innerWidth)"
    assert page.evaluate(f"{cut}.length") == 0


def test_a_table_comes_as_csv(visit: Visit, report: Path) -> None:
    page = visit()
    made = page.locator(f"section#{PAPER} .made[data-name='{PAPER}-claims']")
    name, path = downloaded(made.get_by_role("button", name="CSV"))
    claims = [row for row in read_csv(report.parent / "tables" / PAPER / "claims.csv") if row["run"]]
    rows = read_csv(path)
    assert name == f"{PAPER}-claims.csv"
    assert [(row["What"], row["Verdict"]) for row in rows] == [(row["column"], row["verdict"]) for row in claims]
    assert [row["Ours"].replace("–", "") for row in rows] == [row["ours"] for row in claims]
    worse = page.locator(".filter:has(+ .scroll table.claims)").first
    assert {row["Verdict"] for row in rows} > {"worse"}
    worse = page.locator(f"section#{PAPER} .filter").first.get_by_role("button", name="worse")
    worse.click()
    _, path = downloaded(made.get_by_role("button", name="CSV"))
    assert {row["Verdict"] for row in read_csv(path)} == {"worse"}


def test_a_figure_comes_as_csv_and_as_svg(visit: Visit, report: Path) -> None:
    figure = chart(visit())
    figure.locator("summary").click()
    name, path = downloaded(figure.get_by_role("button", name="CSV"))
    rows = pd.read_csv(path)
    assert name == "mnist_rnn_figure_4.csv"
    assert list(rows) == ["quantity", "line", "kind", "seed", "x", "y"]
    curves = pd.read_csv(Layout(report.parents[1]).results / "runs" / "elman" / "curves.csv")
    kinds = {"seed": 3, "ours, mean": 1, "authors’ log": 1}
    assert rows.groupby("line")["kind"].value_counts().to_dict() == {
        (line, kind): 100 * times for line in ("train", "test") for kind, times in kinds.items()
    }
    ours = rows[(rows["line"] == "test") & (rows["kind"] == "ours, mean")].set_index("x")["y"]
    column = rows["quantity"].iloc[0]
    assert column == "loss, sum over batches"
    assert ours.to_list() == pytest.approx(curves.groupby("epoch")["test_loss_sum"].mean().to_list(), rel=1e-4)

    name, path = downloaded(figure.get_by_role("button", name="SVG"))
    assert name == "mnist_rnn_figure_4.svg"
    assert ElementTree.parse(path).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert "var(" not in path.read_text()


def test_without_scripts_everything_is_there_but_the_tools(visit: Visit, report: Path) -> None:
    page = visit(java_script_enabled=False)
    unfold(page)
    text = report.read_text()
    drawn = page.locator("figure.drawn").count()
    assert drawn == len(re.findall('<figure id="[^"]+" class="[a-z]+ drawn"', text))
    assert visible(page, "figure.drawn .drawing svg") == drawn
    assert visible(page, "table") == text.count("<table ") + text.count("<table>")
    assert visible(page, "tr") == len(re.findall("<tr[ >]", text))
    assert page.locator("button, canvas, .live, .filter").count() == 0


def test_on_paper_there_are_pictures_and_whole_tables(visit: Visit) -> None:
    page = visit(718, color_scheme="dark")  # A4 without its margins
    chart(page)
    page.locator(f"section#{PAPER} .filter button").last.click()
    page.emulate_media(media="print")
    folded = page.locator("details:not(.part) figure.drawn, details:not(.part) tr").count()
    assert folded < page.locator("tr").count()
    assert visible(page, ".live, .tool, .filter") == 0
    assert visible(page, "figure.drawn .drawing svg") == page.locator("figure.drawn").count()
    assert visible(page, "tr") == page.locator("tr").count() - page.locator("details.source tr").count()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    clipped = """(each) => {
        const { overflowX, overflowY, maxHeight } = getComputedStyle(each);
        return overflowX !== 'visible' || overflowY !== 'visible' || maxHeight !== 'none';
    }"""
    assert page.evaluate(f"[...document.querySelectorAll('.scroll, .wide .drawing')].filter({clipped}).length") == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 718


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(visit: Visit, width: int, scheme: str) -> None:
    page = visit(width, drawn=True, color_scheme=scheme)
    whole = {"resultTypes": ["violations"], "rules": {"color-contrast": {"enabled": False}}}
    parts = {"include": [["header"], ["nav"], [f"#{PAPER}"], ["#methods"]]}  # contrast of all there is takes too long
    first = (WIDE, "light") == (width, scheme)
    results = [Axe().run(page, options=whole)] if first else []
    results.append(Axe().run(page, context=parts, options={"resultTypes": ["violations"]}))
    assert [result.generate_report() for result in results if result.violations_count] == []


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures_of_the_page_are_kept(visit: Visit, width: int, scheme: str) -> None:
    page = visit(width, color_scheme=scheme)
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / f"first-{width}-{scheme}.png")
    draw_all(page)
    page.locator(f"section#{PAPER}").screenshot(path=SHOTS / f"{PAPER}-{width}-{scheme}.png")
    assert len(list(SHOTS.glob(f"*-{width}-{scheme}.png"))) == 2
