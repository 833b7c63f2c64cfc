"""Reading and writing CSV tables: unrounded, Unix line ends, the same bytes for the same values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from stages.core.errors import StageError
from stages.core.files import write_text

Row = dict[str, str]
REMAKE = "delete it and run `dvc repro`"


def read_csv(path: Path, columns: Sequence[str], *, text: bool = False, remedy: str = REMAKE) -> pd.DataFrame:
    """Read a CSV that must have ``columns`` (it may have more).

    ``text``: every cell as a string, empty where nothing stands; otherwise numbers are parsed.
    A :class:`StageError` names a file that is missing or damaged, and the ``remedy``.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False) if text else pd.read_csv(path)
    except FileNotFoundError:
        raise StageError(f"{path} is missing; {remedy.removeprefix('delete it and ')}.") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise StageError(f"{path} is not a valid CSV table ({' '.join(str(error).split())}); {remedy}.") from None
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise StageError(f"{path} has no column {missing[0]}; expected {','.join(columns)}; {remedy}.")
    return table


def read_rows(path: Path, columns: Iterable[str]) -> list[Row]:
    """The rows of a table as text, exactly as they stand in the file."""
    table = read_csv(path, tuple(columns), text=True)
    return [dict(zip(table.columns, row, strict=True)) for row in table.itertuples(index=False)]


def numeric(table: pd.DataFrame, path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """``table``, once ``columns`` are known to hold a number in every row; otherwise a :class:`StageError`."""
    for name in columns:
        if not pd.api.types.is_numeric_dtype(table[name]) or table[name].isna().any():
            raise StageError(f"{path}: column {name} holds something that is not a number; {REMAKE}.")
    return table


def write_csv(path: Path, rows: Sequence[dict[str, object]], columns: Sequence[str]) -> None:
    """Write ``rows`` under ``columns``, atomically; floats in the shortest exact form, None empty."""
    table = pd.DataFrame(list(rows), columns=list(columns), dtype=object)
    write_text(path, table.to_csv(index=False, lineterminator="\n"))
