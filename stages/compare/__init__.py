"""The stage `compare`: the published tables beside what was measured, verdicts and findings."""
