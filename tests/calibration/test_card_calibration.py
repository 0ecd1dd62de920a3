"""A folder that is there already gets curves, operating points and anchors, and keeps its weights."""

import dataclasses
import shutil
import subprocess
import sys

import numpy as np
import pytest

from cxr_core.calibration.card_calibration import calibrate_card, recalibrate, score_with_engine
from cxr_core.calibration.sample import CalibrationSource
from cxr_core.datasets.batches import load_image
from cxr_core.datasets.table import read_table
from cxr_core.errors import TrainingRefused
from cxr_core.metrics import BootstrapOptions
from cxr_core.model import class_maps, open_model
from cxr_core.model.folder import CARD, FILES, SUMS, find_model
from cxr_core.model.predictor import open_engine
from tests.images import made_up_dataset, made_up_scores


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    images, table = made_up_dataset(tmp_path_factory.mktemp("images"), patients=75, images=1)
    return read_table(table, images)


@pytest.fixture
def copy(tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(find_model("second-read-mini"), folder)
    return folder


@pytest.mark.slow
def test_a_folder_is_calibrated_and_its_weights_stay(copy, images):
    before = {name: (copy / name).read_bytes() for name in FILES if name != CARD}
    told = []
    done = recalibrate(
        str(copy), images, CalibrationSource("images", "consecutive"), report=lambda *step: told.append(step)
    )
    assert done.unreadable == 0
    opened = open_model(str(copy))
    assert opened.card == done.card
    assert all((copy / name).read_bytes() == data for name, data in before.items())
    card = opened.card
    assert card.calibration.weights_sha256 == card.weights_sha256
    assert card.calibration.number_of_images == 75
    assert set(card.calibration.per_label) == set(card.labels) == set(card.map_anchors)
    assert "too few cases (0 positive" in card.calibration.per_label["Edema"].reason
    assert sum("scores, not probabilities" in limit for limit in card.limits) == 0
    assert sum(limit.startswith("Its outputs are calibrated on 75 images") for limit in card.limits) == 1
    assert told[-1] == ("operating points", 5, 5)
    assert ("curves", 14, 14) in told
    assert ("scoring", 75, 75) in told


def test_a_card_says_once_what_its_outputs_are_and_keeps_operating_points_of_others(copy):
    card = open_model(str(copy)).card
    mine = dataclasses.replace(card.operating_points["default"], name="published")
    card = dataclasses.replace(card, operating_points={"published": mine})
    texts = {
        "enriched": "an enriched sample",
        "unknown": "sampled in an unknown way",
        "consecutive": "taken consecutively",
    }
    for sampling, words in texts.items():
        card = calibrate_card(
            card, made_up_scores(60), CalibrationSource("images", sampling), options=BootstrapOptions(20)
        )
        (limit,) = (limit for limit in card.limits if limit.startswith("Its outputs are"))
        assert words in limit
        assert card.operating_points["published"] == mine
        assert next(iter(card.operating_points)) == "default"
        # its rates were counted at other thresholds
        assert card.stability is None


def test_scores_are_those_of_the_engine_and_a_broken_image_stops_nothing(copy, images, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"not an image")
    some = images.select(np.arange(20))
    paths = some.paths.copy()
    paths[3], paths[17] = broken, tmp_path / "missing.png"
    folder = open_model(str(copy))
    engine = open_engine(folder, "openvino")
    scored = score_with_engine(folder, engine, dataclasses.replace(some, paths=paths))
    kept = [row for row in range(20) if row not in (3, 17)]
    assert scored.images.names.tolist() == some.names[kept].tolist()
    for row, logits, largest in zip(kept, scored.logits, scored.largest_cell, strict=True):
        answer = engine.infer(load_image(some.paths[row], folder.card.input.preparation())[None])
        np.testing.assert_allclose(logits, answer.logits[0], atol=1e-5)
        maps = class_maps(answer.features[0], engine.head)
        np.testing.assert_allclose(largest, maps.max(axis=(1, 2)), atol=1e-5)


def test_no_image_that_can_be_read_is_refused(copy, images, tmp_path):
    none = dataclasses.replace(images, paths=np.full(len(images), tmp_path / "missing.png", dtype=object))
    before = (copy / SUMS).read_bytes()
    with pytest.raises(TrainingRefused, match="No image of the table could be read"):
        recalibrate(str(copy), none, CalibrationSource("images"))
    assert (copy / SUMS).read_bytes() == before


def test_images_that_the_model_may_have_learned_from_are_refused(copy, images):
    seen = dataclasses.replace(images, sources=np.full(len(images), "nih_128"))
    for origin in (CalibrationSource("images"), CalibrationSource("images", split="other", split_sha256="0" * 64)):
        with pytest.raises(TrainingRefused, match="too sure of itself"):
            recalibrate(str(copy), seen, origin)


@pytest.mark.slow
def test_it_needs_no_tensorflow():
    code = (
        "import sys; import cxr_core.calibration.card_calibration, cxr_core.cli.main;"
        "sys.exit(str({'tensorflow', 'keras'} & set(sys.modules)) if {'tensorflow', 'keras'} & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
