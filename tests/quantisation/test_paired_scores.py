"""Two engines on the same images: each image once at each precision, and the maps compared cell by cell."""

import dataclasses

import numpy as np
import pytest

from cxr_core.datasets.batches import load_image
from cxr_core.datasets.table import read_table
from cxr_core.imaging import Preparation
from cxr_core.model.engines import Head, Inference
from cxr_core.model.familiarity import fit_reference
from cxr_core.quantisation.paired_scores import score_both
from tests.images import made_up_dataset

PREPARATION = Preparation(32, "pad", None, "triangle", 1.0, "none")
LABELS = ("Mass", "Effusion")


class Cells:
    """An engine whose first channel is the image in cells of 8 pixels, changed by a function of row, column, cell."""

    name = "cells"
    requests = 1
    head = Head(np.array([[1.0, -1.0], [0.0, 0.0]], np.float32), np.zeros(2, np.float32))

    def __init__(self, change=lambda cells: cells):
        self.change = change

    def infer(self, images):
        cells = images.reshape(1, 4, 8, 4, 8).mean(axis=(2, 4))[..., None]
        features = np.concatenate([self.change(cells), np.ones_like(cells)], axis=-1).astype(np.float32)
        return Inference(features, (features.mean(axis=(1, 2)) @ self.head.kernel).astype(np.float32))


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder, table = made_up_dataset(tmp_path_factory.mktemp("images"), patients=10, images=2)
    return read_table(table, folder)


def test_one_engine_beside_itself_is_the_same(images):
    scores = score_both(LABELS, images, PREPARATION, Cells(), Cells(), None)
    np.testing.assert_array_equal(scores.float32.logits, scores.int8.logits)
    np.testing.assert_allclose(scores.correlations, 1, atol=1e-9)
    assert scores.cells_apart.max() == 0
    assert scores.distances is scores.distances_float32 is None
    first = load_image(images.paths[0], PREPARATION)
    assert scores.float32.logits[0, 0] == pytest.approx(first.mean(), abs=1e-5)
    assert scores.float32.logits[0, 1] == pytest.approx(-first.mean(), abs=1e-5)


def test_a_map_that_is_shifted_is_so_many_cells_apart(images):
    shifted = score_both(LABELS, images, PREPARATION, Cells(), Cells(lambda cells: np.roll(cells, 1, axis=1)), None)
    cells = [Cells().infer(load_image(path, PREPARATION)[None]).features[0, ..., 0] for path in images.paths]
    for row, one in enumerate(cells):
        other = np.roll(one, 1, axis=0)
        for column, sign in enumerate((1, -1)):
            place, moved = (np.array(np.unravel_index((sign * map_).argmax(), map_.shape)) for map_ in (one, other))
            assert shifted.cells_apart[row, column] == np.abs(place - moved).max()
            expected = np.corrcoef(one.ravel(), other.ravel())[0, 1]
            assert shifted.correlations[row, column] == pytest.approx(expected, abs=1e-4)


def test_a_constant_map_has_no_correlation(images):
    scores = score_both(LABELS, images, PREPARATION, Cells(), Cells(np.zeros_like), None)
    assert np.isnan(scores.correlations).all()


def test_an_image_that_cannot_be_read_is_left_out_of_both(images, tmp_path):
    paths = images.paths.copy()
    paths[3] = tmp_path / "missing.png"
    told = []
    broken = dataclasses.replace(images, paths=paths)
    scores = score_both(LABELS, broken, PREPARATION, Cells(), Cells(), None, report=lambda *step: told.append(step))
    kept = [name for row, name in enumerate(images.names.tolist()) if row != 3]
    assert scores.float32.images.names.tolist() == scores.int8.images.names.tolist() == kept
    assert len(scores.correlations) == len(scores.cells_apart) == 19
    assert told[-1] == (20, 20)


def test_familiarity_is_measured_at_both(images):
    rng = np.random.default_rng(0)
    reference = fit_reference(rng.normal(0.5, 0.1, (60, 2)).astype(np.float32), "0" * 64)
    scores = score_both(LABELS, images, PREPARATION, Cells(), Cells(lambda cells: cells + 0.2), reference)
    pooled = np.stack([Cells().infer(load_image(p, PREPARATION)[None]).features[0].mean((0, 1)) for p in images.paths])
    np.testing.assert_allclose(scores.distances_float32, reference.distance(pooled), rtol=1e-5)
    np.testing.assert_allclose(scores.distances, reference.distance(pooled + np.float32([0.2, 0])), rtol=1e-4)
