"""`python -m commands export`: an archive with the same bytes twice, that CODECHECK, RO-Crate and LaTeX can read."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands.export.__main__ import exported, main
from commands.export.archive import folders, write_archive
from commands.export.codecheck import MISSING
from commands.export.contents import Files, Home
from commands.export.latex import SPECIAL, SYMBOLS, escaped, latex
from commands.export.provenance import Revision, revision
from stages.compare.scores import SCORE_COLUMNS, folder_digest
from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.core.tables import read_rows, write_csv
from stages.params import load_params
from tests.fake_results import write_cell
from tests.interface import check
from tests.small import REPOSITORY

FULL = REPOSITORY / "full"
TAKEN = ("params.yaml", "dvc.yaml", "dvc.lock", "scores.csv", "started.csv")
COMMIT = Revision("0123456789abcdef0123456789abcdef01234567", "2026-05-04T03:02:01+00:00", ())
BACK = {value: key for key, value in SPECIAL.items()}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A copy of what git has of the full home, with files of one of its results that this home made up."""
    root = tmp_path_factory.mktemp("homes") / "full"
    shutil.copytree(FULL / "reports", root / "reports", ignore=shutil.ignore_patterns("*.svg", "*.html", "recurnets_*"))
    (root / "reports" / "report.html").write_text("<p>The report.</p>")
    for name in TAKEN:
        shutil.copy(FULL / name, root / name)
    layout, cell = Layout(root), load_params(root / "params.yaml").cell("elman")
    write_cell(layout, cell)
    (layout.training(cell) / "seed-0.safetensors").write_bytes(b"weights")
    rows = read_rows(layout.scores, SCORE_COLUMNS)
    evaluation = {"elman": folder_digest(layout.evaluation(cell))}
    recorded = [{**row, "evaluation": evaluation.get(row["key"], row["evaluation"])} for row in rows]
    write_csv(layout.scores, recorded, SCORE_COLUMNS)
    return Home(layout)


@pytest.fixture(scope="module")
def files(home: Home) -> Files:
    return exported(home, COMMIT)


@pytest.fixture(scope="module")
def graph(files: Files) -> dict[str, dict[str, Any]]:
    return {entity["@id"]: entity for entity in json.loads(files["ro-crate-metadata.json"])["@graph"]}


def test_the_archive_has_the_same_bytes_twice(home: Home, files: Files, tmp_path: Path) -> None:
    write_archive(tmp_path / "first.zip", files)
    write_archive(tmp_path / "second.zip", dict(reversed(exported(Home(home.layout), COMMIT).items())))
    assert (tmp_path / "first.zip").read_bytes() == (tmp_path / "second.zip").read_bytes()


def test_the_checksums_are_those_of_every_other_file(files: Files, tmp_path: Path) -> None:
    write_archive(tmp_path / "export.zip", files)
    with zipfile.ZipFile(tmp_path / "export.zip") as archive:
        names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
        lines = archive.read("SHA256SUMS").decode().splitlines()
        told = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
        assert {name: hashlib.sha256(archive.read(name)).hexdigest() for name in names if name != "SHA256SUMS"} == told
    assert len(names) == len(set(names)) > 200


def test_an_archive_is_a_home_that_other_programs_can_read(files: Files, tmp_path: Path) -> None:
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    check(tmp_path, 70)
    told = json.loads(files["provenance.json"])
    assert (told["home"], told["revision"], told["results"]) == ("full", COMMIT.commit, ["elman"])
    assert told["packages"]["torch"]
    assert all(f"`{key}`" in (REPOSITORY / "docs/interface.md").read_text() for key in told)


def test_the_files_of_results_come_without_weights(files: Files) -> None:
    assert "results/training/elman/curves.csv" in files
    assert "results/clocks/training/elman/timing.csv" in files
    assert not [name for name in files if name.endswith(".safetensors")]


def test_a_manifest_names_files_that_are_there_and_marks_what_people_add(files: Files) -> None:
    bundles = [name.removesuffix("codecheck.yml") for name in files if name.endswith("/codecheck.yml")]
    assert len(bundles) == len([*FULL.glob("reports/tables/*/")]) > 1
    for bundle in bundles:
        text = files[f"{bundle}codecheck.yml"].decode()
        told = yaml.safe_load(text)
        assert text.startswith("---\n")
        assert told["version"] == "https://codecheck.org.uk/spec/config/2.0/"
        assert all(f"{bundle}{one['file']}" in files and one["comment"] for one in told["manifest"])
        assert [one["ORCID"] for one in told["paper"]["authors"]] == [MISSING] * len(told["paper"]["authors"])
        assert told["certificate"] == told["report"] == MISSING
        assert told["codechecker"][0]["name"]
        assert told["paper"]["title"] in told["paper"]["reference"]
        page = files[f"{bundle}codecheck/certificate.html"].decode()
        assert "not yet registered" in page
        assert told["summary"].split(".")[0] in page.replace("&#39;", "'")


def test_a_certificate_has_every_printed_number_with_its_verdict(files: Files) -> None:
    page = files["codecheck/mnist-rnn/codecheck/certificate.html"].decode().partition("Every printed number")[2]
    rows = read_rows(FULL / "reports/tables/mnist-rnn/claims.csv", ())
    for verdict in ("match", "inconclusive"):
        assert len(re.findall(rf"<td>{verdict}\b", page)) == sum(row["verdict"] == verdict for row in rows)


def test_the_crate_has_a_root_a_workflow_and_actions(files: Files, graph: dict[str, dict[str, Any]]) -> None:
    root, workflow = graph["./"], graph["dvc.yaml"]
    assert {"@id": "https://w3id.org/ro/wfrun/workflow/0.5"} in root["conformsTo"]
    assert root["mainEntity"] == {"@id": "dvc.yaml"}
    assert root["datePublished"] == COMMIT.committed
    assert set(workflow["@type"]) == {"File", "SoftwareSourceCode", "ComputationalWorkflow"}
    actions = [graph[each["@id"]] for each in root["mentions"]]
    assert all(action["@type"] == "CreateAction" and action["result"] and action["object"] for action in actions)
    assert [action["@id"] for action in actions if action["instrument"] == {"@id": "dvc.yaml"}] == ["#pipeline"]
    assert len(actions) == 1 + 2 * len(read_rows(FULL / "scores.csv", ()))


def test_an_action_has_what_its_run_was_made_from_and_how_long_it_took(graph: dict[str, dict[str, Any]]) -> None:
    (row,) = (each for each in read_rows(FULL / "reports/tables/mnist-rnn/cells.csv", ()) if each["key"] == "elman")
    action = graph["#train-elman"]
    assert graph[action["resourceUsage"]["@id"]]["value"] == row["seconds"]
    assert row["data_sha256"] in [graph[each["@id"]].get("value") for each in action["object"]]
    assert row["code_sha256"] in action["description"]
    assert action["result"] == {"@id": "results/training/elman/"}
    (other,) = (each for each in read_rows(FULL / "reports/tables/mnist-rnn/cells.csv", ()) if each["key"] == "lstm")
    without_files = graph[graph["#evaluate-lstm"]["result"]["@id"]]
    assert without_files["value"] == other["test_accuracy"]


def test_all_that_the_crate_refers_to_is_in_it(files: Files, graph: dict[str, dict[str, Any]]) -> None:
    def references(value: object) -> list[str]:
        if isinstance(value, dict):
            return (
                [value["@id"]] if [*value] == ["@id"] else [each for one in value.values() for each in references(one)]
            )
        return [each for one in value for each in references(one)] if isinstance(value, list) else []

    named = {name for entity in graph.values() for name in references(entity)}
    assert {name for name in named if not name.startswith("https://")} <= {*graph}
    for part in graph["./"]["hasPart"]:
        assert part["@id"] in {*files, *folders(files)}, part


def unescaped(text: str) -> str:
    pattern = "|".join(re.escape(mark) for mark in sorted(BACK, key=len, reverse=True))
    return re.sub(pattern, lambda found: BACK[found[0]], text).replace("``", '"').replace("''", '"')


def test_latex_sets_every_character_literally() -> None:
    text = "".join(map(chr, range(32, 127))).replace("`", "").replace("'", "").replace('"', "")
    assert unescaped(escaped(text)) == text
    assert escaped("[13]").startswith("{")  # or a row before it would take it for its own space
    assert escaped('says "so" of 5 %_a') == r"says ``so'' of 5 \%\_a"


def cells_of(text: str) -> list[list[str]]:
    """The rows of a longtable."""
    body = text.partition("\\endfoot\n")[2].partition("\\end{longtable}")[0]
    return [re.split(r" & ", line.removesuffix(r" \\")) for line in body.splitlines()]


def number(text: str) -> float:
    """A number as a reader reads it."""
    plain = text.replace(r"\,", "")
    return float(plain.removesuffix(r"\%")) / 100 if plain.endswith(r"\%") else float(plain)


def test_the_numbers_of_a_latex_table_are_those_of_the_csv_to_the_digits_that_it_has(home: Home) -> None:
    texts, compared = latex(home), 0
    with (FULL / "reports/tables/mnist-rnn/claims.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    names = {row["table"]: f"latex/mnist-rnn/claims_{row['table'].lower()}.tex" for row in rows}
    for table, name in names.items():
        told = cells_of(texts[name])
        wanted = [row for row in rows if row["table"] == table]
        assert len(told) == len(wanted)
        for line, row in zip(told, wanted, strict=True):
            assert unescaped(line[1]) == row["column"]
            assert unescaped(line[2]) == row["published"]
            assert line[-1] == SYMBOLS[row["verdict"]]
            for column, text in (("log", line[3]), ("ours", line[4])):
                if text != "--":
                    assert number(text) == pytest.approx(
                        float(row[column]), abs=5.001e-5 if row["unit"] != "count" else 0
                    )
                    compared += 1
                else:
                    assert row[column] == ""
    assert compared > 100


def test_every_symbol_of_a_latex_table_has_a_note(home: Home) -> None:
    for name, text in latex(home).items():
        table, _, notes = text.partition("\\end{longtable}")
        assert table.count("{") == table.count("}"), name
        if "claims" in name:
            used = {line[-1] for line in cells_of(text)} - {""}
            assert all(f"{symbol} " in notes for symbol in used), name


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> None:
    monkeypatch.setattr("sys.argv", ["export", *map(str, words)])
    main()


def test_the_command_says_what_is_in_the_archive_and_what_only_people_can_add(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, home.layout.home, "--output", tmp_path / "made" / "here.zip")
    told = capsys.readouterr().out
    with zipfile.ZipFile(tmp_path / "made" / "here.zip") as archive:
        commit = json.loads(archive.read("provenance.json"))["revision"]
        count = sum(not entry.is_dir() for entry in archive.infolist())
    assert f"{count} files, 1 results of {len(home.runs)} with their files." in told
    assert commit == revision().commit
    assert "ORCIDs" in told
    assert MISSING in told
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["here.zip"]


def test_a_home_without_a_report_is_told_how_to_make_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StageError, match=r"summary\.json is missing: there is no report to export yet; `dvc repro "):
        run(monkeypatch, tmp_path)
    assert not list(tmp_path.iterdir())


def test_results_that_the_report_does_not_show_are_not_exported(home: Home, tmp_path: Path) -> None:
    root = tmp_path / "full"
    shutil.copytree(home.layout.home, root)
    (root / "results/evaluation/elman/metrics.json").write_text("{}")
    with pytest.raises(
        StageError, match=r"evaluation/elman is not what .*scores\.csv records of elman; `dvc checkout`"
    ):
        exported(Home(Layout(root)), COMMIT)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n  elman:", "\n  elman-again:"),
        ("name: elman, options: {width: 28, hidden: 256}", "name: elman, options: {width: 28, hidden: 8}"),
    ],
)
def test_a_report_of_other_parameters_is_not_exported(home: Home, tmp_path: Path, old: str, new: str) -> None:
    root = tmp_path / "full"
    shutil.copytree(home.layout.home, root)
    text = (root / "params.yaml").read_text(encoding="utf-8")
    assert old in text
    (root / "params.yaml").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(
        StageError, match=r"params\.yaml does not have elman as the report shows it; `dvc repro -s full/"
    ):
        exported(Home(Layout(root)), COMMIT)


def test_an_output_that_is_a_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StageError, match="is a folder; expected a file, such as"):
        run(monkeypatch, FULL, "--output", tmp_path)


def test_an_unpacked_archive_has_no_revision(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="is no clone of git"):
        revision(tmp_path)
