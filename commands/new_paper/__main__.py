"""Add a paper of your own: from its table to runs that train and a section of the report.

    python -m commands new-paper
    python -m commands new-paper --id lenet --title "Gradient-based learning" --table table.csv --data mnist --yes

asks for what is not given: an id, a title, a table, the dataset. The table may be CSV, Markdown, or lines as copied
from a PDF, a name and its numbers in each; 91.3 %, 91,3 %, 0.913 ± 0.002, 1.2M and 350k are understood. What is not
clear is asked; without a terminal, and with --yes, it is an error that names the cell and the option that settles it.
Shows what it understood, then writes papers/ID/, a file of small networks that work in models/, and entries in
params.yaml, where no other line changes. A row becomes a run, each of its numbers a claim; docs/own-paper.md says how
to go on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from commands.git import git
from commands.new_paper.asking import Asker, as_it_is
from commands.new_paper.claims import claim_rows
from commands.new_paper.files import NOBODY, NewPaper, write
from commands.new_paper.numbers import CONVENTIONS
from commands.new_paper.runs import check_file, check_paper, chosen_rows, made_runs, taken_networks, taken_runs
from commands.new_paper.table import ColumnsUnclearError, Table, read_table
from commands.new_paper.understanding import Told, Understood, understand
from stages.core.errors import StageError, run_stage
from stages.core.text import counted


def pairs(words: Sequence[str], flag: str) -> dict[str, str]:
    """NAME=VALUE by name, split at the last =."""
    found = {}
    for word in words:
        name, equals, value = word.rpartition("=")
        if not equals or not name or not value:
            raise StageError(f"{flag} is '{word}'; NAME=VALUE was expected.")
        found[name] = value
    return found


def table_of(arguments: argparse.Namespace, asker: Asker) -> Table:
    """The table of --table, or as pasted at the terminal, where one that cannot be read is asked for again."""
    text = _text(arguments.table) if arguments.table else ""
    columns = arguments.columns
    while True:
        text = text or asker.lines("its table", "--table FILE")
        if "\n" not in text.strip() and Path(text.strip()).is_file():
            text = _text(text.strip())
        try:
            return read_table(text, columns)
        except ColumnsUnclearError as error:
            if not asker.terminal:
                raise
            asker.say(f"{str(error)[0].upper()}{str(error)[1:]}")
            columns = asker.ask("what the columns of numbers are called, separated by ;", "--columns", _listed)
        except StageError as error:
            if not asker.terminal or arguments.table:
                raise
            asker.say(f"{str(error)[0].upper()}{str(error)[1:]}")
            text = ""


def _listed(answer: str) -> list[str]:
    return [name.strip() for name in answer.split(";") if name.strip()]


def _text(name: str) -> str:
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise StageError(f"{name} is missing; --table is a file with the table, or - for what is piped in.") from None
    except (UnicodeDecodeError, IsADirectoryError):
        raise StageError(f"{name} is no text in UTF-8; --table is a file with the table.") from None


def planned(arguments: argparse.Namespace, asker: Asker, root: Path) -> NewPaper:
    """All that is to be written, once nothing is open; nothing is written here."""
    runs_taken, networks_taken = taken_runs(root), taken_networks(root)
    title = arguments.title or asker.ask("what the title of the paper is", "--title", _some)
    named = lambda answer: check_paper(answer, root)  # noqa: E731
    paper = named(arguments.id) if arguments.id else asker.ask("what to call it in short: the id", "--id", named)
    file = check_file(arguments.model or paper.replace("-", "_"), root)
    author = arguments.author
    if author is None:
        author = asker.ask("who wrote it (may be left empty)", "", as_it_is, default="")
    author = author.rstrip(". ") or NOBODY
    table = table_of(arguments, asker)
    told = Told(
        pairs(arguments.metric, "--metric"),
        pairs(arguments.unit, "--unit"),
        pairs(arguments.cell, "--cell"),
        arguments.comma,
        (arguments.data or "").lower(),
    )
    found = understand(table, told, asker)
    show(table, found)
    chosen = chosen_rows(arguments.runs, table.rows) if arguments.runs else _ask_rows(table, asker)
    data = {row: list(dict.fromkeys(c.data for c in found.columns if row in c.numbers)) for row in table.rows}
    runs = made_runs(paper, chosen, data, runs_taken, networks_taken)
    claims = claim_rows(found.columns, runs, list(table.rows), arguments.place, arguments.test_images)
    return NewPaper(paper, title, author, arguments.place, arguments.caption, file, runs, claims, found.remarks,
                    arguments.test_images)  # fmt: skip


def _some(answer: str) -> str:
    if not answer:
        raise StageError("something was expected.")
    return answer


def _ask_rows(table: Table, asker: Asker) -> dict[str, str]:
    what = "which rows it trained itself, the others are cited: all, or numbers such as 1 3=name"
    return asker.ask(what, "", lambda answer: chosen_rows([] if answer == "all" else answer.split(), table.rows),
                     default="all")  # fmt: skip


def show(table: Table, found: Understood) -> None:
    """Print the table as it was understood."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table as Drawn

    drawn = Drawn(title="As understood", title_justify="left")
    drawn.add_column("")
    drawn.add_column("row")
    for column in found.columns:
        drawn.add_column(escape(f"{column.heading}\n= {column.metric}\non {column.data}"), justify="right")
    for number, row in enumerate(table.rows, start=1):
        cells = [str(column.numbers[row]) if row in column.numbers else "-" for column in found.columns]
        drawn.add_row(str(number), escape(row), *map(escape, cells))
    Console(width=None if sys.stdout.isatty() else 120, highlight=False).print(drawn)
    left = [heading for heading in table.columns if heading not in {column.heading for column in found.columns}]
    for heading in left:
        print(f"{heading}: {'not measured, only mentioned' if heading in found.remarks else 'left out'}")


def report(paper: NewPaper) -> str:
    """What was written, and what to do now."""
    stages = [f"evaluate-run@{run.name}" for run in paper.runs]
    cited, without = (sum(row[key] == "" for row in paper.claims) for key in ("run", "margin"))
    return "\n".join([
        f"Written: {' and '.join(paper.files)}, and {counted(len(paper.runs), 'run')} in params.yaml. "
        f"{counted(len(paper.claims), 'number')}, {cited} of them cited; {without} have no margin.",
        "Now: dvc repro " + " ".join(stages),
        "     dvc repro -s compare report     # reports/report.html has the section " + paper.id,
    ])  # fmt: skip


def undo(new: Sequence[str]) -> str:
    """How to undo it, as far as git knows what was there before."""
    try:
        tracked = git("ls-files", "--error-unmatch", "params.yaml").returncode == 0
    except StageError:
        tracked = False
    if not tracked:
        return f"Undo: remove {' and '.join(new)}, and their entries in params.yaml."
    edited = git("diff", "--quiet", "HEAD", "--", "params.yaml").returncode
    said = ["Undo: params.yaml had changes that are not committed, which this would undo, too:"] if edited else []
    said.append(f"{'     ' if edited else 'Undo:'} git restore params.yaml && git clean -fd {' '.join(new)}")
    said.append("      git restore --staged --worktree dvc.lock scores.csv     # once something was trained")
    return "\n".join(said)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--id", help="its folder in papers/: lower-case letters, digits and dashes")
    made.add_argument("--title", help="of the paper")
    made.add_argument("--author", help="or authors")
    made.add_argument(
        "--table", metavar="FILE", help="the table: CSV, Markdown, or text from a PDF; - for standard input"
    )
    made.add_argument("--place", default="1", help='number of the table, or a place in words (default: "%(default)s")')
    made.add_argument("--caption", default="Results", help='what stands above the table (default: "%(default)s")')
    made.add_argument("--columns", nargs="+", default=[], metavar="NAME", help="names of the columns of numbers")
    made.add_argument("--metric", nargs="+", default=[], metavar="COLUMN=METRIC",
                      help="what a column measures: a metric of papers/README.md, also METRIC@DATASET; not-measured: "
                           "only mentioned; leave-out")  # fmt: skip
    made.add_argument("--unit", nargs="+", default=[], metavar="COLUMN=UNIT",
                      help="what its numbers are printed in: percent, fraction, thousands, millions")  # fmt: skip
    made.add_argument("--cell", nargs="+", default=[], metavar="ROW:COLUMN=NUMBER",
                      help="the number of a cell; - for none")  # fmt: skip
    made.add_argument("--comma", choices=CONVENTIONS, help="what a comma in a number separates")
    made.add_argument("--data", metavar="DATASET", help="of columns whose heading names none: mnist, svhn, ...")
    made.add_argument(
        "--test-images", type=int, metavar="N", help="of a dataset that is not known here, for the margins"
    )
    made.add_argument("--runs", nargs="+", default=[], metavar="ROW[=NAME]",
                      help="rows that become runs, by name or number; the others are cited (default: all)")  # fmt: skip
    made.add_argument("--model", metavar="FILE", help="the new file in models/ (default: as the id)")
    made.add_argument("--yes", action="store_true", help="ask nothing")
    return made


def main() -> None:
    """Ask, show, write."""
    arguments, root = parser().parse_args(), Path()
    if arguments.test_images is not None and arguments.test_images < 1:
        raise StageError(f"--test-images is {arguments.test_images}; at least 1 was expected.")
    asker = Asker(not arguments.yes and sys.stdin.isatty() and arguments.table != "-")
    paper = planned(arguments, asker, root)
    if not asker.agrees("Write it?"):
        raise StageError("nothing was written.")
    before = undo(paper.files)
    write(paper, root)
    print(report(paper), before, sep="\n", flush=True)


if __name__ == "__main__":
    run_stage(main)
