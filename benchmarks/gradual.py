"""How much the short form of Gunn2D saves over the loops that define it: ``python -m benchmarks.gradual``.

One forward and backward pass of the layer at each of the document's three sizes, both forms on the same input, rounds
alternating; the fastest round of each counts.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from models.gunn import Gunn2d

SIZES = ((240, 32), (300, 16), (360, 8))  # channels, side


def sequential(layer: Gunn2d, x: Tensor) -> Tensor:
    """The layer as its definition reads: group after group, then channel after channel, on copies of the map."""
    a = x.flip(1) if layer.reverse else x
    for convolution in (layer.point, layer.window):
        for start in range(0, a.shape[1], layer.group):
            new = F.conv2d(a, convolution.weight, convolution.bias, padding=convolution.padding)
            a = torch.cat([a[:, :start], new, a[:, start + layer.group :]], dim=1)
        a = a.relu()
    for channel in range(a.shape[1]):
        new = F.conv2d(a, layer.single.weight, layer.single.bias)
        a = torch.cat([a[:, :channel], new, a[:, channel + 1 :]], dim=1)
    return x + (a.flip(1) if layer.reverse else a)


def seconds(layer: Gunn2d, form: Callable[[Tensor], Tensor], x: Tensor) -> float:
    """One forward and backward pass."""
    started = time.perf_counter()
    form(x).sum().backward()
    layer.zero_grad()
    return time.perf_counter() - started


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=4, help="batch size (default: 4)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each (default: 3)")
    parser.add_argument("--threads", type=int, default=2, help="threads (default: 2)")
    parser.add_argument("--sizes", type=int, default=len(SIZES), help="how many of the three sizes (default: all)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for channels, side in SIZES[-arguments.sizes :]:
        layer = Gunn2d(channels)
        x = torch.randn(arguments.images, channels, side, side)
        loop, short = [], []
        for _ in range(arguments.rounds):
            loop.append(seconds(layer, lambda value, layer=layer: sequential(layer, value), x))  # type: ignore[misc]
            short.append(seconds(layer, layer, x))
        print(
            f"Gunn2D({channels}) on {arguments.images} maps of {side} x {side}: loop {min(loop):.3f} s, short form "
            f"{min(short):.3f} s, {min(loop) / min(short):.1f} times as fast",
            flush=True,
        )


if __name__ == "__main__":
    main()
