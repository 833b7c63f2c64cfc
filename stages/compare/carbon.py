"""What a run's computation takes: by counters where the machine has them, else by an estimate; and the CO2 of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stages.core.errors import StageError
from stages.core.tables import read_csv
from stages.params import Energy
from stages.results.cell_result import CellResult

ELECTRICITY = Path(__file__).with_name("electricity.csv")
MEASURED, ESTIMATED = "measured", "estimated"


@dataclass(frozen=True)
class Cost:
    """Joules of a run's training and testing, ``measured`` or ``estimated``, and per correct prediction in testing."""

    joules: float
    kind: str
    joules_per_correct: float | None


def cost(result: CellResult, energy: Energy) -> Cost:
    """What a run took: by its counters, or else by its seconds and the powers of the parameters.

    Testing has the share of the energy that it has of the time.
    """
    joules, kind = result.joules(), MEASURED
    if joules is None:
        kind = ESTIMATED
        joules = sum(
            estimated_joules(result.seconds(seed), machine.device, machine.threads, energy)
            for seed, machine in result.environments.items()
        )
    testing = joules * result.usual_seconds("test_seconds") / result.seconds()
    right = float(result.curves["test_accuracy"].sum()) * result.metrics.test_images
    return Cost(joules, kind, testing / right if right else None)


def estimated_joules(seconds: float, device: str, threads: int, energy: Energy) -> float:
    """What ``seconds`` on a device take by the powers of the parameters: a rough figure, the same for every run."""
    watts = threads * energy.watts_per_thread + (energy.watts_per_gpu if device == "cuda" else 0.0)
    return seconds * watts


def grams_per_kwh(country: str) -> float:
    """CO2 per kWh of electricity in ``country``, an ISO 3166 code of three letters, mean over a year.

    From electricity.csv: the figures of Our World in Data (after Ember), as codecarbon 3.3 carries them.
    """
    table = read_csv(ELECTRICITY, ("country", "grams_per_kwh"), remedy="restore it with `git checkout stages`")
    known = table.set_index("country")["grams_per_kwh"]
    if country not in known:
        raise StageError(
            f"params.yaml: energy.country '{country}' is not in {ELECTRICITY.name}; expected a code such as DEU or USA."
        )
    return float(known[country])
