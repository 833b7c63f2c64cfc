"""The published numbers of a document: claims.csv, checked; papers/README.md explains its columns."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from stages.cell.recipe import Frozen
from stages.core.errors import StageError
from stages.documents.exhibits import NamedMetric
from stages.documents.paper import Paper


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


Optional = BeforeValidator(_none_if_empty)


class Claim(Frozen):
    """One published number; the columns of claims.csv.

    It stands in ``table``, in the line ``row`` (of the block ``group``, if the table has blocks), under ``column``.
    ``run`` is the run that it is about, None for a model that the document cites and did not train; ``metric`` what is
    measured. ``value``, ``precision``, ``margin`` and ``author_log`` are in ``unit``: fractions 0..1, counts, or nats.
    ``better``: which direction is an improvement; ``equal`` where a number has to be the same. ``same_as``: the id of
    an earlier claim that reads the same printed number as that of another run; the two are one number.
    """

    id: str
    table: str
    group: str = ""
    row: str
    column: str
    run: Annotated[str | None, Optional]
    metric: NamedMetric
    published: str
    value: float
    unit: Literal["fraction", "count", "nats"]
    precision: Annotated[float, Field(gt=0)]
    rounding: Annotated[Literal["floored", "rounded"] | None, Optional] = None
    margin: Annotated[float | None, Field(ge=0), Optional]
    better: Literal["higher", "lower", "equal"]
    author_log: Annotated[float | None, Optional] = None
    author_log_epochs: Annotated[int | None, Optional] = None
    same_as: Annotated[str | None, Optional] = None
    note: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> Claim:
        scale = {"k": 1e3, "m": 1e6, "%": 0.01}.get(self.published[-1:], 1.0)
        try:
            printed = float(self.published.rstrip("km%").replace(",", "")) * scale
        except ValueError:
            raise ValueError(f"published '{self.published}' is not a number such as 0.81, 0.136m or 98.16%") from None
        if abs(printed - self.value) > 1e-9 * max(1.0, printed):
            raise ValueError(f"value {self.value:g} is not the published '{self.published}'")
        return self

    @property
    def number(self) -> str:
        """The id of the printed number: claims that read the same one share it."""
        return self.same_as or self.id

    def printed_range(self) -> tuple[float, float]:
        """From where to where an exact value may lie to be printed so; either way where the rounding is not known.

        A count of which every digit is printed is exact.
        """
        if self.unit == "count" and self.precision == 1 and self.rounding is None:
            return self.value, self.value
        below, above = {"floored": (0.0, 1.0), "rounded": (0.5, 0.5), None: (1.0, 1.0)}[self.rounding]
        return self.value - below * self.precision, self.value + above * self.precision


def load_claims(path: Path, paper: Paper) -> list[Claim]:
    """Read and check a claims.csv, in file order; a :class:`StageError` names the line and the column that is wrong."""
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            needed = [name for name, field in Claim.model_fields.items() if field.is_required()]
            missing = [name for name in needed if name not in (reader.fieldnames or [])]
            if missing:
                raise StageError(f"{path}: column {missing[0]} is missing; expected {','.join(Claim.model_fields)}.")
            lines = [(reader.line_num, row) for row in reader]
    except FileNotFoundError:
        raise StageError(f"{path} is missing; restore it with `git checkout {path}`.") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise StageError(f"{path} is not a table in CSV and UTF-8 ({error}); restore it or correct it.") from None
    claims: dict[str, Claim] = {}
    for number, row in lines:
        if None in row or None in row.values():
            raise StageError(f"{path}, line {number}: has not as many entries as there are columns; correct it.")
        claim = _claim(f"{path}, line {number}", row, paper)
        if claim.id in claims:
            raise StageError(f"{path}, line {number}: id '{claim.id}' occurs twice; give every claim its own.")
        if claim.same_as is not None and (claim.same_as not in claims or claims[claim.same_as].same_as):
            raise StageError(
                f"{path}, line {number}: same_as '{claim.same_as}' is not the id of an earlier claim that stands for "
                "itself; correct it."
            )
        claims[claim.id] = claim
    return list(claims.values())


def _claim(where: str, row: dict[str, Any], paper: Paper) -> Claim:
    try:
        claim = Claim.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        column = f"column {first['loc'][0]}, '{first['input']}': " if first["loc"] else ""
        raise StageError(f"{where}: {column}{first['msg'].removeprefix('Value error, ')}; correct it.") from None
    tables = [table.id for table in paper.tables]
    runs = {**paper.runs, **paper.variants}
    for kind, name, known in (("table", claim.table, tables), ("run", claim.run, runs)):
        if name is not None and name not in known:
            raise StageError(f"{where}: unknown {kind} '{name}'; expected one of {', '.join(known)}.")
    return claim
