"""Finding one's way around the report in a real browser: contents, search, links to what is folded away."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser import Visit, shows

FOLDED = "T5.1-recurnet1-7-accuracy"  # of a run that was not made

pytestmark = pytest.mark.browser


def box(page: Page, selector: str) -> dict[str, float]:
    return page.locator(selector).evaluate("(each) => each.getBoundingClientRect().toJSON()")


@pytest.mark.parametrize("scripts", [True, False])
def test_the_contents_stay_in_view_beside_the_text(visit: Visit, scripts: bool) -> None:
    page = visit(java_script_enabled=scripts)
    links = page.locator(".contents a")
    assert shows(links) > 7
    page.locator("#methods").scroll_into_view_if_needed()
    place = box(page, ".contents")
    assert 0 <= place["top"] < 50
    assert place["right"] <= box(page, "main")["left"]
    assert shows(page.locator(".contents summary")) == 0


@pytest.mark.parametrize("scripts", [True, False])
def test_on_a_narrow_screen_the_contents_unfold_by_a_click(visit: Visit, scripts: bool) -> None:
    page = visit(390, java_script_enabled=scripts)
    assert shows(page.locator(".contents a")) == 0
    page.locator("#methods").scroll_into_view_if_needed()
    assert 0 <= box(page, ".contents")["top"] < 50
    page.locator(".contents summary").click()
    assert shows(page.locator(".contents a")) > 7


def test_the_section_in_view_is_marked_and_its_document_unfolded(visit: Visit) -> None:
    page = visit()
    expect(page.locator(".contents [aria-current]")).to_have_text("First screen")
    page.evaluate("document.getElementById('gunn_findings').scrollIntoView()")
    expect(page.locator(".contents [aria-current]")).to_have_attribute("href", "#gunn_findings")
    assert shows(page.locator(".contents a[href='#gunn_deviations']")) == 1
    assert shows(page.locator(".contents a[href='#recnet_deviations']")) == 0


@pytest.mark.parametrize("way", ["address", "link"])
def test_a_link_to_a_folded_number_opens_what_it_lies_in(visit: Visit, way: str) -> None:
    page = visit()
    row = page.locator(f"[id='{FOLDED}']")
    assert shows(row) == 0
    if way == "address":
        page.evaluate("(id) => { location.hash = id; }", FOLDED)
    else:
        page.get_by_role("searchbox").fill("recurnets depth 7 accuracy experiment-1 table 5.1")
        page.locator(".found a").first.click()
    expect(row).to_be_in_viewport()
    row.hover()
    link = row.locator(".permalink")
    assert link.get_attribute("href") == f"#{FOLDED}"
    link.click()
    assert page.evaluate("location.hash") == f"#{FOLDED}"


def test_a_row_that_a_filter_hides_comes_back_for_its_link(visit: Visit) -> None:
    page = visit()
    name = page.locator("#mnist-rnn .claims tbody tr[data-verdict=match]").first.get_attribute("id")
    page.locator("#mnist-rnn .filter").first.get_by_role("button", name="inconclusive").click()
    assert shows(page.locator(f"[id='{name}']")) == 0
    page.evaluate("(id) => { location.hash = id; }", name)
    expect(page.locator(f"[id='{name}']")).to_be_in_viewport()


@pytest.mark.parametrize(
    ("words", "kind", "place"),
    [
        ("68.4% imagenet", "Number", "#1-imagenet-cnn-test_accuracy"),
        ("depth 7 had the best accuracy", "Sentence", "#recurnets-says-"),
        ("gunn deviations", "Section", "#gunn_deviations"),
        ("run lstm-unbalanced", "Run", "#run_lstm_unbalanced"),
    ],
)
def test_the_search_finds_numbers_sentences_sections_and_runs(visit: Visit, words: str, kind: str, place: str) -> None:
    page = visit()
    page.keyboard.press("/")
    page.keyboard.type(words)
    found = page.locator(f".found a[href^='{place}']")
    expect(found.first).to_be_visible()
    expect(found.first.locator("b")).to_have_text(re.compile(f"^{kind}"))
    page.keyboard.press("Escape")
    assert page.locator(".found a").count() == 0
    assert shows(page.locator(".contents a")) > 7


def test_a_search_without_a_hit_says_so_and_a_number_is_not_found_by_its_middle(visit: Visit) -> None:
    page = visit()
    page.get_by_role("searchbox").fill("xyzzy")
    expect(page.locator(".found")).to_have_text("Nothing found")
    page.get_by_role("searchbox").fill("depth 7 accuracy")
    first = page.locator(".found a").first
    expect(first).to_contain_text("depth 7")


def test_without_scripts_there_is_no_search_and_a_fold_opens_by_a_click(visit: Visit) -> None:
    page = visit(java_script_enabled=False)
    assert page.locator(".search").count() == 0
    fold = page.locator(f"details:has([id='{FOLDED}'])").first
    fold.locator("> summary").click()
    assert shows(page.locator(f"[id='{FOLDED}']")) == 1


def test_on_paper_what_is_folded_shows_and_the_contents_do_not(visit: Visit) -> None:
    page = visit(1032)
    page.emulate_media(media="print")
    assert shows(page.locator(".contents, .permalink")) == 0
    assert shows(page.locator(f"[id='{FOLDED}']")) == 1
