import numpy as np
import pytest

from cxr_core.explain import CONTOUR_LEVEL, HeatMap, contour, overlay, resample_to_image
from cxr_core.imaging import Preparation, prepare


def single_cell_map(shape, fit, cell, grid=7, size=224):
    _, placement = prepare(np.zeros(shape, np.float32), Preparation(size, fit))
    values = np.zeros((grid, grid), np.float32)
    values[cell] = 2.0
    matrix = placement.to_original(grid, grid)
    return HeatMap("Mass", values, 2.0, matrix, *shape, source=placement.source, cell_mm=None)


@pytest.mark.parametrize("shape", [(700, 700), (900, 600), (500, 800)])
@pytest.mark.parametrize("fit", ["pad", "crop"])
@pytest.mark.parametrize("cell", [(3, 3), (2, 4)])
def test_the_peak_is_at_the_centre_of_the_cell_on_the_image(shape, fit, cell):
    heat = single_cell_map(shape, fit, cell)
    x, y = heat.to_original @ (cell[1], cell[0], 1)
    resampled = resample_to_image(heat)
    row, column = np.unravel_index(np.nanargmax(resampled), shape)
    assert abs(column - x) <= 1
    assert abs(row - y) <= 1
    assert np.nanmax(resampled) == pytest.approx(2, rel=0.02)
    # bilinear: nothing beyond the neighbours' centres
    far = np.abs(np.arange(shape[1]) - x) > abs(heat.to_original[0, 0]) + 1
    assert np.nan_to_num(resampled)[:, far].max() == 0


def test_the_cropped_part_is_nan_and_darkened():
    heat = single_cell_map((900, 600), "crop", (3, 3))
    resampled = resample_to_image(heat)
    assert np.isnan(resampled[:150]).all()
    assert np.isfinite(resampled[150:750]).all()
    grey = np.full((900, 600), 200, np.uint8)
    darkened = overlay(grey, heat, lines=False)
    assert darkened[:140].mean() < 0.6 * darkened[400:500, :50].mean()


def test_the_contour_is_at_its_stated_level():
    heat = single_cell_map((700, 700), "pad", (3, 3))
    resampled = resample_to_image(heat)
    points = np.concatenate(contour(heat))
    values = [resampled[round(y), round(x)] for x, y in points.tolist()]
    assert np.abs(np.array(values) - CONTOUR_LEVEL * heat.anchor).max() < 0.06


def test_a_map_of_zeros_leaves_the_image_unchanged():
    heat = single_cell_map((300, 300), "pad", (3, 3))
    heat.grid[:] = 0
    grey = np.random.default_rng(0).integers(0, 255, (300, 300)).astype(np.uint8)
    np.testing.assert_array_equal(overlay(grey, heat), np.repeat(grey[:, :, None], 3, axis=2))
