"""A network's random draws from generators that are handed in, not from torch's global one.

While :class:`Draws` is active, dropout and torch's `rand`, `randn` and `randint` draw from them. A step's draws are
thereby a function of (seed, epoch, step), and a network that stands for several seeds under `torch.func.vmap` draws for
each what its own run would draw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

_DRAWING = (torch.rand, torch.randn, torch.randint)
_REFUSED = (
    torch.bernoulli, torch.multinomial, torch.normal, torch.rand_like, torch.randint_like, torch.randn_like,
    torch.randperm, Tensor.bernoulli_, Tensor.normal_, Tensor.random_, Tensor.uniform_,
    F.alpha_dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.feature_alpha_dropout, F.rrelu,
)  # fmt: skip


class Draws(TorchFunctionMode):
    """Draws from ``generators``: one, or one per seed, of which ``lane`` says whose network this is.

    ``lane``: int64, a scalar that vmap maps over 0..len(generators) - 1, or None where there is one network.
    ``channels_last``: the layout of images, in whose order their masks are drawn.
    Raises TypeError at any other function that draws at random.
    """

    def __init__(
        self, generators: Sequence[torch.Generator], lane: Tensor | None = None, *, channels_last: bool
    ) -> None:
        super().__init__()
        self.generators, self.lane = generators, lane
        self.layout = torch.channels_last if channels_last else torch.contiguous_format

    def __torch_function__(
        self, func: Callable[..., Any], _types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Hand in a generator where one is needed; let everything else pass."""
        kwargs = kwargs or {}
        if func is F.dropout:
            return self._dropout(*args, **kwargs)
        if func in _DRAWING:
            return self._each(lambda generator: func(*args, **{**kwargs, "generator": generator}))
        if func in _REFUSED:
            raise TypeError(
                f"{func.__name__} would draw from torch's global generator; "
                "a model may use nn.Dropout, torch.rand, torch.randn and torch.randint"
            )
        return func(*args, **kwargs)

    def _each(self, draw: Callable[[torch.Generator], Tensor]) -> Tensor:
        """Draw for every seed; that of this network."""
        drawn = [draw(generator) for generator in self.generators]
        return drawn[0] if self.lane is None else torch.stack(drawn)[self.lane]

    def _dropout(self, values: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        """As torch's on a CPU, draw by draw: times 0 with probability p, else times 1 / (1 - p)."""
        if not training or p == 0:
            return values
        layout = self.layout if values.dim() == 4 else torch.contiguous_format

        def draw(generator: torch.Generator) -> Tensor:
            mask = torch.empty(values.shape, dtype=values.dtype, device=values.device, memory_format=layout)
            return mask.zero_() if p == 1 else mask.bernoulli_(1 - p, generator=generator).div_(1 - p)

        mask = self._each(draw)
        return values.mul_(mask) if inplace else values * mask
