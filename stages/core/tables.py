"""Reading and writing CSV tables: unrounded, Unix line ends, the same bytes for the same values."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stages.core.errors import StageError
from stages.core.files import write_text

if TYPE_CHECKING:  # importing it takes a while, which those who only write tables need not pay
    import pandas as pd

Row = dict[str, str]
REMAKE = "delete it and run `dvc repro`"


def read_csv(path: Path, columns: Sequence[str], *, text: bool = False, remedy: str = REMAKE) -> pd.DataFrame:
    """Read a CSV that must have ``columns`` (it may have more).

    ``text``: every cell as a string, empty where nothing stands; otherwise numbers are parsed.
    A :class:`StageError` names a file that is missing or damaged, and the ``remedy``.
    """
    import pandas as pd

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


def read_rows(path: Path, columns: Iterable[str], *, remedy: str = REMAKE) -> list[Row]:
    """The rows of a table as text, exactly as they stand in the file."""
    table = read_csv(path, tuple(columns), text=True, remedy=remedy)
    return [dict(zip(table.columns, row, strict=True)) for row in table.itertuples(index=False)]


def numeric(table: pd.DataFrame, path: Path, columns: Sequence[str], *, remedy: str = REMAKE) -> pd.DataFrame:
    """``table``, once ``columns`` are known to hold a number in every row; otherwise a :class:`StageError`."""
    import pandas as pd

    kinds, gaps = table.dtypes, table.isna().any().to_dict()
    for name in columns:
        if not pd.api.types.is_numeric_dtype(kinds[name]) or gaps[name]:
            raise StageError(f"{path}: column {name} holds something that is not a number; {remedy}.")
    return table


def csv_text(rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> str:
    """``rows`` under ``columns``: floats in the shortest form that reads back as the same, None empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write_csv(path: Path, rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> None:
    """Write :func:`csv_text`, atomically."""
    write_text(path, csv_text(rows, columns))
