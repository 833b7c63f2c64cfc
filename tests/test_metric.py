"""The names of metrics: what they mean, which there are, and that a name and its metric are the same thing."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from stages.documents.exhibits import Headline
from stages.results.metric import Metric

# All that there are, as a claims.csv may write them; a label is any whole number without leading zeros.
NAMES = re.compile(
    r"parameters|images|classes|(train|test)_(accuracy|error|loss|loss_sum|images|(recall|images)_(0|[1-9][0-9]*))"
    r"|test_(precision|recall|f1)_(weighted|macro)|best_train_(accuracy|loss)"
)


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("parameters", Metric("parameters")),
        ("images", Metric("images")),
        ("train_images", Metric("images", "train")),
        ("test_images_12", Metric("images", "test", label=12)),
        ("train_loss_sum", Metric("loss_sum", "train")),
        ("test_recall_0", Metric("recall", "test", label=0)),
        ("test_recall_macro", Metric("recall", "test", "macro")),
        ("test_f1_weighted", Metric("f1", "test", "weighted")),
        ("best_train_loss", Metric("loss", "train", best=True)),
    ],
)
def test_a_name_is_read_in_its_parts(name: str, metric: Metric) -> None:
    assert Metric.parse(name) == metric
    assert str(metric) == name


@given(st.from_regex(NAMES, fullmatch=True))
def test_every_metric_gives_its_name_back(name: str) -> None:
    assert str(Metric.parse(name)) == name


@pytest.mark.parametrize(
    "name",
    ["", "top5", "accuracy", "valid_accuracy", "train_f1_weighted", "test_f1", "test_f1_3", "test_recall", "loss_sum",
     "test_recall_03", "test_recall_-1", "test_recall_\N{ARABIC-INDIC DIGIT THREE}", "test_recall_\N{SUPERSCRIPT TWO}",
     "best_test_accuracy", "best_train_error", "parameters_3", "test_accuracy ", "Test_accuracy"],
)  # fmt: skip
def test_any_other_name_is_an_error_that_says_it(name: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"no metric is called '{name}'; expected one such as")):
        Metric.parse(name)


@given(st.text() | st.from_regex(r"(best_)?(train|test)_[a-z_]+[0-9]*"))
def test_whatever_is_read_is_one_that_there_is(name: str) -> None:
    try:
        metric = Metric.parse(name)
    except ValueError:
        assert not NAMES.fullmatch(name)
    else:
        assert NAMES.fullmatch(name)
        assert str(metric) == name


def test_counts_losses_and_shares_of_the_test_images_are_told_apart() -> None:
    kinds = {
        "parameters": "counted", "classes": "counted", "images": "counted", "train_images_3": "counted",
        "train_loss": "is_loss", "test_loss_sum": "is_loss", "best_train_loss": "is_loss",
        "test_accuracy": "is_share", "test_error": "is_share", "test_recall_weighted": "is_share",
        "test_recall_3": "is_share", "test_recall_macro": "", "test_f1_weighted": "", "train_accuracy": "",
        "train_recall_3": "",
    }  # fmt: skip
    for name, kind in kinds.items():
        told = [each for each in ("counted", "is_loss", "is_share") if getattr(Metric.parse(name), each)]
        assert told == ([kind] if kind else []), name


def test_a_label_chooses_the_images() -> None:
    assert Metric.parse("test_recall_3").labels == (3,)
    assert Metric.parse("test_recall_0").labels == (0,)
    assert Metric.parse("test_recall_macro").labels is None


def test_a_headline_of_no_metric_is_refused() -> None:
    assert Headline.model_validate({"metric": "test_error", "row": "", "column": ""}).metric == Metric("error", "test")
    for wrong in ("top5", 5, None):
        with pytest.raises(ValidationError, match=f"no metric is called '{wrong}'"):
            Headline.model_validate({"metric": wrong, "row": "", "column": ""})
