"""The protocol of recorded steps, with a stand-in for the GPU that notes what a recording holds and replays it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import pytest
import torch
from torch import Tensor

from stages.cell import Compute
from stages.cell.recipe import Recipe
from stages.learning.batches import Batch
from stages.learning.cuda_graphs import WARM_UP, Graphed
from stages.learning.learner import Solo


class Recording:
    """As torch.cuda.CUDAGraph: what is done within :meth:`capturing` is kept for :meth:`replay`."""

    active: Recording | None = None

    def __init__(self) -> None:
        self.work: Callable[[], None] = lambda: None

    def register_generator_state(self, generator: torch.Generator) -> None:
        self.generator = generator

    def replay(self) -> None:
        self.work()

    @contextmanager
    def capturing(self) -> Iterator[None]:
        Recording.active = self
        yield
        Recording.active = None


class Stream:
    """As torch.cuda.Stream, where all is done in order."""

    def wait_stream(self, _other: Stream) -> None:
        """Nothing to wait for."""


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Recording)
    monkeypatch.setattr(torch.cuda, "graph", Recording.capturing)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda _stream: nullcontext())


class Counting:
    """Adds up what it is shown; ``recordings`` counts how often that was recorded."""

    def __init__(self) -> None:
        self.sums: list[float] = []
        self.recordings = 0

    def __call__(self, batch: Batch) -> tuple[Tensor, Tensor]:
        outcome = torch.zeros(1)

        def work() -> None:
            outcome.copy_(batch.pixels.sum())
            self.sums.append(outcome.item())

        if Recording.active is None:
            work()
        else:
            self.recordings += 1
            Recording.active.work = work
        return outcome, outcome


def batch(value: float, count: int = 4) -> Batch:
    labels = torch.zeros(count, dtype=torch.int64)
    return Batch(torch.full((count, 1, 1, 1), value), labels, labels)


def test_every_batch_is_worked_on_once_and_a_step_is_recorded_once() -> None:
    update = Counting()
    step = Graphed(update, [])
    outcomes = [step(batch(value))[0].item() for value in range(10)]
    assert update.sums == outcomes == [4 * value for value in range(10)]
    assert update.recordings == 1


def test_the_rest_of_an_epoch_runs_as_it_is() -> None:
    update = Counting()
    step = Graphed(update, [])
    for count in (4, 4, 4, 4, 3, 4, 3):
        step(batch(1, count))
    assert update.sums == [4, 4, 4, 4, 3, 4, 3]
    assert update.recordings == 1


def test_training_that_goes_on_with_the_rest_of_an_epoch_records_full_batches() -> None:
    update = Counting()
    step = Graphed(update, [])
    for count in (3, *[4] * (WARM_UP + 2), 3):
        step(batch(1, count))
    assert update.sums == [3, *[4] * (WARM_UP + 2), 3]
    assert update.recordings == 1


def test_a_new_learning_rate_is_recorded_and_the_same_one_is_not() -> None:
    recipe = Recipe.model_validate(
        {
            "seeds": [0], "epochs": 1, "batch_size": 4, "test_batch_size": 4, "drop_last": False,
            "optimizer": {"name": "adam", "lr": 0.1}, "schedule": {"name": "constant"},
        }
    )  # fmt: skip
    learner = Solo([torch.nn.Linear(1, 1)], torch.ones(1, 10), recipe, Compute())
    update = Counting()
    learner._run = Graphed(update, learner.generators)
    for rate in (0.1, 0.1, 0.01, 0.01, 0.01):
        learner.set_rate(rate)
        for value in range(WARM_UP + 1):
            learner.step([batch(value)], [0])
    assert update.recordings == 2
    assert len(update.sums) == 5 * (WARM_UP + 1)
