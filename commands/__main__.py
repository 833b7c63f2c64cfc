"""What people run beside DVC: python -m commands NAME ..., and python -m commands NAME --help.

No stage of the pipeline needs any of it.
"""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path

from stages.core.errors import StageError, run_stage

# In the order in which one comes to need them; a name is that of the module, with dashes.
COMMANDS = (
    "reproduce", "summary", "pull", "audit", "rerun", "compare-results", "pull-request", "new-paper", "team",
    "spotcheck", "plan", "begin", "adopt", "add-imagenet", "export", "merge-lock",
)  # fmt: skip


def module_of(command: str) -> str:
    """The module whose ``main`` a command is."""
    package = Path(__file__).parent / command.replace("-", "_")
    return f"commands.{package.name}" + (".__main__" if package.is_dir() else "")


def sentence(command: str) -> str:
    """The first line of a command's own help, read without importing it."""
    path = Path(__file__).parents[1] / (module_of(command).replace(".", "/") + ".py")
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]


def listed() -> str:
    """Every command with a sentence."""
    width = max(map(len, COMMANDS))
    return "\n".join(f"  {command:{width}}  {sentence(command)}" for command in COMMANDS)


def main() -> None:
    """The command line."""
    asked = sys.argv[1:]
    if not asked or asked[0] in ("-h", "--help"):
        print(f"{__doc__}\n{listed()}")
        return
    name, *arguments = asked
    if name not in COMMANDS:
        raise StageError(f"unknown command '{name}'; expected one of {', '.join(COMMANDS)}.")
    sys.argv = [f"python -m commands {name}", *arguments]
    importlib.import_module(module_of(name)).main()


if __name__ == "__main__":
    run_stage(main)
