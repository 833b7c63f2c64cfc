"""The networks of "A linear classifier of the digits"."""

from torch import Tensor, nn

from models.registry import register


@register("linear")
class Linear(nn.Module):
    """One linear layer on the pixels of images of ``side`` x ``side``."""

    def __init__(self, in_channels: int, classes: int, *, side: int = 8) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(in_channels * side**2, classes))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, channels, side, side)."""
        return self.layers(images)


@register("mlp")
class Mlp(nn.Module):
    """A layer of ``hidden`` rectified units before the linear one."""

    def __init__(self, in_channels: int, classes: int, *, side: int = 8, hidden: int = 64) -> None:
        super().__init__()
        first = nn.Linear(in_channels * side**2, hidden)
        self.layers = nn.Sequential(nn.Flatten(), first, nn.ReLU(), nn.Linear(hidden, classes))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, channels, side, side)."""
        return self.layers(images)
