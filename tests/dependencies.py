"""Whether the stages of dvc.yaml depend on the code that they run: their dependencies beside the graph of imports."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import product
from pathlib import PurePosixPath
from typing import Any

import grimp
from grimp import ImportGraph

REGISTRY = "models.registry"  # imports every model file, and names none


@dataclass(frozen=True)
class Excused:
    """Modules that stages of dvc.yaml run and need not depend on; wildcards are allowed in the names of both."""

    modules: tuple[str, ...]
    reason: str
    stages: tuple[str, ...] = ("*",)

    def holds(self, stage: str, module: str) -> bool:
        """Whether ``stage`` need not depend on ``module``."""
        return any(_match(stage, module, *pair) for pair in product(self.stages, self.modules))


def _match(stage: str, module: str, stages: str, modules: str) -> bool:
    return fnmatchcase(stage, stages) and fnmatchcase(module, modules)


def import_graph(*packages: str) -> ImportGraph:
    """What running a module runs: what it imports, in functions too, and the packages that it lies in.

    Imports for type checkers alone are left out.
    """
    graph = grimp.build_graph(*packages, exclude_type_checking_imports=True, cache_dir=None)
    importing = {module for module in graph.modules if graph.find_modules_directly_imported_by(module)}
    for package in importing:  # the other ones' __init__ holds a sentence
        for module in graph.find_descendants(package):
            graph.add_import(importer=module, imported=package)
    return graph


class Stage:
    """A stage as dvc.yaml defines it, and the modules that it runs."""

    def __init__(self, name: str, definition: Mapping[str, Any], graph: ImportGraph) -> None:
        run = re.search(r"python -m (\S+)", definition["cmd"])
        assert run, f"{name}: `{definition['cmd']}` runs no module"
        self.module = package if (package := f"{run[1]}.__main__") in graph.modules else run[1]
        self.graph = deepcopy(graph)
        files = {file for file in graph.find_children("models") if not graph.find_children(file)} - {REGISTRY}
        self.depends = {path: _modules(path, graph, files) for path in definition["deps"] if _is_code(path)}
        self.covered = set().union(*self.depends.values())
        # Model files that the stage does not name are of other architectures; the registry only imports them.
        for file in self.covered & files or files:
            self.graph.add_import(importer=REGISTRY, imported=file)
        self.runs = {self.module, *self.graph.find_upstream_modules(self.module)}

    def missing(self) -> Iterator[tuple[str, str]]:
        """Modules that it runs and does not depend on, each with the imports that lead there."""
        for module in sorted(self.runs - self.covered):
            chain = module != self.module and self.graph.find_shortest_chain(self.module, module)
            yield module, " -> ".join(chain or [module])

    def idle(self) -> list[str]:
        """Code that it depends on and does not run."""
        return [path for path, modules in self.depends.items() if not modules & self.runs]


def _is_code(path: str) -> bool:
    """Whether a dependency is a module or a package; else it is data."""
    place = PurePosixPath(path.removeprefix("${root}/"))
    package = place.suffix == "" and place.parts[0] in ("stages", "models")
    return path.startswith("${root}/") and (package or place.suffix == ".py")


def _modules(path: str, graph: ImportGraph, files: set[str]) -> set[str]:
    """The modules at ``path``; a model file that an item of dvc.yaml names may be any of ``files``."""
    if re.fullmatch(r"\$\{root}/models/\$\{[\w.]+}\.py", path):
        return files
    package = path.removeprefix("${root}/").removesuffix(".py").replace("/", ".")
    return {module for module in graph.modules if f"{module}.".startswith(f"{package}.")}


def complaints(pipeline: Mapping[str, Any], graph: ImportGraph, excused: Sequence[Excused]) -> list[str]:
    """A line for every module that a stage runs and does not depend on, and for every dependency that it does not run.

    ``pipeline``: the content of a dvc.yaml. An excuse that is not needed has a line, too.
    """
    stages = {name: Stage(name, entry.get("do", entry), graph) for name, entry in pipeline["stages"].items()}
    missing = [(name, module, chain) for name, stage in stages.items() for module, chain in stage.missing()]
    lines = [
        f"{name}: {module} is in none of its dependencies: {chain}"
        for name, module, chain in missing
        if not any(excuse.holds(name, module) for excuse in excused)
    ]
    for name, stage in stages.items():
        lines += [f"{name}: {path} is a dependency, but {stage.module} runs nothing of it" for path in stage.idle()]
    for excuse in excused:
        for pair in product(excuse.stages, excuse.modules):
            if not any(_match(name, module, *pair) for name, module, _ in missing):
                lines.append(f"{pair[0]}: {pair[1]} is excused, and need not be")
    return lines
