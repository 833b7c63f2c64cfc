import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import html5lib
import pytest

from stages import compare, report
from stages.layout import Layout
from stages.params import load_params
from tests.fake_results import write_cells, write_split

ROOT = Path(__file__).resolve().parents[1]
GRID = [f"{architecture}-{depth}" for architecture in ("recurnet1", "recurnet2") for depth in range(4, 9)]


def make(home: Path, params: Path, keys: list[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """A home with results of ``keys`` and its report; gives the report's text."""
    home.mkdir(exist_ok=True)
    shutil.copy(params, home / "params.yaml")
    loaded = load_params(home / "params.yaml")
    write_cells(home, loaded, keys)
    for split in {loaded.cell(key).dataset for key in keys}:
        write_split(home, split)
    for stage in (compare, report):
        monkeypatch.setattr("sys.argv", ["stage", str(home)])
        stage.main()
    return (Layout(home).reports / "report.html").read_text()


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, str]]:
    """A reduced run on digits, and a full run that misses most cells."""
    made = {}
    with pytest.MonkeyPatch.context() as patch:
        for name, params, dataset in (
            ("reduced", ROOT / "params.yaml", "digits"),
            ("full", ROOT / "full" / "params.yaml", "mnist"),
        ):
            home = tmp_path_factory.mktemp(name)
            keys = [*(f"{dataset}-{cell}" for cell in GRID), *load_params(params).named]
            made[name] = (home, make(home, params, keys, patch))
    return made


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
    page = homes["reduced"][1]
    assert "<strong>Reduced run.</strong>" in page
    assert "35 not run" in page
    headlines = page[: page.index("<nav")].split('<table class="headline">')[1:]
    assert sorted(headline.count("reduced run</span>") for headline in headlines) == [2, 3, 5, 6, 10]
    assert table(section(page, "recurnets"), "cells sortable").count("reduced run</span>") == 10
    own = list((Layout(homes["reduced"][0]).reports / "figures").glob("recurnets_figure_digits_*.svg"))
    assert len(own) == 12
    assert all("ours, reduced run" in path.read_text() for path in own)


def test_a_full_run_shows_differences_and_what_is_missing(homes) -> None:
    page = homes["full"][1]
    assert "<strong>Partly run.</strong> 26 of the papers\N{RIGHT SINGLE QUOTATION MARK} 51 runs" in page
    assert "reduced run</span>" not in page
    assert re.search('<td data-v="-?[0-9.e-]+">[+\N{MINUS SIGN}][0-9]+[.][0-9]{2}</td>', page)
    assert "Sample of MNIST" in page
    assert "name the split svhn draws it" in page


def test_claims_in_words_come_with_an_interval_and_an_outcome(homes) -> None:
    rows = table(section(homes["full"][1], "mnist-rnn"), "text sortable statements")
    assert re.search(r"LSTM network.*?performs.*?slightly.*?better", rows, re.DOTALL)
    assert re.search(r"\[[+\N{MINUS SIGN}]\d+\.\d\d, [+\N{MINUS SIGN}]\d+\.\d\d\]", rows)
    assert re.search(r'class="verdict (holds|contradicted|undecided)"', rows)


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


def test_a_second_run_gives_the_same_bytes(homes, monkeypatch: pytest.MonkeyPatch) -> None:
    reports = Layout(homes["full"][0]).reports
    before = {path: path.read_bytes() for path in reports.rglob("*") if path.is_file()}
    monkeypatch.setattr("sys.argv", ["stage", str(homes["full"][0])])
    compare.main()
    report.main()
    assert {path: path.read_bytes() for path in reports.rglob("*") if path.is_file()} == before


def test_a_stale_result_is_named_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = (ROOT / "params.yaml").read_text()
    (tmp_path / "old.yaml").write_text(re.sub(r" epochs: \d+", " epochs: 3", params))
    write_cells(tmp_path / "home", load_params(tmp_path / "old.yaml"), ["digits-recurnet1-4"])
    page = make(tmp_path / "home", ROOT / "params.yaml", [], monkeypatch)
    assert "<code>digits-recurnet1-4</code> was trained with other parameters and is not shown" in page
    assert "<strong>Not run.</strong>" in page
