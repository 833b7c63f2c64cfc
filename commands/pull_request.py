"""What a branch does to the numbers, as Markdown: the comment on its pull request.

    python -m commands pull-request BASE
    python -m commands pull-request BASE HEAD --check CHECK.txt

BASE and HEAD (default: HEAD) are git revisions. Prints the headline's ``dvc metrics diff``, the runs whose test
accuracy moved, and the verdicts on published numbers with those that changed. ``--check``: what `make check` printed.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from commands.dvc_inside import repository
from commands.git import short_hash
from commands.revisions import unpacked
from stages.compare.scale import FULL, READING, REDUCED
from stages.compare.verdicts import VERDICTS
from stages.core.errors import StageError, run_stage
from stages.core.files import read_json
from stages.core.tables import Row, read_rows
from stages.core.text import counted
from stages.report.filters import MISSING, SYMBOLS, signed

ROWS = 30  # of a table; a comment holds 65,536 characters
FIRST, LAST = 3_000, 9_000  # characters shown of what `make check` printed: the stale results, what moved
NEW, GONE = "new", "gone"


def table(head: Iterable[object], rows: Iterable[Iterable[object]], left: int = 1) -> str:
    """A Markdown table of at most :data:`ROWS` rows whose first ``left`` columns are text, the others numbers."""
    names, lines = list(head), [list(row) for row in rows]
    ruler: list[object] = ["---" if number < left else "--:" for number in range(len(names))]
    escaped = ([str(cell).replace("|", r"\|") for cell in row] for row in (names, ruler, *lines[:ROWS]))
    shown = [f"| {' | '.join(row)} |" for row in escaped]
    more = len(lines) - ROWS
    return "\n".join([*shown, *([f"\nand {more} more."] if more > 0 else [])])


def value(number: float | None) -> str:
    """A metric: counts as they are, fractions and losses to four decimals."""
    return MISSING if number is None else f"{number:,}" if isinstance(number, int) else f"{number:.4f}"


def metrics_diff(base: str, head: str) -> str:
    """``dvc metrics diff BASE HEAD``."""
    diff = repository.metrics_diff(base, head)
    rows = [(f"{path}: {name}", value(each.get("old")), value(each.get("new")), _change(each.get("diff")))
            for path, metrics in diff.items() for name, each in metrics.items()]  # fmt: skip
    return table(("`dvc metrics diff`", base, head, "change"), rows) if rows else "`dvc metrics diff`: nothing moved."


def _change(difference: float | None) -> str:
    if difference is None:
        return ""
    return f"{difference:+,}" if isinstance(difference, int) else signed(str(difference))


def accuracies(home: Path) -> dict[str, float]:
    """The test accuracy of every evaluated run of a home, mean over its seeds; empty for a home without results."""
    return {row["key"]: float(row["test_accuracy"]) for row in scores(home)}


def scores(home: Path) -> list[Row]:
    """The rows of a home's scores.csv; none where there is none."""
    path = home / "scores.csv"
    return read_rows(path, ("key", "test_accuracy", "scale")) if path.is_file() else []


def moved_runs(base: Path, head: Path) -> str:
    """The runs of two versions of a home whose test accuracy is not the same."""
    before, after = accuracies(base), accuracies(head)
    rows = []
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if old != new:
            change = NEW if old is None else GONE if new is None else signed(str(new - old))
            rows.append((key, value(old), value(new), change))
    if not rows:
        return f"Test accuracy of {counted(len(after), 'run')}: nothing moved."
    return table(("test accuracy of", "before", "after", "change"), rows)


def verdicts(base: Path, head: Path) -> str:
    """How many published numbers of each document have which verdict in two versions of a home's reports."""
    before, after = (_summary(home) for home in (base, head))
    rows = []
    for paper, summary in after.items():
        old = before.get(paper, {}).get("verdicts", {})
        rows.append((paper, *(_count(summary["verdicts"].get(word, 0), old.get(word, 0)) for word in VERDICTS)))
    return table(("document", *(f"{SYMBOLS[word]} {word}" for word in VERDICTS)), rows)


def _summary(home: Path) -> Mapping[str, Any]:
    path = home / "reports" / "summary.json"
    return read_json(path)["papers"] if path.exists() else {}


def _count(now: int, before: int) -> str:
    return str(now) if now == before else f"**{now}** ({now - before:+d})"


def changed_verdicts(base: Path, head: Path) -> str:
    """Every published number and claim in words that has another verdict; empty if there is none."""
    rows = []
    for name, column in (("claims.csv", "verdict"), ("statements.csv", "outcome")):
        before, after = (_judged(home, name, column) for home in (base, head))
        for key in dict.fromkeys([*after, *before]):
            old, new = (_word(side.get(key)) for side in (before, after))
            if old != new:
                rows.append((*key, old, new))
    return table(("document", "claim", "before", "after"), rows, left=4) if rows else ""


def _judged(home: Path, name: str, column: str) -> dict[tuple[str, str], str]:
    """The verdicts in a table of every document's, by document and claim."""
    paths = sorted((home / "reports" / "tables").glob(f"*/{name}"))
    return {(path.parent.name, row["id"]): row.get(column, "") for path in paths for row in read_rows(path, ("id",))}


def _word(verdict: str | None) -> str:
    return f"{SYMBOLS[verdict]} {verdict}" if verdict else MISSING


def scale(home: Path) -> str:
    """What the numbers of the default pipeline's committed results may be taken for."""
    runs = Counter(row["scale"] for row in scores(home))
    if runs[REDUCED]:
        return (
            f"**Reduced runs** ({runs[REDUCED]}): they show that everything works, and say nothing about the documents."
        )
    readings = f" Our reading of documents without a recipe: {runs[READING]}." if runs[READING] else ""
    return f"Full runs: {runs[FULL]}.{readings}"


def comment(base: str, head: str, checked: str | None) -> str:
    """The whole comment."""
    with unpacked(base) as before, unpacked(head) as after:
        parts = [
            f"## Numbers: {base} → {head}",
            "### Default pipeline",
            scale(after),
            metrics_diff(base, head),
            moved_runs(before, after),
            "### Full reproduction",
            moved_runs(before / "full", after / "full"),
            verdicts(before / "full", after / "full"),
            changed_verdicts(before / "full", after / "full") or "No verdict changed.",
        ]
    if checked is not None:
        whole = len(checked) <= FIRST + LAST
        shown = checked if whole else f"{checked[:FIRST]}\n[...]\n{checked[-LAST:]}"
        parts.append(f"### `make check`\n\n````\n{shown.strip()}\n````")
    return "\n\n".join(parts)


def short(revision: str) -> str:
    """A revision's short hash; a :class:`StageError` if there is no such revision here."""
    if (found := short_hash(revision)) is None:
        raise StageError(f"{revision} is no revision of this clone; expected one (a shallow clone has only its last).")
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", help="git revision before")
    parser.add_argument("head", nargs="?", default="HEAD", help="git revision after (default: %(default)s)")
    parser.add_argument("--check", type=Path, metavar="FILE", help="what `make check` printed")
    asked = parser.parse_args()
    checked = asked.check.read_text(encoding="utf-8") if asked.check else None
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    print(comment(short(asked.base), short(asked.head), checked))


if __name__ == "__main__":
    run_stage(main)
