"""What README and docs/ name exists: links, commands, stages, parameters, files; README's numbers are current."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from commands.__main__ import COMMANDS
from commands.summary import ladder
from stages.core.layout import Layout
from stages.params import load_params
from tests.small import REPOSITORY

PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
MADE = (  # by running something, or as in an example
    "reports/", "data/", "results/", "checked/", "full/data/", "full/checked/", "full/results/", "cifar10/", ".venv",
    ".dvc/cache/", ".dvc/tmp/", "models/softmax_digits.py", "papers/softmax-digits/",
)  # fmt: skip
EXAMPLES = ("linear", "mlp")  # of own-paper.md


def anchors(page: Path) -> set[str]:
    """The names by which GitHub knows a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def quoted(page: Path) -> list[str]:
    """All that stands in backticks, and every line of the blocks."""
    text = page.read_text(encoding="utf-8")
    blocks = [
        line
        for block in re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        for line in block.splitlines()
    ]
    return [*blocks, *(" ".join(code.split()) for code in re.findall(r"(?<!`)`([^`]+)`(?!`)", text))]


def test_readme_is_short_enough_to_be_read() -> None:
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


@EVERY_PAGE
def test_every_link_leads_to_a_file_and_a_heading_that_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_every_page_is_reached_from_readme() -> None:
    linked = set(re.findall(r"\]\((docs/[^)#]+)", (REPOSITORY / "README.md").read_text(encoding="utf-8")))
    assert {str(page.relative_to(REPOSITORY)) for page in PAGES if page.parent.name == "docs"} <= linked


@EVERY_PAGE
def test_every_command_that_is_shown_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for code in quoted(page):
        for target in re.findall(r"(?:^|\s)make ((?!\w+=)[a-z]+)\b", code.partition("#")[0]):
            assert target in targets, code
        for module in re.findall(r"python -m ([\w.]+\w)", code):
            path = REPOSITORY / module.replace(".", "/")
            own = module.partition(".")[0] in ("commands", "benchmarks") or "." in module
            assert not own or path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), code
        for command in re.findall(r"python -m commands ([a-z][a-z-]+)", code):
            assert command in COMMANDS, code


@EVERY_PAGE
def test_every_stage_that_is_shown_is_one_of_its_pipeline(page: Path) -> None:
    homes = {name: load_params(REPOSITORY / name / "params.yaml") for name in (".", "full")}
    for code in quoted(page):
        for home, kind, key in re.findall(r"(full/dvc\.yaml:)?(?:train|evaluate)-(run|study)@([\w-]+)", code):
            params = homes["full" if home else "."]
            known = params.runs if kind == "run" else params.studies
            assert key in known or key in EXAMPLES or key.startswith("imagenet-"), code


@EVERY_PAGE
def test_every_parameter_that_is_set_in_an_example_is_accepted(page: Path) -> None:
    params = load_params(REPOSITORY / "params.yaml").model_dump()
    for code in quoted(page):
        for key in re.findall(r"-S '?([\w.-]+)=", code):
            first, *rest = key.split(".")
            assert first in params, code
            assert not rest or rest[0] in params[first], code


@EVERY_PAGE
def test_every_path_that_is_named_exists_or_is_made(page: Path) -> None:
    for code in quoted(page):
        if re.fullmatch(r"[\w.-]+(/[\w.-]+)*/?", code) and "/" in code and not code.startswith(MADE):
            top = code.partition("/")[0]
            if (REPOSITORY / top).is_dir():
                assert (REPOSITORY / code).exists(), code


def test_the_answers_in_readme_are_those_of_the_full_report() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    _, _, rest = text.partition("| evidence | numbers | answers |\n|---|---|---|\n")
    shown = [
        tuple(cell.strip() for cell in line.strip("|").split("|")) for line in rest.partition("\n\n")[0].splitlines()
    ]
    stream = io.StringIO()
    Console(file=stream, width=200).print(ladder(Layout(REPOSITORY / "full")))
    drawn = [tuple(cell.strip() for cell in line.strip("│").split("│")) for line in stream.getvalue().splitlines()]
    assert shown == [row for row in drawn if len(row) == 3]
    assert f"every one of the {sum(int(row[1]) for row in shown)} " in text
