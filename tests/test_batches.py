"""Batches against plain loops and torchvision's own transforms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from stages.cell import Transform
from stages.core.torchvision_import import load_torchvision
from stages.learning.batches import load_images, ordered_batches, resize, steps_per_epoch, training_batches
from stages.splits.format import Part, noise
from stages.splits.streams import numpy_stream, stream_seed
from tests.small import small_cell

CPU = torch.device("cpu")
RECIPE = small_cell(batch_size=8).recipe


def part(count: int = 20, side: int = 32, channels: int = 3) -> Part:
    draws = numpy_stream("batches")
    return Part(draws.integers(0, 256, (count, side, side, channels)).astype(np.uint8), np.arange(count) % 10)


def transform(**options: object) -> Transform:
    return Transform.model_validate({"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.25, 0.3), **options})


def test_normalisation_and_resizing_equal_torchvisions() -> None:
    from torch.utils.data import default_collate

    vision = load_torchvision()
    from torchvision import transforms

    assert vision
    source = part(side=28)
    chain = transforms.Compose(
        [transforms.Resize((32, 32)), transforms.ToTensor(), transforms.Normalize((0.5, 0.4, 0.3), (0.2, 0.25, 0.3))]
    )
    expected = default_collate([chain(Image.fromarray(image)) for image in source.images])
    images = load_images(source, transform(resize=32), CPU, training=False, noise_seed=0)
    ours = torch.cat([batch.pixels for batch in ordered_batches(images, 7)])
    assert torch.equal(ours, expected)


def test_crops_and_flips_are_those_of_a_plain_loop() -> None:
    source, padding = part(), 4
    images = load_images(source, transform(crop_padding=padding, flip=True), CPU, training=True, noise_seed=0)
    seen, flipped, corners = set(), 0, set()
    for pixels, labels, *_ in training_batches(images, RECIPE.model_copy(update={"batch_size": 5}), 0, 0):
        for picture, label in zip(pixels, labels, strict=True):
            match = find(source, picture, padding)
            assert match is not None
            index, top, left, mirrored = match
            assert source.labels[index] == label
            seen.add(index)
            corners.add((top, left))
            flipped += mirrored
    assert len(seen) == 20
    assert 3 <= flipped <= 17  # binomial(20, 1/2): outside with probability 0.0004
    assert len(corners) > 10


def find(source: Part, picture: torch.Tensor, padding: int) -> tuple[int, int, int, bool] | None:
    """Which image, crop corner and flip gives ``picture``: by trying them all."""
    mean, std = np.float32([0.5, 0.4, 0.3]), np.float32([0.2, 0.25, 0.3])
    wanted = np.rint((picture.permute(1, 2, 0).numpy() * std + mean) * 255).astype(np.uint8)
    for index, image in enumerate(source.images):
        wide = np.pad(image, ((padding, padding), (padding, padding), (0, 0)))
        for top in range(2 * padding + 1):
            for left in range(2 * padding + 1):
                window = wide[top : top + 32, left : left + 32]
                for mirrored in (False, True):
                    if np.array_equal(window[:, ::-1] if mirrored else window, wanted):
                        return index, top, left, mirrored
    return None


def test_test_images_are_never_augmented() -> None:
    images = load_images(part(), transform(crop_padding=4, flip=True), CPU, training=False, noise_seed=0)
    assert images.pixels.shape == (20, 32, 32, 3)
    assert not images.flip


def test_an_epoch_is_a_pure_function_of_seed_and_epoch() -> None:
    images = load_images(part(), transform(crop_padding=4, flip=True), CPU, training=True, noise_seed=0)

    def epoch(seed: int, number: int) -> torch.Tensor:
        return torch.cat([batch.pixels for batch in training_batches(images, RECIPE, seed, number)])

    assert torch.equal(epoch(0, 3), epoch(0, 3))
    assert not torch.equal(epoch(0, 3), epoch(0, 4))
    assert not torch.equal(epoch(0, 3), epoch(1, 3))


def test_order_crops_and_flips_are_those_of_their_named_streams() -> None:
    """Order and augmentation have a stream each of seed and epoch, so that one does not depend on the other."""
    source, seed, epoch = part(), 3, 5
    images = load_images(source, transform(crop_padding=4, flip=True), CPU, training=True, noise_seed=0)
    first, draws = (torch.Generator().manual_seed(stream_seed(name, seed, epoch)) for name in ("order", "augmentation"))
    order = torch.randperm(20, generator=first).tolist()
    corners = torch.randint(0, 9, (20, 2), generator=draws).tolist()
    mirrored = (torch.rand(20, generator=draws) < 0.5).tolist()
    pixels = torch.cat([batch.pixels for batch in training_batches(images, RECIPE, seed, epoch)])
    expected = [(*each, flip) for *each, flip in zip(order, *zip(*corners, strict=True), mirrored, strict=True)]
    found = [find(source, picture, 4) for picture in pixels]
    assert found == expected[: len(found)]
    assert len(found) >= 16


def test_augmentation_changes_from_epoch_to_epoch_and_seed_to_seed() -> None:
    """Of twenty copies of one image, so that their order does not show."""
    source = part()
    copies = Part(np.repeat(source.array[:1], 20, axis=0), source.labels)
    images = load_images(copies, transform(crop_padding=4, flip=True), CPU, training=True, noise_seed=0)

    def epoch(seed: int, number: int) -> torch.Tensor:
        return torch.cat([batch.pixels for batch in training_batches(images, RECIPE, seed, number)])

    assert torch.equal(epoch(0, 3), epoch(0, 3))
    assert not torch.equal(epoch(0, 3), epoch(0, 4))
    assert not torch.equal(epoch(0, 3), epoch(1, 3))


@pytest.mark.parametrize(
    ("count", "batch", "drop", "steps"),
    [(50_000, 128, True, 390), (73_257, 128, True, 572), (60_000, 128, True, 468), (60_000, 1024, False, 59)],
)
def test_steps_per_epoch_are_the_papers(count: int, batch: int, drop: bool, steps: int) -> None:
    assert steps_per_epoch(count, RECIPE.model_copy(update={"batch_size": batch, "drop_last": drop})) == steps


def test_noise_is_added_in_the_pixel_scale_and_not_clipped() -> None:
    sigma = np.array([0, 0.5] * 10, np.float32)
    source = part()
    noisy = Part(source.images, source.labels, sigma)
    plain = Transform(mean=(0, 0, 0), std=(1, 1, 1))
    images = load_images(noisy, plain, CPU, training=False, noise_seed=3)
    ours = torch.cat([batch.pixels for batch in ordered_batches(images, 6)]).permute(0, 2, 3, 1).numpy()
    expected = source.images / np.float32(255) + noise(sigma, (32, 32, 3), 3)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-6)
    assert ours.min() < 0
    assert ours.max() > 1


def test_evaluating_padded_images_gives_the_centre_with_the_noise_of_its_pixels() -> None:
    sigma = np.array([0, 0.5] * 10, np.float32)
    source = part()
    noisy, changes = Part(source.images, source.labels, sigma), Transform(mean=(0,) * 3, std=(1,) * 3, crop_padding=2)
    images = load_images(noisy, changes, CPU, training=True, noise_seed=3)
    ours = torch.cat([batch.pixels for batch in ordered_batches(images, 6)]).permute(0, 2, 3, 1).numpy()
    expected = source.images / np.float32(255) + noise(sigma, (32, 32, 3), 3)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-6)


def test_noise_is_cropped_and_flipped_with_its_image() -> None:
    """Of copies of one image, each told by its noise."""
    sigma = np.full(20, 0.5, np.float32)
    noisy = Part(np.zeros((20, 6, 6, 1), np.uint8), np.arange(20), sigma)
    changes = Transform(mean=(0,), std=(1,), crop_padding=2, flip=True)
    images = load_images(noisy, changes, CPU, training=True, noise_seed=3)
    wide = np.pad(noise(sigma, (6, 6, 1), 3), ((0, 0), (2, 2), (2, 2), (0, 0)))[..., 0]
    recipe = RECIPE.model_copy(update={"drop_last": False})
    for pixels, labels, *_ in training_batches(images, recipe, 0, 0):
        for picture, label in zip(pixels[:, 0].numpy(), labels.tolist(), strict=True):
            windows = [wide[label, top : top + 6, left : left + 6] for top in range(5) for left in range(5)]
            assert any(np.array_equal(picture, each) for window in windows for each in (window, window[:, ::-1]))


@pytest.mark.parametrize("first", [0, 1, 2])
def test_an_epoch_goes_on_from_any_step(first: int) -> None:
    images = load_images(part(), transform(crop_padding=4, flip=True), CPU, training=True, noise_seed=0)
    recipe = RECIPE.model_copy(update={"drop_last": False})
    whole, rest = (list(training_batches(images, recipe, 0, 0, start)) for start in (0, first))
    assert len(whole) == 3
    for one, other in zip(whole[first:], rest, strict=True):
        assert torch.equal(one.pixels, other.pixels)


def test_channels_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="mean has 3 entries, but the images have 1 channels"):
        load_images(part(channels=1), transform(), CPU, training=False, noise_seed=0)


def test_environments_tell_noisy_copies_apart_and_follow_their_images() -> None:
    sigma = np.array([0, 0.5] * 10, np.float32)
    source = part()
    images = load_images(Part(source.images, np.arange(20), sigma), transform(), CPU, training=True, noise_seed=0)
    batches = list(training_batches(images, RECIPE, 0, 0))
    labels, environments = (torch.cat(column) for column in list(zip(*batches, strict=True))[1:3])
    assert torch.equal(environments, labels % 2)


def test_copies_without_noise_are_exact_and_of_the_first_environment() -> None:
    source = part()
    copied = Part(source.images, source.labels, np.zeros(20, np.float32))
    images = load_images(copied, transform(), CPU, training=False, noise_seed=0)
    plain = load_images(source, transform(), CPU, training=False, noise_seed=0)
    assert images.noise is None
    assert torch.equal(images.pixels, plain.pixels)
    assert images.environments.sum() == 0


def test_importance_and_labels_follow_their_images_in_training_and_evaluation() -> None:
    source = Part(part().images, np.arange(20), importance=np.linspace(0, 1, 20, dtype=np.float32))
    images = load_images(source, transform(), CPU, training=True, noise_seed=0)
    recipe = RECIPE.model_copy(update={"drop_last": False})
    for batches, shuffled in ((training_batches(images, recipe, 0, 0), True), (ordered_batches(images, 7), False)):
        labels, _, importance = (torch.cat(column) for column in list(zip(*batches, strict=True))[1:])
        assert (labels.tolist() != list(range(20))) == shuffled
        assert sorted(labels.tolist()) == list(range(20))
        assert importance.tolist() == [float(source.importance[label]) for label in labels]


def test_everything_of_a_batch_lies_on_the_device_of_the_images() -> None:
    """The device of shapes stands for one that is not the CPU: torch refuses to mix the two."""
    elsewhere = torch.device("meta")
    sigma = np.array([0, 0.5] * 10, np.float32)
    source = Part(part().images, np.arange(20), sigma, importance=np.ones(20, np.float32))
    change = transform(crop_padding=4, flip=True)
    trained, tested = (
        load_images(source, change, elsewhere, training=training, noise_seed=0) for training in (True, False)
    )
    for batch in (*training_batches(trained, RECIPE, 0, 0), *ordered_batches(tested, 8)):
        assert [tensor.device for tensor in batch] == [elsewhere] * 4
        assert batch.pixels.shape[1:] == (3, 32, 32)


def test_grey_images_and_images_that_are_not_square_are_resized_as_by_pil() -> None:
    for channels in (1, 3):
        images = numpy_stream("resize").integers(0, 256, (3, 8, 6, channels)).astype(np.uint8)
        for image, ours in zip(images, resize(images, 8), strict=True):
            picture = Image.fromarray(image[..., 0] if channels == 1 else image)
            expected = np.asarray(picture.resize((8, 8), Image.Resampling.BILINEAR)).reshape(8, 8, channels)
            assert np.array_equal(ours, expected)
            assert ours.dtype == np.uint8


def test_balanced_sampling_draws_every_class_equally_often_as_a_pure_function_of_seed_and_epoch() -> None:
    labels = np.repeat(np.arange(4), [1000, 100, 50, 850])
    images = load_images(
        Part(np.zeros((2000, 2, 2, 1), np.uint8), labels),
        Transform(mean=(0,), std=(1,)), CPU, training=True, noise_seed=0,
    )  # fmt: skip
    balanced = RECIPE.model_copy(update={"sampling": "balanced", "batch_size": 300, "drop_last": False})

    def epoch(seed: int, number: int) -> torch.Tensor:
        return torch.cat([batch.labels for batch in training_batches(images, balanced, seed, number)])

    drawn = epoch(0, 0)
    assert len(drawn) == 2000
    # Binomial(2000, 1/4): five standard deviations are 97.
    assert (drawn.bincount(minlength=4) - 500).abs().max() < 97
    assert torch.equal(drawn, epoch(0, 0))
    assert not torch.equal(drawn, epoch(0, 1))
    assert not torch.equal(drawn, epoch(1, 0))


def test_a_crop_is_cut_from_the_centre_in_evaluation_and_anywhere_in_training() -> None:
    source = part()
    side = source.images.shape[1]
    crop = transform(crop=side - 2)
    centre = torch.cat([
        batch.pixels
        for batch in ordered_batches(load_images(source, crop, CPU, training=False, noise_seed=0), 7)
    ])  # fmt: skip
    whole = torch.cat([
        batch.pixels
        for batch in ordered_batches(load_images(source, transform(), CPU, training=False, noise_seed=0), 7)
    ])  # fmt: skip
    assert torch.equal(centre, whole[:, :, 1:-1, 1:-1])
    images = load_images(source, crop, CPU, training=True, noise_seed=0)
    corners = set()
    for batch in training_batches(images, RECIPE, 0, 0):
        for picture in batch.pixels:
            corners |= {
                (top, left)
                for top in range(3)
                for left in range(3)
                for candidate in whole
                if torch.equal(candidate[:, top : top + side - 2, left : left + side - 2], picture)
            }
    assert len(corners) > 4
    with pytest.raises(ValueError, match="a square of 99 pixels was to be cut out of images of"):
        load_images(source, transform(crop=99), CPU, training=True, noise_seed=0)
