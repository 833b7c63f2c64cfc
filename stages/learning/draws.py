"""A network's random draws from generators that are handed in, not from torch's global one.

While :class:`Draws` is active, dropout and torch's `rand`, `randn` and `randint` draw from them. A step's draws are
thereby a function of (seed, epoch, step), and a network that stands for several seeds under `torch.func.vmap` draws for
each what its own run would draw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
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
    ``channels_last``: the layout of images, in whose order their masks are drawn. One object serves one step.
    Raises TypeError at any other function that draws at random.
    """

    def __init__(
        self, generators: Sequence[torch.Generator], lane: Tensor | None = None, *, channels_last: bool
    ) -> None:
        super().__init__()
        self.generators, self.lane, self.channels_last = generators, lane, channels_last
        self.masks = 0

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
        """As torch's: times 0 with probability p, else times 1 / (1 - p)."""
        if not training or p == 0:
            return values
        images = self.channels_last and values.dim() == 4
        shape = torch.Size([values.shape[i] for i in (0, 2, 3, 1)]) if images else values.shape
        self.masks += 1

        def draw(generator: torch.Generator) -> Tensor:
            kept = _kept(shape, p, generator, self.masks).to(values.dtype)
            mask = kept.div_(1 - p) if p < 1 else kept
            return mask.permute(0, 3, 1, 2) if images else mask

        mask = self._each(draw)
        return values.mul_(mask) if inplace else values * mask


def _kept(shape: torch.Size, p: float, generator: torch.Generator, number: int) -> Tensor:
    """1 with probability 1 - p, else 0; float32.

    torch's own way on a CPU, bernoulli_, takes several times as long: a tenth of a step of a small network. Here a
    value is kept if 32 random bits are at least p * 2**32; they are of a stream of their own for every mask of a step.
    """
    mask = torch.empty(shape, device=generator.device)
    if generator.device.type != "cpu":
        return mask.bernoulli_(1 - p, generator=generator)
    stream = np.random.SFC64([generator.initial_seed(), number])
    bits: NDArray[np.int32] = stream.random_raw(-(-shape.numel() // 2)).view(np.int32)[: shape.numel()]
    least = round(p * 2**32) - 2**31  # as the bits are read, with a sign
    return torch.ge(torch.from_numpy(bits).view(shape), least, out=mask) if least < 2**31 else mask.zero_()
