"""What comparing wrote, as tests read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stages.core.layout import Layout

KEY = "mnist-recurnet1-4"  # the run that most of these tests are about
Rows = list[dict[str, str]]


def summary(home: Path) -> dict[str, Any]:
    return json.loads((Layout(home).reports / "summary.json").read_text())
