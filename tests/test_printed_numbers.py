"""Numbers and tables as papers print them: read digit for digit, and what is unclear is said to be."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.new_paper.columns import understood
from commands.new_paper.numbers import commas, is_missing, readings
from commands.new_paper.table import ColumnsUnclearError, read_table
from stages.core.errors import StageError

MARKS = {"": 1, "%": Decimal("0.01"), " %": Decimal("0.01"), "k": 1000, "K": 1000, "m": 10**6, "M": 10**6, " M": 10**6}
AROUND = (
    "{}",
    "**{}**",
    "*{}*",
    "{}†",
    "**{}**‡",
    "{}*",
    " {} ",
    "${}$",
    "\\textbf{{{}}}",
    "{}\u1d43",
    "{} [12]",
    "{}^a",
)
BESIDE = ("", " ± 0.2", "±0.02", " +/- 0.2", " (0.2)", " (±0.2)", " \\pm 0.2")


@given(
    whole=st.integers(0, 10**9),
    decimals=st.text("0123456789", max_size=6),
    mark=st.sampled_from(list(MARKS)),
    grouped=st.booleans(),
    around=st.sampled_from(AROUND),
    beside=st.sampled_from(BESIDE),
    comma=st.sampled_from(("thousands", "decimal")),
)
def test_a_number_is_read_as_it_was_printed(
    whole: int, decimals: str, mark: str, grouped: bool, around: str, beside: str, comma: str
) -> None:
    text = f"{whole:,}" if grouped else str(whole)
    text += f".{decimals}" if decimals else ""
    if comma == "decimal":
        text = text.translate(str.maketrans(",.", ".,"))
    found = readings(around.format(text + mark + beside))[comma]
    exact = Decimal(f"{whole}.{decimals}" if decimals else whole)
    assert found.value == exact * MARKS[mark]
    assert found.step == Decimal(1).scaleb(-len(decimals)) * MARKS[mark]
    assert ("0.2" in found.aside or "0.02" in found.aside) == bool(beside)


@given(st.text(max_size=12))
def test_whatever_stands_in_a_cell_is_a_number_or_is_not(cell: str) -> None:
    found = readings(cell)
    assert not (found and is_missing(cell))
    assert all(number.value >= 0 and number.step > 0 for number in found.values())


@pytest.mark.parametrize("cell", ["-", "\u2013", "\u2014", "n/a", "N/A", "", " ", "**-**", "nan", "?"])
def test_an_empty_cell_is_no_number(cell: str) -> None:
    assert is_missing(cell)
    assert readings(cell) == {}


@pytest.mark.parametrize(
    "cell", ["~91", "<0.1", "1.2\u00d710\u2076", "10\u00b2", "12,34,5", "-3", "91.3a", "91.3 94.1", "9 1", "5%k"]
)
def test_what_is_no_clear_number_is_none(cell: str) -> None:
    assert readings(cell) == {}
    assert not is_missing(cell)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["1,234"], (None, "1,234")),
        (["1,234", "91.3"], ("thousands", "91.3")),
        (["1,234", "91,3"], ("decimal", "91,3")),
        (["1,234", "1,234,567"], ("thousands", "1,234,567")),
        (["1,234", "0,913"], ("decimal", "0,913")),
        (["1.234", "91,3"], ("decimal", "91,3")),
        (["1,234", "91,3", "91.3"], (None, "1,234")),
        (["1.234", "17"], ("thousands", "")),
    ],
)
def test_a_comma_is_what_another_cell_of_the_table_shows(cells: list[str], said: tuple[str | None, str]) -> None:
    assert commas(cells) == said


@pytest.mark.parametrize(
    ("heading", "metric", "data", "unit"),
    [
        ("Test error (%)", "test_error", "", "percent"),
        ("#Params (M)", "parameters", "", "millions"),
        ("Acc. on CIFAR-10 ↑", "test_accuracy", "cifar10", ""),
        ("Training loss", "train_loss", "", ""),
        ("MNIST", None, "mnist", ""),
        ("Fashion-MNIST", None, "", ""),
        ("Loss", None, "", ""),
        ("Accuracy (std)", None, "", ""),
        ("Top-5 error", None, "", ""),
        ("Validation accuracy", None, "", ""),
        ("Time (s)", None, "", ""),
    ],
)
def test_a_heading_means_what_its_words_say_and_no_more(heading: str, metric: str | None, data: str, unit: str) -> None:
    found = understood(heading)
    assert (found.metric and str(found.metric), found.data, found.unit) == (metric, data, unit)


ROWS = {"Linear (1 layer)": ("7,850", "92.4 %"), "LeNet 5": ("60k", "-")}


@pytest.mark.parametrize(
    "text",
    [
        'Model,Parameters,Accuracy\nLinear (1 layer),"7,850",92.4 %\nLeNet 5,60k,-\n',
        "Model;Parameters;Accuracy\nLinear (1 layer);7,850;92.4 %\nLeNet 5;60k;-\n",
        "|Model|Parameters|Accuracy|\n|---|--:|:-:|\n| **Linear (1 layer)** | 7,850 | 92.4 % |\n| LeNet 5 | 60k | - |",
        "Model  Parameters  Accuracy\nLinear (1 layer)  7,850  92.4 %\nLeNet 5  60k  -\n",
        "Model\tParameters\tAccuracy\nLinear (1 layer)\t7,850\t92.4 %\nLeNet 5\t60k\t-\n",
    ],
)
def test_a_table_is_read_in_every_form(text: str) -> None:
    table = read_table(text)
    assert table.columns == ("Parameters", "Accuracy")
    assert table.rows == ROWS


def test_a_pasted_table_is_read_from_its_right() -> None:
    table = read_table("Model Parameters Test error (%)\nLinear (1 layer) 7,850 12.0 ± 0.3\nLeNet-5 60 k 0.95 %\n")
    assert table.columns == ("Parameters", "Test error (%)")
    assert table.rows == {"Linear (1 layer)": ("7,850", "12.0 ± 0.3"), "LeNet-5": ("60 k", "0.95 %")}


@pytest.mark.parametrize(
    "text", ["Model Accuracy\nLeNet 5 99.1\nLinear 91.3", "A 1 2\nB 3 4", "Model Foo bar x\nA 1 2\nB 3 4"]
)
def test_columns_that_the_lines_do_not_tell_have_to_be_named(text: str) -> None:
    with pytest.raises(ColumnsUnclearError, match="--columns"):
        read_table(text)


def test_named_columns_settle_where_a_name_ends() -> None:
    assert read_table("Model Accuracy\nLeNet 5 99.1\nLinear 91.3", ["Accuracy"]).rows["LeNet 5"] == ("99.1",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Model,Accuracy\nA,high\nB,low", "no numbers"),
        ("Model Accuracy\nA high\nB low", "no numbers"),
        ("one line 1", "fewer than two lines"),
        ("Model,Accuracy\nA,91,3\nB,92,1", "quotes around a number"),
        ("Model,Accuracy\nA,91\nA,92", "two rows are called 'A'"),
        ("Model,Acc,Acc\nA,91,92", "two columns are called 'Acc'"),
        ("Model Accuracy\nA 91\nhalfway\nB 92", "the line 'halfway' has no number"),
        ("| M | Acc |\n|--|--|\n| A |", "line 2 of the table has 1 cell"),
    ],
)
def test_a_table_that_is_none_is_one_sentence(text: str, said: str) -> None:
    with pytest.raises(StageError, match=said) as error:
        read_table(text)
    assert not isinstance(error.value, ColumnsUnclearError)
