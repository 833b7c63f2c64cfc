"""What a paper.yaml may ask for: tables, figures, rules of the recipe, deviations and findings."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, PlainSerializer, PlainValidator

from stages.cell import Option
from stages.cell.recipe import Frozen, Positive
from stages.results.metric import Metric

# A metric by its name, here and in claims.csv.
NamedMetric = Annotated[Metric, PlainValidator(lambda name: Metric.parse(str(name))), PlainSerializer(str)]


class Table(Frozen):
    """A table of the document; ``short`` is what else it may be called in the headline.

    An ``id`` of several words is a place in the text instead: its numbers make a table here, not there.
    """

    model_config = ConfigDict(coerce_numbers_to_str=True)

    id: str
    caption: str
    short: str = ""

    @property
    def heading(self) -> str:
        """What stands above the table."""
        return f"{self.id if ' ' in self.id else f'Table {self.id}'}. {self.caption}"


class Headline(Frozen):
    """The claims of one metric as a matrix. ``row`` and ``column`` are formats of the fields of a claim.

    Also ``{caption}`` and ``{short}``, those of its table, and ``{title}``, that of its run. ``own_row`` and
    ``own_column`` do the same for runs that the document does not have, of the fields of a cell and its options;
    without them they are left out.
    """

    metric: NamedMetric
    row: str
    column: str
    own_row: str = ""
    own_column: str = ""


class FirstEpochsRule(Frozen):
    """How the first epochs of our runs are set beside the authors' log, declared before any of them was.

    ``epochs``: how many. ``margins``: by column of the log, the largest difference that still counts as the same, of
    the logarithm of a loss or of the logit of an accuracy. ``rivals``: by run, the runs that must not pass for it; of
    each its log is taken where there is one, else ours.
    """

    epochs: Positive
    margins: Annotated[dict[str, Annotated[float, Field(gt=0)]], Field(min_length=1)]
    rivals: dict[str, tuple[str, ...]]


class Comparison(Frozen):
    """A table of our own: runs beside a baseline, with accuracy and gain on ``labels`` (default: all) by image.

    ``runs``: names, or patterns of what was run. ``drawn``: also as a figure, accuracy against parameters and MACs.
    """

    id: str
    caption: str
    baseline: str
    labels: tuple[int, ...] | None = None
    runs: tuple[str, ...]
    drawn: bool = False


class Sweep(Frozen):
    """A figure of our own: accuracy on ``labels`` and macro F1 of runs over a number, on a logarithmic axis."""

    id: str
    caption: str
    axis: str
    labels: tuple[int, ...]
    points: dict[float, str]


class GridFigure(Frozen):
    """A figure of a study's grid: test accuracy over two of its options, ``rows`` and ``columns``."""

    id: str
    caption: str
    study: str
    rows: str
    columns: str


class Iterations(Frozen):
    """A figure of our own: what networks that apply a block again and again do when it is applied 1 to 30 times.

    ``runs``: patterns of their names; ``trained`` an option of the model that says how often it was in training, less
    ``offset``.
    """

    id: str
    caption: str
    runs: tuple[str, ...]
    trained: str
    offset: int = 0


class Maps(Frozen):
    """Saliency maps of a run, an entry of ``explanations`` in params.yaml, with their scores."""

    id: str
    caption: str
    run: str


class Size(Frozen):
    """How many parameters a network has: as ``published``, if so and not in claims.csv, and as built here.

    ``statistics``: the document counts the running statistics of batch normalisations, too. ``layers``: its own rows,
    name and count, in the order of the network's layers. ``runs``: a pattern of the document's runs with this network;
    the number of parameters that claims.csv has of these is what was published.
    """

    title: str
    model: str
    options: dict[str, Option] = {}  # noqa: RUF012
    channels: int
    classes: int
    where: str = ""
    runs: str = ""
    published: int | None = None
    statistics: bool = False
    layers: tuple[tuple[str, int], ...] = ()


class Sample(Frozen):
    """A sheet of sample images of a split; ``sheet`` is the stem of its file."""

    id: str
    caption: str
    split: str
    sheet: Literal["samples", "noise"] = "samples"


class Block(Frozen):
    """A block of a diagram. ``size``: height x width x channels of what it gives; ``repeats``: how often it loops."""

    kind: Literal["input", "conv", "recurrent", "pool", "linear"]
    label: str
    size: str
    repeats: str = ""


class Diagram(Frozen):
    """A block diagram of an architecture."""

    id: str
    caption: str
    blocks: tuple[Block, ...]


class Chart(Frozen):
    """Curves over the epochs: of every run that matches ``runs`` (patterns), the columns of curves.csv by panel.

    ``own``: the document has no such figure, so its id is not shown as a number.
    """

    id: str
    caption: str
    runs: tuple[str, ...]
    panels: tuple[tuple[str, ...], ...]
    own: bool = False


class ChartGroup(Frozen):
    """Charts under a heading; ``folded`` ones are out of sight until asked for."""

    title: str
    charts: tuple[Chart, ...]
    folded: bool = False


class Rule(Frozen):
    """The document's own values, by the dotted keys of a :class:`stages.cell.Cell`, of all runs that match.

    A value may be a mapping: what stands under that key, as a whole. ``free``: keys that may have any value, since the
    runs are there to vary them.
    """

    runs: str
    values: dict[str, Any] = {}  # noqa: RUF012
    free: tuple[str, ...] = ()


class Deviation(Frozen):
    """A place where the document and its code disagree or the document is silent, and what is done here."""

    where: str
    document: str
    code: str
    here: str


class Finding(Frozen):
    """What contradicts the document."""

    where: str
    finding: str
