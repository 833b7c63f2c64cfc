"""The cnn-gru models against the specification's parameter counts and loops written out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from models.cnn_gru import crops
from models.layers.normalisation import BatchNorm2d
from models.registry import build


def make(architecture: str, **options: object) -> nn.Module:
    torch.manual_seed(0)
    return build(architecture, 3, 10, options)


@pytest.mark.parametrize(
    ("architecture", "options", "parameters"),
    [
        ("cnn", {}, 2_197_706),
        ("rnn", {}, 274_442),
        ("rnn", {"cell": "elman"}, 93_194),
        ("lrcn", {}, 1_675_210),
        ("tsn", {}, 1_148_874),
        ("cnn_gru", {}, 1_543_626),
        ("cnn_gru", {"reading": "rows"}, 2_133_450),
        ("cnn_gru", {"reading": "shuffled"}, 1_543_626),
        ("cnn_pool", {}, 1_148_874),
    ],
)
def test_parameters_are_those_of_the_specification(
    architecture: str, options: dict[str, object], parameters: int
) -> None:
    assert sum(p.numel() for p in make(architecture, **options).parameters()) == parameters


@pytest.mark.parametrize("layers", [3, 6, 9, 12])
def test_the_trunk_has_so_many_convolutions_and_always_three_pools(layers: int) -> None:
    trunk = make("cnn_pool", layers=layers, width=0.1).trunk
    kinds = [type(part) for part in trunk]
    assert kinds.count(nn.Conv2d) == kinds.count(BatchNorm2d) == layers
    assert kinds.count(nn.MaxPool2d) == 3
    assert trunk.eval()(torch.zeros(1, 3, 32, 32)).shape == (1, 26, 4, 4)


def test_for_imagenet_the_map_has_49_cells_of_512() -> None:
    model = make("cnn_gru", layers=10, stages=5, width=1.0, side=224).eval()
    assert model.trunk(torch.zeros(1, 3, 224, 224)).shape == (1, 512, 7, 7)
    assert model(torch.zeros(1, 3, 224, 224)).shape == (1, 10)


def gru(model: nn.GRU, steps: Tensor) -> Tensor:
    """The last state of a GRU by its equations; steps (T, features) of one sequence."""
    w_ih, w_hh, b_ih, b_hh = (parameter.detach() for parameter in model.parameters())
    h = torch.zeros(model.hidden_size, dtype=steps.dtype)
    for x in steps:
        i_r, i_z, i_n = (w_ih @ x + b_ih).chunk(3)
        h_r, h_z, h_n = (w_hh @ h + b_hh).chunk(3)
        reset, update = (i_r + h_r).sigmoid(), (i_z + h_z).sigmoid()
        h = (1 - update) * (i_n + reset * h_n).tanh() + update * h
    return h


@pytest.mark.parametrize("reading", ["raster", "rows"])
def test_the_map_is_read_cell_by_cell_or_row_by_row(reading: str) -> None:
    model = make("cnn_gru", width=0.05, hidden=7, reading=reading).double().eval()
    images = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    for image, logits in zip(images, model(images), strict=True):
        cells = model.trunk(image[None])[0]
        rows = [torch.cat([cells[:, y, x] for x in range(4)]) for y in range(4)]
        steps = rows if reading == "rows" else [cells[:, y, x] for y in range(4) for x in range(4)]
        state = gru(model.recurrent, torch.stack(steps))
        torch.testing.assert_close(model.head(state), logits, rtol=0, atol=1e-12)


def test_shuffling_changes_the_order_of_the_cells_in_training_only() -> None:
    plain, shuffled = (make("cnn_gru", width=0.1, hidden=8, reading=reading) for reading in ("raster", "shuffled"))
    shuffled.load_state_dict(plain.state_dict())
    images = torch.randn(4, 3, 32, 32)
    assert torch.equal(plain.eval()(images), shuffled.eval()(images))
    seen: list[Tensor] = []
    shuffled.recurrent.register_forward_hook(lambda _module, given, _out: seen.append(given[0]))
    shuffled.dropout.p = 0.0
    shuffled.train()(images)
    cells = shuffled.trunk(images).flatten(2).transpose(1, 2)
    assert not torch.equal(seen[0], cells)
    for given, own in zip(seen[0], cells, strict=True):  # the same cells, every image in an order of its own
        assert torch.allclose(given.sort(dim=0).values, own.sort(dim=0).values, atol=1e-5)


def test_crops_are_slices() -> None:
    images = torch.randn(3, 2, 8, 8)
    tops, lefts = torch.tensor([0, 1, 2]), torch.tensor([2, 0, 1])
    for image, top, left, cut in zip(images, tops, lefts, crops(images, tops, lefts, 6), strict=True):
        assert torch.equal(cut, image[:, top : top + 6, left : left + 6])


def test_lrcn_looks_at_corners_and_centre_one_after_another_and_decides_at_each() -> None:
    model = make("lrcn", width=0.1, hidden=8).eval()
    images = torch.randn(2, 3, 32, 32)
    cut = [images[:, :, t : t + 24, le : le + 24] for t, le in ((0, 0), (0, 8), (8, 0), (8, 8), (4, 4))]
    features = torch.stack([model.trunk(each).mean(dim=(2, 3)) for each in cut], dim=1)
    states = model.recurrent(features)[0]
    expected = torch.stack([model.head(states[:, step]) for step in range(5)], dim=1)
    torch.testing.assert_close(model(images), expected, rtol=0, atol=1e-5)


def test_tsn_takes_one_crop_of_each_third_at_random_in_training_and_the_middle_ones_in_evaluation() -> None:
    model = make("tsn", width=0.1).eval()
    images = torch.randn(2, 3, 32, 32)
    # Nine positions, 0 to 8: thirds 0-2, 3-5, 6-8.
    cut = [images[:, :, top : top + 24, 4:28] for top in (1, 4, 7)]
    expected = torch.stack([model.head(model.trunk(each).mean(dim=(2, 3))) for each in cut]).mean(dim=0)
    torch.testing.assert_close(model(images), expected, rtol=0, atol=1e-5)
    places: list[list[float]] = []
    model.train()
    model.trunk.register_forward_hook(lambda _module, given, _out: places.append(given[0][:, 0, 0, 0].tolist()))
    rows = torch.arange(32.0)[:, None].expand(32, 32).expand(200, 3, 32, 32)
    model(rows)
    for segment, first in enumerate((0, 3, 6)):
        assert set(places[0][200 * segment : 200 * (segment + 1)]) == {first, first + 1, first + 2}
    model(rows.transpose(2, 3))
    assert set(places[1]) == set(range(9))  # each of 600 draws at random: one of the nine is missing in 1 of 10^29


@pytest.mark.parametrize(
    ("architecture", "options", "words"),
    [
        ("cnn", {"layers": 7}, "layers is 7: expected a multiple of 3"),
        ("rnn", {"cell": "tree"}, "cell is 'tree': expected one of gru, elman"),
        ("cnn_gru", {"reading": "spiral"}, "reading is 'spiral': expected one of raster, rows, shuffled"),
    ],
)
def test_an_option_that_makes_no_network_is_refused(architecture: str, options: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make(architecture, **options)
