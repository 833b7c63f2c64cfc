"""The columns and cells of a table as metrics and numbers: what its words settle, what was told, and what is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from commands.new_paper.asking import Asker
from commands.new_paper.columns import MARKS, Meaning, Unit, understood
from commands.new_paper.numbers import CONVENTIONS, Convention, Number, commas, is_missing, readings
from commands.new_paper.table import Table
from stages.core.errors import StageError
from stages.results.metric import Metric

NOT_MEASURED, LEAVE_OUT = "not-measured", "leave-out"
UNITS: tuple[Unit, ...] = ("percent", "fraction", "thousands", "millions")


@dataclass(frozen=True)
class Told:
    """What was said on the command line, by column or cell ("ROW:COLUMN"): see its help."""

    metrics: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    cells: Mapping[str, str] = field(default_factory=dict)
    comma: Convention | None = None
    data: str = ""


@dataclass(frozen=True)
class Column:
    """A column that is claimed: its ``numbers`` by row, as printed with their mark, on the dataset ``data``."""

    heading: str
    metric: Metric
    data: str
    numbers: Mapping[str, Number]

    @property
    def unit(self) -> str:
        """The unit of its values in claims.csv."""
        return "count" if self.metric.counted else "nats" if self.metric.is_loss else "fraction"


@dataclass(frozen=True)
class Understood:
    """``columns``: what becomes claims; ``remarks``: cells by row of the columns that nothing here measures."""

    columns: tuple[Column, ...]
    remarks: Mapping[str, Mapping[str, str]]


def understand(table: Table, told: Told, asker: Asker) -> Understood:
    """What the table says; a StageError names the column or cell that is unclear or impossible, and its option."""
    _check_told(table, told)
    meanings: dict[str, Meaning] = {}
    remarks: dict[str, dict[str, str]] = {}
    answer: str | None = None
    for place, heading in enumerate(table.columns):
        meaning = understood(heading)
        said = told.metrics.get(heading)
        if said is None and meaning.metric is None:
            what = f"what column '{heading}' measures (a metric of papers/README.md such as test_accuracy, test_error, "
            what += f"test_loss; {NOT_MEASURED}: only mentioned; {LEAVE_OUT})"
            answer = said = asker.ask(what, f'--metric "{heading}=METRIC"', _metric_word, default=answer)
        if said == NOT_MEASURED:
            remarks[heading] = {row: cells[place] for row, cells in table.rows.items() if not is_missing(cells[place])}
        elif said != LEAVE_OUT:
            meanings[heading] = _told_meaning(meaning, said)
    if not meanings:
        raise StageError("no column of the table is measured here, so that nothing would be left to compare.")
    meanings = _with_data(meanings, told, asker)
    convention = _comma(table, tuple(meanings), told, asker)
    columns = [_column(table, heading, meanings[heading], convention, told, asker) for heading in meanings]
    return Understood(tuple(columns), remarks)


def cell_name(row: str, heading: str) -> str:
    """What a cell is called on the command line."""
    return f"{row}:{heading}"


def _check_told(table: Table, told: Told) -> None:
    cells = [cell_name(row, heading) for row in table.rows for heading in table.columns]
    for flag, names, known in (
        ("--metric", told.metrics, table.columns),
        ("--unit", told.units, table.columns),
        ("--cell", told.cells, cells),
    ):
        for name in names:
            if name not in known:
                raise StageError(f"{flag} names '{name}', which the table does not have; it has {', '.join(known)}.")
    for heading, word in told.metrics.items():
        _metric_word(word, f"--metric, column '{heading}'")
    for heading, word in told.units.items():
        if word not in UNITS:
            raise StageError(f"--unit, column '{heading}': '{word}' is none of {', '.join(UNITS)}.")


def _metric_word(word: str, where: str = "") -> str:
    """``word``, once it is a metric, or one of the words for a column without claims."""
    if word not in (NOT_MEASURED, LEAVE_OUT):
        try:
            Metric.parse(word.partition("@")[0])
        except ValueError as error:
            raise StageError(f"{where}{': ' if where else ''}{error}.") from None
    return word


def _told_meaning(meaning: Meaning, said: str | None) -> Meaning:
    if said is None:
        return meaning
    name, _, data = said.partition("@")
    return replace(meaning, metric=Metric.parse(name), data=data or meaning.data)


def _with_data(meanings: Mapping[str, Meaning], told: Told, asker: Asker) -> dict[str, Meaning]:
    """The dataset of every column: that of its heading, or the one that all others share."""
    without = [heading for heading, meaning in meanings.items() if not meaning.data]
    data = told.data
    if without and not data:
        named = "', '".join(without)
        what = f"which dataset the numbers of '{named}' are of (mnist, svhn, cifar10, digits, or another)"
        data = asker.ask(what, "--data NAME", _dataset)
    return {heading: meaning if meaning.data else replace(meaning, data=data) for heading, meaning in meanings.items()}


def _dataset(answer: str) -> str:
    if not answer:
        raise StageError("a name was expected, such as mnist.")
    return answer.lower()


def _comma(table: Table, headings: Sequence[str], told: Told, asker: Asker) -> Convention:
    if told.comma is not None:
        return told.comma
    places = [place for place, heading in enumerate(table.columns) if heading in headings]
    named = {cells[place]: cell_name(row, table.columns[place]) for row, cells in table.rows.items() for place in places
             if cell_name(row, table.columns[place]) not in told.cells}  # fmt: skip
    convention, cell = commas(named)
    if convention is not None:
        return convention
    what = f"what the comma or point in '{cell}' ({named[cell]}) is: thousands, with decimal points, or decimal"
    if "," in cell:
        what = f"whether the comma in '{cell}' ({named[cell]}) separates thousands or decimals"
    answer = asker.ask(what, "--comma thousands or --comma decimal", str, choices=CONVENTIONS)
    return CONVENTIONS[CONVENTIONS.index(answer)]


def _column(table: Table, heading: str, meaning: Meaning, convention: Convention, told: Told, asker: Asker) -> Column:
    assert meaning.metric is not None
    place, numbers = table.columns.index(heading), {}
    for row, cells in table.rows.items():
        number = _cell(cell_name(row, heading), cells[place], convention, told, asker)
        if number is not None:
            numbers[row] = number
    mark = _mark(heading, meaning, numbers, told, asker)
    marked = {row: replace(number, mark=number.mark or mark) for row, number in numbers.items()}
    for row, number in marked.items():
        _check_possible(cell_name(row, heading), number, meaning.metric)
    return Column(heading, meaning.metric, meaning.data, marked)


def _cell(name: str, cell: str, convention: Convention, told: Told, asker: Asker) -> Number | None:
    """The number of a cell; None for none."""
    if name in told.cells:
        return _number(told.cells[name])
    if is_missing(cell):
        return None
    if not (found := readings(cell)):
        return asker.ask(f"which number '{cell}' is ({name}; - for none)", f'--cell "{name}=NUMBER"', _number)
    return found.get(convention) or next(iter(found.values()))


def _number(answer: str) -> Number | None:
    """A number that was typed in, with a decimal point; None for none."""
    if is_missing(answer):
        return None
    found = readings(answer)
    if "thousands" not in found:
        raise StageError(f"'{answer}' is not a number such as 0.913, 91.3%, 60000 or 1.2m.")
    return found["thousands"]


def _mark(heading: str, meaning: Meaning, numbers: Mapping[str, Number], told: Told, asker: Asker) -> str:
    """The mark of the numbers of a column that have none of their own."""
    assert meaning.metric is not None
    unit = told.units.get(heading, meaning.unit)
    if unit or meaning.metric.counted or meaning.metric.is_loss:
        return MARKS[unit]  # type: ignore[index]
    bare = [number for number in numbers.values() if not number.mark]
    if not bare or any(number.mark == "%" for number in numbers.values()) or any(number.value > 1 for number in bare):
        return "%"
    if meaning.metric.quantity != "error":
        return ""  # an accuracy of at most one percent in every row would be below chance
    what = f"whether the numbers of column '{heading}', {bare[0]} the first of them, are percent or fractions"
    return MARKS[asker.ask(what, f'--unit "{heading}=percent" or "{heading}=fraction"', _unit,
                           choices=("percent", "fraction"))]  # fmt: skip


def _unit(answer: str) -> Unit:
    return "percent" if answer == "percent" else "fraction"


def _check_possible(name: str, number: Number, metric: Metric) -> None:
    """A :class:`StageError` if a number cannot be one of its metric."""
    share = not (metric.counted or metric.is_loss)
    wrong = (
        (share and (number.value > 1 or number.mark in ("k", "m")) and f"{metric} is at most 100 %")
        or (metric.counted and (number.mark == "%" or number.value % 1) and f"{metric} is a whole number")
        or (metric.is_loss and number.mark and f"{metric} has no unit")
    )
    if wrong:
        raise StageError(f"the cell {name} is {number}, but {wrong}; correct the table, --cell, --metric or --unit.")
