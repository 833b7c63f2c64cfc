"""What is measured, by its name: test_accuracy, train_loss_sum, test_recall_3, best_train_loss, ..."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Metric:
    """A metric in the parts of its name; papers/README.md says what they mean.

    ``quantity`` of the ``part`` train or test (empty for what is of neither, or of both) after the last epoch, or
    after the ``best``, that of the best training accuracy. ``average``: how the classes are put together, weighted or
    macro; ``label``: of the images of this label only.
    """

    quantity: str
    part: str = ""
    average: str = ""
    label: int | None = None
    best: bool = False

    @classmethod
    def parse(cls, name: str) -> Metric:
        """The metric of a name; its ``str`` is the name again. Raises ValueError where there is none."""
        if name in _WITHOUT_LABEL:
            return _WITHOUT_LABEL[name]
        stem, _, label = name.rpartition("_")
        if stem in _BY_LABEL and label.isdecimal() and label == str(int(label)):
            return replace(_BY_LABEL[stem], label=int(label))
        raise ValueError(f"no metric is called '{name}'; expected one such as test_accuracy (see papers/README.md)")

    def __str__(self) -> str:
        of = self.average if self.label is None else str(self.label)
        return "_".join(word for word in ("best" if self.best else "", self.part, self.quantity, of) if word)

    @property
    def score(self) -> str:
        """The name without its part: what one seed's score on the test set is called."""
        return f"{self.quantity}_{self.average}" if self.average else self.quantity

    @property
    def labels(self) -> tuple[int, ...] | None:
        """The labels whose images it is measured on; None for all of them."""
        return None if self.label is None else (self.label,)

    @property
    def counted(self) -> bool:
        """Whether it is a count that no seed changes."""
        return self.quantity in COUNTED

    @property
    def is_loss(self) -> bool:
        """Whether it is a loss, in nats."""
        return self.quantity in LOSSES

    @property
    def is_share(self) -> bool:
        """Whether it is the share of test images (of its label) that are right, or wrong: a whole number of them."""
        right = self.quantity in ("accuracy", "error") or (self.quantity == "recall" and self.average != "macro")
        return self.part == "test" and right


COUNTED = ("parameters", "images", "classes")
LOSSES = ("loss", "loss_sum")
_BY_LABEL = {str(one): one for one in (Metric(q, part) for part in ("train", "test") for q in ("recall", "images"))}
_WITHOUT_LABEL = {
    str(one): one
    for one in (
        *(Metric(quantity) for quantity in COUNTED),
        *(Metric(q, part) for part in ("train", "test") for q in ("accuracy", "error", *LOSSES, "images")),
        *(Metric(q, "test", average) for average in ("weighted", "macro") for q in ("precision", "recall", "f1")),
        *(Metric(quantity, "train", best=True) for quantity in ("accuracy", "loss")),
    )
}
