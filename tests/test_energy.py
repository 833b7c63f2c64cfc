"""Energy: counters made of files and of a made-up driver, and what is reckoned where there is none."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from stages.cell import Compute
from stages.compare.carbon import ELECTRICITY, cost, estimated_joules, grams_per_kwh
from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.params import Energy, load_params
from stages.results.cell_result import CellResult
from stages.results.read import read_cell
from stages.train import local as train
from stages.train.meter import Meter, gpu_counter, meter, rapl_counter
from stages.train.side_by_side import run
from tests.fake_results import IMAGES, write_cells
from tests.small import REPOSITORY, small_cell, write_split

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
SPAN = 262_143_328_850  # microjoules, as of a common processor


def zone(folder: Path, name: str, microjoules: int, span: int = SPAN) -> Path:
    (folder / name).mkdir(parents=True)
    (folder / name / "max_energy_range_uj").write_text(f"{span}\n")
    path = folder / name / "energy_uj"
    path.write_text(f"{microjoules}\n")
    return path


def reading(values: Iterable[float]) -> Callable[[], float]:
    return iter(values).__next__


def test_the_processors_counter_is_in_joules_from_its_start(tmp_path: Path) -> None:
    path = zone(tmp_path, "intel-rapl:0", 7_000_000)
    counter = rapl_counter(tmp_path)
    assert counter is not None
    assert counter() == 0
    path.write_text("9500000\n")
    assert counter() == 2.5
    assert counter() == 2.5


def test_packages_are_added_and_their_parts_are_not(tmp_path: Path) -> None:
    packages = [zone(tmp_path, f"intel-rapl:{number}", 0) for number in (0, 1)]
    part = zone(tmp_path, "intel-rapl:0:0", 0)
    counter = rapl_counter(tmp_path)
    assert counter is not None
    for path, microjoules in ((packages[0], 1_000_000), (packages[1], 2_000_000), (part, 500_000)):
        path.write_text(str(microjoules))
    assert counter() == 3.0


def test_a_counter_that_starts_again_at_nothing_goes_on(tmp_path: Path) -> None:
    path = zone(tmp_path, "intel-rapl:0", 900, span=999)  # counts 0 to 999
    counter = rapl_counter(tmp_path)
    assert counter is not None
    total = 0
    for now, more in ((999, 99), (0, 1), (500, 500), (499, 999), (499, 0)):
        path.write_text(str(now))
        total += more
        assert counter() == pytest.approx(total / 1e6, abs=1e-15)


def test_without_counters_there_is_nothing_to_read(tmp_path: Path) -> None:
    assert rapl_counter(tmp_path / "missing") is None
    (tmp_path / "intel-rapl:0").mkdir()
    assert rapl_counter(tmp_path) is None


def test_a_counter_that_may_not_be_read_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden, path = zone(tmp_path, "intel-rapl:0", 0), zone(tmp_path, "intel-rapl:1", 0)
    read = Path.read_text

    def refused(self: Path, *arguments: str, **named: str) -> str:
        if self in denied:
            raise PermissionError(13, "Permission denied")  # as of anyone but root
        return read(self, *arguments, **named)

    denied = {hidden}
    monkeypatch.setattr(Path, "read_text", refused)
    counter = rapl_counter(tmp_path)
    assert counter is not None
    path.write_text("4000000")
    assert counter() == 4.0
    denied |= {path}
    assert rapl_counter(tmp_path) is None


def test_a_meter_gives_what_was_used_since_the_last_lap() -> None:
    made = Meter({"one": reading([10.0, 12.0, 15.0]), "other": reading([0.0, 0.5, 0.5])})
    assert made.source == "one and other"
    assert [made.lap(), made.lap()] == [2.5, 3.0]


def test_a_meter_without_counters_measures_nothing() -> None:
    made = Meter({})
    assert made.source == ""
    assert made.lap() is None


class NVMLError(Exception):
    pass


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A driver whose only GPU has used 5,000 mJ, and 1,500 more at every reading."""
    made = ModuleType("pynvml")
    readings = iter(range(5000, 10**9, 1500))

    def handle(uuid: str) -> str:
        if uuid != "GPU-0123":
            raise NVMLError("not found")
        return "the GPU"

    def consumption(asked: str) -> int:
        assert asked == "the GPU"
        return next(readings)

    vars(made).update(
        NVMLError=NVMLError,
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID=handle,
        nvmlDeviceGetTotalEnergyConsumption=consumption,
    )
    monkeypatch.setitem(sys.modules, "pynvml", made)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="0123"))
    return made


def test_the_gpus_counter_is_in_joules(driver: ModuleType) -> None:
    counter = gpu_counter(CUDA)
    assert counter is not None
    first, second = counter(), counter()
    assert second - first == 1.5
    assert first == 6.5  # one reading tells whether the driver gives it


@pytest.mark.parametrize("call", ["nvmlInit", "nvmlDeviceGetHandleByUUID", "nvmlDeviceGetTotalEnergyConsumption"])
def test_a_driver_without_the_counter_is_no_error(
    driver: ModuleType, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def refuse(*arguments: str) -> None:
        raise NVMLError("not supported")

    monkeypatch.setattr(driver, call, refuse)
    assert gpu_counter(CUDA) is None


def test_the_meter_of_a_device_has_its_counters(
    driver: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stages.train.meter.POWERCAP", tmp_path)
    assert meter(CPU).source == ""
    assert meter(CUDA).source == "the GPU's counter"
    zone(tmp_path, "intel-rapl:0", 0)
    assert meter(CPU).source == "the processors' counters"
    both = meter(CUDA)
    assert both.source == "the GPU's counter and the processors' counters"
    assert both.lap() == 1.5


def test_training_records_the_joules_of_every_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout, cell = Layout(tmp_path), small_cell(seeds=(0, 3))
    write_split(layout)
    used = [100.0, 101.0, 103.0, 106.0]
    monkeypatch.setattr(train, "meter", lambda device: Meter({"a made-up counter": reading(used)}))
    run([cell], Compute(device="cpu", threads=1), layout)
    timing = pd.read_csv(layout.training_clock(cell) / "timing.csv")
    assert timing["joules"].tolist() == [1, 2, 3, 1, 2, 3]  # every training has a meter of its own
    trained_on = json.loads((layout.training_clock(cell) / "environment.json").read_text())["seeds"]
    assert {seed: environment["energy"] for seed, environment in trained_on.items()} == {
        "0": "a made-up counter", "3": "a made-up counter",
    }  # fmt: skip


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> CellResult:
    home, params = tmp_path_factory.mktemp("home"), load_params(REPOSITORY / "params.yaml")
    write_cells(home, params, ["lstm"])
    return read_cell(Layout(home), params, params.cell("lstm"))


def right_in_testing(result: CellResult) -> float:
    return sum(accuracy * IMAGES for accuracy in result.curves["test_accuracy"])


def test_without_a_counter_the_energy_is_estimated_from_the_seconds(result: CellResult) -> None:
    found = cost(result, Energy(watts_per_thread=4.0, watts_per_gpu=300.0))
    epochs = len(result.timing)
    seconds = epochs * (1.5 + 4 / 8 + 0.25)  # see tests/fake_results.py
    assert found.kind == "estimated"
    assert found.joules == pytest.approx(seconds * 2 * 4.0, rel=1e-12)  # two threads
    assert found.joules_per_correct == pytest.approx(epochs * 0.25 * 2 * 4.0 / right_in_testing(result), rel=1e-9)


def test_a_pause_costs_neither_time_nor_energy(result: CellResult) -> None:
    stopped = result.timing.copy()
    stopped.loc[stopped["epoch"] == 1, "train_seconds"] += 3600
    stopped.loc[stopped["epoch"] == 2, "test_seconds"] += 60
    paused = replace(result, timing=stopped)
    assert paused.seconds() == pytest.approx(result.timing[["train_seconds", "test_seconds"]].to_numpy().sum())
    assert paused.throughput() == pytest.approx(result.throughput())
    assert cost(paused, Energy()) == cost(result, Energy())


def test_a_run_takes_what_the_median_epochs_of_its_seeds_would_take(result: CellResult) -> None:
    drawn = np.random.default_rng(0).uniform(1, 9, (2, 7, 2))
    rows = [(seed, epoch, *drawn[seed, epoch]) for seed in range(2) for epoch in range(7)]
    timed = replace(result, timing=pd.DataFrame(rows, columns=["seed", "epoch", "train_seconds", "test_seconds"]))
    each = [7 * sum(sorted(part)[3] for part in drawn[seed].T) for seed in range(2)]
    assert [timed.seconds(seed) for seed in range(2)] == pytest.approx(each)
    assert timed.seconds() == pytest.approx(sum(each))


def test_a_gpu_adds_its_power() -> None:
    powers = Energy(watts_per_thread=4.0, watts_per_gpu=300.0)
    assert estimated_joules(10, "cpu", 3, powers) == 120
    assert estimated_joules(10, "cuda", 3, powers) == 3120


def test_where_a_counter_measured_it_the_powers_do_not_matter(result: CellResult) -> None:
    joules = np.arange(len(result.timing)) + 1.0
    measured = replace(result, timing=result.timing.assign(joules=joules))
    found = cost(measured, Energy(watts_per_thread=1e6))
    assert (found.kind, found.joules) == ("measured", joules.sum())
    share = 0.25 / (1.5 + 4 / 8 + 0.25)
    assert found.joules_per_correct == pytest.approx(joules.sum() * share / right_in_testing(result), rel=1e-9)


@pytest.mark.parametrize("missing", [slice(0, 1), slice(None)])
def test_joules_that_are_not_complete_are_not_used(result: CellResult, missing: slice) -> None:
    joules = np.ones(len(result.timing))
    joules[missing] = np.nan
    partly = replace(result, timing=result.timing.assign(joules=joules))
    assert partly.joules() is None
    assert cost(partly, Energy()).kind == "estimated"


def test_a_run_that_was_never_right_has_no_joules_per_correct_prediction(result: CellResult) -> None:
    assert cost(replace(result, curves=result.curves.assign(test_accuracy=0.0)), Energy()).joules_per_correct is None


def test_the_countrys_electricity_is_that_of_the_table() -> None:
    with ELECTRICITY.open(newline="", encoding="utf-8") as stream:
        rows = {row["country"]: float(row["grams_per_kwh"]) for row in csv.DictReader(stream)}
    assert grams_per_kwh("DEU") == rows["DEU"]
    assert 200 < grams_per_kwh("DEU") < 600
    assert grams_per_kwh("FRA") < grams_per_kwh("DEU") < grams_per_kwh("POL")


def test_a_country_that_is_not_in_the_table_names_the_parameter() -> None:
    with pytest.raises(StageError, match=r"params\.yaml: energy\.country 'XXX' is not in electricity\.csv"):
        grams_per_kwh("XXX")


def test_the_table_of_electricity_has_a_plausible_value_per_country() -> None:
    with ELECTRICITY.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    codes = [row["country"] for row in rows]
    assert len(codes) == len(set(codes)) > 150
    assert all(re.fullmatch("[A-Z]{3}", code) for code in codes)
    assert all(0 <= float(row["grams_per_kwh"]) <= 1500 for row in rows)
    assert all(row["name"] and 2000 <= int(row["year"]) <= 2030 for row in rows)
    for params in ("params.yaml", "full/params.yaml"):
        assert load_params(REPOSITORY / params).energy.country in codes
