r"""The tables that a paper prints, as LaTeX that is ready for ``\input``: array, booktabs and longtable, nothing else.

Numbers are rounded as in the report; the CSV of the same table has them in full.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from commands.export.contents import Home
from stages.compare.columns import CLAIM_COLUMNS
from stages.compare.verdicts import EXACT
from stages.core.tables import Row
from stages.core.text import slug
from stages.documents.paper import Paper

# Of plain LaTeX, so that no package is needed for them.
SYMBOLS = {
    "match": "$=$", "better": r"$\uparrow$", "worse": r"$\downarrow$", "differs (ours higher)": r"$\nearrow$",
    "differs (ours lower)": r"$\searrow$", "inconclusive": r"$\sim$", "not run": "--", "reduced run": r"$\circ$",
    "holds": r"$\surd$", "seen": r"$(\surd)$", "contradicted": r"$\times$", "not seen": r"$(\times)$",
    "undecided": r"$\sim$", "as printed": r"$\surd$", "not as printed": r"$\times$", "log agrees": r"$\surd$",
    "log contradicts": r"$\times$", "cannot tell": r"$\sim$",
}  # fmt: skip
SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": "$<$", ">": "$>$", "|": "$|$",
    "[": "{[}", "*": "{*}",  # not to be taken for what may follow the end of a row
    "\N{MINUS SIGN}": "$-$", "\N{EN DASH}": "--", "\N{EM DASH}": "---", "\N{NARROW NO-BREAK SPACE}": r"\,",
    "\N{MULTIPLICATION SIGN}": r"$\times$", "\N{PLUS-MINUS SIGN}": r"$\pm$",
}  # fmt: skip
INTRODUCTION = r"""% Every table of this folder in one document: pdflatex tables.tex (twice, for the widths of columns).
\documentclass{article}
\usepackage[a4paper,margin=20mm]{geometry}
\usepackage{array,booktabs,longtable}
\begin{document}
\setlength\LTcapwidth{\linewidth}
"""


def escaped(text: str) -> str:
    """Text as LaTeX sets it literally; straight quotes become those of print."""
    quoted = re.sub(r'(^|[\s(\[])"', r"\1``", text).replace('"', "''")
    return "".join(SPECIAL.get(character, character) for character in quoted)


def symbol(word: str) -> str:
    """The symbol of a verdict or an answer; a word without one as it is."""
    return SYMBOLS.get(word, escaped(word))


@dataclass(frozen=True)
class Column:
    """A column: its heading, how it is set (``l``, ``r``, ``c`` or ``p{...}``), and its LaTeX in a row."""

    heading: str
    place: str
    text: Callable[[Row], str]


@dataclass(frozen=True)
class Table:
    """A table: the file that it goes to, without its ending, its caption and rows; ``told``: columns of symbols."""

    name: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    told: Sequence[str] = ()

    def latex(self, paper: str) -> str:
        r"""The table as a longtable, labelled ``tab:<paper>-<name>``, with a note on every symbol in it."""
        heads = " & ".join(column.heading for column in self.columns) + r" \\"
        label = f"tab:{paper}-{self.name.replace('_', '-')}"
        lines = [
            r"\begin{longtable}{@{}" + "".join(column.place for column in self.columns) + "@{}}",
            rf"\caption{{{escaped(self.caption)}}}\label{{{label}}}\\",
            *(r"\toprule", heads, r"\midrule", r"\endfirsthead"),
            *(r"\toprule", heads, r"\midrule", r"\endhead"),
            *(r"\bottomrule", r"\endfoot"),
            *(" & ".join(column.text(row) for column in self.columns) + r" \\" for row in self.rows),
            r"\end{longtable}",
        ]
        words = dict.fromkeys(row[name] for name in self.told for row in self.rows if row[name] in SYMBOLS)
        if words:
            notes = "; ".join(f"{symbol(word)} {escaped(word)}" for word in words)
            lines.append(rf"\noindent{{\footnotesize {notes}.\par}}")
        return "\n".join([f"% \\usepackage{{array,booktabs,longtable}}; \\ref{{{label}}}", *lines, ""])


def plain(name: str) -> Callable[[Row], str]:
    """A column as it stands in the CSV."""
    return lambda row: escaped(row[name])


def answer(name: str) -> Callable[[Row], str]:
    """A column of verdicts or answers, as symbols."""
    return lambda row: symbol(row[name])


def number(name: str, unit: str = "fraction") -> Callable[[Row], str]:
    """A column of numbers in a ``unit``, rounded as in the report."""
    return lambda row: measured(row[name], unit)


def measured(value: str, unit: str, printed: str = "") -> str:
    """A number as the report rounds it, beside one that is ``printed`` in percent in percent, too."""
    from stages.report.filters import measured as rounded

    return escaped(rounded(value, unit, printed))


def in_unit(*names: str, form: str = "{}") -> Callable[[Row], str]:
    """Columns of a claim in its own unit, put into ``form``; a dash where nothing was measured."""

    def text(row: Row) -> str:
        if not all(row[name] for name in names):
            return "--"
        return form.format(*(measured(row[name], row["unit"], row["published"]) for name in names))

    return text


def points(*names: str, form: str = "{}") -> Callable[[Row], str]:
    """Columns of differences between fractions in percentage points, put into ``form``; a dash where there is none."""

    def text(row: Row) -> str:
        from stages.report.filters import points as rounded

        return form.format(*(escaped(rounded(row[name])) for name in names)) if row[names[0]] else "--"

    return text


def wide(share: float) -> str:
    """How a column of words is set: over a share of the line, ragged."""
    return rf">{{\raggedright\arraybackslash}}p{{{share}\linewidth}}"


def _group_and_row(row: Row) -> str:
    return escaped(", ".join(part for part in (row["group"], row["row"]) if part))


def _sentence(row: Row) -> str:
    """A sentence of the document, and which part of it is meant, since one may be held against several things."""
    return escaped(f"{row['text']} ({row['about']})" if row["about"] else row["text"])


def _interval(row: Row) -> str:
    return row["basis"] if row["basis"] == EXACT else in_unit("low", "high", form="{} to {}")(row)


CLAIMS = (
    Column("Row", wide(0.19), _group_and_row), Column("Column", wide(0.13), plain("column")),
    Column("Printed", "r", plain("published")), Column("Log", "r", in_unit("log")),
    Column("Ours", "r", in_unit("ours")), Column(r"90\,\% interval", "c", _interval),
    Column("Seeds", "r", lambda row: row["seeds"] or "--"), Column("Verdict", "c", answer("verdict")),
)  # fmt: skip
STATEMENTS = (
    Column("Where", wide(0.17), plain("where")), Column("Sentence", wide(0.52), _sentence),
    Column("Printed", "c", answer("printed_answer")), Column("Log", "c", answer("log_answer")),
    Column("Ours", "c", answer("outcome")),
)  # fmt: skip
CELLS = (
    Column("Run", wide(0.3), plain("title")), Column("Scale", "l", plain("scale")),
    Column("Seeds", "r", plain("seeds")), Column("Epochs", "r", plain("epochs")),
    Column("Parameters", "r", number("parameters", "count")), Column("Train acc.", "r", number("train_accuracy")),
    Column("Test acc.", "r", number("test_accuracy")),
)  # fmt: skip
FINDINGS = (Column("Where", wide(0.25), plain("where")), Column("Finding", wide(0.68), plain("finding")))
SIZES = (
    Column("Network", wide(0.3), plain("network")), Column("Layer", wide(0.2), plain("layer")),
    Column("Printed", "r", plain("published")), Column("Counted", "r", number("counted", "count")),
    Column("", "l", plain("outcome")),
)  # fmt: skip
COMPARISON = (
    Column("Run", wide(0.24), plain("title")), Column("Scale", "l", plain("scale")),
    Column("Seeds", "r", lambda row: row["seeds"] or "--"), Column("Parameters", "r", number("parameters", "count")),
    Column("Accuracy", "r", number("labels_accuracy")), Column("Gain, points", "r", points("gain")),
    Column("Interval", "c", points("low", "high", form="{} to {}")),
)  # fmt: skip
WEIGHTS = (
    Column("Run", wide(0.25), plain("run")), Column("Column", "l", plain("column")),
    Column("Printed", "r", plain("published")), Column("Log", "r", in_unit("log")),
    Column("Here", "r", in_unit("ours")), Column("", "l", plain("answer")),
)  # fmt: skip


def _on(labels: Sequence[int] | None) -> str:
    return "" if labels is None else f" (accuracy on the labels {', '.join(map(str, labels))})"


def tables(home: Home, paper: Paper) -> Iterator[Table]:
    """Every table of a document that has rows; its printed numbers table by table, as it has them."""
    claims = home.rows(paper, "claims", CLAIM_COLUMNS)
    for printed in paper.tables:
        rows = [row for row in claims if row["table"] == printed.id]
        yield Table(f"claims_{slug(printed.id)}", f"{paper.title}. {printed.heading}", CLAIMS, rows, ("verdict",))
    beside = {f"comparison_{slug(each.id)}": each.caption + _on(each.labels) for each in paper.comparisons}
    for name, caption, columns, told in (
        ("statements", "Claims in words", STATEMENTS, ("printed_answer", "log_answer", "outcome")),
        ("cells", "Runs, and their accuracy", CELLS, ()),
        ("findings", "What contradicts the document from inside", FINDINGS, ()),
        ("sizes", "Parameters", SIZES, ()),
        ("author_weights", "The authors' own weights", WEIGHTS, ()),
        *((name, caption, COMPARISON, ()) for name, caption in beside.items()),
    ):
        yield Table(name, f"{paper.title}. {caption}", columns, home.rows(paper, name), told)


def latex(home: Home) -> dict[str, str]:
    """The text of every LaTeX file by its path in the archive, and a document that has them all."""
    files = {
        f"latex/{paper.id}/{table.name}.tex": table.latex(paper.id)
        for paper in home.papers
        for table in tables(home, paper)
        if table.rows
    }
    return files | {"latex/tables.tex": INTRODUCTION + _inputs(files) + "\\end{document}\n"}


def _inputs(paths: Iterable[str]) -> str:
    return "".join(f"\\input{{{path.removeprefix('latex/').removesuffix('.tex')}}}\n" for path in paths)
