"""Every stage of dvc.yaml depends on the code that decides its numbers, and on no other."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from grimp import ImportGraph

from tests.dependencies import REGISTRY, Excused, complaints, import_graph
from tests.small import REPOSITORY

DATA = ("download*", "split*", "subset")
NETWORKS = ("train*", "evaluate*", "explain")
TABLES = ("headline", "compare", "report")

# What decides no number of these stages: a change of it runs none of them again.
EXCUSED = (
    Excused(("stages.core.errors", "stages.core.validation"), "how a stage fails"),
    Excused(("stages.core.files",), "files that appear whole, and their hashes"),
    Excused(("stages.core.dvc_files",), "finds seeds that were trained before, by a fingerprint", ("train*",)),
    Excused(("stages.core.layout",), "the paths stand in dvc.yaml, too"),
    Excused(("stages", "stages.core.dependencies", "stages.core.unchanged"), "refuses what was edited meanwhile"),
    Excused(("stages.core.tables",), "writes numbers as the shortest text that reads back as them", (*DATA, *NETWORKS)),
    Excused(("stages.core.progress",), "what is shown meanwhile", ("download*", "train*")),
    Excused(("stages.core.cores",), "how many work side by side, each as if it were alone", ("train*", "report")),
    Excused(("stages.core.torch_compiler",), "what is not imported computes nothing"),
    Excused(("stages.core.torchvision_import",), "every byte is compared with the official hashes", ("download*",)),
    Excused(
        ("stages.params", "stages.params.cells", "stages.params.whole", "stages.params.runs", "stages.params.mistakes"),
        "finds entries of params.yaml, which DVC watches, and makes a cell of them: it is in run.json, and compared",
        (*DATA, *NETWORKS, "headline", "report"),
    ),
    Excused(("stages.params.command",), "the command line", ("train*", "evaluate*")),
    Excused(
        ("stages.params.machine",),
        "what a cluster is asked for; what energy is reckoned with, which only comparing does",
        (*DATA, *NETWORKS, "headline", "report"),
    ),
    Excused(("stages.cell", "stages.cell.*"), "the place of an image folder is all that is used", ("download*",)),
    Excused(
        ("stages.cell", "stages.cell.cell", "stages.cell.compute", "stages.cell.recipe"),
        "what is trained on a split; what it holds, stages.cell.images says",
        ("split*", "subset"),
    ),
    Excused(("stages.cell", "stages.cell.*"), "results of another cell than today's are not read", TABLES),
    Excused(("stages.splits.*",), "the names of the two parts are all that is used", ("download*",)),
    Excused(
        ("stages.splits.streams", "stages.splits.facts"),
        "comparing draws from it and counts by it; the report uses its words and columns",
        ("report",),
    ),
    Excused(("stages.train.*",), "prints, checkpoints, and where it runs; stages.learning trains", ("train*",)),
    Excused(
        ("stages.results.started", "stages.results.cell_result", "stages.results.metric", "stages.results.records"),
        "keeps the epochs of a training that was stopped",
        ("train*",),
    ),
    Excused((REGISTRY,), "finds the class of a name", ("train*", "evaluate*")),
    Excused(
        ("stages.documents.*", "stages.results.metric"),
        "finds an entry of paper.yaml, which DVC watches",
        ("download-weights", "evaluate-weights"),
    ),
)


def test_every_stage_depends_on_the_code_that_it_runs_and_on_no_other() -> None:
    pipeline = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text(encoding="utf-8"))
    found = complaints(pipeline, import_graph("stages", "models"), EXCUSED)
    assert not found, "\n" + "\n".join(found)


def test_a_module_runs_what_its_functions_import_and_the_packages_that_it_lies_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "__init__": "",
        "typed": "",
        "entry/__init__": "",
        "entry/__main__": "from invented.entry import work\nif __name__ == '__main__':\n    import invented.guarded",
        "entry/work": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import invented.typed\n"
        "def work():\n    import invented.room.deep",
        "guarded": "",
        "room/__init__": "from invented.room.beside import name",
        "room/beside": "name = 1",
        "room/deep": "",
        "room/idle": "",
    }
    for name, code in files.items():
        path = tmp_path / "invented" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    run = import_graph("invented").find_upstream_modules("invented.entry.__main__")
    assert run == {f"invented.{name}" for name in ("entry.work", "guarded", "room", "room.beside", "room.deep")}


IMPORTS = {
    "stages.a.__main__": ("stages.a.work",),
    "stages.a.work": ("stages.core.files", REGISTRY),
    "stages.b": ("stages.core.files",),
    "models.first": ("models.layers.sum",),
    "models.second": ("models.layers.product",),
}
CODE = ("${root}/stages/a", "${root}/stages/core/files.py")
MODELS = "${root}/models"
FOUND = Excused((REGISTRY,), "finds the class of a name")


def said(*deps: str, module: str = "stages.a", excused: tuple[Excused, ...] = ()) -> list[str]:
    """What is said of a pipeline of one stage, which runs the code of IMPORTS."""
    graph = ImportGraph()
    for name in ("stages.a", "stages.core", "models", "models.layers", *IMPORTS, *sum(IMPORTS.values(), ())):
        graph.add_module(name)
    for importer, names in IMPORTS.items():
        for name in names:
            graph.add_import(importer=importer, imported=name)
    stage = {"cmd": f"cd ${{root}} && python -m {module} ${{home}}", "deps": ["data/x", "${root}/papers", *deps]}
    return complaints({"stages": {"one": {"foreach": "${runs}", "do": stage}}}, graph, excused)


def missing(*deps: str, excused: tuple[Excused, ...] = ()) -> list[str]:
    """The modules that are said to be in none of the dependencies."""
    return [line.removeprefix("one: ").partition(" is in none")[0] for line in said(*deps, excused=excused)]


def test_nothing_is_said_of_a_stage_that_depends_on_what_it_runs() -> None:
    assert said(*CODE, MODELS) == []
    assert said("${root}/stages", MODELS) == []
    assert said("${root}/stages/b.py", "${root}/stages/core", module="stages.b") == []


def test_a_module_that_no_dependency_holds_is_named_with_the_imports_that_lead_there() -> None:
    assert said("${root}/stages/a", MODELS) == [
        "one: stages.core.files is in none of its dependencies: stages.a.__main__ -> stages.a.work -> stages.core.files"
    ]
    assert said("${root}/stages/core", module="stages.b") == ["one: stages.b is in none of its dependencies: stages.b"]


def test_a_stage_depends_on_its_own_model_file_and_the_layers_of_it() -> None:
    assert missing(*CODE, "${root}/models/first.py", "${root}/models/layers/sum.py", excused=(FOUND,)) == []
    assert missing(*CODE, "${root}/models/first.py", "${root}/models/layers/sum.py") == [REGISTRY]
    assert missing(*CODE, "${root}/models/first.py", excused=(FOUND,)) == ["models.layers.sum"]


def test_a_model_file_that_an_item_names_may_be_any() -> None:
    files = "${root}/models/${item.model.file}.py"
    assert missing(*CODE, files, "${root}/models/layers", excused=(FOUND,)) == []
    assert missing(*CODE, files, "${root}/models/layers/sum.py", excused=(FOUND,)) == ["models.layers.product"]


def test_a_stage_that_builds_a_model_and_names_none_may_build_any() -> None:
    expected = ["models.first", "models.second"]
    assert missing(*CODE, "${root}/models/layers", excused=(FOUND,)) == expected


@pytest.mark.parametrize("path", ["stages/b.py", "stages/gone", "stages/gone.py", "commands/adopt.py"])
def test_code_that_a_stage_depends_on_and_does_not_run_is_named(path: str) -> None:
    assert said(*CODE, MODELS, f"${{root}}/{path}") == [
        f"one: ${{root}}/{path} is a dependency, but stages.a.__main__ runs nothing of it"
    ]


def test_data_beside_the_code_are_no_code() -> None:
    assert said(*CODE, MODELS, "${root}/stages/b/electricity.csv", "${root}/benchmarks/results") == []


def test_an_excuse_holds_for_its_stages_and_has_to_be_needed() -> None:
    deps = ("${root}/stages/a", MODELS)
    assert said(*deps, excused=(Excused(("stages.core.*",), "why", ("on*",)),)) == []
    assert said(*deps, excused=(Excused(("stages.core.files", "stages.core.text"), "why", ("one", "two")),)) == [
        "one: stages.core.text is excused, and need not be",
        "two: stages.core.files is excused, and need not be",
        "two: stages.core.text is excused, and need not be",
    ]
    (line, _) = said(*deps, excused=(Excused(("stages.core.*",), "why", ("two",)),))
    assert line.startswith("one: stages.core.files is in none of its dependencies")
