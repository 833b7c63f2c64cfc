"""Contradictions inside a document: each rule on the numbers of cases made by hand."""

import pytest

from stages.compare.contradictions import Found
from stages.documents.claims import Claim
from tests.made_up_claims import METRICS, block, claim, find, rules

FIRST_ROW = "0.81 0.82 0.83 0.82"
FIRST = block("1", "X", FIRST_ROW, "0.72 0.73 0.79 0.73", "0.77 0.78 0.81 0.78", "0.75 0.75 0.80 0.76")
OTHERS = ("0.90 0.91 0.91 0.91", "0.91 0.91 0.92 0.91", "0.91 0.92 0.92 0.92")


def test_a_row_that_stands_out_and_repeats_a_row_of_another_block_is_found() -> None:
    (finding,) = find([*FIRST, *block("2", "X", FIRST_ROW, *OTHERS)])
    assert (finding.rule, finding.where) == ("repeated row", "Table 2, X, row 0")
    assert finding.finding.startswith("The row repeats Table 1, X, row 0, digit for digit (0.81, 0.82, 0.83, 0.82)")
    assert len(finding.evidence) == 8
    assert finding.refuted == finding.evidence[:4]
    assert rules(find([*FIRST, *block("1", "Y", FIRST_ROW, *OTHERS)])) == ["repeated row"]


@pytest.mark.parametrize(
    "second",
    [
        block("2", "X", "0.81 0.82 0.83 0.81", *OTHERS),
        block("2", "X", FIRST_ROW, "0.82 0.83 0.84 0.83", *OTHERS),
        block("2", "X", FIRST_ROW, *OTHERS[:2]),
        block("2", "X", FIRST_ROW, *OTHERS, logs={0: "0.8142 0.8151 0.8253 0.8192"}),
        [c.model_copy(update={"run": c.run.replace("2-X", "1-X")}) for c in block("2", "X", FIRST_ROW, *OTHERS)],
    ],
    ids=["one digit differs", "near another row", "too few rows", "the log confirms it", "the same run"],
)  # fmt: skip
def test_a_repetition_that_may_be_chance_is_not_found(second: list[Claim]) -> None:
    assert find([*FIRST, *second]) == []


def four_times(*values: float) -> list[str]:
    """Rows of one number in all four metrics."""
    return [" ".join([f"{value:.2f}"] * 4) for value in values]


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(("gap", "stands_out"), [(0.03, False), (0.04, False), (0.05, True)])
def test_a_row_stands_out_beyond_the_spread_of_its_block_and_what_was_not_printed(
    side: int, gap: float, stands_out: bool
) -> None:
    """Neighbours 0.02 apart, and half a unit of 0.01 that may be missing at each of four ends: from 0.04 on."""
    nearest = 0.50 + side * gap
    rows = four_times(0.50, nearest, nearest + side * 0.01, nearest + side * 0.02)
    findings = find([*block("1", "X", *four_times(0.50)), *block("2", "X", *rows)])
    assert rules(findings) == (["repeated row"] if stands_out else [])


def test_a_row_stands_out_in_every_metric_and_repeats_three() -> None:
    first, second = block("1", "X", FIRST_ROW), block("2", "X", FIRST_ROW, *OTHERS)
    for kept, rule in ((2, []), (3, ["repeated row"])):
        metrics = set(list(METRICS.values())[:kept])
        assert rules(find([*(c for c in first if str(c.metric).removeprefix("test_") in metrics), *second])) == rule
    near = block("2", "X", FIRST_ROW, *(" ".join([*row.split()[:2], "0.83", row.split()[3]]) for row in OTHERS))
    assert find([*first, *near]) == []


def test_counts_beside_a_row_are_no_part_of_it() -> None:
    second = block("2", "X", FIRST_ROW, *OTHERS)
    counts = [claim("parameters", f"{n}.0m", table=c.table, group=c.group, row=c.row, run=c.run)
              for n, c in enumerate((FIRST[0], second[0]), 1)]  # fmt: skip
    assert rules(find([*FIRST, *second, *counts])) == ["repeated row"]


def test_rows_alike_within_a_block_or_between_blocks_alike_are_not_found() -> None:
    alike = ["0.93 0.94 0.94 0.94"] * 2 + ["0.93 0.93 0.94 0.93", "0.93 0.93 0.93 0.93"]
    assert find([*block("1", "X", *alike), *block("1", "Y", *alike), *block("2", "X", *alike)]) == []


@pytest.mark.parametrize(
    ("published", "rounding", "images", "possible"),
    [
        ("0.6960", None, 100, False),
        ("0.6960", None, 250, True),
        ("69.60%", None, 100, False),
        ("0.81", "rounded", 200, True),
        ("0.82", "rounded", 40, True),  # 33 / 40 = 0.825, exactly between two printed numbers
        ("0.83", "rounded", 40, True),
        ("0.82", "floored", 40, True),
        ("0.83", "floored", 40, False),  # 0.825 is floored to 0.82, 34 / 40 is 0.85
        ("0.29", "floored", 100, True),
        ("1.00", "rounded", 7, True),
        ("1.01", "rounded", 7, False),
        ("1.01", "floored", 100, False),  # 101 of 100
        ("0.00", "rounded", 100, True),
    ],
)
def test_an_accuracy_is_impossible_where_no_number_of_images_gives_it(
    published: str, rounding: str | None, images: int, possible: bool
) -> None:
    for metric in ("test_accuracy", "test_error", "test_recall_weighted"):
        findings = find([claim(metric, published, rounding=rounding)], images={"a": images})
        assert rules(findings) == ([] if possible else ["impossible accuracy"])
        assert find([claim(metric, published, rounding=rounding)]) == []
    assert find([claim("train_accuracy", published)], images={"a": images}) == []


def test_accuracy_of_a_class_is_judged_by_the_images_of_that_class() -> None:
    recall = claim("test_recall_3", "0.6960")
    assert rules(find([recall], supports={"a": {3: 100, 4: 1000}})) == ["impossible accuracy"]
    assert find([recall], supports={"a": {3: 1000, 4: 100}}) == []
    assert find([recall], images={"a": 100}, supports={"b": {3: 100}}) == []


def test_the_same_of_rows_of_one_block_is_one_finding() -> None:
    rows = [claim("test_accuracy", "0.6960", table="Section 6", row=row, run=row) for row in ("A", "B", "C")]
    (finding,) = find(rows, images=dict.fromkeys("ABC", 100))
    assert finding.where == "Section 6, A, B and C"
    assert finding.finding == "Accuracy 0.6960: no whole number of 100 test images gives that."
    assert finding.evidence == finding.refuted == tuple(row.id for row in rows)


@pytest.mark.parametrize(
    ("accuracy", "recall", "rounding", "possible"),
    [
        ("0.81", "0.81", "floored", True),
        ("0.81", "0.82", "floored", True),  # 0.815 up to 0.82
        ("0.81", "0.83", "floored", False),
        ("0.82", "0.81", "floored", False),
        ("0.81", "0.82", "rounded", True),  # 0.815
        ("0.81", "0.83", "rounded", False),
    ],
)
def test_accuracy_and_weighted_recall_of_a_row_have_to_overlap(
    accuracy: str, recall: str, rounding: str, possible: bool
) -> None:
    row = [claim("test_accuracy", accuracy, rounding=rounding), claim("test_recall_weighted", recall)]
    said = f"Accuracy and weighted recall are the same quantity, but printed as {accuracy} and {recall}."
    findings = [(finding.rule, finding.finding, finding.refuted) for finding in find(row)]
    assert findings == ([] if possible else [("accuracy and recall", said, ())])
    assert find([row[0], row[1].model_copy(update={"run": "b"})]) == []


def test_a_size_that_is_not_as_published_is_found() -> None:
    row = {"network": "Net", "layer": "fc1", "where": "Figure 6", "published": 1000, "counted": 1010}
    of_claims = row | {"published": "0.002m", "claims": True}  # the rule on claims tells of it
    (finding,) = find(sizes=[row, row | {"published": None}, row | {"published": 1010}, of_claims])
    assert finding == Found(
        "parameters", "Figure 6, Net, fc1", "1,000 parameters are printed; as built here there are 1,010.", ()
    )


def test_printed_parameters_are_compared_up_to_their_rounding() -> None:
    rows = [claim("parameters", "0.611m", row=run, run=run) for run in "abc"]
    (finding,) = find(rows, parameters={"a": 610_122, "b": 610_698, "c": 611_500})
    assert (finding.rule, finding.where, finding.evidence) == ("parameters", "Table 1, a", (rows[0].id,))
    assert finding.refuted == ()
    assert find([claim("test_accuracy", "0.81")], parameters={"a": 610_122}) == []
    assert finding.finding == "0.611m parameters are printed; the layers have 610,122."
    assert find(rows) == []


@pytest.mark.parametrize(
    ("recalls", "total", "possible"),
    [
        (("50.0%", "floored"), ("50.1%", "floored"), False),  # below 50.1, from 50.1 on
        (("50.0%", "rounded"), ("50.1%", "rounded"), True),  # both may be 50.05
        (("50.05%", "floored"), ("50.0%", "rounded"), True),
        (("50.1%", None), ("50.0%", "floored"), True),
        (("50.2%", None), ("50.0%", "floored"), False),  # more than 50.1
    ],
)
def test_classes_and_total_meet_in_a_number_that_both_may_be(
    recalls: tuple[str, str | None], total: tuple[str, str], possible: bool
) -> None:
    rows = [claim(f"test_recall_{label}", recalls[0], rounding=recalls[1], row=f"#{label}") for label in (0, 1)]
    overall = claim("test_accuracy", total[0], rounding=total[1], row="Total")
    found_rules = rules(find([*rows, overall], supports={"a": {0: 10**6, 1: 10**6}}))
    assert found_rules == ([] if possible else ["classes against total"])


@pytest.mark.parametrize(("total", "possible"), [("89.9%", False), ("90.0%", True), ("90.1%", True), ("90.3%", False)])
def test_accuracies_of_all_classes_have_to_make_the_total(total: str, possible: bool) -> None:
    supports = {"a": {0: 100, 1: 300}}
    recalls = [claim("test_recall_0", "75.0%", row="#0"), claim("test_recall_1", "95.1%", row="#1")]
    overall = claim("test_accuracy", total, row="Total", rounding="rounded")
    findings = find([*recalls, overall], supports=supports)
    findings = [finding for finding in findings if finding.rule != "impossible accuracy"]
    assert rules(findings) == ([] if possible else ["classes against total"])
    said = f"The total is printed as {total}; the accuracies of the classes make between 90.025% and 90.125%."
    assert all((finding.where, finding.finding) == ("Table 1, Total", said) for finding in findings)
    of_a_part = find([recalls[0], overall], supports=supports)
    assert "classes against total" not in rules(of_a_part)
