import numpy as np
import pytest

from cxr_core.imaging import Preparation, prepare

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
    # away from the edges of the film: there a resampling filter is cut off
    edge = int(np.ceil(step / min(matrix[0, 0], matrix[1, 1]))) + 1
    inner = np.s_[top + edge : bottom - edge, left + edge : right - edge, 0]
    row, column = np.mgrid[0:224, 0:224]
    for seen, axis, size in ((seen_x, 0, columns), (seen_y, 1, rows)):
        told = matrix[axis, 0] * column + matrix[axis, 1] * row + matrix[axis, 2]
        assert np.abs(seen[inner] * size - told[inner[:2]]).max() < 0.5


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("cell", [(3, 3), (2, 4), (5, 1)])
def test_a_lit_cell_lands_on_its_rectangle(shape, fit, cell):
    size, grid = 224, 7
    _, placement = prepare(np.zeros(shape, np.float32), Preparation(size, fit))
    matrix = placement.to_original(grid, grid)
    row, column = cell
    x, y = matrix @ (column, row, 1)
    half_width, half_height = matrix[0, 0] / 2, matrix[1, 1] / 2
    y0, y1 = max(0, round(y - half_height + 0.5)), round(y + half_height + 0.5)
    x0, x1 = max(0, round(x - half_width + 0.5)), round(x + half_width + 0.5)
    film = np.zeros(shape, np.float32)
    film[y0:y1, x0:x1] = 1
    if not film.any():
        assert cell_is_outside(placement, cell, size / grid)
        return
    seen, _ = prepare(film, Preparation(size, fit))
    cells = seen[:, :, 0].reshape(grid, size // grid, grid, size // grid).mean(axis=(1, 3))
    assert np.unravel_index(cells.argmax(), cells.shape) == cell
    # the cell gets its own light: rounding to whole pixels may give its neighbours some
    assert cells[cell] / cells.sum() > (0.5 if min(shape) < 100 else 0.85)


def cell_is_outside(placement, cell, side) -> bool:
    left, top, right, bottom = placement.target
    row, column = cell
    return not (left < (column + 1) * side and column * side < right and top < (row + 1) * side and row * side < bottom)


def test_pad_keeps_all_and_crop_fills_all():
    film = np.ones((100, 50), np.float32)
    padded, _ = prepare(film, Preparation(64, "pad"))
    cropped, _ = prepare(film, Preparation(64, "crop"))
    assert padded.mean() == pytest.approx(0.5)
    assert cropped.mean() == 1
    assert padded.shape == (64, 64, 1)
    assert padded.dtype == np.float32


def test_detail_limits_what_is_seen():
    stripes = np.tile(np.float32([0, 1]), (256, 128))
    fine, _ = prepare(stripes, Preparation(256))
    coarse, _ = prepare(stripes, Preparation(256, detail=64))
    assert fine.std() > 0.4
    assert coarse.std() < 0.05
