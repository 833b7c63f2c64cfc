"""What is known about the official datasets: their classes, their parts, the shape of their images."""

from __future__ import annotations

from dataclasses import dataclass

DIGITS = tuple("0123456789")
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@dataclass(frozen=True)
class Facts:
    """``counts``: images in the training and the test part. ``channels``, ``side`` (pixels): of an image."""

    classes: tuple[str, ...]
    counts: tuple[int, int]
    channels: int
    side: int


OFFICIAL = {
    "mnist": Facts(DIGITS, (60_000, 10_000), 1, 28),
    "svhn": Facts(DIGITS, (73_257, 26_032), 3, 32),
    "cifar10": Facts(CIFAR10, (50_000, 10_000), 3, 32),
    "digits": Facts(DIGITS, (1_437, 360), 1, 8),
}
