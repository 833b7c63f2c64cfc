"""Findings beside what was measured: their rows, and the counts that the rules are given."""

from __future__ import annotations

import pandas as pd
import pytest

from stages.compare.columns import TableRow
from stages.compare.contradictions import Found
from stages.compare.findings import by_rule, finding_rows, official_test_images, parameters, supports
from stages.compare.side_by_side import Beside
from stages.documents.claims import load_claims
from stages.documents.paper import PAPERS, load_paper
from stages.params import Energy
from stages.results.cell_result import CellResult
from tests.judged import PAPER, A, B, C, made, with_seeds

CLAIMS = load_claims(PAPERS / "recurnets" / "claims.csv", PAPER)
NO_LOG = pd.DataFrame({"run": [], "epoch": []})


def beside(document: str = "recurnets", **ours: CellResult) -> Beside:
    paper = load_paper(PAPERS / document)
    return Beside(paper, load_claims(PAPERS / document / "claims.csv", paper), ours, Energy())


def test_runs_on_all_test_images_have_the_official_number_and_others_their_recipes() -> None:
    counts = {run.split("-")[0]: count for run, count in official_test_images(PAPER).items()}
    assert counts == {"cifar10": 10_000, "svhn": 26_032, "mnist": 10_000}
    assert len(official_test_images(PAPER)) == 30
    gunn = load_paper(PAPERS / "gunn")
    assert official_test_images(gunn) == {"gunn": 100, "gunn-as-published": 100}
    rules = [rule.model_copy(update={"values": {k: v for k, v in rule.values.items() if k != "split.test_first"}})
             for rule in gunn.recipe]  # fmt: skip
    assert official_test_images(gunn.model_copy(update={"recipe": tuple(rules)})) == {}  # three classes of ten
    unknown = [rule.model_copy(update={"values": rule.values | {"split.source": "pets"}}) for rule in PAPER.recipe]
    assert official_test_images(PAPER.model_copy(update={"recipe": tuple(unknown)})) == {}


def test_supports_are_what_a_document_prints_of_its_labels() -> None:
    document = next(path.parent.name for path in PAPERS.glob("*/claims.csv") if "test_images_" in path.read_text())
    found = beside(document)
    printed = {c.metric.label: c.value for c in found.claims if str(c.metric).startswith("test_images_")}
    assert supports(found) == dict.fromkeys(found.paper.runs, printed)
    assert all(isinstance(count, int) for counts in supports(found).values() for count in counts.values())
    assert supports(beside()) == {}


def test_parameters_are_those_of_the_sizes_table_and_of_full_runs() -> None:
    (size, *_) = (size for size in PAPER.sizes if size.runs)
    sizes = [
        {"network": each.title, "counted": 1000 + n, "layer": ""} for n, each in enumerate(PAPER.sizes)
    ] + [{"network": size.title, "counted": 7, "layer": "fc"}]  # fmt: skip
    counted = {row["network"]: row["counted"] for row in sizes if not row["layer"]}
    expected = {run: counted[each.title] for each in PAPER.sizes if each.runs for run in PAPER.matching(each.runs)}
    assert expected
    assert parameters(beside(), sizes) == expected
    short = with_seeds(made()[B], 1, epochs=3)
    ours = {A: made()[A], B: short}
    assert parameters(beside(**ours), sizes) == expected | {A: made()[A].metrics.parameters}
    assert parameters(Beside(PAPER.model_copy(update={"sizes": ()}), [], ours, Energy()), sizes) == {
        A: made()[A].metrics.parameters
    }


def test_a_finding_has_what_was_measured_of_its_numbers_at_full_scale() -> None:
    of_a, of_b = ([c for c in CLAIMS if c.run == run and c.metric.is_share] for run in (A, B))
    ours = {A: made()[A], B: with_seeds(made()[B], 1, epochs=3), C: made()[C]}
    there = beside(**ours)
    hits = [
        Found("repeated row", "Table 1", "Twice.", (of_a[0].id, of_b[0].id)),
        Found("parameters", "Table 2", "Too many.", ()),
    ]
    rows = finding_rows(there, hits)
    told = f"{of_a[0].row}, {of_a[0].column}: {made()[A].mean(of_a[0].metric):.4g}"
    assert rows[0] == {
        "rule": "repeated row", "where": "Table 1", "finding": "Twice.", "evidence": f"{of_a[0].id} {of_b[0].id}",
        "replay": told,
    }  # fmt: skip
    assert (rows[1]["evidence"], rows[1]["replay"]) == ("", "")
    assert rows[2:] == [{"rule": "", "where": item.where, "finding": item.finding} for item in PAPER.findings]


@pytest.mark.parametrize(("claims", "more"), [(6, False), (7, True)])
def test_the_first_six_measured_numbers_are_told(claims: int, more: bool) -> None:
    measured = [c for c in CLAIMS if c.run in (A, C) and not c.metric.counted][:claims]
    assert len(measured) == claims
    there = beside(**{A: made()[A], C: made()[C]})
    replay = finding_rows(there, [Found("", "", "", tuple(c.id for c in measured))])[0]["replay"]
    told = [f"{c.row}, {c.column}: {made()[str(c.run)].mean(c.metric):.4g}" for c in measured[:6]]
    assert replay == "; ".join([*told, *(["..."] if more else [])])


def test_the_rules_are_given_the_counts_of_the_document() -> None:
    def said(document: str, log: pd.DataFrame = NO_LOG, *wrong: TableRow) -> list[tuple[str, str]]:
        there = beside(document)
        sizes = [{"network": size.title, "counted": 610_122, "published": None} for size in there.paper.sizes]
        return [(finding.rule, finding.where) for finding in by_rule(there, log, [*wrong, *sizes])]

    place = "Section 6, GUNN-15, correct labels and GUNN-15, labels as published"
    assert ("impossible accuracy", place) in said("gunn")
    log = pd.DataFrame({"run": [A], "epoch": [0]})
    found = said("recurnets", log, {"where": "Figure 1", "network": "Net", "published": 10, "counted": 11})
    assert ("parameters", "Figure 1, Net") in found  # from the sizes
    assert any(rule == "parameters" and where.startswith("Table 5.") for rule, where in found)  # from their counts
    assert found[-1] == ("log too short", "Logs")
