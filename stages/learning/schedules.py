"""Learning rates by epoch."""

from __future__ import annotations

import math

from stages.cell.recipe import Constant, Cosine, Schedule, Steps


def learning_rate(schedule: Schedule, base: float, epoch: int, epochs: int) -> float:
    """The learning rate of a whole epoch (0-based) of ``epochs``."""
    if isinstance(schedule, Constant):
        return base
    if isinstance(schedule, Cosine):
        return base * (1 + math.cos(math.pi * epoch / epochs)) / 2
    if isinstance(schedule, Steps):
        return base * schedule.gamma ** (epoch // schedule.period)
    rate = base * schedule.gamma ** sum(epoch >= milestone for milestone in schedule.milestones)
    if epoch < schedule.warmup_epochs:
        rate *= 1 - math.exp(-(epoch + 1) / schedule.warmup_period)
    return rate
