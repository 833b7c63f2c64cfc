"""The tables of benchmarks/results/ as the report shows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.core.errors import StageError
from stages.report import benchmark_tables as speed
from tests.small import REPOSITORY


def test_what_is_committed_can_be_shown() -> None:
    shown = speed.speed()
    assert {row["case"] for row in shown.throughput} >= {"cifar10-recurnet1-4", "lstm", "gunn", "cnn-gru"}
    for row in shown.throughput:
        ratio = float(row["ours_images_per_second"]) / float(row["naive_images_per_second"])
        assert float(row["ratio"]) == pytest.approx(ratio, rel=2e-3)
        assert float(row["ours_fraction"]) == pytest.approx(
            float(row["ours_gflops"]) / float(row["matrix_gflops"]), rel=2e-3
        )
    for row in shown.precision:
        within = float(row["low"]) > -float(row["margin"]) and float(row["high"]) < float(row["margin"])
        assert row["outcome"] == ("equivalent" if within else "not shown")
    for row in shown.denormals:
        quotient = float(row["seconds"]) / float(row["seconds_flushed"])
        assert float(row["ratio"]) == pytest.approx(quotient, rel=2e-2)  # seconds of few digits
        assert row["state"] not in ("fresh", "trained") or float(row["denormal_share"]) < 0.01
    for row in shown.errors:
        assert sum(float(row[verdict]) for verdict in ("match", "better", "worse", "inconclusive")) == pytest.approx(1)
        # Of one seed, and where similar runs vary less, the interval is too narrow, and said to be.
        holds = row["seeds"] != "1" and row["similar_spread"] in ("", row["spread"])
        if abs(float(row["shift"])) == 1:
            assert max(float(row[verdict]) for verdict in ("match", "better", "worse")) < (0.06 if holds else 0.13)


def test_no_measurement_is_no_row_and_a_damaged_one_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(speed, "RESULTS", tmp_path)
    assert speed.speed() == speed.SpeedView([], [], [], [], [], [], [], [])
    (tmp_path / "cuda.csv").write_text((REPOSITORY / "benchmarks/results/cpu.csv").read_text().replace("ratio", "x"))
    with pytest.raises(StageError, match=r"cuda\.csv has no column ratio"):
        speed.speed()
