"""The report's way around: contents, addresses of numbers and sentences, what is folded, the first screen."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

import html5lib
import pytest

from stages.compare.columns import CLAIM_COLUMNS, LADDER_COLUMNS, OPEN_COLUMNS, STATEMENT_COLUMNS
from stages.compare.ladder import RUNGS
from stages.core.layout import Layout
from stages.core.tables import Row, read_rows

CONTRADICTED = ("better", "worse", "differs (ours higher)", "differs (ours lower)")
FOR_IT = ("agrees", "exact", "follows", "match")
ORDER = ["recurnets", "mnist-rnn", "recnet", "gunn", "cnn-gru"]  # as in README

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(report: Path) -> tuple[Layout, Element]:
    """The report of a full run that misses most cells, read as HTML."""
    page = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(report.read_text(encoding="utf-8"))
    return Layout(report.parents[1]), page


def rows(layout: Layout, paper: str, name: str, columns: tuple[str, ...]) -> list[Row]:
    return read_rows(layout.reports / "tables" / paper / f"{name}.csv", columns)


def text(node: Element) -> str:
    return " ".join("".join(node.itertext()).split())


def by_id(page: Element) -> dict[str, Element]:
    return {node.get("id", ""): node for node in page.iter() if node.get("id")}


def parents(page: Element, node: Element) -> Iterator[Element]:
    above = {child: parent for parent in page.iter() for child in parent}
    while node in above:
        node = above[node]
        yield node


def test_the_documents_come_in_the_order_in_which_the_project_lists_them(made: tuple[Layout, Element]) -> None:
    _, page = made
    main = next(node for node in page.iter("main"))
    assert [node.get("id") for node in main if node.tag == "section"] == [*ORDER, "methods"]
    ladder = next(node for node in page.iter("table") if node.get("class") == "ladder")
    listed = [link.get("href") for link in ladder.iter("a")]
    assert listed == [f"#{paper}" for paper in ORDER]


def test_the_contents_lead_to_every_document_and_every_heading_in_their_order(made: tuple[Layout, Element]) -> None:
    _, page = made
    contents = next(node for node in page.iter("nav"))
    listed = [link.get("href", "")[1:] for link in contents.iter("a")]
    main = next(node for node in page.iter("main"))
    headed = [node.get("id", "") for node in main.iter() if node.tag in ("h2", "h3") and node.get("id")]
    assert [name for name in listed if name in headed] == [name for name in headed if name != "verdicts"]
    assert [name for name in listed if name not in headed] == ["top", *ORDER, "methods"]
    assert set(listed) <= set(by_id(page))


def test_every_number_and_every_sentence_has_an_address_of_its_own(made: tuple[Layout, Element]) -> None:
    layout, page = made
    places = by_id(page)
    for paper in ORDER:
        numbers = [row["id"] for row in rows(layout, paper, "claims", CLAIM_COLUMNS) if row["run"]]
        sentences = [f"{paper}-says-{row['id']}" for row in rows(layout, paper, "statements", STATEMENT_COLUMNS)]
        for name in (*numbers, *sentences):
            assert places[name].tag == "tr"
            links = [link for link in places[name].iter("a") if link.get("href") == f"#{name}"]
            assert [text(link) for link in links] == ["¶"]


def test_what_was_not_run_is_folded_away_and_nothing_else_of_the_numbers(made: tuple[Layout, Element]) -> None:
    layout, page = made
    places = by_id(page)
    folded = {node.get("id") for fold in page.iter("details") for node in fold.iter("tr") if node.get("id")}
    for paper in ORDER:
        for row in rows(layout, paper, "claims", CLAIM_COLUMNS):
            if row["run"]:
                assert (row["id"] in folded) == (row["scale"] == "not run"), row["id"]
                assert row["id"] in places
    for fold in page.iter("details"):
        assert next(iter(fold)).tag == "summary"  # it opens by a click, without scripts


def test_beside_every_number_that_no_full_run_decides_stands_what_would(made: tuple[Layout, Element]) -> None:
    layout, page = made
    places, seen = by_id(page), 0
    for paper in ORDER:
        for row in rows(layout, paper, "open", OPEN_COLUMNS):
            said = text(places[row["id"]])
            if row["command"]:
                assert row["command"] in said
                assert re.search(rf"{row['seeds']} seeds?\b", said)
                assert ("about" in said) == bool(row["hours"])
                seen += 1
            elif any(row["id"] == node.get("id") for fold in page.iter("details") for node in fold.iter("tr")):
                assert row["words"] in said
    assert seen > 100


def test_the_first_screen_counts_the_ladder(made: tuple[Layout, Element]) -> None:
    layout, page = made
    ladder = json.loads((layout.reports / "summary.json").read_text())["ladder"]
    table = next(node for node in page.iter("table") if node.get("class") == "ladder")
    lines = {next(node.iter("th")).find("a").get("href")[1:]: node for node in table.find("tbody")}  # type: ignore[union-attr]
    for paper, about in ladder.items():
        cells = [cell for cell in lines[paper] if cell.tag == "td"]
        for rung in RUNGS:
            counted = [cell for cell in about["numbers"] if cell["rung"] == rung]
            agree, maybe, other = (sum(cell["numbers"] for cell in counted if cell["answer"] in answers)
                                   for answers in (FOR_IT, ("plausible",), CONTRADICTED[2:]))  # fmt: skip
            against = sum(cell["numbers"] for cell in counted) - agree - maybe - other
            first = cells.pop(0)
            told = [first, cells.pop(0)] if first.get("colspan") is None else [first]
            numbers = [[int(number) for number in re.findall(r"\d+", text(cell))] for cell in told]
            if counted:
                assert numbers == [[each for each in pair if each] for pair in ((agree, maybe), (other, against))]
            else:
                assert [text(cell) for cell in told] == ["\N{EN DASH}"]
        assert text(cells.pop(0)).replace("\N{EN DASH}", "0") == str(about["open"])
        assert not cells


def test_the_five_things_are_counted(made: tuple[Layout, Element]) -> None:
    layout, page = made
    ladder = json.loads((layout.reports / "summary.json").read_text())["ladder"]
    listed = next(node for node in page.iter("ol") if node.get("class") == "worth")
    said = [text(item) for item in listed]
    assert len(said) == 5
    distinct, open_numbers = (sum(about[key] for about in ladder.values()) for key in ("distinct", "open"))
    assert said[0].startswith(f"{distinct - open_numbers} of {distinct} printed numbers are decided")
    without = sum(
        cell["numbers"]
        for about in ladder.values()
        for cell in about["numbers"]
        if cell["answer"] in ("impossible", "copied", "contradicts", "differs")
        and cell["rung"] in ("document", "counted", "log", "weights")
    )
    assert said[1].startswith(f"{without} numbers are contradicted without any training")
    claims = [row for paper in ORDER for row in rows(layout, paper, "claims", CLAIM_COLUMNS)]
    otherwise = sum(row["verdict"] in CONTRADICTED for row in claims)
    assert f"{otherwise} numbers come out otherwise by more than the margin" in said[2]
    every = [row for paper in ORDER for row in rows(layout, paper, "statements", STATEMENT_COLUMNS)]
    statements = [row for row in every if row["whose"] == "document"]
    assert said[3].startswith(f"Of {len(statements)} sentences that compare, {_count(statements, 'holds')} hold")
    assert said[4].startswith(f"{open_numbers} numbers are open.")
    assert "dvc repro full/" not in said[4]  # the home is not called full here


def _count(statements: list[Row], outcome: str) -> int:
    return sum(row["outcome"] == outcome for row in statements)


def test_hours_of_the_open_numbers_count_a_run_once_and_a_printed_number_once(made: tuple[Layout, Element]) -> None:
    layout, page = made
    runs: dict[str, float] = {}
    for paper in ORDER:
        ladder = rows(layout, paper, "ladder", LADDER_COLUMNS)
        decided = {row["number"] for row in ladder if row["strongest"] == "True"}
        number = {row["id"]: row["number"] for row in ladder}
        same: set[str] = set()
        for row in rows(layout, paper, "open", OPEN_COLUMNS):
            own = number.get(row["id"], row["id"].replace("gunn-as-published", "gunn").replace("-flat", ""))
            if own not in decided | same and row["command"]:
                same.add(own)
                runs[row["run"]] = max(float(row["hours"]), runs.get(row["run"], 0.0))
    listed = next(node for node in page.iter("ol") if node.get("class") == "worth")
    found = re.search(r"(\d+) runs?, about ([\d.\N{NARROW NO-BREAK SPACE}]+)\s(h|min) of training", text(listed))
    assert found is not None
    assert int(found[1]) == len(runs)
    said = float(found[2].replace("\N{NARROW NO-BREAK SPACE}", "")) / (1 if found[3] == "h" else 60)
    assert said == pytest.approx(sum(runs.values()), rel=0.05)


def test_a_table_with_anything_to_compare_has_a_chart_and_no_other(made: tuple[Layout, Element]) -> None:
    layout, page = made
    places = by_id(page)
    for paper in ORDER:
        tables: dict[str, bool] = {}
        for row in rows(layout, paper, "claims", CLAIM_COLUMNS):
            second = row["log"] or (row["ours"] if row["scale"] in ("full run", "our reading") else "")
            compared = row["run"] and row["unit"] != "count" and second
            tables[row["table"]] = tables.get(row["table"], False) or bool(compared)
        for table, drawn in tables.items():
            name = re.sub(r"[^0-9a-z]+", "_", f"{paper}_figure_table_{table}".lower())
            assert (name in places) == drawn, name
            if drawn:
                assert next(node for node in places[name].iter("div")).get("aria-label", "").startswith("Dot plot of ")
