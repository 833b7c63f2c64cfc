"""Tables of many cells, read together: each is what it would be if read by itself, and a damaged one is named."""

from pathlib import Path

import pandas as pd
import pytest

from stages.core.errors import StageError
from stages.results.cell_tables import read_tables

COLUMNS = ("seed", "loss")
ORDINARY = "seed,loss\n0,0.1\n1,0.30000000000000004\n"


def written(folder: Path, texts: list[str]) -> list[Path]:
    paths = [folder / f"{number}.csv" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_bytes(text.encode())
    return paths


@pytest.mark.parametrize(
    "other",
    [
        ORDINARY,
        "seed,loss\n5,2\n",  # integers, where the others have fractions
        "seed,loss\n5,2.0\n",
        "seed,loss\n5,2\n6,0.5\n",
        "seed,loss\n5,1e-7",  # without a last line end
        "seed,loss\r\n5,0.5\r\n",
        "seed,loss\n\n5,0.5\n",
        'seed,loss\n5,"0.5"\n',
        "seed,loss,note\n5,0.5,\n6,0.5,7\n",  # a further column, with a gap
        "loss,seed\n0.5,5\n",
        "seed,loss\n5,123456789012345678901234567890.0\n",
    ],
)
def test_a_table_that_is_read_with_others_is_the_same(tmp_path: Path, other: str) -> None:
    paths = written(tmp_path, [ORDINARY, other, ORDINARY.replace("0.1", "0.7"), other])
    for path, table in zip(paths, read_tables([(path, COLUMNS) for path in paths]), strict=True):
        pd.testing.assert_frame_equal(table, pd.read_csv(path), check_exact=True)


@pytest.mark.parametrize(
    ("damaged", "said"),
    [
        ("seed,loss\n0\n", "column loss holds something that is not a number"),
        ("seed,loss\n0,much\n", "column loss holds something that is not a number"),
        ("seed,loss\n0,0.1,7\n1,0.1\n", "is not a valid CSV table|holds something that is not a number"),
        ("seed,loss\n", "holds something that is not a number"),
        ("seed,gain\n0,0.1\n", "has no column loss"),
        ("", "is not a valid CSV table"),
    ],
)
def test_a_damaged_one_among_many_is_named(tmp_path: Path, damaged: str, said: str) -> None:
    paths = written(tmp_path, [ORDINARY, ORDINARY, damaged, ORDINARY])
    with pytest.raises(StageError, match=said) as raised:
        read_tables([(path, COLUMNS) for path in paths])
    assert str(paths[2]) in str(raised.value)


def test_a_missing_one_among_many_is_named(tmp_path: Path) -> None:
    paths = [*written(tmp_path, [ORDINARY, ORDINARY]), tmp_path / "missing.csv"]
    with pytest.raises(StageError, match=r"missing\.csv is missing"):
        read_tables([(path, COLUMNS) for path in paths])
