"""What README and docs/ name exists: links, commands, stages, parameters, files; README's numbers are current."""

from __future__ import annotations

import ast
import io
import re
import shlex
from collections.abc import Iterator
from fnmatch import filter as matching
from functools import cache
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from commands.__main__ import COMMANDS, module_of
from commands.summary import ladder
from stages.core.layout import Layout
from tests.dvc_here import parsed
from tests.small import REPOSITORY

PAGES = [page for folder in (".", "docs", "papers") for page in sorted((REPOSITORY / folder).glob("*.md"))]
PRESENT = [page for page in PAGES if page.name != "CHANGELOG.md"]  # which tells of what there was, too
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
MADE = (  # by running something, or by who follows an example
    "data/", "checked/", "results/", "reports/", ".checkpoints/", ".slurm/", "full/.slurm/",
    "full/data/", "full/checked/", "full/results/",
    "cifar10/", "mnist/", "svhn/", "recurnets/cifar_net.pth", "train/", "test/", "val/", ".venv/", ".dvc/cache/",
    ".dvc/tmp/", "models/softmax_digits.py", "papers/softmax-digits/", "teams/", "full/teams/", "codecheck.yml",
    "full/export.zip",
)  # fmt: skip
WRITTEN = (".py", ".yaml", ".yml", ".md", ".toml", ".j2", ".cff")  # by people: files of these kinds are never made
# What only an example has, by the home that it is added to.
ADDED = {".": "tests/own_paper/entries.yaml", "full": "full/imagenet.yaml"}


def name_of(page: Path) -> str:
    return page.relative_to(REPOSITORY).as_posix()


EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=name_of)


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose(page: Path) -> str:
    """A page without its blocks."""
    return re.sub(r"^```.*?^```$", "", read(page), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The names by which GitHub knows a page's headings."""
    names: list[str] = []
    for heading in re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE):
        name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        names.append(f"{name}-{names.count(name)}" if name in names else name)
    return set(names)


@cache
def quoted(page: Path) -> list[str]:
    """All that stands in backticks, and every line of the blocks."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", read(page), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [*lines, *(" ".join(code.split()) for code in re.findall(r"(?<!`)`([^`]+)`(?!`)", prose(page)))]


def commands(page: Path, *start: str) -> Iterator[list[str]]:
    """What follows ``start`` in every command of the page that has it; comments and quotes are the shell's."""
    for code in quoted(page):
        if re.search(r"\b" + r"\s+".join(map(re.escape, start)) + r"\b", code):
            words = shlex.split(code, comments=True)
            for place in range(len(words)):
                if tuple(words[place : place + len(start)]) == start:
                    yield words[place + len(start) :]


@cache
def parameters(home: str) -> dict[str, Any]:
    """A home's params.yaml with what the pages' examples add to it."""
    params, added = (yaml.safe_load(read(REPOSITORY / path)) for path in (f"{home}/params.yaml", ADDED[home]))
    return params | {key: {**params[key], **entries} for key, entries in added.items()}


def at(params: Any, key: str) -> Any:
    for part in key.split("."):
        params = params[part]
    return params


@cache
def stages(home: str) -> set[str]:
    """The names of a home's stages, as DVC has them."""
    names = set()
    for name, stage in yaml.safe_load(read(REPOSITORY / home / "dvc.yaml"))["stages"].items():
        if "foreach" in stage:
            names |= {f"{name}@{key}" for key in at(parameters(home), stage["foreach"][2:-1])}
        elif "matrix" in stage:
            filled = [
                [at(parameters(home), value[2:-1]) if str(value).startswith("${") else value for value in values]
                for values in stage["matrix"].values()
            ]
            names |= {f"{name}@{'-'.join(map(str, values))}" for values in product(*filled)}
        names.add(name)
    return names


def test_readme_has_at_most_150_lines() -> None:
    assert len(README.splitlines()) <= 150


@EVERY_PAGE
def test_every_link_leads_to_a_file_and_a_heading_that_exist(page: Path) -> None:
    for target in re.findall(r"\]\((?!https:)([^)\s]+)\)", prose(page)):
        name, _, anchor = target.partition("#")
        linked = page.parent / name if name else page
        assert linked.is_file(), target
        assert not anchor or anchor in anchors(linked), target


def test_every_page_of_docs_is_reached_from_readme() -> None:
    linked = set(re.findall(r"\]\((docs/[^)#]+)", README))
    assert {str(page.relative_to(REPOSITORY)) for page in PAGES if page.parent.name == "docs"} <= linked


def test_every_page_that_the_program_points_to_has_that_section() -> None:
    tops = ("stages", "commands", "benchmarks", "models", "papers")
    sources = [path for top in tops for path in (REPOSITORY / top).rglob("*.*")]
    kinds = (".py", ".j2", ".js", ".yaml", ".yml")
    files = [path for path in (*sources, *REPOSITORY.glob("*.*"), *REPOSITORY.glob("full/*")) if path.suffix in kinds]
    named: set[tuple[str, str]] = set()
    for text in (MAKEFILE, read(REPOSITORY / ".gitattributes"), *map(read, files)):
        named |= set(re.findall(r'((?:docs/|papers/)?[\w-]+\.md)\b(?:, "([^"\n]+)")?', text))
    assert {("docs/own-paper.md", ""), ("CONTRIBUTING.md", "Merging")} <= named
    for name, section in named:
        assert (REPOSITORY / name).is_file(), name
        assert not section or section in re.findall(r"^#+ (.+)$", prose(REPOSITORY / name), re.MULTILINE), section


@EVERY_PAGE
def test_every_target_of_make_exists_and_reads_what_it_is_given(page: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE)
    for words in commands(page, "make"):
        for word in words:
            name, given, _ = word.partition("=")
            if given:
                assert f"$({name})" in MAKEFILE, word
            elif word != "...":
                assert word in targets, word


@pytest.mark.parametrize("page", PRESENT, ids=name_of)
def test_every_module_that_is_run_exists_with_its_options(page: Path) -> None:
    for words in (*commands(page, "python", "-m"), *commands(page, "python3", "-m")):
        words = words[2:] if words[:2] == ["pdb", "-m"] else words
        name, *arguments = words
        if name == "commands" and arguments:
            command, *arguments = arguments
            assert command in COMMANDS or command.startswith(("NAME", "<")), words
            name = module_of(command) if command in COMMANDS else name
        if not (REPOSITORY / name.partition(".")[0]).is_dir():
            assert find_spec(name), words
            continue
        path = REPOSITORY / name.replace(".", "/")
        if name.endswith("<name>"):
            continue
        file = path.with_suffix(".py") if path.with_suffix(".py").is_file() else path / "__main__.py"
        assert file.is_file(), words
        assert "__main__" in read(file), words
        known = {node.value for node in ast.walk(ast.parse(read(file))) if isinstance(node, ast.Constant)}
        for option in (word.partition("=")[0] for word in arguments if word.startswith("--")):
            assert option in known | {"--help"}, words


@EVERY_PAGE
def test_every_stage_that_is_run_is_one_of_its_home(page: Path) -> None:
    for verb in (("dvc", "repro"), ("dvc", "exp", "run"), ("dvc", "status")):
        for words in commands(page, *verb):
            named = [word for before, word in zip(["", *words], words, strict=False) if before != "-S"]
            for word in (word for word in named if not word.startswith("-") and not word.endswith("dvc.yaml")):
                file, _, name = word.rpartition(":")
                assert file in ("", "full/dvc.yaml"), word
                braced = re.fullmatch(r"\{(.+)\}", name)
                for one in braced[1].split(",") if braced else [name]:
                    wanted = one.partition("@")[0] if "@<" in one else one
                    assert matching(stages("full" if file else "."), wanted), word


@EVERY_PAGE
def test_every_parameter_that_is_set_is_one_of_params_yaml(page: Path) -> None:
    for key in (key for code in quoted(page) for key in re.findall(r"-S '?([\w.-]+)=", code)):
        at(parameters("."), key)


@EVERY_PAGE
def test_every_command_of_dvc_is_one_that_dvc_understands(page: Path) -> None:
    for words in commands(page, "dvc"):
        if words and words[0][0].isalpha():
            assert parsed(words).func, words


@EVERY_PAGE
def test_every_file_that_is_named_exists_or_is_made(page: Path) -> None:
    tops = ("stages", "commands", "benchmarks", "models", "papers", "tests", "docs", "full", ".github")
    files = {path.name for top in tops for path in (REPOSITORY / top).rglob("*")} | {
        path.name for path in REPOSITORY.iterdir()
    }
    for word in (word.strip("'\",()").rstrip(".") for code in quoted(page) for word in code.split()):
        if not re.fullmatch(r"[\w.<>*-]+(/[\w.<>*-]+)*/?", word) or word.startswith(MADE) or "<that" in word:
            continue
        pattern = re.sub(r"<[\w ]+>", "*", word)
        if "/" not in word:
            assert not word.endswith(WRITTEN) or matching(files, pattern) or word in WRITTEN, word
        elif (REPOSITORY / word.partition("/")[0]).is_dir() or word.endswith(WRITTEN):
            assert any(REPOSITORY.glob(pattern)), word


def test_times_stand_in_one_place() -> None:
    marks = r"<!-- All times .*?<!-- End of the times. -->"
    for page in PAGES:
        text, places = re.subn(marks, "", read(page), flags=re.DOTALL)
        assert places == (page.name == "reproducing.md"), page
        assert re.findall(r"\b(?:\d+|two|three|five|ten|twenty) (?:s|min|minutes|seconds|h|hours)\b", text) == [], page


def test_the_answers_in_readme_are_those_of_the_full_report() -> None:
    _, _, rest = README.partition("| evidence | numbers | answers |\n|---|---|---|\n")
    shown = [
        tuple(cell.strip() for cell in line.strip("|").split("|")) for line in rest.partition("\n\n")[0].splitlines()
    ]
    stream = io.StringIO()
    Console(file=stream, width=200).print(ladder(Layout(REPOSITORY / "full")))
    drawn = [tuple(cell.strip() for cell in line.strip("│").split("│")) for line in stream.getvalue().splitlines()]
    assert shown == [row for row in drawn if len(row) == 3]
    assert f"every one of the {sum(int(row[1]) for row in shown)} " in README
