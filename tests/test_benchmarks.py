"""The benchmarks run from end to end on a few images or cells; their numbers are not judged here."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import denormals, many_cells, memory, rows, sentences
from stages.core.layout import Layout
from stages.params import load_params
from tests.fake_results import write_split
from tests.small import REPOSITORY

pytestmark = pytest.mark.slow


def test_the_row_networks_are_measured_beside_a_plain_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "rows.json"
    arguments = ["--threads", "1", "--hidden", "8", "--images", "64", "--rounds", "1", "--data", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["rows", *arguments, "--json", str(report)])
    threads = torch.get_num_threads()
    try:
        rows.main()
    finally:
        torch.set_num_threads(threads)
    written = json.loads(report.read_text())
    assert [row["network"] for row in written["rows"]] == ["lstm 8", "elman 8"]
    assert all(row["ours_images_per_second"] > 0 for row in written["rows"])
    assert all(row["plain_fastest_epoch_seconds"] <= row["plain_epoch_seconds"] for row in written["rows"])
    assert written["machine"]["data"] == "made-up images"
    assert "An epoch is 64 images" in capsys.readouterr().out


def test_the_work_of_an_image_is_that_of_its_matrices() -> None:
    """Forward 28 x (28 + 256) x 1024, states 28 x 256 x 1024, weights as forward; two operations each."""
    assert rows.operations("lstm", 256, 28) == 2 * 28 * 1024 * (284 + 256 + 284)


def test_the_memory_of_a_step_is_measured_in_a_process_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["memory", "--home", str(memory.ROOT), "cnn-gru"])
    memory.main()
    (line,) = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"cnn-gru +batch +32 peak +\d+ MiB, of training +\d+ MiB, +[\d.]+ s \((cpu|cuda)\)", line)


def test_what_a_study_of_many_cells_costs_is_measured_step_by_step(
    report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The charts of the documents' own numbers, the same for studies of any size, are taken from another report."""

    def write(folder: Path, split: str) -> None:
        shutil.copy(Layout(report.parents[1]).drawings, Layout(folder).drawings)
        write_split(folder, split)

    monkeypatch.setattr(many_cells, "write_composition", write)
    found = many_cells.measure(3)
    steps = ["check", "plan", "train", "driver", "dvc repro", "compare", "report"]
    assert list(found) == [*steps, "together"]
    assert found["together"]["s"] == pytest.approx(sum(found[step]["s"] for step in steps))
    assert found["together"]["MB"] == max(found[step]["MB"] for step in steps) > 50
    twice = {step: {"s": 2 * used["s"], "MB": used["MB"]} for step, used in found.items()}
    reckoned = many_cells.rows([3, 6], [found, twice])[0]["60 reckoned, s"]
    assert reckoned == pytest.approx(20 * found["check"]["s"], abs=0.1), "what doubles with the cells goes on so"


@pytest.mark.parametrize(("layout", "seeds"), [("even", 3), ("heaps", 2), ("heaps", 3)])
def test_runs_that_are_equal_up_to_the_margin_are_rarely_contradicted(layout: str, seeds: int) -> None:
    """At the margin itself, where the observed range exceeds it more often than not."""
    trials = 200
    found = sentences.rates(sentences.MARGIN, layout, seeds, 1.0, trials)
    limit = 0.05 + 4 * (0.05 * 0.95 / trials) ** 0.5
    assert found["contradicted"] <= limit
    assert found["holds"] <= limit
    assert found["seen"] == found["not seen"] == 0
    assert found["by the simpler rule"] > 0.5
    assert sentences.rates(0.06, layout, seeds, 1.0, 50)["contradicted"] > 0.9


def test_one_seed_decides_nothing_however_often_it_is_tried() -> None:
    found = sentences.rates(0.06, "even", 1, 1.0, 20)
    assert found["holds"] == found["contradicted"] == found["undecided"] == 0
    assert found["not seen"] == 1


def test_denormal_numbers_are_there_where_they_are_to_be_measured() -> None:
    case = denormals.Case(load_params(REPOSITORY / "full" / "params.yaml").cell("mnist-cnn"))
    shares = {
        state: denormals.Step(case, state, 8, Layout(REPOSITORY / "full")).denormal_share()
        for state in ("fresh", "dead")
    }
    assert shares["fresh"] < 0.01
    assert shares["dead"] == pytest.approx(2 / 3)  # both moments of Adam are, the gradient is zero
