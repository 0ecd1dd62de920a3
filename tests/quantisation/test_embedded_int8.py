"""The included model at INT8 on real X-rays: its files stay, and its numbers are near those of float32."""

import hashlib

import numpy as np
import pytest

from cxr_core.calibration.sample import CalibrationSource
from cxr_core.datasets.batches import load_image
from cxr_core.datasets.splits import EMBEDDED_SPLIT, read_split
from cxr_core.datasets.table import read_table
from cxr_core.model import class_maps, open_model, shared_predictor
from cxr_core.model.precision import INT8_ENGINE
from cxr_core.quantisation.quantise import quantise
from cxr_core.settings import settings


def digests(folder):
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.needs_shared
@pytest.mark.slow
def test_it_is_written_at_home_and_near_float32(shared, nncf, own_folders, any_processor):
    table = read_table(shared / "nih_128" / "Data_Entry_2017_subset.csv", shared / "nih_128" / "images")
    split = read_split(EMBEDDED_SPLIT)
    validation = table.select(split.subset_of(table.patients) == "validation")
    some = validation.select(np.arange(len(validation)) < 60)
    folder = open_model("second-read-mini")
    before = digests(folder.path)
    source = CalibrationSource("images of validation patients", "consecutive", split.name, split.sha256)
    made = quantise("second-read-mini", some, source, range_images=30)
    assert made.folder == settings().home / "int8" / folder.card.weights_sha256
    assert digests(folder.path) == before
    assert all(path.stat().st_size < 50e6 for path in made.folder.iterdir())
    assert sum(path.stat().st_size for path in made.folder.iterdir()) < 16e6
    # the logits of 60 images at both precisions, and the maps
    difference = made.card.int8.difference
    correlations = [one.logit_correlation for one in difference.per_label.values()]
    assert min(correlations) > 0.97
    assert difference.maps.correlation.value > 0.95
    assert difference.maps.within_one_cell.value > 0.8
    predictor = shared_predictor("second-read-mini", INT8_ENGINE)
    image = load_image(some.paths[0], predictor.card.input.preparation())
    answer = predictor.engine.infer(image[None])
    maps = class_maps(answer.features[0], predictor.engine.head)
    expected = maps.sum(axis=(1, 2)) + predictor.engine.head.bias
    np.testing.assert_array_less(np.abs(answer.logits[0] - expected), 1e-4 * np.maximum(1, np.abs(expected)))
