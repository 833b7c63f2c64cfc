"""Whether a run was made at the scale of its document."""

from __future__ import annotations

FULL, REDUCED, NOT_RUN = "full run", "reduced run", "not run"
