"""A folder that is there already gets curves, operating points and anchors, and keeps its weights."""

import dataclasses
import shutil
import subprocess
import sys

import numpy as np
import pytest

from cxr_core.errors import TrainingRefused
from cxr_core.model import class_maps, open_model
from cxr_core.model.engines import open_engine
from cxr_core.model.folder import CARD, FILES, SUMS, find_model
from cxr_core.training.calibrate import calibrated
from cxr_core.training.dataset import load_film
from cxr_core.training.recalibrate import recalibrate, score_with_engine
from cxr_core.training.sample import Origin
from cxr_core.training.table import read_table
from tests.films import made_up_dataset, made_up_scores


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    images, table = made_up_dataset(tmp_path_factory.mktemp("films"), patients=75, films=1)
    return read_table(table, images)


@pytest.fixture
def copy(tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(find_model("second-read-mini"), folder)
    return folder


def test_a_folder_is_calibrated_and_its_weights_stay(copy, films):
    before = {name: (copy / name).read_bytes() for name in FILES if name != CARD}
    told = []
    done = recalibrate(str(copy), films, Origin("films", "consecutive"), report=lambda *step: told.append(step))
    assert done.unreadable == 0
    opened = open_model(str(copy))
    assert opened.card == done.card
    assert all((copy / name).read_bytes() == data for name, data in before.items())
    card = opened.card
    assert card.calibration.weights_sha256 == card.weights_sha256
    assert card.calibration.number_of_films == 75
    assert set(card.calibration.per_label) == set(card.labels) == set(card.map_anchors)
    assert "too few cases: 0 positive" in card.calibration.per_label["Edema"].reason
    assert sum("scores, not probabilities" in limit for limit in card.limits) == 0
    assert sum(limit.startswith("Its outputs are calibrated on 75 films") for limit in card.limits) == 1
    assert told[-1] == ("curves", 14, 14)
    assert ("scoring", 75, 75) in told


def test_a_card_says_once_what_its_outputs_are_and_keeps_operating_points_of_others(copy):
    card = open_model(str(copy)).card
    mine = dataclasses.replace(card.operating_points["default"], name="published")
    card = dataclasses.replace(card, operating_points={"published": mine})
    for sampling, words in (("enriched", "were picked"), ("unknown", "may have been picked"), ("consecutive", "came")):
        card = calibrated(card, made_up_scores(60), Origin("films", sampling), resamples=20)
        (limit,) = (limit for limit in card.limits if limit.startswith("Its outputs are"))
        assert words in limit
        assert card.operating_points["published"] == mine
        assert next(iter(card.operating_points)) == "default"


def test_scores_are_those_of_the_engine_and_a_broken_film_stops_nothing(copy, films, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"not a film")
    some = films.select(np.arange(20))
    paths = some.paths.copy()
    paths[3], paths[17] = broken, tmp_path / "missing.png"
    folder = open_model(str(copy))
    engine = open_engine(folder, "openvino")
    scored = score_with_engine(folder, engine, dataclasses.replace(some, paths=paths))
    kept = [row for row in range(20) if row not in (3, 17)]
    assert scored.films.names.tolist() == some.names[kept].tolist()
    for row, logits, largest in zip(kept, scored.logits, scored.largest_cell, strict=True):
        answer = engine.infer(load_film(some.paths[row], folder.card.input.preparation())[None])
        np.testing.assert_allclose(logits, answer.logits[0], atol=1e-5)
        maps = class_maps(answer.features[0], engine.head)
        np.testing.assert_allclose(largest, maps.max(axis=(1, 2)), atol=1e-5)


def test_no_film_that_can_be_read_is_refused(copy, films, tmp_path):
    none = dataclasses.replace(films, paths=np.full(len(films), tmp_path / "missing.png", dtype=object))
    before = (copy / SUMS).read_bytes()
    with pytest.raises(TrainingRefused, match="No film of the table could be read"):
        recalibrate(str(copy), none, Origin("films"))
    assert (copy / SUMS).read_bytes() == before


def test_films_that_the_model_may_have_learned_from_are_refused(copy, films):
    seen = dataclasses.replace(films, sources=np.full(len(films), "nih_128"))
    for origin in (Origin("films"), Origin("films", split="other", split_sha256="0" * 64)):
        with pytest.raises(TrainingRefused, match="too sure of itself"):
            recalibrate(str(copy), seen, origin)


def test_it_needs_no_tensorflow():
    code = (
        "import sys; import cxr_core.training.recalibrate, cxr_core.cli.main;"
        "sys.exit(str({'tensorflow', 'keras'} & set(sys.modules)) if {'tensorflow', 'keras'} & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
