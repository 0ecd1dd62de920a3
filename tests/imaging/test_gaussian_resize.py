"""The reduction that torchxrayvision's XRayResizer makes, against scikit-image and against SciPy's own two steps."""

import numpy as np
import pytest
from scipy import ndimage
from skimage.transform import resize

from cxr_core.imaging import Preparation, phantom, prepare
from cxr_core.imaging.gaussian_resize import gaussian_resize

SHAPES = [(384, 384), (1024, 896), (2500, 1801), (1024, 224), (500, 225), (224, 224), (150, 300), (7, 1000), (1, 1)]


def image_of(shape) -> np.ndarray:
    return np.random.default_rng(shape[0]).random(shape).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("outside", [0.5, 0.0])
def test_it_is_scikit_images_resize(shape, outside):
    image = image_of(shape)
    theirs = resize(image, (224, 224), mode="constant", cval=outside, preserve_range=True)
    ours = gaussian_resize(image, 224, 224, outside=outside)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, atol=2e-6)


def test_it_is_scipys_filter_and_zoom():
    image = image_of((901, 700)) - 0.5
    sigma = [(901 / 224 - 1) / 2, (700 / 224 - 1) / 2]
    smooth = ndimage.gaussian_filter(image, sigma, mode="constant", cval=0)
    theirs = ndimage.zoom(smooth, (224 / 901, 224 / 700), order=1, mode="grid-constant", grid_mode=True, cval=0)
    np.testing.assert_allclose(gaussian_resize(image, 224, 224, outside=0), theirs, atol=2e-6)


def test_an_image_without_the_value_outside_keeps_its_range():
    image = 0.8 + 0.2 * image_of((600, 600))
    theirs = resize(image, (224, 224), mode="constant", cval=0.5, preserve_range=True)
    ours = gaussian_resize(image, 224, 224, outside=0.5)
    np.testing.assert_allclose(ours, theirs, atol=2e-6)
    assert ours.min() >= image.min()


@pytest.mark.parametrize("shape", [(1024, 896), (1000, 801), (801, 1000), (640, 640), (333, 222)])
def test_the_preparation_is_torchxrayvisions(shape):
    """XRayCenterCrop and XRayResizer as their source has them, on -1024 to 1024."""
    film = (phantom(*shape) / 4095).astype(np.float32)
    scaled = (2 * film - 1) * 1024
    side, (rows, columns) = min(shape), shape
    top, left = rows // 2 - side // 2, columns // 2 - side // 2
    crop = scaled[top : top + side, left : left + side]
    theirs = resize(crop, (224, 224), mode="constant", preserve_range=True)
    ours, placement = prepare(film, Preparation(224, "crop", resampling="torchxrayvision"))
    np.testing.assert_allclose(ours[:, :, 0] * 2048 - 1024, theirs, atol=2e-3)
    assert placement.source == (left, top, left + side, top + side)


@pytest.mark.parametrize("shape", [(700, 500), (400, 900), (513, 771), (90, 70)])
def test_a_coordinate_ramp_comes_back_within_half_a_pixel(shape):
    x = np.mgrid[0 : shape[0], 0 : shape[1]][1].astype(np.float32)
    seen, placement = prepare(x / shape[1], Preparation(224, "crop", resampling="torchxrayvision"))
    matrix = placement.to_original(224, 224)
    edge = 10
    told = matrix[0, 0] * np.arange(224) + matrix[0, 2]
    assert np.abs(seen[edge:-edge, edge:-edge, 0] * shape[1] - told[edge:-edge]).max() < 0.5


def test_a_fraction_of_the_centre_square_is_taken_and_placed():
    # Resize(256) and CenterCrop(224) of 1024 x 1024: 64 pixels go on each side
    placement = prepare(np.zeros((1024, 1024), np.float32), Preparation(224, "crop", crop_fraction=0.875))[1]
    assert placement.source == (64, 64, 960, 960)
    placement = prepare(np.zeros((1024, 1280), np.float32), Preparation(224, "crop", crop_fraction=0.875))[1]
    assert placement.source == (192, 64, 1088, 960)
