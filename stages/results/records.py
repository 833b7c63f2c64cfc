"""What the JSON files of a result must hold."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from stages.cell.recipe import Fraction, Positive
from stages.results.metric import Metric


class Record(BaseModel):
    """What a JSON file must hold; further keys are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Part(Record):
    """What a training that went on elsewhere did on one machine: from which ``epoch`` and ``step`` (from 0) on."""

    epoch: Annotated[int, Field(ge=0)]
    step: Annotated[int, Field(ge=0)]
    device_name: str
    torch: str


class Run(Record):
    """run.json: what was trained, on which data (SHA-256 of the split) and with which code.

    ``seeds``: a fingerprint of each, of all that decides its numbers; none in results that are older than those.
    ``machines``: of the seeds that went on on other hardware than they were begun on, all in their order.
    """

    cell: dict[str, Any]
    data_sha256: str
    code_sha256: str
    parameters: Positive
    seeds: dict[int, str] = {}
    machines: dict[int, tuple[Part, ...]] = {}


class SeedScores(Record):
    """One seed's scores on the test set; fractions 0..1, and the cross-entropy in nats.

    ``loss``: its mean over the images. ``loss_sum``: the sum over batches of a batch's mean.
    ``nll``, ``nll_error``, ``brier``, ``ece``: see :class:`stages.evaluate.calibration.Calibration`.
    """

    seed: Annotated[int, Field(ge=0)]
    loss: Annotated[float, Field(ge=0)]
    loss_sum: Annotated[float, Field(ge=0)]
    accuracy: Fraction
    precision_weighted: Fraction
    recall_weighted: Fraction
    f1_weighted: Fraction
    precision_macro: Fraction
    recall_macro: Fraction
    f1_macro: Fraction
    nll: Annotated[float, Field(ge=0)]
    nll_error: Annotated[float, Field(ge=0)]
    brier: Annotated[float, Field(ge=0, le=2)]
    ece: Fraction


class Metrics(Record):
    """metrics.json. ``macs``: multiply-accumulates of one image, inference; ``training_macs``: the same in training."""

    classes: Positive
    parameters: Positive
    macs: Positive
    training_macs: Positive
    test_images: Positive
    seeds: Annotated[tuple[SeedScores, ...], Field(min_length=1)]


class Latency(Record):
    """latency.json: milliseconds for one image by itself, on which device."""

    milliseconds: Annotated[float, Field(gt=0)]
    device_name: str
    threads: int


class Environment(Record):
    """Where a seed was trained, in which precision. ``energy`` names the counters of timing.csv's joules, if any."""

    python: str
    torch: str
    device: str
    device_name: str
    threads: int
    platform: str
    instructions: str = ""
    energy: str = ""
    precision: str = "float32"


class Environments(Record):
    """environment.json: where every seed was trained."""

    seeds: dict[int, Environment]


class Batches(Record):
    """How many training batches a batch normalisation has ``counted``, and how many the recipe of its run gives it."""

    layer: str
    counted: Annotated[int, Field(ge=0)]
    expected: Annotated[int, Field(ge=0)]


class WeightScores(Record):
    """scores.json: weights of a document's authors on our test set, evaluated as those of ``cell``.

    ``id``: of their entry in paper.yaml, whose file had this ``sha256``. ``right``: how many of the test ``images``.
    Fractions 0..1, and the mean cross-entropy in nats.
    """

    id: str
    sha256: str
    run: str
    cell: dict[str, Any]
    images: Positive
    right: Annotated[int, Field(ge=0)]
    loss: Annotated[float, Field(ge=0)]
    accuracy: Fraction
    precision_weighted: Fraction
    recall_weighted: Fraction
    f1_weighted: Fraction
    precision_macro: Fraction
    recall_macro: Fraction
    f1_macro: Fraction
    batches: tuple[Batches, ...]

    def value(self, metric: Metric) -> float | None:
        """A metric of the whole test set; None for any other one."""
        if metric.part != "test" or metric.label is not None:
            return None
        if metric.quantity == "error":
            return 1 - self.accuracy
        value: float | None = getattr(self, metric.score, None)
        return value
