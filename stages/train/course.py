"""The course of a training: on which machine it went from where on, and what of it is recorded when it is stopped.

A training stays on the hardware that it was begun on, since no other gives the same bits. Only with
RECURNETS_RESUME=any in the environment does it go on from a checkpoint of other hardware; the machines are then named
with its results. That is said at the command and not under `compute` in params.yaml, which is part of every seed's
fingerprint: where a training was paused is no property of what is trained.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from stages.core.errors import StageError
from stages.core.layout import Layout
from stages.learning.engine import History
from stages.results.started import replace_started, started_row
from stages.train.checkpoint import Checkpoint, DamagedError, reached
from stages.train.plan import Plan

RESUME = "RECURNETS_RESUME"

Histories = Mapping[int, History]  # by seed
Environment = dict[str, Any]  # what environment.json says of a seed
# A training's machines in their order, each with the `epoch` and the `step` (both from 0) that it began with.
Machines = Sequence[Environment]


def any_hardware() -> bool:
    """Whether a training may go on from a checkpoint of other hardware; a :class:`StageError` if it is unclear."""
    said = os.environ.get(RESUME, "")
    if said not in ("", "any"):
        raise StageError(f"{RESUME} is '{said}': 'any' was expected, or nothing.")
    return said == "any"


def state_to_go_on_from(checkpoint: Checkpoint, key: str, fingerprints: Sequence[str]) -> dict[str, Any] | None:
    """The state in ``checkpoint``, or None; it is said which checkpoints are not used.

    ``fingerprints``: of its seeds, by which a state of other hardware is known to be of the same training.
    """
    try:
        own = checkpoint.load()
    except DamagedError as error:
        print(f"{key}: {error} is damaged and not used; these seeds start anew", flush=True)
        own = None
    if not checkpoint.stale():
        return own
    other = checkpoint.elsewhere(fingerprints)
    if other is not None and any_hardware() and (own is None or reached(other) > reached(own)):
        where = other["machines"][-1]
        print(f"{key}: goes on from a checkpoint of {where['device_name']}, torch {where['torch']}", flush=True)
        return other
    alike = f"; {RESUME}=any goes on from one that only other hardware made" if other else ""
    print(f"{key}: a checkpoint made with other parameters, data, code or hardware is not used{alike}", flush=True)
    return own


def beginning(environment: Environment, state: Mapping[str, Any] | None) -> Machines:
    """The machines of a training that goes on from ``state`` in ``environment``."""
    before = [] if state is None else list(state.get("machines", [{"epoch": 0, "step": 0, **environment}]))
    where = {"epoch": 0, "step": 0} if state is None else {"epoch": state["epoch"], "step": state["step"]}
    return before if before and _machine(before[-1]) == environment else [*before, {**where, **environment}]


def _machine(part: Mapping[str, Any]) -> Environment:
    return {name: value for name, value in part.items() if name not in ("epoch", "step")}


def at_end_of(epoch: int, machines: Machines) -> Environment:
    """The machine on which ``epoch`` (from 0) was finished."""
    return _machine([part for part in machines if part["epoch"] <= epoch][-1])


def environment_of(machines: Machines) -> Environment:
    """What is told of a training that has ended: its last machine, and all of them where it had several."""
    last = _machine(machines[-1])
    return last if len(machines) == 1 else {**last, "machines": list(machines)}


def machines_of(environment: Environment) -> Machines:
    """The machines that :func:`environment_of` told."""
    return environment.get("machines") or [{"epoch": 0, "step": 0, **environment}]


def record_started(layout: Layout, wanted: Plan, histories: Histories, machines: Machines) -> None:
    """Put the whole epochs of a training that is not complete into HOME/started.csv."""
    rows = [
        started_row(wanted.cell, wanted.fingerprints[seed], curve, at_end_of(int(curve["epoch"]), machines))
        for seed, history in histories.items()
        for curve in history.curves
    ]
    if rows:
        replace_started(layout, rows)
