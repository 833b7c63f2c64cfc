"""The archive as a Workflow Run RO-Crate: the pipeline as the workflow, what was run as actions.

The profiles are Process and Workflow Run Crate 0.5 on RO-Crate 1.1. Results know how long they took and on what
machine, not on which day, so an action has its seconds as resource usage, and no dates are made up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from commands.export.codecheck import codecheckers
from commands.export.contents import Files, Home
from commands.export.provenance import Revision
from stages.cell import Cell
from stages.core.tables import Row
from stages.core.text import slug

if TYPE_CHECKING:
    from rocrate.model.entity import Entity

METADATA = "ro-crate-metadata.json"
RUN_CRATE, TERMS = "https://w3id.org/ro/wfrun", "https://w3id.org/ro/terms/workflow-run"
DVC, BIOSCHEMAS = "https://dvc.org/", "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
PROFILES = {"process": "Process Run Crate", "workflow": "Workflow Run Crate"}
VERSION = "0.5"
WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
COMPLETED = "http://schema.org/CompletedActionStatus"
SECONDS = "http://qudt.org/vocab/unit/SEC"
# Folders of the archive that are one thing each; the others are described file by file, or not at all.
FOLDERS = {
    "codecheck/": "CODECHECK bundles, a folder per document",
    "latex/": "The tables as LaTeX",
    "papers/": "What the documents published",
    "reports/figures/": "The figures of the report",
    "reports/tables/": "The tables of the report",
    "results/": "Results of training and evaluation, without weights",
    "schemas/": "Schemas of what other programs read",
}
KINDS = {
    ".cff": "application/yaml", ".csv": "text/csv", ".html": "text/html", ".json": "application/json",
    ".md": "text/markdown",    ".toml": "application/toml", ".yaml": "application/yaml",
}  # fmt: skip
ABOUT = {
    "README.md": "What lies where",
    "params.yaml": "What was asked for",
    "dvc.lock": "What every stage was made from, and the MD5 of what it made",
    "scores.csv": "A row per result",
    "started.csv": "First epochs of trainings that are not complete",
    "pace.csv": "How long a training step of each network takes",
    "headline.json": "The headline's numbers",
    "checked/cells.json": "Every cell that the parameters name",
    "reports/report.html": "The report",
    "reports/summary.json": "What was run and what is known, counted",
    "reports/badge.json": "How many printed numbers hold, as a badge",
    "provenance.json": "Where the archive is from",
    "requirements.lock": "Packages by their hashes",
    "pyproject.toml": "Packages by their lowest versions",
    "LICENSE": "The licence",
    "CITATION.cff": "Whom to cite",
}
INPUTS, OUTPUTS = ("params.yaml",), ("scores.csv", "reports/report.html", "reports/summary.json", "reports/tables/")


def metadata(home: Home, files: Files, of: Revision) -> dict[str, Any]:
    """The JSON-LD of ``ro-crate-metadata.json``, from the library ``rocrate``; the same for the same ``files``."""
    crate = Crate(home, files, of)
    crate.describe()
    told: dict[str, Any] = crate.crate.metadata.generate()
    return told


class Crate:
    """The crate of an archive, entity by entity; every one has a name of its own, since the library draws others."""

    def __init__(self, home: Home, files: Files, of: Revision) -> None:
        from rocrate.rocrate import ROCrate

        self.home, self.files, self.of = home, files, of
        self.crate = ROCrate(version="1.1")
        self.crate.metadata.extra_terms["resourceUsage"] = f"{TERMS}#resourceUsage"
        self.parts: dict[str, Entity] = {}

    def describe(self) -> None:
        """Add everything: what lies in the archive, the workflow, what was run."""
        self._add_parts()
        self._add_root()
        workflow = self._workflow()
        tools = {stage: self._tool(stage) for stage in ("train", "evaluate")}
        actions = [self._pipeline(workflow)]
        for cell, row in self.home.runs:
            actions += self._actions(cell, row, tools)
        self.crate.root_dataset["mentions"] = actions

    def _context(self, identifier: str, kind: str, **properties: object) -> Entity:
        """An entity that is no file, added once."""
        from rocrate.model.contextentity import ContextEntity

        known = self.crate.dereference(identifier)
        return known or self.crate.add(ContextEntity(self.crate, identifier, properties={"@type": kind, **properties}))

    def _add_parts(self) -> None:
        """The files and folders of the archive that are described; dvc.yaml comes with the workflow."""
        for path in sorted(self.files.keys() & ABOUT):
            self.parts[path] = self.crate.add_file(dest_path=path, properties={
                "name": ABOUT[path], "contentSize": str(len(self.files[path])), "encodingFormat": _format(path),
            })  # fmt: skip
        self.parts["README.md"]["about"] = self.crate.root_dataset
        for folder, name in FOLDERS.items():
            if self._holds(folder):
                self.parts[folder] = self.crate.add_dataset(dest_path=folder, properties={"name": name})

    def _holds(self, folder: str) -> bool:
        return any(path.startswith(folder) for path in self.files)

    def _add_root(self) -> None:
        """What the archive is, whose, of when, and by which rules."""
        crate, titles = self.crate, [paper.title for paper in self.home.papers]
        crate.name = f"Does it hold? Results of the home '{self.home.name}' at revision {self.of.short}"
        crate.description = f"Published numbers beside those of trainings of our own, of: {'; '.join(titles)}."
        crate.datePublished = self.of.committed
        crate.license = self._context("https://spdx.org/licenses/MIT", "CreativeWork", name="MIT License")
        people = [self._context(f"#{slug(name)}", "Organization", name=name) for name in codecheckers()]
        crate.root_dataset["author"] = crate.publisher = one(people)
        profiles = {f"{RUN_CRATE}/{key}/{VERSION}": (name, VERSION) for key, name in PROFILES.items()}
        profiles[WORKFLOW_CRATE] = ("Workflow RO-Crate", "1.0")
        crate.root_dataset["conformsTo"] = [
            self._context(address, "CreativeWork", name=name, version=version)
            for address, (name, version) in profiles.items()
        ]

    def _workflow(self) -> Entity:
        """dvc.yaml as the main workflow, with a formal parameter per input and output."""
        from rocrate.model.computerlanguage import ComputerLanguage

        language = self.crate.add(ComputerLanguage(self.crate, DVC, properties={
            "name": "DVC pipeline", "alternateName": "dvc.yaml", "url": {"@id": DVC},
        }))  # fmt: skip
        workflow: Entity = self.crate.add_workflow(dest_path="dvc.yaml", main=True, lang=language, properties={
            "name": "Data, training, evaluation, comparison, report", "version": self.of.commit,
            "contentSize": str(len(self.files["dvc.yaml"])), "encodingFormat": "application/yaml",
        })  # fmt: skip
        for name, paths in (("input", INPUTS), ("output", OUTPUTS)):
            workflow[name] = one([self._parameter(path) for path in paths])
        workflow["conformsTo"] = self._context(
            BIOSCHEMAS, "CreativeWork", name="ComputationalWorkflow profile", version="1.0-RELEASE"
        )
        return workflow

    def _parameter(self, path: str) -> Entity:
        kind, part = "Dataset" if path.endswith("/") else "File", self.parts[path]
        parameter: Entity = self.crate.add_formal_parameter(path, kind, identifier=f"#parameter_{slug(path)}")
        parameter["workExample"], part["exampleOfWork"] = part, parameter
        return parameter

    def _pipeline(self, workflow: Entity) -> Entity:
        """The run of the whole pipeline."""
        command = "dvc repro" if self.home.name == "." else f"dvc repro {self.home.name}/dvc.yaml"
        return self._action(
            "pipeline", workflow, [self.parts[path] for path in INPUTS], [self.parts[path] for path in OUTPUTS],
            name=command, description="What the pipeline has run so far, compared and rendered.",
            resourceUsage=self._seconds("pipeline", self.home.summary["seconds"]),
        )  # fmt: skip

    def _action(
        self, identifier: str, tool: Entity, used: Sequence[Entity], made: Sequence[Entity], **about: object
    ) -> Entity:
        agent = self.crate.root_dataset["author"]
        action: Entity = self.crate.add_action(
            tool, identifier=f"#{identifier}", object=one(used), result=one(made),
            properties={"@type": "CreateAction", **about, "actionStatus": COMPLETED},
        )  # fmt: skip
        action["agent"] = agent
        return action

    def _seconds(self, name: str, seconds: object) -> dict[str, str]:
        """A reference to how long something took."""
        usage = self._context(
            f"#seconds-{name}", "PropertyValue", propertyID="seconds", name="Seconds of training and testing",
            value=str(seconds), unitCode=SECONDS,
        )  # fmt: skip
        return {"@id": usage.id}

    def _tool(self, stage: str) -> Entity:
        """A stage's program."""
        name = f"python -m stages.{stage}"
        return self._context(f"#stages.{stage}", "SoftwareApplication", name=name, softwareVersion=self.of.commit)

    def _actions(self, cell: Cell, row: Row, tools: Mapping[str, Entity]) -> list[Entity]:
        """A run's training and its evaluation: on what data, by what code, on which machine, for how long."""
        key, digest = cell.key, row["data_sha256"]
        data = self._context(
            f"#data-{cell.dataset}-{digest[:12]}", "PropertyValue", name=f"SHA-256 of the split {cell.dataset}",
            value=digest,
        )  # fmt: skip
        trained, evaluated = (self._made(cell, kind, row) for kind in ("training", "evaluation"))
        about = f"{row['title']}: {row['scale']}, {row['seeds']} seeds, {row['epochs']} epochs, {row['device_name']}"
        return [
            self._action(
                f"train-{key}", tools["train"], [self.parts["params.yaml"], data], [trained],
                name=f"Training of {key}", description=f"{about}; code {row['code_sha256']}",
                resourceUsage=self._seconds(key, row["seconds"]),
            ),
            self._action(
                f"evaluate-{key}", tools["evaluate"], [trained, data], [evaluated],
                name=f"Evaluation of {key}", description=about,
            ),
        ]  # fmt: skip

    def _made(self, cell: Cell, kind: str, row: Row) -> Entity:
        """The folder that a cell's training or evaluation left; its accuracy where that is not in the archive."""
        folder = f"results/{kind}/{cell.address}/"
        if self._holds(folder):
            made: Entity = self.crate.add_dataset(
                dest_path=folder, properties={"name": f"{kind.title()} of {cell.key}"}
            )
            return made
        score = "train_accuracy" if kind == "training" else "test_accuracy"
        return self._context(f"#{score}-{cell.key}", "PropertyValue", name=f"{score} of {cell.key}", value=row[score])


def one(things: Sequence[Entity]) -> Entity | Sequence[Entity]:
    """What JSON-LD has in place of a list of one."""
    return things[0] if len(things) == 1 else [*things]


def _format(path: str) -> str:
    """The media type of a file, by its ending."""
    return KINDS.get(PurePosixPath(path).suffix, "text/plain")
