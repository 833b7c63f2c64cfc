"""The columns of every table that comparing writes, and what a row is until it is written.

``schemas/`` says what is in them, for other programs; docs/interface.md when :data:`INTERFACE` goes up.
"""

from __future__ import annotations

TableRow = dict[str, object]  # by column; read back from disk it is a stages.core.tables.Row, of text

INTERFACE = "1.0"  # version of what other programs read

VERDICT_COLUMNS = ("paper", "verdict", "claims")
CLAIM_COLUMNS = (
    "id", "table", "group", "row", "column", "run", "metric", "unit", "published", "value", "log", "log_epochs",
    "ours", "low", "high", "basis", "predicted_low", "predicted_high", "scale", "seeds", "difference", "margin",
    "better", "target_low", "target_high", "target", "verdict", "reason", "plausible", "rivals", "note",
)  # fmt: skip
LADDER_COLUMNS = (
    "id", "number", "table", "group", "row", "column", "published", "rung", "answer", "value", "low", "high", "seeds",
    "words", "strongest",
)  # fmt: skip
HEADLINE_COLUMNS = (
    "row", "column", "run", "published", "log", "ours", "low", "high", "scale", "seeds", "verdict", "reason",
)  # fmt: skip
CELL_COLUMNS = (
    "key", "title", "dataset", "architecture", "scale", "seeds", "epochs", "parameters", "macs", "training_macs",
    "test_accuracy", "test_f1", "test_precision", "test_recall", "test_f1_macro", "test_loss", "train_accuracy",
    "nll", "brier", "ece", "latency_ms", "seconds_per_epoch", "seconds", "energy_wh", "energy_kind", "co2_g",
    "joules_per_correct", "test_images", "device_name", "data_sha256", "code_sha256",
)  # fmt: skip
DIFFERENCE_COLUMNS = ("parameter", "paper", "this_run", "cells")
COMPARISON_COLUMNS = (
    "run", "title", "scale", "seeds", "parameters", "macs",
    "test_accuracy", "test_f1_macro", "labels_accuracy", "gain", "low", "high",
    "train_images_per_second", "test_images_per_second",
)  # fmt: skip
SWEEP_COLUMNS = ("point", "run", "scale", "seeds", "labels_accuracy", "test_accuracy", "test_f1_macro")
GRID_COLUMNS = ("key", "row", "column", "scale", "seeds", "parameters", "macs", "test_accuracy")
RUN_RELIABILITY_COLUMNS = ("key", "title", "dataset", "scale", "bin", "images", "confidence", "accuracy")
ITERATION_COLUMNS = ("key", "title", "dataset", "scale", "trained", "iterations", "test_accuracy", "state_change")
STATEMENT_COLUMNS = (
    "id", "where", "family", "text", "about", "whose", "measure", "first", "second", "labels", "other_labels", "column",
    "level", "cited", "claimed", "amount", "margin", "printed", "printed_low", "printed_high", "printed_answer",
    "logged", "log_runs", "log_answer", "first_value", "second_value", "difference", "low", "high", "basis", "p",
    "p_holm", "seeds", "scale", "outcome",
)  # fmt: skip
FIRST_EPOCH_COLUMNS = (
    "run", "seeds", "epoch", "column", "log", "ours", "t", "reach", "margin", "answer", "p", "rank", "words",
)  # fmt: skip
BEGUN_COLUMNS = ("run", "seed", "done", "epochs", "train_loss", "train_accuracy", "test_accuracy", "machines")
FINDING_COLUMNS = ("rule", "where", "finding", "evidence", "replay")
AUTHOR_WEIGHTS_COLUMNS = (
    "weights", "run", "images", "right", "id", "table", "group", "row", "column", "unit", "published", "log", "ours",
    "log_digits", "equals_log", "printed_so", "departs", "answer", "norms", "norms_as_expected", "batches",
)  # fmt: skip
SIZE_COLUMNS = ("network", "layer", "kind", "where", "published", "counted", "statistics", "outcome")
OPEN_COLUMNS = (
    "id", "run", "seeds", "further", "epochs", "hours", "hours_low", "hours_high", "basis", "machine", "setting",
    "command", "words",
)  # fmt: skip
TEAM_SOURCE_COLUMNS = (
    "team", "source", "kind", "revision", "committed", "added", "runs", "files", "sha256", "other_packages", "left_out",
    "of_no_document",
)  # fmt: skip
TEAM_RUN_COLUMNS = (
    "team", "run", "compared", "reason", "seeds", "repeated", "our_seeds", "same_code", "data_sha256", "code_sha256",
    "machine", "our_machine",
)  # fmt: skip
TEAM_COLUMNS = (
    "team", "id", "table", "group", "row", "column", "run", "metric", "unit", "published", "value", "margin",
    "ours", "our_low", "our_high", "our_seeds", "our_scale", "our_verdict", "our_reason",
    "theirs", "their_low", "their_high", "their_seeds", "their_scale", "their_verdict", "their_reason",
    "opposite", "outcome", "reason", "new_seeds", "difference", "difference_low", "difference_high", "freedom", "basis",
    "p_within", "p_beyond",
)  # fmt: skip
