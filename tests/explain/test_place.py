import numpy as np
import pytest

from cxr_core.explain import CONTOUR_SHARE, HeatMap, contour, on_original, overlay
from cxr_core.imaging import Preparation, prepare


def lit(shape, fit, cell, grid=7, size=224):
    _, placement = prepare(np.zeros(shape, np.float32), Preparation(size, fit))
    values = np.zeros((grid, grid), np.float32)
    values[cell] = 2.0
    return HeatMap("Mass", values, 2.0, placement.to_original(grid, grid), *shape, seen=placement.source, cell_mm=None)


@pytest.mark.parametrize("shape", [(700, 700), (900, 600), (500, 800)])
@pytest.mark.parametrize("fit", ["pad", "crop"])
@pytest.mark.parametrize("cell", [(3, 3), (2, 4)])
def test_the_peak_lies_at_the_cells_centre_on_the_film(shape, fit, cell):
    heat = lit(shape, fit, cell)
    x, y = heat.to_original @ (cell[1], cell[0], 1)
    placed = on_original(heat)
    row, column = np.unravel_index(np.nanargmax(placed), shape)
    assert abs(column - x) <= 1
    assert abs(row - y) <= 1
    assert np.nanmax(placed) == pytest.approx(2, rel=0.02)
    # bilinear: nothing beyond the neighbours' centres
    far = np.abs(np.arange(shape[1]) - x) > abs(heat.to_original[0, 0]) + 1
    assert np.nan_to_num(placed)[:, far].max() == 0


def test_what_was_cropped_away_is_not_a_number_and_is_darkened():
    heat = lit((900, 600), "crop", (3, 3))
    placed = on_original(heat)
    assert np.isnan(placed[:150]).all()
    assert np.isfinite(placed[150:750]).all()
    grey = np.full((900, 600), 200, np.uint8)
    picture = overlay(grey, heat, lines=False)
    assert picture[:140].mean() < 0.6 * picture[400:500, :50].mean()


def test_the_contour_lies_at_its_stated_level():
    heat = lit((700, 700), "pad", (3, 3))
    placed = on_original(heat)
    points = np.concatenate(contour(heat))
    values = [placed[round(y), round(x)] for x, y in points.tolist()]
    assert np.abs(np.array(values) - CONTOUR_SHARE * heat.anchor).max() < 0.06


def test_a_map_of_nothing_leaves_the_film_untouched():
    heat = lit((300, 300), "pad", (3, 3))
    heat.grid[:] = 0
    grey = np.random.default_rng(0).integers(0, 255, (300, 300)).astype(np.uint8)
    np.testing.assert_array_equal(overlay(grey, heat), np.repeat(grey[:, :, None], 3, axis=2))
