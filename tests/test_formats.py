"""Numbers as the report's readers see them."""

from __future__ import annotations

import pytest

from stages.report.figures.vega_data import rounded
from stages.report.filters import measured


@pytest.mark.parametrize(
    ("value", "unit", "printed", "shown"),
    [
        ("0.98214", "fraction", "98.16%", "98.21%"),
        ("0.81425", "fraction", "0.81", "0.8143"),
        ("1.0", "fraction", "100.00%", "100.00%"),
        ("135178.0", "count", "0.135m", "135\N{NARROW NO-BREAK SPACE}178"),
        ("0.8262", "nats", "0.6692", "0.8262"),
        ("", "fraction", "98.16%", "\N{EN DASH}"),
    ],
)
def test_ours_is_in_the_unit_of_what_is_printed_beside_it(value: str, unit: str, printed: str, shown: str) -> None:
    assert measured(value, unit, printed) == shown


def test_a_page_carries_four_digits_of_what_is_measured_and_all_of_what_is_counted() -> None:
    assert rounded([0.123456, 274_442, 11_173_962.0, 1.0, float("nan")]) == [0.1235, 274_442, 11_173_962, 1, None]
