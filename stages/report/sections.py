"""The sections of a document on the page, in their order: a template each, in templates/sections."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stages.report.paper_view import PaperView

APOSTROPHE = "\N{RIGHT SINGLE QUOTATION MARK}"


@dataclass(frozen=True)
class Section:
    """A section: its template, which is also the end of its anchor, its title, and whether a document has it."""

    name: str
    title: str
    there: Callable[[PaperView], bool] = lambda _: True


SECTIONS = (
    Section("main", "Main results"),
    Section("claims", "Its numbers, beside ours"),
    Section("teams", "Another team", lambda view: bool(view.teams)),
    Section("statements", "What it says in words", lambda view: bool(view.statements)),
    Section("findings", "Findings"),
    Section("tables", "Its tables, laid out as there"),
    Section("first_epochs", "First epochs beside the log", lambda view: bool(view.first_epochs)),
    Section("sizes", "Parameters", lambda view: bool(view.sizes)),
    Section("weights", f"The authors{APOSTROPHE} own weights", lambda view: bool(view.paper.author_weights)),
    Section("analyses", "Its analyses", lambda view: bool(view.grids or view.maps)),
    Section("beyond", "Beyond the document", lambda view: bool(view.comparisons or view.sweeps or view.iterations)),
    Section("ours", "Every run that was made"),
    Section("quality", "Calibration and cost", lambda view: bool(view.cells)),
    Section("recipe", f"How these runs differ from the paper{APOSTROPHE}s recipe"),
    Section("figures", "Figures"),
    Section("deviations", "Deviations"),
)
