"""Training steps as CUDA graphs: all kernels of a step are launched by one call.

Small networks leave a GPU waiting for the host, which launches their many short kernels one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from stages.learning.batches import Batch

WARM_UP = 3  # steps before the first recording, in which libraries choose kernels and optimizers create their state


class Graphed:
    """``update``, recorded once and replayed for every batch of full size; smaller ones run as they are.

    ``generators`` are those that ``update`` draws from. Python values that ``update`` reads are those of the recording,
    so :meth:`forget` it whenever one changes; recording anew takes as long as many steps. What a replay gives is
    overwritten by the next.
    """

    def __init__(self, update: Callable[[Batch], tuple[Tensor, Tensor]], generators: Sequence[torch.Generator]) -> None:
        self.update, self.generators = update, generators
        self.size, self.warm = 0, 0
        self.graph: torch.cuda.CUDAGraph | None = None

    def forget(self) -> None:
        """Record anew at the next step."""
        self.graph = None

    def __call__(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """One step."""
        size = batch.pixels.numel()
        if size > self.size:  # the first, or the first that is full where training went on with the rest of an epoch
            self.size, self.warm, self.graph = size, 0, None
        if size < self.size:
            return self.update(batch)
        if self.warm < WARM_UP:
            self.warm += 1
            return self._aside(batch)
        if self.graph is None:
            self._record(batch)
        assert self.graph is not None
        for kept, new in zip(self.inputs, batch, strict=True):
            if kept is not None and new is not None:
                kept.copy_(new)
        self.graph.replay()
        return self.outputs

    def _aside(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """A step on a stream of its own, as what comes before a recording has to be."""
        current, aside = torch.cuda.current_stream(), torch.cuda.Stream()
        aside.wait_stream(current)
        with torch.cuda.stream(aside):
            outputs = self.update(batch)
        current.wait_stream(aside)
        return outputs

    def _record(self, batch: Batch) -> None:
        self.inputs = Batch(*(None if tensor is None else tensor.clone() for tensor in batch))  # type: ignore[arg-type]
        self.graph = torch.cuda.CUDAGraph()
        for generator in self.generators:
            self.graph.register_generator_state(generator)
        with torch.cuda.graph(self.graph):
            self.outputs = self.update(self.inputs)
