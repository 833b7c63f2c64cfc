"""A table as text: CSV, Markdown, or lines as they come out of a PDF; its columns and rows, every cell as it stands."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from commands.new_paper.columns import understood
from commands.new_paper.numbers import is_missing, readings, unmarked
from stages.core.errors import StageError
from stages.core.text import counted

_RULER = re.compile(r"\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?")
_UNCLEAR = re.compile(r"[~<>≈≤≥]\S*\d\S*|\d\S*(?:\u00d7|e[+-]?)\d\S*")  # as a number that is not one to be read
_GAP = re.compile(r"\t| {2,}")


class ColumnsUnclearError(StageError):
    """The lines do not tell by themselves how many columns there are, or what they are called."""


@dataclass(frozen=True)
class Table:
    """``columns``: headings of the columns of numbers; ``rows``: by their names, a cell for each of these columns."""

    columns: tuple[str, ...]
    rows: dict[str, tuple[str, ...]]


def read_table(text: str, columns: Sequence[str] = ()) -> Table:
    """The table that ``text`` is; ``columns``: what its columns of numbers are called, instead of the headings there.

    Raises :class:`ColumnsUnclearError` where these have to be told, else a :class:`StageError` with what is wrong.
    """
    lines = [line.rstrip() for line in text.replace("\u00a0", " ").splitlines() if line.strip()]
    if len(lines) < 2:
        raise StageError("the table has fewer than two lines; a line of headings and one for every row were expected.")
    if any(_RULER.fullmatch(line.strip()) and "|" in line for line in lines):
        grid = [_cells_of_markdown(line) for line in lines if not _RULER.fullmatch(line.strip())]
    elif separator := _separator(lines):
        grid = _cells_of_csv("\n".join(lines), separator)
    elif len({len(cells) for cells in (_GAP.split(line.strip()) for line in lines)}) == 1 and _GAP.search(lines[0]):
        grid = [_GAP.split(line.strip()) for line in lines]
    else:
        return _named(*_pasted(lines, columns))
    return _from_grid(grid, columns)


def _from_grid(grid: Sequence[Sequence[str]], columns: Sequence[str]) -> Table:
    head, *body = ([cell.strip() for cell in line] for line in grid)
    head, body = [unmarked(cell) for cell in head], [[unmarked(line[0]), *line[1:]] for line in body]
    for number, line in enumerate(body, start=2):
        if len(line) != len(head):
            raise StageError(
                f"line {number} of the table has {counted(len(line), 'cell')}, its first line has {len(head)}; put a - "
                "where nothing stands, and quotes around a number with a comma in CSV."
            )
    if columns and len(columns) != len(head) - 1:
        raise StageError(
            f"--columns names {counted(len(columns), 'column')}; the table has {len(head) - 1} of numbers."
        )
    return _named(tuple(columns or head[1:]), [(line[0], tuple(line[1:])) for line in body])


def _named(columns: Sequence[str], rows: Sequence[tuple[str, tuple[str, ...]]]) -> Table:
    """The table, once every row and column has a name of its own and something in it is a number."""
    for kind, flag, names in (
        ("rows", "", [name for name, _ in rows]),
        ("columns", " (--columns names them)", columns),
    ):
        for name in names:
            if not name or list(names).count(name) > 1:
                said = f"two {kind} are called '{name}'" if name else f"one of the {kind} has no name"
                raise StageError(f"{said}; give each its own in the table{flag}.")
    if not any(re.search(r"\d", cell) for _, cells in rows for cell in cells):
        raise StageError("the table has no numbers; a name at the start of a line and numbers behind it were expected.")
    return Table(tuple(columns), dict(rows))


def _cells_of_markdown(line: str) -> list[str]:
    return [
        cell.replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip().removeprefix("|").removesuffix("|"))
    ]


def _separator(lines: Sequence[str]) -> str:
    """What separates the cells of CSV: in every line, and in the first, its headings, not as part of a number."""
    head = re.sub(r"\d,\d", "", lines[0])
    return next((mark for mark in ";\t," if mark in head and all(mark in line for line in lines)), "")


def _cells_of_csv(text: str, separator: str) -> list[list[str]]:
    import pandas as pd

    try:
        read = pd.read_csv(io.StringIO(text), sep=separator, header=None, dtype=str, keep_default_na=False,
                           skipinitialspace=True)  # fmt: skip
    except pd.errors.ParserError as error:
        said = " ".join(str(error).split()).removeprefix("Error tokenizing data. C error: ")
        raise StageError(f"the table is not CSV: {said}; put quotes around a number with a comma.") from None
    return [[cell for cell in row if isinstance(cell, str)] for row in read.itertuples(index=False)]


def _pasted(lines: Sequence[str], columns: Sequence[str]) -> tuple[list[str], list[tuple[str, tuple[str, ...]]]]:
    """Lines with numbers at their ends; those before the first of them are headings."""
    split = [_words(line) for line in lines]
    counts = [_numbers_at_end(words) for words in split]
    first = next((place for place, count in enumerate(counts) if count), None)
    if first is None:
        raise StageError("the table has no numbers; a name at the start of a line and numbers behind it were expected.")
    for line, count in zip(lines[first:], counts[first:], strict=True):
        if count == 0:
            raise StageError(
                f"the line '{line.strip()}' has no number at its end; join it with its row, or leave it out."
            )
    different = set(counts[first:])
    if not columns and len(different) > 1:
        raise ColumnsUnclearError(
            f"rows of the table end in {min(different)} to {max(different)} numbers; say what its columns are called "
            "with --columns, and put a - where nothing stands."
        )
    width = len(columns) or counts[first]
    names = list(columns) or _headings([word for words in split[:first] for word in words], width)
    for line, words, count in zip(lines[first:], split[first:], counts[first:], strict=True):
        if count < width or len(words) == width:
            raise StageError(
                f"the line '{line.strip()}' should be a name and {counted(width, 'number')}, for {', '.join(names)}; "
                "put a - where nothing stands."
            )
    return names, [(" ".join(words[:-width]), tuple(words[-width:])) for words in split[first:]]


def _words(line: str) -> list[str]:
    """A line in words, what belongs to one number together: 91.3 ± 0.2 %, 1.2 M, 91.3 (0.2)."""
    words: list[str] = []
    for word in line.split():
        joins = words and (words[-1].endswith(("±", "+/-")) or word.startswith(("±", "+/-")) or word in ("%", "(%)"))
        if joins or (
            words and readings(words[-1]) and (word in ("k", "K", "M") or re.fullmatch(r"\(±?[\d.,]+%?\)", word))
        ):
            words[-1] += f" {word}"
        else:
            words.append(word)
    return words


def _numbers_at_end(words: Sequence[str]) -> int:
    count = 0
    for word in reversed(words):
        if not (readings(word) or is_missing(word) or _UNCLEAR.fullmatch(word)):
            break
        count += 1
    return count if any(readings(word) for word in words[len(words) - count :]) else 0


def _headings(words: Sequence[str], width: int) -> list[str]:
    """The words of the heading as ``width`` columns: so that most is known and at most one is not; or a word each."""
    ranked: dict[tuple[int, int], list[list[str]]] = {}
    for split in _splits(words, width):
        known = [name for name in split if understood(name).recognised]
        if known and len(known) >= width - 1:
            ranked.setdefault((len(known), sum(len(name.split()) for name in known)), []).append(split)
    if ranked and len(best := ranked[max(ranked)]) == 1:
        return best[0]
    if len(words) in (width, width + 1):
        return list(words[-width:])
    said = f"the heading '{' '.join(words)}'" if words else "no heading"
    raise ColumnsUnclearError(f"the table has {said} above {counted(width, 'column')}; name them with --columns.")


def _splits(words: Sequence[str], width: int) -> Iterator[list[str]]:
    """Every way in which the end of ``words`` makes ``width`` headings."""
    if width == 0:
        yield []
        return
    for start in range(width - 1, len(words)):
        for before in _splits(words[:start], width - 1) if width > 1 else [[]]:
            yield [*before, " ".join(words[start:])]
