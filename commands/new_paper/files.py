"""The files of a new paper, as text, and their writing: all of them or none."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from commands.new_paper.claims import COLUMNS, images_of
from commands.new_paper.columns import TITLES
from commands.new_paper.insertion import write_entries
from commands.new_paper.runs import Run
from stages.core.files import atomic_folder, atomic_path
from stages.core.tables import csv_text
from stages.documents.claims import load_claims
from stages.documents.paper import load_paper
from stages.params import load_params

# What a run begins with; none of it is the paper's, and paper.yaml says so by not stating it.
RECIPE = """\
{seeds: [0], epochs: 10, batch_size: 32, test_batch_size: 100, drop_last: false,
   optimizer: {name: adam, lr: 0.003}, schedule: {name: constant}}"""
NOBODY = "Authors not named here"
DATA, TRANSFORM, WIDTH = "digits", "scaled", 16


@dataclass(frozen=True)
class NewPaper:
    """All that its files say. ``claims``: rows of claims.csv; ``remarks``: what of the table nothing here measures."""

    id: str
    title: str
    author: str
    place: str
    caption: str
    file: str
    runs: tuple[Run, ...]
    claims: Sequence[Mapping[str, object]]
    remarks: Mapping[str, Mapping[str, str]]
    images: int | None

    @property
    def files(self) -> tuple[str, str]:
        """Its folder and its file, in the repository."""
        return f"papers/{self.id}", f"models/{self.file}.py"

    @property
    def table(self) -> str:
        """What its table is called."""
        return self.place if " " in self.place else f"Table {self.place}"

    @property
    def table_within(self) -> str:
        """The same within a sentence."""
        return self.table[0].lower() + self.table[1:]


def write(paper: NewPaper, root: Path) -> None:
    """Write everything into the repository ``root``.

    What is written is read again first: a :class:`StageError` leaves everything as it was.
    """
    folder, model, params = root / "papers" / paper.id, root / "models" / f"{paper.file}.py", root / "params.yaml"
    with atomic_folder(folder) as new, atomic_path(model) as code, atomic_path(params) as changed:
        (new / "paper.yaml").write_text(paper_yaml(paper), encoding="utf-8")
        (new / "claims.csv").write_text(csv_text(paper.claims, COLUMNS), encoding="utf-8")
        (new / "README.md").write_text(readme(paper), encoding="utf-8")
        load_claims(new / "claims.csv", load_paper(new))
        code.write_text(model_file(paper), encoding="utf-8")
        compile(model_file(paper), str(model), "exec")
        write_entries(params, changed, entries(paper))
        load_params(changed)


def entries(paper: NewPaper) -> dict[str, str]:
    """What goes into params.yaml, by section."""
    runs = "".join(
        f"{run.name}: {{paper: {paper.id}, data: {DATA}, transform: {TRANSFORM}, recipe: {paper.id},\n"
        f"{' ' * len(run.name)}   model: {{file: {paper.file}, name: {run.network}, options: {{width: {WIDTH}}}}}}}\n"
        for run in paper.runs
    )
    return {"recipes": f"{paper.id}: # to begin with; not the paper's\n  {RECIPE}\n", "runs": runs}


def paper_yaml(paper: NewPaper) -> str:
    """What the paper says of itself, as far as its table tells."""
    data = dict.fromkeys(run.data for run in paper.runs)
    runs = "".join(f"  {run.name}: {scalar(run.title.replace('{', '(').replace('}', ')'))}\n" for run in paper.runs)
    rules = "".join(f"  - {{runs: {run.name}, values: {{split.source: {scalar(run.data)}}}}}\n" for run in paper.runs)
    if len(data) == 1:
        rules = f'  - {{runs: "*", values: {{split.source: {scalar(next(iter(data)))}}}}}\n'
    names = ", ".join(f"{scalar(one)}: {scalar(TITLES.get(one, one))}" for one in data)
    return f"""\
# What the document says of itself; papers/README.md explains the entries. Its numbers are in claims.csv.
id: {paper.id}
title: {scalar(paper.title)}
author: {scalar(paper.author)}
lead: {scalar(f"Its {paper.table_within}, beside runs of ours. Nothing else of it was read so far.")}

datasets: {{{names}}}
runs:
{runs}
# The paper's own settings, by the dotted keys of a cell. Whatever is missing here, or other in params.yaml, makes a run
# a reduced run, which is not set against a printed number; docs/own-paper.md says which settings there are.
recipe:
{rules}
headline: {{metric: {headline(paper)}, row: "{{row}}", column: "{{column}}"}}
tables:
  - {{id: {json.dumps(paper.place)}, caption: {scalar(paper.caption)}}}
charts:
  - title: Learning curves
    charts:
      - {{id: Accuracy, own: true, caption: Accuracy over the epochs, runs: ["*"],
         panels: [[train_accuracy], [test_accuracy]]}}

deviations:
  - where: Networks
    document: Not read so far.
    code: Not looked at so far.
    here: One small convolutional network stands in for each, until models/{paper.file}.py has theirs.
{"".join(map(_deviation, [paper.table] * len(paper.remarks), paper.remarks.items()))}"""


def _deviation(table: str, remark: tuple[str, Mapping[str, str]]) -> str:
    heading, cells = remark
    said = "; ".join(f"{row} {cell}" for row, cell in cells.items())
    return f"""\
  - where: {scalar(f"{table}, {heading}")}
    document: {scalar(said)}
    code: ""
    here: Not measured by this pipeline, so that these numbers are not among the claims.
"""


def headline(paper: NewPaper) -> str:
    """The metric of the main results: that of the first claim of a run that is a score, else that of the first."""
    metrics = [str(row["metric"]) for row in paper.claims if row["run"]]
    return next((metric for metric in metrics if metric.startswith("test_")), metrics[0])


def readme(paper: NewPaper) -> str:
    """Where the facts come from, and how the margins were chosen."""
    counts = {run.data: images_of(run.data, paper.images) for run in paper.runs}
    known = [f"{count:,} of {TITLES.get(data, data)}" for data, count in counts.items() if count]
    n = f"n test images: {', '.join(known)}" if known else "n test images; n is not known, so there are none yet"
    authors = f" by {paper.author}" if paper.author != NOBODY else ""
    source = f"The document is *{paper.title}*{authors}. `claims.csv` holds its {paper.table_within}."
    margins = (
        "**Margins** were derived before any run was made, number by number: three standard deviations of the "
        f"difference of two trainings, sd = sqrt(e / 2n) of each at error rate e and {n}. They are rounded up to two "
        "digits and come on top of the printed precision. Parameter counts have to be equal; losses and training "
        "accuracies have no margin."
    )
    filled = "\n\n".join(textwrap.fill(text, 120) for text in (source, margins))
    return f"# {paper.id}: published numbers\n\n{filled}\n"


def model_file(paper: NewPaper) -> str:
    """A file of networks that work, to be replaced one by one by those of the paper."""
    networks = {run.network: run.row for run in reversed(paper.runs)}
    classes = "".join(
        f'\n\n@register("{name}")\nclass {_class(name)}(StandIn):\n    """{_docstring(row)}"""\n'
        for name, row in reversed(networks.items())
    )
    return f'''\
"""The networks of the paper {paper.id}: put each in the place of its stand-in."""

from torch import Tensor, nn

from models.registry import register


class StandIn(nn.Module):
    """Two convolutions, ``width`` and twice as many channels, for images of any size; none of the paper's networks."""

    def __init__(self, in_channels: int, classes: int, *, width: int = {WIDTH}) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(2 * width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, channels, height, width)."""
        return self.head(self.features(images).amax(dim=(2, 3)))
{classes}'''


def _class(name: str) -> str:
    words = "".join(word[:1].upper() + word[1:] for word in name.split("_"))
    return words if words != "StandIn" else "StandIn2"


def _docstring(row: str) -> str:
    said = re.sub(r"[\\\"]", "", row)[:100].strip() or "A network"
    return said if said.endswith(".") else f"{said}."


def scalar(text: str) -> str:
    """A text in YAML: as it is where that is read as the same text, else in quotes."""
    simple = re.fullmatch(r"[A-Za-z][\w ().%/+-]*(: [\w ().%/+-]+)?", text) and not text.endswith(" ")
    word = text.lower() in ("null", "true", "false", "yes", "no", "on", "off", "y", "n")
    return text if simple and not word and ": " not in text else json.dumps(text, ensure_ascii=False)
