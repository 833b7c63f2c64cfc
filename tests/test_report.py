"""The report: a valid page that needs nothing beside it, and what it has to show."""

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import html5lib
import pytest

from stages.compare.__main__ import main as compare
from stages.compare.verdicts import VERDICTS
from stages.core.layout import Layout
from stages.documents.paper import load_papers
from stages.params import load_cells, load_params
from stages.report import page as page_module
from stages.report.__main__ import main as report_stage
from stages.report.figures.figure import FigureView
from stages.report.figures.style import Drawing
from stages.report.paper_view import view
from stages.results.read import read_results
from tests.browser import KEYS
from tests.clone import Clone
from tests.fake_results import write_cells, write_split

ROOT = Path(__file__).resolve().parents[1]
GRID = [f"{architecture}-{depth}" for architecture in ("recurnet1", "recurnet2") for depth in range(4, 9)]

pytestmark = pytest.mark.slow


def make(home: Path, params: Path, keys: list[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """A home with results of ``keys`` and its report; gives the report's text."""
    home.mkdir(exist_ok=True)
    shutil.copy(params, home / "params.yaml")
    loaded = load_params(home / "params.yaml")
    write_cells(home, loaded, keys)
    for split in {loaded.cell(key).dataset for key in keys}:
        write_split(home, split)
    for stage in (compare, report_stage):
        monkeypatch.setattr("sys.argv", ["stage", str(home)])
        stage()
    return (Layout(home).reports / "report.html").read_text()


def reduced_keys() -> list[str]:
    return [*(f"digits-{cell}" for cell in GRID), *load_params(ROOT / "params.yaml").named]


@pytest.fixture(scope="module")
def homes(report: Path, complete: Clone) -> dict[str, tuple[Path, str]]:
    """What the whole pipeline makes by default, a reduced run on digits; and a full run that misses most cells."""
    pages = {"reduced": Layout(complete.folder).reports / "report.html", "full": report}
    return {name: (page.parents[1], page.read_text(encoding="utf-8")) for name, page in pages.items()}


@pytest.mark.parametrize("name", ["reduced", "full"])
def test_the_page_is_valid_and_needs_nothing_beside_it(homes, name: str) -> None:
    page = homes[name][1]
    document = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)
    loaded = [
        value for node in document.iter() for key in ("src", "data", "srcset", "poster") if (value := node.get(key))
    ]
    assert all(value.startswith("data:image/png;base64,") for value in loaded)
    tags = [node.tag for node in document.iter() if isinstance(node.tag, str)]
    assert not {"link", "iframe", "object", "embed", "base"} & set(tags)
    assert not re.search(r"url\(|@import", "".join(node.text or "" for node in document.iter("style")))
    links = {node.get("href") for node in document.iter("a")}
    ids = [node.get("id") for node in document.iter() if node.get("id")]
    assert len(ids) == len(set(ids))
    assert {link for link in links if not link.startswith("#")} == {
        "https://github.com/thinkGrow/recurrent-neural-network-for-image-classificatiom",
        "https://github.com/xxyQwQ/awesome-ai",
        *(item.url for document in load_papers() for item in document.author_weights),
    }
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)
    assert all(node.get("scope") for node in document.iter("th"))
    assert all(node.get("alt") for node in document.iter("img"))


def section(page: str, paper: str) -> str:
    return page[page.index(f'<section id="{paper}">') :]


def table(page: str, name: str) -> str:
    start = page[page.index(f'<table class="{name}">') :]
    return start[: start.index("</table>")]


def test_every_reduced_number_is_labelled(homes) -> None:
    page, keys = homes["reduced"][1], reduced_keys()
    assert "<strong>Reduced run.</strong>" in page
    missing = sum(run not in keys for document in load_papers() for run in document.runs)
    assert f"{missing} not run" in page
    headlines = [part[: part.index("</table>")] for part in page.split('<table class="headline">')[1:]]
    assert all(headline.count("reduced run</span>") for headline in headlines)
    assert table(section(page, "recurnets"), "cells sortable").count("reduced run</span>") == 10
    own = list((Layout(homes["reduced"][0]).reports / "figures").glob("recurnets_figure_digits_*.svg"))
    assert len(own) == 12
    assert all("ours, reduced run" in path.read_text() for path in own)


def test_a_full_run_shows_differences_and_what_is_missing(homes) -> None:
    page = homes["full"][1]
    runs = [run for document in load_papers() for run in document.runs]
    made = sum(run in KEYS for document in load_papers() if not document.reading for run in document.runs)
    assert f"<strong>Partly run.</strong> {made} of the papers\N{RIGHT SINGLE QUOTATION MARK} {len(runs)} runs" in page
    assert "reduced run</span>" not in page
    assert re.search('<td data-v="-?[0-9.e-]+">[+\N{MINUS SIGN}][0-9]+[.][0-9]{2}</td>', page)
    assert "Sample of MNIST" in page
    assert "name the split svhn draws it" in page


def test_claims_in_words_come_with_an_interval_and_an_outcome(homes) -> None:
    several, one = (
        table(section(homes["full"][1], paper), "text sortable statements") for paper in ("mnist-rnn", "recnet")
    )
    assert re.search(r"LSTM network.*?performs.*?slightly.*?better", several, re.DOTALL)
    for rows in (several, one):
        assert re.search(r"\[[+\N{MINUS SIGN}]\d+\.\d\d, [+\N{MINUS SIGN}]\d+\.\d\d\]", rows)
        assert re.search(r'class="verdict as_printed"', rows)
    assert re.search(r'class="verdict log_agrees"', several)
    assert re.search(r'class="verdict (not_)?seen"', one)
    assert not re.search(r'class="verdict (holds|contradicted)"', one)  # which takes several seeds
    assert re.search(r'class="verdict (holds|contradicted)"', several)


@pytest.mark.parametrize("name", ["reduced", "full"])
def test_every_figure_is_there(homes, name: str) -> None:
    home, page = homes[name]
    figures = Layout(home).reports / "figures"
    numbers = ["4.2", "4.3", *(f"5.{n}" for n in range(1, 7)), *(f"7.{n}" for n in range(1, 37))]
    drawn = {f"recurnets_figure_{number.replace('.', '_')}" for number in numbers}
    drawn |= {f"mnist_rnn_figure_{number}" for number in range(2, 10)}
    drawn |= {f"recnet_figure_{number}" for number in range(5, 8)}
    drawn |= {"gunn_figure_4", "gunn_figure_accuracy", "gunn_figure_heads"}
    drawn |= {"cnn_gru_figure_1", "cnn_gru_figure_2", "cnn_gru_figure_accuracy", "cnn_gru_figure_controls"}
    dataset = {"reduced": "digits", "full": "mnist"}[name]
    drawn |= {f"recurnets_figure_iterations_{number}_{dataset}" for number in (1, 2)}
    drawn.add(f"recnet_figure_iterations_{'digits' if name == 'reduced' else 'cifar10'}")
    for stem in drawn:
        assert f'id="{stem}"' in page
        assert ElementTree.parse(figures / f"{stem}.svg").getroot().tag.endswith("svg")
    for number in ("3.1", "3.2", "3.3", "1", "4"):
        assert f"Figure {number}." in page
    assert page.count("The same chart as") == 6


def test_nothing_of_this_machine_is_shown(homes) -> None:
    for home, page in homes.values():
        assert str(home) not in page
        assert str(ROOT) not in page


def test_a_second_run_elsewhere_gives_the_same_bytes(homes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = homes["full"][0], tmp_path / homes["full"][0].name
    shutil.copytree(first, second, ignore=shutil.ignore_patterns("reports"))
    monkeypatch.setattr("sys.argv", ["stage", str(second)])
    compare()
    report_stage()

    def written(home: Path) -> dict[Path, bytes]:
        layout = Layout(home)
        files = (path for path in (layout.scores, *layout.reports.rglob("*")) if path.is_file())
        return {path.relative_to(home): path.read_bytes() for path in files}

    assert written(second) == written(first)


DRAW = """
import pathlib, pickle, sys
for name, draw in pickle.load(sys.stdin.buffer):
    drawing = draw()
    pathlib.Path(name + ".svg").write_text(drawing.svg, encoding="utf-8")
    pathlib.Path(name + ".pdf").write_bytes(drawing.pdf)
"""


def test_every_kind_of_figure_is_drawn_with_the_same_bytes_in_another_process(homes, tmp_path: Path) -> None:
    """Of each function that draws, the figures with the least and with the most to show."""
    layout = Layout(homes["reduced"][0])
    results = read_results(layout, load_cells(layout.cells))
    figures = [figure for paper in load_papers() for figure in view(layout, paper, results).figures]
    kinds: dict[str, list[FigureView]] = {}
    for figure in sorted(figures, key=lambda figure: len(pickle.dumps(figure.draw))):
        kinds.setdefault(figure.draw.func.__name__, []).append(figure)
    surveys = {"draw_grid", "draw_iterations", "draw_scatter", "draw_reliability"}  # nothing here has a sweep
    assert set(kinds) == {"draw", "draw_diagram", "draw_dots", *surveys}
    drawn = [figure for kind in kinds.values() for figure in {kind[0].name: kind[0], kind[-1].name: kind[-1]}.values()]
    sent = pickle.dumps([(figure.name, figure.draw) for figure in drawn])
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "1"}
    subprocess.run([sys.executable, "-c", DRAW], input=sent, cwd=tmp_path, env=environment, check=True, timeout=300)
    for figure in drawn:
        for ending in ("svg", "pdf"):
            name = f"{figure.name}.{ending}"
            assert (tmp_path / name).read_bytes() == (layout.reports / "figures" / name).read_bytes(), name


def test_a_stale_result_is_named_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which has no figures here: drawing them takes longer than all the rest."""
    blank = Drawing('<svg width="1pt" height="1pt"/>', b"")
    monkeypatch.setattr(page_module, "draw_all", lambda figures, *_: ({each.name: blank for each in figures}, ""))
    params = (ROOT / "params.yaml").read_text()
    (tmp_path / "old.yaml").write_text(re.sub(r" epochs: \d+", " epochs: 3", params))
    write_cells(tmp_path / "home", load_params(tmp_path / "old.yaml"), ["digits-recurnet1-4"])
    page = make(tmp_path / "home", ROOT / "params.yaml", [], monkeypatch)
    assert "<code>digits-recurnet1-4</code> was trained with other parameters and is not shown" in page
    assert "<strong>Not run.</strong>" in page


def test_the_first_screen_counts_the_verdicts(homes) -> None:
    home, page = homes["full"]
    strip, totals = table(page, "verdicts"), [0] * (len(VERDICTS) + 4)
    for paper, about in json.loads((Layout(home).reports / "summary.json").read_text())["papers"].items():
        line = next(row for row in strip.split("<tr>") if f'href="#{paper}"' in row)
        cells = [int(cell) for cell in re.findall(r"<td[^>]*>(\d+)</td>", line)]
        assert cells[: len(VERDICTS)] == [about["verdicts"][word] for word in VERDICTS]
        assert sum(cells[len(VERDICTS) :]) == sum(about["statements"].values())
        totals = [before + cell for before, cell in zip(totals, cells, strict=True)]
    foot = strip[strip.index("<tfoot>") :]
    assert [int(cell) for cell in re.findall(r"<td[^>]*>(\d+)</td>", foot)] == totals


def test_every_claim_of_a_run_that_was_made_has_its_verdict_as_word_and_sign(homes) -> None:
    told = re.compile(r'<span aria-hidden="true">\S</span> <span class="word">[a-z ()]+</span></span>')
    for name, verdict, made, unmade in (("reduced", "not run", 92, 0), ("full", "inconclusive", 47, 45)):
        page = homes[name][1]
        rows = table(section(page, "mnist-rnn"), "sortable claims").split("<tr ")[1:]
        assert len(rows) == made
        assert any(f'data-verdict="{verdict}"' in row for row in rows)
        every = [row for part in page.split('<table class="sortable claims">')[1:] for row in rows_of(part)]
        assert len(every) > made
        assert all(told.search(row) for row in every)
        assert not unmade or len(rows_of(table(section(page, "mnist-rnn"), "sortable claims unmade"))) == unmade


def rows_of(start: str) -> list[str]:
    """The rows with an id of the table that ``start`` begins in."""
    return start.partition("</table>")[0].split("<tr ")[1:]


def test_findings_carry_the_rule_that_found_them(homes) -> None:
    found = section(homes["reduced"][1], "recurnets")
    found = found[found.index('id="recurnets_findings"') : found.index('id="recurnets_tables"')]
    assert 'title="A row far from the others' in found
    assert found.count(">table against log</span>") == 4
    assert "byte-identical" in found


@pytest.mark.parametrize("name", ["reduced", "full"])
def test_the_numbers_behind_every_curve_are_in_the_page(homes, name: str) -> None:
    page = homes[name][1]
    data = [json.loads(text) for text in re.findall(r'<script type="application/json">(.*?)</script>', page)]
    assert len(data) > 40
    for figure in data:
        for line in (line for panel in figure["panels"] for line in panel["lines"]):
            assert "mean" in line or "log" in line
            assert "x" not in line or len(line["x"]) == len(line["mean"])


def test_every_figure_is_there_for_print_too(homes) -> None:
    for home, _ in homes.values():
        figures = Layout(home).reports / "figures"
        drawn = sorted(path.stem for path in figures.glob("*.svg"))
        assert drawn == sorted(path.stem for path in figures.glob("*.pdf"))
        assert all(path.read_bytes().startswith(b"%PDF-") for path in figures.glob("*.pdf"))


def test_every_run_has_its_command_its_hashes_and_its_confusion(homes) -> None:
    page = homes["full"][1]
    run = page[page.index('id="run_recnet"') :]
    run = run[: run.index("</details>")]
    assert "evaluate-run@recnet</code>; parameters <code>runs.recnet</code>; seeds 0;" in run
    assert run.count('<tr><th scope="row">') == 10


def test_the_page_stays_small(homes) -> None:
    assert all(len(page.encode()) < 6 * 2**20 for _, page in homes.values())
