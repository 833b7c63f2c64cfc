"""A claim in words as paper.yaml tells it: the sentence, and how it is measured."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from stages.cell.recipe import Frozen


class Statement(Frozen):
    """A claim in words, tested on test accuracies, on epochs, or on how far training and test accuracy lie apart.

    ``text`` is the document's sentence, at ``where``; ``about`` says which part of it is meant, where it says several
    things, and how it was read. ``whose``: the ``document``'s own, an opinion that it only ``quoted``, or a test of
    ``ours`` beside the sentence; only the document's own count for or against it. Sentences of one ``family`` (default:
    of one place) share Holm's correction.

    ``first`` and ``second``: a run, or a pattern of runs whose mean is meant. ``measure``:

    - ``accuracy``: of first minus second, or minus ``level`` where there is no second; on the test images of
      ``labels``, all of them by default. With ``other_labels``: how much more that is on ``labels`` than on these.
      ``cited``: the claim by which the document printed the level.
    - ``epochs``: until ``column`` of the curves first reaches ``level``, of first minus second, or of first alone.
    - ``gap``: training accuracy minus test accuracy, of first minus second.
    - ``trend``: the slope of the accuracy per run of ``first``, in the order of paper.yaml.
    - ``spread``: the highest accuracy of the runs of ``first`` minus the lowest, or how much that is beyond the spread
      of ``second``.

    ``claimed``: what the measure is said to be, ``greater`` or ``smaller`` than 0, or ``equal`` to ``amount`` (0) up to
    ``margin``.
    """

    id: str
    where: str
    family: str = ""
    text: str
    about: str = ""
    whose: Literal["document", "quoted", "ours"] = "document"
    measure: Literal["accuracy", "epochs", "gap", "trend", "spread"]
    first: str
    second: str = ""
    claimed: Literal["greater", "smaller", "equal"]
    amount: float = 0.0
    margin: Annotated[float | None, Field(gt=0)] = None
    labels: tuple[int, ...] | None = None
    other_labels: tuple[int, ...] | None = None
    column: str | None = None
    level: float | None = None
    cited: str = ""

    @model_validator(mode="after")
    def _complete(self) -> Statement:
        equal, on_accuracy = self.claimed == "equal", self.measure == "accuracy"
        if equal != (self.margin is not None) or (self.amount and not equal):
            raise ValueError("a claim of equality, and no other, has a margin and maybe an amount")
        if self.measure == "epochs" and (self.column is None or self.level is None):
            raise ValueError("a statement on epochs needs column and level")
        if on_accuracy and bool(self.second) == (self.level is not None):
            raise ValueError("a statement needs a second run, or a level to compare accuracies with")
        if self.second and (self.measure == "trend" or (self.measure == "spread" and equal)):
            raise ValueError(f"a {self.measure} that is claimed {self.claimed} is of first alone; it has no second")
        if not (self.second or equal or self.measure in ("accuracy", "trend")) or (
            not self.second and self.measure == "gap"
        ):
            raise ValueError(f"a {self.measure} that is claimed {self.claimed} needs a second run")
        if (self.cited and not (on_accuracy and self.level)) or (
            self.other_labels and not (on_accuracy and self.labels)
        ):
            raise ValueError("cited goes with the level of an accuracy, other_labels with labels of one")
        return self
