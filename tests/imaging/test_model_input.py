"""The network's input and the way back to the image; torchxrayvision's reduction against scikit-image and SciPy."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from skimage.transform import resize

from cxr_core.imaging import Preparation, phantom, prepare
from cxr_core.imaging.model_input import gaussian_resize

RESIZED = [(384, 384), (1024, 896), (2500, 1801), (1024, 224), (500, 225), (224, 224), (150, 300), (7, 1000), (1, 1)]


def image_of(shape) -> np.ndarray:
    return np.random.default_rng(shape[0]).random(shape).astype(np.float32)


@pytest.mark.parametrize("shape", RESIZED)
@pytest.mark.parametrize("outside", [0.5, 0.0])
def test_it_equals_the_resize_of_scikit_image(shape, outside):
    image = image_of(shape)
    theirs = resize(image, (224, 224), mode="constant", cval=outside, preserve_range=True)
    ours = gaussian_resize(image, 224, 224, outside=outside)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, atol=2e-6)


def test_it_equals_the_filter_and_zoom_of_scipy():
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
def test_the_preparation_equals_that_of_torchxrayvision(shape):
    """XRayCenterCrop and XRayResizer as their source has them, on -1024 to 1024."""
    image = (phantom(*shape) / 4095).astype(np.float32)
    scaled = (2 * image - 1) * 1024
    side, (rows, columns) = min(shape), shape
    top, left = rows // 2 - side // 2, columns // 2 - side // 2
    crop = scaled[top : top + side, left : left + side]
    theirs = resize(crop, (224, 224), mode="constant", preserve_range=True)
    ours, placement = prepare(image, Preparation(224, "crop", resampling="torchxrayvision"))
    np.testing.assert_allclose(ours[:, :, 0] * 2048 - 1024, theirs, atol=2e-3)
    assert placement.source == (left, top, left + side, top + side)


@pytest.mark.parametrize("shape", [(700, 500), (400, 900), (513, 771), (90, 70)])
def test_a_coordinate_ramp_resized_as_torchxrayvision_comes_back_within_half_a_pixel(shape):
    x = np.mgrid[0 : shape[0], 0 : shape[1]][1].astype(np.float32)
    seen, placement = prepare(x / shape[1], Preparation(224, "crop", resampling="torchxrayvision"))
    matrix = placement.to_original(224, 224)
    edge = 10
    expected = matrix[0, 0] * np.arange(224) + matrix[0, 2]
    assert np.abs(seen[edge:-edge, edge:-edge, 0] * shape[1] - expected[edge:-edge]).max() < 0.5


def test_a_fraction_of_the_centre_square_is_cropped_and_placed():
    # Resize(256) and CenterCrop(224) of 1024 x 1024: 64 pixels go on each side
    placement = prepare(np.zeros((1024, 1024), np.float32), Preparation(224, "crop", crop_fraction=0.875))[1]
    assert placement.source == (64, 64, 960, 960)
    placement = prepare(np.zeros((1024, 1280), np.float32), Preparation(224, "crop", crop_fraction=0.875))[1]
    assert placement.source == (192, 64, 1088, 960)


SHAPES = {"portrait": (700, 500), "landscape": (400, 900), "square": (640, 640), "small": (24, 37), "odd": (513, 771)}
FITS = ["pad", "crop"]


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("detail", [None, 64])
def test_a_coordinate_ramp_comes_back_within_half_a_pixel(shape, fit, detail):
    rows, columns = shape
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    seen_x, placement = prepare(x / columns, Preparation(224, fit, detail))
    seen_y, _ = prepare(y / rows, Preparation(224, fit, detail))
    matrix = placement.to_original(224, 224)
    left, top, right, bottom = placement.target
    step = max(matrix[0, 0], matrix[1, 1], max(shape) / (detail or 224))
    # away from the edges of the image: there a resampling filter is cut off
    edge = int(np.ceil(step / min(matrix[0, 0], matrix[1, 1]))) + 1
    inner = np.s_[top + edge : bottom - edge, left + edge : right - edge, 0]
    row, column = np.mgrid[0:224, 0:224]
    for seen, axis, size in ((seen_x, 0, columns), (seen_y, 1, rows)):
        expected = matrix[axis, 0] * column + matrix[axis, 1] * row + matrix[axis, 2]
        assert np.abs(seen[inner] * size - expected[inner[:2]]).max() < 0.5


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("cell", [(3, 3), (2, 4), (5, 1)])
def test_a_bright_cell_maps_to_its_rectangle(shape, fit, cell):
    size, grid = 224, 7
    _, placement = prepare(np.zeros(shape, np.float32), Preparation(size, fit))
    matrix = placement.to_original(grid, grid)
    row, column = cell
    x, y = matrix @ (column, row, 1)
    half_width, half_height = matrix[0, 0] / 2, matrix[1, 1] / 2
    y0, y1 = max(0, round(y - half_height + 0.5)), round(y + half_height + 0.5)
    x0, x1 = max(0, round(x - half_width + 0.5)), round(x + half_width + 0.5)
    image = np.zeros(shape, np.float32)
    image[y0:y1, x0:x1] = 1
    if not image.any():
        assert cell_is_outside(placement, cell, size / grid)
        return
    seen, _ = prepare(image, Preparation(size, fit))
    cells = seen[:, :, 0].reshape(grid, size // grid, grid, size // grid).mean(axis=(1, 3))
    assert np.unravel_index(cells.argmax(), cells.shape) == cell
    # the cell gets its own light: rounding to whole pixels may give its neighbours some
    assert cells[cell] / cells.sum() > (0.5 if min(shape) < 100 else 0.85)


def cell_is_outside(placement, cell, side) -> bool:
    left, top, right, bottom = placement.target
    row, column = cell
    return not (left < (column + 1) * side and column * side < right and top < (row + 1) * side and row * side < bottom)


def test_pad_keeps_the_entire_image_and_crop_fills_the_input():
    image = np.ones((100, 50), np.float32)
    padded, _ = prepare(image, Preparation(64, "pad"))
    cropped, _ = prepare(image, Preparation(64, "crop"))
    assert padded.mean() == pytest.approx(0.5)
    assert cropped.mean() == 1
    assert padded.shape == (64, 64, 1)
    assert padded.dtype == np.float32


def test_detail_limits_the_resolution():
    stripes = np.tile(np.float32([0, 1]), (256, 128))
    fine, _ = prepare(stripes, Preparation(256))
    coarse, _ = prepare(stripes, Preparation(256, detail=64))
    assert fine.std() > 0.4
    assert coarse.std() < 0.05


@pytest.mark.parametrize("shape", [(40, 30), (517, 800), (1300, 1201)])
@pytest.mark.parametrize("layout", ["as it is", "read-only", "transposed", "every second", "double precision"])
def test_the_input_has_the_bits_of_an_image_that_pillow_has_copied(shape, layout):
    display = np.random.default_rng(0).random(shape, dtype=np.float32)
    if layout == "read-only":
        display.flags.writeable = False
    elif layout == "transposed":
        display = display.T
    elif layout == "every second":
        display = display[::2, ::2]
    elif layout == "double precision":
        display = display.astype(np.float64)
    pixels, placement = prepare(display, Preparation(64))
    left, top, right, bottom = placement.target
    copied = Image.fromarray(np.ascontiguousarray(display, dtype=np.float32))
    expected = np.asarray(copied.resize((right - left, bottom - top), Image.Resampling.BILINEAR, box=placement.source))
    assert pixels[top:bottom, left:right, 0].tobytes() == expected.tobytes()
