"""A sixth document as a user adds it: three places and nothing else; tests/own_paper holds what goes there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree.ElementTree import Element

import html5lib
import pandas as pd
import pytest
import yaml

from tests.clone import Clone
from tests.small import REPOSITORY

PAPER = "softmax-digits"
OWN = Path(__file__).parent / "own_paper"
FILES = sorted(str(path.relative_to(OWN)) for folder in ("papers", "models") for path in (OWN / folder).rglob("*.*"))
RUNS = ("linear", "mlp")
PASTED = "Model Parameters Accuracy (%)\nOurs (small) 350k 91.28 ± 0.2\n"
BY_COMMAND = {"models/pasted.py", *(f"papers/pasted/{name}" for name in ("README.md", "claims.csv", "paper.yaml"))}

pytestmark = pytest.mark.pipeline


class UnchangedClone(Clone):
    """With the parameters as they are."""

    @staticmethod
    def tiny(params: dict) -> None:
        pass


def add_entries(params: dict) -> None:
    for section, entries in yaml.safe_load((OWN / "entries.yaml").read_text(encoding="utf-8")).items():
        assert not params[section].keys() & entries.keys()
        params[section] |= entries


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    made = UnchangedClone.made(tmp_path_factory.mktemp("own"))
    made.shorten()
    made.commit("fewer documents, so that comparing and rendering them takes less time")
    for name in FILES:
        (made.folder / name).parent.mkdir(exist_ok=True)
        shutil.copy2(OWN / name, made.folder / name)
    made.change(add_entries)
    table = tmp_path_factory.mktemp("pasted") / "table.txt"
    table.write_text(PASTED, encoding="utf-8")
    words = ("--id", "pasted", "--title", "Pasted", "--table", str(table), "--data", "mnist", "--yes")
    assert "dvc repro evaluate-run@ours-small" in made.run("python", "-m", "commands", "new-paper", *words).stdout
    changed = made.run("git", "status", "--porcelain", "-uall").stdout.splitlines()
    assert {line[3:] for line in changed} == {*FILES, *BY_COMMAND, "params.yaml"}
    named = {f"{stage}-run@{run}" for stage in ("train", "evaluate") for run in (*RUNS, "ours-small")}
    executed = made.stages_run("repro", *(f"evaluate-run@{run}" for run in (*RUNS, "ours-small")))
    assert executed == {"check", "download@digits", "split@digits", *named}
    assert made.stages_run("repro", "-s", "compare", "report") == {"compare", "report"}
    return made


@pytest.fixture(scope="module")
def section(clone: Clone) -> Element:
    page = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(
        (clone.folder / "reports" / "report.html").read_text(encoding="utf-8")
    )
    (found,) = page.iterfind(f".//section[@id='{PAPER}']")
    assert page.find(f".//nav//a[@href='#{PAPER}']") is not None
    return found


def table(clone: Clone, name: str) -> pd.DataFrame:
    return pd.read_csv(clone.folder / "reports" / "tables" / PAPER / f"{name}.csv").set_index("id", drop=False)


def verdicts(claims: pd.DataFrame) -> dict[str, str]:
    """What claims.csv says of every published number, by its id."""
    return dict(zip(claims["id"], claims["verdict"], strict=True))


def words(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def test_every_published_number_is_beside_that_of_a_full_run(clone: Clone) -> None:
    claims = table(clone, "claims")
    assert set(claims["scale"]) == {"full run"}
    assert list(claims["run"]) == ["linear", "linear", "mlp"]
    assert claims.loc["T1-linear-parameters", "ours"] == 64 * 10 + 10
    assert verdicts(claims) == {
        "T1-linear-parameters": "match",
        "T1-linear-test_accuracy": "match",
        "T1-mlp-test_accuracy": "worse",
    }
    summary = json.loads((clone.folder / "reports" / "summary.json").read_text(encoding="utf-8"))
    assert summary["papers"][PAPER]["runs"] == {"full run": 2, "our reading": 0, "reduced run": 0, "not run": 0}


def test_what_the_command_added_is_trained_and_never_judged_by_a_stand_in(clone: Clone) -> None:
    claims = pd.read_csv(clone.folder / "reports" / "tables" / "pasted" / "claims.csv")
    assert list(claims["published"]) == ["350k", "91.28%"]
    assert set(claims["verdict"]) == {"not run"}
    assert set(claims["reason"]) == {"reduced run"}
    assert claims["ours"].iloc[1] > 0.5
    page = (clone.folder / "reports" / "report.html").read_text(encoding="utf-8")
    assert 'id="T1-ours-small-test_accuracy"' in page


def test_the_report_has_its_table(clone: Clone, section: Element) -> None:
    found = section.find(".//section[@id='softmax_digits_table_1']")
    assert found is not None
    assert words(found).startswith("Table 1. Accuracy on the digits")
    rows = {words(row[0]): words(row) for row in found.iterfind(".//tbody/tr")}
    for run, title in (("linear", "One linear layer"), ("mlp", "One hidden layer")):
        claim = table(clone, "claims").loc[f"T1-{run}-test_accuracy"]
        assert claim["published"] in rows[title]
        assert f"{100 * claim['ours']:.2f}%" in rows[title]
        assert "reduced run" not in rows[title]


def test_the_report_decides_its_statement(clone: Clone, section: Element) -> None:
    assert table(clone, "statements").loc["hidden-layer-helps", "outcome"] == "holds"
    (row,) = section.iterfind(".//table[@class='text sortable statements']/tbody/tr")
    assert "A hidden layer does better" in words(row)
    assert [words(outcome) for outcome in row.iterfind(".//span[@class='verdict holds']")] == ["\N{CHECK MARK} holds"]


def test_the_report_shows_its_verdicts(clone: Clone, section: Element) -> None:
    rows = section.findall(".//table[@class='sortable claims']/tbody/tr")
    assert [row.get("data-verdict") for row in rows] == list(verdicts(table(clone, "claims")).values())


def test_the_report_has_its_chart_its_runs_its_deviation_and_its_finding(clone: Clone, section: Element) -> None:
    assert section.find(".//figure[@id='softmax_digits_figure_1']") is not None
    assert (clone.folder / "reports" / "figures" / "softmax_digits_figure_1.svg").is_file()
    text = words(section)
    for said in ("every run follows it in full", "No batch size.", "99 % for the hidden layer"):
        assert said in text


def test_the_documentation_shows_what_is_added_here() -> None:
    blocks = (REPOSITORY / "docs" / "own-paper.md").read_text(encoding="utf-8").split("```")[1::2]
    assert blocks.pop(0) == "\npython -m commands new-paper\n"
    assert len(blocks) == 4
    shown = {path.read_text(encoding="utf-8") for path in OWN.rglob("*.*") if path.is_file()}
    for block in blocks:
        kind, _, body = block.partition("\n")
        assert kind == "" or any(body in text for text in shown), body
