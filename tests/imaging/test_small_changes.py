"""The small changes are what they say: exact greys, and the geometry of Pillow and SciPy."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from cxr_core.imaging import SMALL_CHANGES, Preparation, phantom, prepare
from cxr_core.imaging.small_changes import crop_edges, gamma_curve, percentile_window, rotate


@pytest.fixture(scope="module")
def display():
    """The phantom as displayed, of unequal sides: (250, 200) float32 in [0, 1]."""
    return (phantom(250, 200) / np.float32(4095)).astype(np.float32)


def test_gamma_of_a_ramp_is_its_power_and_keeps_black_and_white():
    ramp = np.linspace(0, 1, 257, dtype=np.float32).reshape(1, -1)
    assert gamma_curve(ramp, 2.0)[0, 128] == 0.25
    assert gamma_curve(ramp, 0.5)[0, 64] == 0.5
    for gamma in (0.7, 1.4):
        changed = gamma_curve(ramp, gamma)
        np.testing.assert_allclose(changed, ramp.astype(np.float64) ** gamma, atol=1e-6)
        assert (changed[0, 0], changed[0, -1]) == (0, 1)
        assert changed.dtype == np.float32


def test_a_window_from_the_2nd_to_the_98th_percentile_of_a_ramp():
    # 101 levels: the percentile q is the level q / 100
    ramp = np.linspace(0, 1, 101, dtype=np.float32).reshape(1, -1)
    changed = percentile_window(ramp, 2, 98)[0]
    assert changed[2] == 0
    assert changed[98] == 1
    np.testing.assert_allclose(changed, np.clip((np.arange(101) - 2) / 96, 0, 1), atol=1e-6)


def test_a_window_leaves_an_image_without_contrast_as_it_is():
    flat = np.full((20, 30), 0.4, dtype=np.float32)
    flat[0, 0] = 1
    assert percentile_window(flat, 2, 98) is flat


def test_a_crop_takes_the_same_from_all_four_edges(display):
    image = Image.fromarray(display).crop((8, 10, 192, 240))
    np.testing.assert_array_equal(crop_edges(display, 0.04), np.asarray(image))
    assert crop_edges(display, 0).shape == display.shape
    assert crop_edges(display[:3, :3], 0.04).shape == (3, 3)


@pytest.mark.parametrize("degrees", [3, -3, 20])
def test_a_rotation_is_that_of_scipy_about_the_centre(display, degrees):
    expected = ndimage.rotate(display, -degrees, reshape=False, order=1, mode="constant")
    changed = rotate(display, degrees)
    # at the border of the image the two differ by half a pixel of what is outside
    inside = ndimage.binary_erosion(ndimage.rotate(np.ones(display.shape), -degrees, reshape=False, order=1) > 0.999)
    assert inside.mean() > 0.7
    np.testing.assert_allclose(changed[inside], expected[inside], atol=2e-3)
    assert changed[0, 0] == 0


def test_a_positive_rotation_is_clockwise_on_the_screen():
    display = np.zeros((201, 201), dtype=np.float32)
    display[20, 100] = 1  # at the top, in the middle
    row, column = np.unravel_index(rotate(display, 20).argmax(), display.shape)
    assert (row, column) == (pytest.approx(100 - 80 * np.cos(np.pi / 9), abs=1), pytest.approx(127, abs=1))


def test_every_change_gives_an_image_in_range_and_leaves_its_argument(display):
    before = display.copy()
    names = [change.name for change in SMALL_CHANGES]
    assert len(set(names)) == len(names) == 6
    for change in SMALL_CHANGES:
        changed = change.apply(display)
        assert changed.dtype == np.float32
        assert changed.min() >= 0
        assert changed.max() <= 1
        assert not np.array_equal(prepare(changed, Preparation(64))[0], prepare(display, Preparation(64))[0])
    np.testing.assert_array_equal(display, before)
