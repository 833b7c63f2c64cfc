"""CODECHECK bundles: a manifest by the specification 2.0 and a certificate to read, of every document.

A CODECHECK is of one paper, so every document has a bundle of its own: ``codecheck/<id>/`` with codecheck.yml, what was
made again, and the certificate in a folder ``codecheck``. What only people can add is :data:`MISSING`, the mark that
the register's own tools look for: the ORCIDs, the certificate's number, and where it is published.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

from commands.export.contents import Files, Home
from commands.export.provenance import Revision
from stages.compare.columns import CLAIM_COLUMNS
from stages.compare.ladder import EVIDENCE
from stages.core.dependencies import ROOT
from stages.core.files import read_yaml
from stages.core.text import slug
from stages.documents.paper import Paper

VERSION = "https://codecheck.org.uk/spec/config/2.0/"
MISSING = "FIXME"
CERTIFICATE = "codecheck/certificate.html"
MADE = (
    ("claims", "every printed number beside ours, with its verdict"),
    ("ladder", "what each kind of evidence says of it"),
    ("statements", "claims in words, with their answers"),
    ("cells", "what was run, and what it took"),
    ("findings", "contradictions inside the document"),
)


def bundle(home: Home, paper: Paper, files: Files, of: Revision) -> Files:
    """The bundle of a document, by paths from its own folder; ``files``: those of the archive."""
    manifest = made(paper, files)
    checked = {name: files[source] for name, (source, _) in manifest.items()}
    listed = [{"file": name, "comment": comment} for name, (_, comment) in manifest.items()]
    return checked | {
        "codecheck.yml": manifest_text(home, paper, listed, of).encode(),
        CERTIFICATE: certificate(home, paper, listed, of).encode(),
        "LICENSE": files["LICENSE"],
    }


def made(paper: Paper, files: Iterable[str]) -> dict[str, tuple[str, str]]:
    """What was made again: by its path in the bundle, the path in the archive and what it is."""
    tables = {f"tables/{name}.csv": (f"reports/tables/{paper.id}/{name}.csv", comment) for name, comment in MADE}
    start = f"reports/figures/{slug(paper.id)}_figure_"
    figures = sorted(path for path in files if path.startswith(start) and path.endswith(".pdf"))
    drawn = {f"figures/{path.rpartition('/')[2]}": (path, _figure(path, start)) for path in figures}
    return {name: each for name, each in (tables | drawn).items() if each[0] in files}


def _figure(path: str, start: str) -> str:
    name = path.removeprefix(start).removesuffix(".pdf").replace("_", " ")
    return f"Figure {name}" if name[0].isdigit() else f"chart, {name}"


def summary(home: Home, paper: Paper) -> str:
    """What was found, in a few sentences that claim no more than the counts of the report."""
    ladder, counts = home.summary["ladder"][paper.id], home.summary["papers"][paper.id]
    told = [f"{EVIDENCE[one['rung']]}, {one['answer']}: {one['numbers']}" for one in ladder["numbers"]]
    told.append(f"open: {ladder['open']}")
    runs = [f"{scale}: {count}" for scale, count in counts["runs"].items() if count]
    verdicts = [f"{word}: {count}" for word, count in counts["verdicts"].items() if count]
    return (
        f"Runs of the document by their scale ({'; '.join(runs)}). Its {ladder['distinct']} printed numbers by the "
        f"strongest evidence on each ({'; '.join(told)}). Verdicts by our own runs alone ({'; '.join(verdicts)}). "
        "Only full runs and our readings are set against printed numbers."
    )


def codecheckers() -> list[str]:
    """Who has checked: the authors of CITATION.cff."""
    people: list[dict[str, str]] = read_yaml(ROOT / "CITATION.cff")["authors"]
    return [each.get("name") or f"{each['given-names']} {each['family-names']}" for each in people]


def manifest_text(home: Home, paper: Paper, listed: list[dict[str, str]], of: Revision) -> str:
    """The codecheck.yml of a document."""
    from ruamel.yaml import YAML

    told = ", ".join(part for part in (paper.institution, paper.date) if part)
    value: dict[str, Any] = {
        "version": VERSION,
        "manifest": listed,
        "paper": {
            "title": paper.title,
            "authors": [{"name": name, "ORCID": MISSING} for name in paper.author.split(", ")],
            "reference": f"{paper.author}: {paper.title} ({told})" if told else f"{paper.author}: {paper.title}",
        },
        "codechecker": [{"name": name} for name in codecheckers()],
        "report": MISSING,
        "summary": summary(home, paper),
        "check_time": of.committed,
        "certificate": MISSING,
        **({"source": f"The authors' code: {paper.code}"} if paper.code else {}),
    }
    yaml, text = YAML(), io.StringIO()
    yaml.explicit_start, yaml.allow_unicode, yaml.width = True, True, 120
    yaml.dump(value, text)
    return text.getvalue()


def certificate(home: Home, paper: Paper, listed: list[dict[str, str]], of: Revision) -> str:
    """The certificate of a document: one HTML page that needs nothing else, to be read or printed."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from stages.report.filters import measured

    page = Environment(
        loader=PackageLoader("commands.export"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    page.filters["measured"] = measured
    return page.get_template("certificate.html.j2").render(
        paper=paper,
        home=home.name,
        revision=of,
        codecheckers=codecheckers(),
        summary=summary(home, paper),
        claims=[row for row in home.rows(paper, "claims", CLAIM_COLUMNS) if row["run"]],
        counts=home.summary["papers"][paper.id],
        ladder=home.summary["ladder"][paper.id],
        evidence=EVIDENCE,
        runs=[row for cell, row in home.runs if cell.paper == paper.id],
        manifest=listed,
        missing=MISSING,
        version=VERSION,
    )
