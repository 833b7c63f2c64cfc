"""Claims made by hand, and what the rules on contradictions find in them."""

from collections.abc import Mapping, Sequence

import pandas as pd

from stages.compare.contradictions import Found, found
from stages.documents.claims import Claim
from stages.documents.paper import PAPERS, load_paper

NO_LOG = pd.DataFrame({"run": [], "epoch": []})
RECURNETS = load_paper(PAPERS / "recurnets")
METRICS = {"Accuracy": "accuracy", "F1": "f1_weighted", "Precision": "precision_weighted", "Recall": "recall_weighted"}


def claim(metric: str, published: str, **given: object) -> Claim:
    scale = {"%": 0.01, "m": 1e6}.get(published[-1], 1.0)
    digits = published.rstrip("%m")
    values = {
        "table": "1", "group": "", "row": "A", "column": "Accuracy", "run": "a", "metric": metric,
        "published": published, "value": round(float(digits) * scale, 9), "margin": None, "better": "higher",
        "unit": "count" if metric == "parameters" else "fraction",
        "precision": round(10.0 ** -len(digits.partition(".")[2]) * scale, 9),
        "rounding": "rounded", "author_log": None, "author_log_epochs": None, "note": "",
    } | given  # fmt: skip
    name = "-".join(str(values[key]) for key in ("table", "group", "row", "run", "metric"))
    return Claim.model_validate({"id": name} | values)


def block(table: str, group: str, *rows: str, logs: Mapping[int, str] | None = None) -> list[Claim]:
    """A claim per number: rows of accuracy, F1, precision and recall; ``logs``: the log's, by the number of a row."""
    return [
        claim(
            f"test_{metric}",
            published,
            table=table,
            group=group,
            row=f"row {number}",
            column=column,
            run=f"{table}-{group}-{number}",
            rounding="floored" if metric == "accuracy" else "rounded",
            author_log=float(logs[number].split()[place]) if logs and number in logs else None,
        )
        for number, row in enumerate(rows)
        for place, ((column, metric), published) in enumerate(zip(METRICS.items(), row.split(), strict=True))
    ]


def find(
    claims: Sequence[Claim] = (),
    log: pd.DataFrame = NO_LOG,
    sizes: Sequence[Mapping[str, object]] = (),
    images: Mapping[str, int] | None = None,
    supports: Mapping[str, Mapping[int, int]] | None = None,
    parameters: Mapping[str, int] | None = None,
) -> list[Found]:
    return found(RECURNETS, claims, log, sizes, images or {}, supports or {}, parameters or {})


def rules(findings: Sequence[Found]) -> list[str]:
    return [finding.rule for finding in findings]
