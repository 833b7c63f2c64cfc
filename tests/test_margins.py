"""How the margins were chosen: the digits that the papers' READMEs print."""

import math

import pytest

from stages.documents.claims import load_claims
from stages.documents.paper import PAPERS, load_paper


@pytest.mark.parametrize(
    ("paper", "error", "images", "three", "margin"),
    [
        ("recurnets", 0.2, 10_000, "0.013", 0.02), ("recurnets", 0.07, 26_032, "0.005", 0.01),
        ("recurnets", 0.01, 10_000, "0.003", 0.005), ("mnist-rnn", 0.014, 10_000, "0.0035", 0.004),
        ("mnist-rnn", 0.018, 10_000, "0.0040", 0.004), ("mnist-rnn", 0.03, 10_000, "0.0052", 0.006),
        ("mnist-rnn", 0.025, 10_000, "0.0047", 0.005), ("mnist-rnn", 0.05, 1000, "0.021", 0.03),
        ("mnist-rnn", 0.08, 1000, "0.027", 0.03), ("mnist-rnn", 0.015, 1000, "0.0116", 0.012),
        ("gunn", 0.304, 100, "0.165", 0.17), ("gunn", 0.271, 5000, "0.022", 0.03),
        ("recnet", 0.5, 10_000, "0.021", 0.02), ("cnn-gru", 0.085, 10_000, "0.0087", 0.01),
        ("cnn-gru", 0.128, 10_000, "0.0107", 0.01), ("cnn-gru", 0.232, 10_000, "0.0144", 0.015),
        ("cnn-gru", 0.268, 50_000, "0.0069", 0.01), ("cnn-gru", 0.458, 50_000, "0.0091", 0.01),
    ],
)  # fmt: skip
def test_margins_are_about_three_standard_deviations(
    paper: str, error: float, images: int, three: str, margin: float
) -> None:
    """Of the difference of two trainings, each of variance e / 2n; README prints the digits of ``three``."""
    assert f"{3 * math.sqrt(error / images):.{len(three) - 2}f}" == three
    assert three in (PAPERS / paper / "README.md").read_text()
    assert margin in {c.margin for c in load_claims(PAPERS / paper / "claims.csv", load_paper(PAPERS / paper))}
