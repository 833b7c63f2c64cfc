"""What the report's charts and tables do in a real browser: legends, axes, sorting, filters, downloads, themes."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest
from playwright.sync_api import Browser, expect

from tests.browser import (
    Visit,
    chart,
    column,
    downloaded,
    draw,
    excerpt,
    legends,
    line_names,
    panels,
    pixels,
    read_csv,
    shows,
    unfold,
    visits,
    wait_for_color,
    wait_for_pixels,
)

PAPER, CHART = "mnist-rnn", "#mnist_rnn_figure_4"
LOG = "authors\N{RIGHT SINGLE QUOTATION MARK} log"
MISSING = {"", "\N{EN DASH}"}
ORDER = (
    "match",
    "holds",
    "seen",
    "better",
    "worse",
    "contradicted",
    "not seen",
    "differs (ours higher)",
    "differs (ours lower)",
    "inconclusive",
    "undecided",
    "not run",
)

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def section(browser: Browser, report: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with one paper's section and one chart."""
    return excerpt(browser, report, PAPER, CHART, tmp_path_factory.mktemp("section") / "report.html")


@pytest.fixture
def look(browser: Browser, section: Path) -> Iterator[Visit]:
    with visits(browser, section) as visit:
        yield visit


def test_every_chart_with_lines_is_drawn_and_replaces_its_picture(visit: Visit) -> None:
    page = visit()
    unfold(page)
    assert page.locator("figure[data-drawn]").count() == 0
    draw(page)
    names = [line_names(figure) for figure in page.locator("figure.drawn:has(script)").all()]
    charts, empty = page.locator("figure[data-drawn]"), page.locator("figure.drawn:has(script):not([data-drawn])")
    assert legends(charts) == [each for each in names if each]
    assert shows(charts.locator("canvas")) == charts.count() > 60
    assert shows(charts.locator(".drawing")) == 0
    assert shows(empty.locator(".drawing > svg")) == names.count([])
    kinds = page.locator(".kinds").all_text_contents()
    assert f"bold: ours \N{MIDDLE DOT} faint: single seeds \N{MIDDLE DOT} dashed: {LOG}" in kinds


@pytest.mark.parametrize("key", [None, "Enter", "Space"])
def test_a_line_can_be_hidden_and_comes_back_as_it_was(look: Visit, key: str | None) -> None:
    figure = chart(look(), CHART)
    button = figure.locator(".legend > button").first
    before, name = pixels(figure), button.text_content()
    press = button.click if key is None else lambda: button.press(key)
    press()
    expect(button).to_have_attribute("aria-pressed", "false")
    expect(figure).to_have_attribute("data-hidden", name)
    wait_for_pixels(figure, before, same=False)
    press()
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(figure).to_have_attribute("data-hidden", "")
    wait_for_pixels(figure, before, same=True)


@pytest.mark.parametrize("axis", ["log epochs", "log values"])
def test_an_axis_turns_logarithmic_and_back(look: Visit, axis: str) -> None:
    figure = chart(look(), CHART)
    button, before = figure.get_by_role("button", name=axis), pixels(figure)
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    wait_for_pixels(figure, before, same=False)
    button.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "false")
    wait_for_pixels(figure, before, same=True)


def test_a_line_stays_hidden_when_the_axis_changes_and_all_can_be_hidden(look: Visit) -> None:
    figure = chart(look(), CHART)
    lines, log = figure.locator(".legend > button"), figure.get_by_role("button", name="log epochs")
    before = pixels(figure)
    lines.first.click()
    hidden = wait_for_pixels(figure, before, same=False)
    log.click()
    wait_for_pixels(figure, hidden, same=False)
    log.click()
    wait_for_pixels(figure, hidden, same=True)
    lines.last.click()
    wait_for_pixels(figure, hidden, same=False)
    expect(figure).to_have_attribute("data-hidden", "train|test")


def test_pointing_at_a_curve_tells_its_line_epoch_and_value(look: Visit) -> None:
    figure = chart(look(), CHART)
    box = figure.locator("canvas").bounding_box()
    figure.locator("canvas").hover(position={"x": box["width"] / 2, "y": box["height"] / 4})
    told = figure.page.locator("#vg-tooltip-element")
    told.wait_for()
    rows = {
        row.locator(".key").text_content(): row.locator(".value").text_content() for row in told.locator("tr").all()
    }
    panel = panels(figure)[0]
    assert list(rows) == ["line", "what", "epoch", panel["y"]]
    line = next(line for line in panel["lines"] if line["name"] == rows["line"])
    values = {"ours, mean": line["mean"], LOG: line["log"]["y"]}
    values |= {f"seed {seed}": value for seed, value in line["seeds"].items()}
    assert float(rows[panel["y"]]) == pytest.approx(values[rows["what"]][int(rows["epoch"]) - 1], rel=1e-3)
    figure.page.mouse.move(0, 0)
    expect(told).to_be_hidden()


def test_the_theme_follows_the_system_until_the_button_says_otherwise(look: Visit) -> None:
    page, seen = look(), {}
    figure, button = chart(page, CHART), page.locator("#theme")
    for system in ("light", "dark"):
        page.emulate_media(color_scheme=system)
        for theme in ("auto", "light", "dark"):
            expect(button).to_have_text(f"Theme: {theme}")
            paper = page.locator("body").evaluate("(body) => getComputedStyle(body).backgroundColor")
            seen[system, theme] = (paper, wait_for_color(figure, "--series-0"))
            button.click()
    light, dark = seen["light", "auto"], seen["dark", "auto"]
    assert light == seen["light", "light"] == seen["dark", "light"]
    assert dark == seen["light", "dark"] == seen["dark", "dark"]
    assert not set(light) & set(dark)


def test_a_figure_comes_as_csv_and_as_svg(look: Visit, report: Path) -> None:
    figure = chart(look(), CHART)
    figure.locator("summary").click()
    name, path = downloaded(figure.get_by_role("button", name="CSV"))
    rows = pd.read_csv(path)
    assert (name, [*rows]) == ("mnist_rnn_figure_4.csv", ["quantity", "line", "kind", "seed", "x", "y"])
    curves = pd.read_csv(report.parents[1] / "results" / "training" / "elman" / "curves.csv")
    loss = rows[(rows["quantity"] == "loss, sum over batches") & (rows["line"] == "test")]
    assert loss["kind"].value_counts().to_dict() == {"seed": 300, "ours, mean": 100, LOG: 100}
    ours = loss[loss["kind"] == "ours, mean"].sort_values("x")["y"]
    assert ours.to_list() == pytest.approx(curves.groupby("epoch")["test_loss_sum"].mean().to_list(), rel=1e-3)
    name, path = downloaded(figure.get_by_role("button", name="SVG"))
    assert name == "mnist_rnn_figure_4.svg"
    assert ElementTree.parse(path).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert "var(" not in path.read_text()


def test_a_single_mark_stands_in_an_axis_with_a_range(visit: Visit) -> None:
    # Vega gives one value no range of its own, and labels the axis with a whole number.
    domains = visit().evaluate("""() => [...document.querySelectorAll('figure.drawn > script')]
        .map((script) => JSON.parse(script.textContent)).filter((data) => data.points).flatMap((data) =>
            specification(data, { xlog: data.xlog, ylog: undefined, hidden: [] }, 400).vconcat.flatMap((panel) =>
                ['x', 'y'].map((axis) => [new Set(panel.data.values.map((row) => row[axis])).size,
                    panel.layer[0].encoding[axis].scale.domain ?? null])))""")
    assert {values for values, _ in domains} > {1}
    for values, domain in domains:
        assert (domain is not None and domain[0] < domain[1]) == (values == 1)


@pytest.mark.parametrize(("keyboard", "name"), [(False, "Ours"), (True, "Log")])
def test_a_header_sorts_up_then_down_then_as_it_was(look: Visit, keyboard: bool, name: str) -> None:
    table = look().locator(f"section#{PAPER} table.claims:not(.unmade)")
    heads = table.locator("thead th")
    index = [head.strip() for head in heads.all_text_contents()].index(name)
    head, original = heads.nth(index), column(table, 0)
    values = column(table, index)
    numbers = [float(value) for value in values if value not in MISSING]
    assert (len(numbers) < len(values)) == (name == "Log")  # counts have no log
    assert name == "Log" or sorted(numbers) != [float(value) for value in sorted(map(str, numbers))]  # not as text
    for key, order, rows in (("Enter", "ascending", sorted(numbers)), ("Space", "descending", sorted(numbers)[::-1])):
        head.locator("button").press(key) if keyboard else head.locator("button").click()
        expect(head).to_have_attribute("aria-sort", order)
        assert table.locator("[aria-sort]").count() == 1
        after = column(table, index)
        assert [float(value) for value in after[: len(rows)]] == rows
        assert set(after[len(rows) :]) <= MISSING
    head.locator("button").press("Enter") if keyboard else head.locator("button").click()
    expect(head).not_to_have_attribute("aria-sort", re.compile(".*"))
    assert column(table, 0) == original


def test_another_header_takes_over(look: Visit) -> None:
    heads = look().locator(f"section#{PAPER} table.cells.sortable >> nth=0 >> thead th")
    for head in (heads.last, heads.first):
        head.locator("button").click()
        expect(head).to_have_attribute("aria-sort", "ascending")
    expect(heads.last).not_to_have_attribute("aria-sort", re.compile(".*"))


def test_verdicts_filter_the_rows(look: Visit) -> None:
    page = look()
    groups = page.locator(".filter").all()
    assert len(groups) > 1
    for group in groups:
        rows, buttons = group.locator("+ .scroll tbody tr"), group.get_by_role("button")
        verdicts = rows.evaluate_all("(all) => all.map((row) => row.dataset.verdict)")
        counts = {
            "all": len(verdicts),
            **dict(sorted(Counter(verdicts).items(), key=lambda item: ORDER.index(item[0]))),
        }
        assert buttons.all_text_contents() == [f"{verdict} {count}" for verdict, count in counts.items()]
        for verdict, button in reversed([*zip(counts, buttons.all(), strict=True)]):
            button.click()
            assert group.locator("[aria-pressed=true]").all_text_contents() == [button.text_content()]
            assert shows(rows) == counts[verdict]
            assert verdict == "all" or shows(rows.and_(page.locator(f"[data-verdict='{verdict}']"))) == counts[verdict]


def test_a_table_comes_as_csv(look: Visit, report: Path) -> None:
    page = look()
    made = page.locator(f"section#{PAPER} .made[data-name='{PAPER}-claims']")
    name, path = downloaded(made.get_by_role("button", name="CSV"))
    claims = [
        row
        for row in read_csv(report.parent / "tables" / PAPER / "claims.csv")
        if row["run"] and row["scale"] != "not run"
    ]
    rows = read_csv(path)
    assert name == f"{PAPER}-claims.csv"
    assert [(row["What"], row["Verdict"]) for row in rows] == [(row["column"], row["verdict"]) for row in claims]
    assert ["" if row["Ours"] in MISSING else row["Ours"] for row in rows] == [row["ours"] for row in claims]
    assert {row["Verdict"] for row in rows} > {"worse"}
    page.locator(f"section#{PAPER} .filter").first.get_by_role("button", name="worse").click()
    _, path = downloaded(made.get_by_role("button", name="CSV"))
    assert {row["Verdict"] for row in read_csv(path)} == {"worse"}


def test_findings_come_as_csv(look: Visit) -> None:
    page = look()
    made = page.locator(f"section#{PAPER} .findings + .made")
    name, path = downloaded(made.get_by_role("button", name="CSV"))
    rows = read_csv(path)
    assert (name, len(rows)) == (f"{PAPER}-findings.csv", page.locator(f"section#{PAPER} .findings > div").count())
    assert all(row["where"] and row["finding"] for row in rows)
