"""Shifts: what each does to pixels and labels, against its definition; and what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from gnomon.errors import DataError, GnomonError, UsageError
from gnomon.shift import Pictures, load_pictures
from gnomon.shift._pictures import resized, to_bytes
from gnomon.shift._shift import CORRUPTIONS, constants, registry, shift_named


@pytest.fixture(scope="module")
def pictures():
    """Forty smooth images of 32 x 32 in three channels."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:32, 0:32] / 32
    waves = [np.sin(3 * rng.normal() * x + 3 * rng.normal() * y + rng.uniform(0, 6)) for _ in range(120)]
    images = np.stack(waves).reshape(40, 3, 32, 32).transpose(0, 2, 3, 1)
    return Pictures("waves", np.rint(127 + 110 * images).astype(np.uint8), np.arange(40) % 10, tuple("abcdefghij"))


def difference(one, other):
    return np.abs(one.images.astype(float) - other.images.astype(float)).mean() / 255


def test_all_fifteen_are_there():
    assert len(CORRUPTIONS) == 15
    assert set(CORRUPTIONS) <= set(registry.names())


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("side", [8, 32])
def test_every_corruption_keeps_shape_and_labels_and_is_drawn_by_its_seed(pictures, name, side):
    given = dataclasses.replace(pictures, images=resized(pictures.images, side, 3))
    one, same, other = (shift_named(name).of(given, seed) for seed in (0, 0, 1))
    assert one.images.shape == given.images.shape
    assert one.images.dtype == np.uint8
    assert np.array_equal(one.labels, given.labels)
    assert np.array_equal(one.images, same.images)
    assert difference(one, given) > 0.001
    fixed = {"defocus_blur", "zoom_blur", "brightness", "contrast", "pixelate", "jpeg_compression"}
    assert np.array_equal(one.images, other.images) == (name in fixed)


@pytest.mark.parametrize("name", ["gaussian_noise", "shot_noise", "impulse_noise", "contrast", "fog", "zoom_blur"])
def test_severity_grows(pictures, name):
    found = [difference(shift_named(f"{name}@severity={k}").of(pictures, 0), pictures) for k in range(1, 6)]
    assert found == sorted(found)


def test_large_images_take_the_other_constants(pictures):
    assert constants({32: [1] * 5, 224: [2] * 5}, 64, 1) == 1
    assert constants({32: [1] * 5, 224: [2] * 5}, 65, 1) == 2
    large = dataclasses.replace(pictures.taken(np.arange(2)), images=resized(pictures.images[:2], 72, 3))
    for name in CORRUPTIONS:
        assert shift_named(name).of(large, 0).images.shape == (2, 72, 72, 3)


def test_noise_has_the_size_that_it_says(pictures):
    grey = pictures.showing(np.full_like(pictures.images, 128))
    noisy = shift_named("gaussian_noise@severity=3").of(grey, 0).images / 255
    assert noisy.std() == pytest.approx(0.08, rel=0.02)
    shot = shift_named("shot_noise@severity=3").of(grey, 0).images / 255
    assert shot.var() == pytest.approx(128 / 255 / 100, rel=0.03)
    salt = shift_named("impulse_noise@share=0.1").of(grey, 0).images
    assert np.mean(salt == 255) == pytest.approx(0.05, abs=0.005)
    assert np.mean(salt == 0) == pytest.approx(0.05, abs=0.005)


def test_contrast_and_brightness_are_their_formulas(pictures):
    values = pictures.images / 255
    mean = values.mean((1, 2), keepdims=True)
    found = shift_named("contrast@factor=0.3").of(pictures, 0).images
    assert np.abs(found - 255 * (mean + 0.3 * (values - mean))).max() <= 0.5001
    bright = shift_named("brightness@by=0.2").of(pictures, 0).images
    assert np.abs(bright.max(3) - np.clip(pictures.images.max(3).astype(int) + 51, 0, 255)).max() <= 1


@pytest.mark.parametrize(
    "name", ["defocus_blur", "gaussian_blur", "motion_blur", "zoom_blur", "pixelate", "glass_blur"]
)
def test_blurs_leave_a_flat_image_flat(pictures, name):
    flat = pictures.showing(np.full_like(pictures.images, 77))
    assert np.abs(shift_named(f"{name}@severity=5").of(flat, 0).images.astype(int) - 77).max() <= 1


def test_border_rotation_and_labels(pictures):
    border = shift_named("border").of(pictures, 0).images
    assert (border[:, :8] == 0).all()
    assert np.array_equal(border[:, 8:24, 8:24], pictures.images[:, 8:24, 8:24])
    turned = shift_named("rotation@degrees=90").of(pictures, 0).images
    assert np.array_equal(turned, np.rot90(pictures.images, axes=(1, 2)))
    kept = shift_named("labels@first=3").of(pictures, 0)
    assert set(kept.labels) == {0, 1, 2}
    draws = {tuple(np.unique(shift_named(f"labels@classes=3@draw={k}").of(pictures, 0).labels)) for k in range(6)}
    assert len(draws) > 3
    with pytest.raises(UsageError, match="leaves nothing"):
        shift_named("border@size=16").of(pictures, 0)


def test_domain_brings_another_set_to_this_size():
    digits = load_pictures("digits")
    found = shift_named("domain@to=digits").of(dataclasses.replace(digits, images=resized(digits.images, 12, 1)), 0)
    assert found.images.shape == (597, 12, 12, 1)


def test_folders_of_numbers_are_in_the_order_of_numbers(tmp_path):
    """As text, 10 stands before 2, and every label would be another's."""
    from PIL import Image

    for number in range(12):
        (tmp_path / "sets" / str(number)).mkdir(parents=True)
        Image.new("RGB", (8, 8), (number * 20, 0, 0)).save(tmp_path / "sets" / str(number) / "a.png")
    found = load_pictures("folder", {"data": str(tmp_path / "sets")})
    assert [int(image[0, 0, 0]) for image in found.images] == [20 * k for k in found.labels]
    assert found.classes == tuple(map(str, range(12)))
    (tmp_path / "sets" / "3" / "b.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"b\.png cannot be read as an image"):
        load_pictures("folder", {"data": str(tmp_path / "sets")})


def test_arrays_of_five_severities(pictures, tmp_path):
    five = np.concatenate([np.full_like(pictures.images, k) for k in range(5)])
    np.save(tmp_path / "fog.npy", five)
    np.save(tmp_path / "labels.npy", np.tile(pictures.labels, 5))
    found = shift_named(f"images@path={tmp_path / 'fog.npy'}@severity=4").of(pictures, 0)
    assert (found.images == 3).all()
    assert np.array_equal(np.sort(found.labels), np.sort(pictures.labels))
    np.save(tmp_path / "fog.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="without objects"):
        shift_named(f"images@path={tmp_path / 'fog.npy'}").of(pictures, 0)


@pytest.mark.parametrize(
    "name, words",
    [
        ("gaussian_noice", "Did you mean 'gaussian_noise'"),
        ("fog@severity=6", "severity=6 of shift 'fog': give a whole number from 1 to 5"),
        ("fog@strength=1", "shift 'fog' has no setting 'strength'"),
        ("labels@classes=11", "11 classes were asked for, and there are 10"),
        ("domain", "Give  domain@to=usps"),
        ("images", "which images?"),
    ],
)
def test_what_is_not_known_is_said(pictures, name, words):
    with pytest.raises(GnomonError) as caught:
        shift_named(name).of(pictures, 0)
    assert words in str(caught.value)


def test_another_range_is_refused():
    with pytest.raises(DataError, match=r"values from -2 to 3\. Give bytes"):
        to_bytes(np.array([-2.0, 3.0]))
    with pytest.raises(DataError, match="1 values that are not finite"):
        to_bytes(np.array([0.5, np.nan]))
