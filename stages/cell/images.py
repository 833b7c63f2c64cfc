"""Which images a run gets: splits of a dataset, and what happens to an image on its way into a model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from stages.cell.recipe import Fraction, Frozen, Positive, Seeds


class NoisyCopies(Frozen):
    """Copies of training images with Gaussian noise, one copy per entry of ``sigmas`` (pixel scale 0..1; 0: exact)."""

    labels: tuple[int, ...]
    sigmas: tuple[Annotated[float, Field(ge=0)], ...]


class Split(Frozen):
    """How a dataset's official images become a training and a test set. The default takes them all.

    Applied in this order: ``classes`` keeps images of these labels only (labels keep their numbers, and a model gets an
    output for every label up to the highest), ``train_first`` and ``test_first`` keep the first n in official order,
    ``fractions`` keeps floor(fraction * count) training images of a label, chosen at random without replacement,
    ``noisy_copies`` appends copies of what is left. The random ones are drawn once for every entry of ``seeds``:
    training with a seed uses the draw of that seed, and all splits of one source share their draws.

    ``source``: the dataset whose images are taken, when it is not the one that the split is named after. ``folder``:
    the image folder (train/<class>/*.png, test/<class>/*.png; relative to the home) of a dataset of the user's own;
    ``store: files`` leaves its images where they are and decodes them batch by batch, as is done with images of
    different sizes, too.

    ``labels: as_published`` repeats two mistakes of the document gunn, last of all. The test images get the labels of
    the first training images. And the target of every image is its one-hot row without the first column, so that label
    0 has an all-zero target, which adds nothing to a loss and which Keras's accuracy takes for the new label 0.
    """

    source: str | None = None
    folder: str | None = None
    classes: tuple[int, ...] | None = None
    train_first: Positive | None = None
    test_first: Positive | None = None
    fractions: dict[int, Fraction] = {}  # noqa: RUF012
    noisy_copies: NoisyCopies | None = None
    seeds: Seeds = (0,)
    labels: Literal["correct", "as_published"] = "correct"
    store: Literal["arrays", "files"] = "arrays"

    @property
    def random(self) -> bool:
        """Whether the training images depend on the seed."""
        return bool(self.fractions) or self.noisy_copies is not None


class Transform(Frozen):
    """What happens to an image on its way into a model.

    ``resize``: side in pixels, by PIL, bilinear, on uint8. ``crop``: side of the square that is cut out, at random in
    training, from the centre in evaluation. ``crop_padding``: zero padding in pixels before a random crop, back to size
    where there is no ``crop`` (training only; 0 does nothing). ``flip``: random horizontal flip (training only).
    ``mean``, ``std``: per channel, in the pixel scale 0..1.
    """

    resize: Positive | None = None
    crop: Positive | None = None
    crop_padding: Annotated[int, Field(ge=0)] = 0
    flip: bool = False
    mean: tuple[float, ...]
    std: tuple[Annotated[float, Field(gt=0)], ...]

    @model_validator(mode="after")
    def _same_channels(self) -> Transform:
        if len(self.mean) != len(self.std):
            raise ValueError("mean and std need one entry per channel each")
        return self
