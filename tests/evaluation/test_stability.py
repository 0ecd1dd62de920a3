"""Rates of changed states: counted from made-up logits, and read from real files."""

import dataclasses

import numpy as np
import pytest
from scipy.special import logit

from cxr_core.datasets.table import read_table
from cxr_core.evaluation.stability import ChangedLogits, logits_under_changes, measure_stability, sample_images
from cxr_core.imaging import SMALL_CHANGES
from cxr_core.metrics import BootstrapOptions
from cxr_core.model import open_model
from cxr_core.model.card import read_card, write_card
from cxr_core.model.stability import describe_stability
from cxr_core.reading import read_image
from tests.images import made_up_dataset

GAMMA = [change.name for change in SMALL_CHANGES].index("gamma-0.7")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Forty images of twenty patients."""
    folder, table = made_up_dataset(tmp_path_factory.mktemp("images"), patients=20, images=2)
    return read_table(table, folder)


@pytest.fixture(scope="module")
def card(edge_model):
    """A card on which every label has a threshold and no curve."""
    return open_model(str(edge_model)).card


@pytest.fixture
def measured(card, images):
    """Every image half a logit below every threshold, but three images of two patients that gamma moves above one."""
    at = logit([threshold.value for threshold in card.operating_points["default"].thresholds.values()])
    logits = np.repeat(np.repeat((at - 0.5)[None, None], 40, axis=1), 1 + len(SMALL_CHANGES), axis=0)
    logits[1 + GAMMA, [0, 1, 2], card.labels.index("Mass")] += 1.0
    logits[1 + GAMMA, 0, card.labels.index("Edema")] += 1.0
    scored = ChangedLogits(np.arange(40), logits.astype(np.float32))
    return measure_stability(card, images, scored, description="images", sampling="all", options=BootstrapOptions(100))


def test_each_rate_is_a_count_of_images_on_which_a_state_changes(measured, card):
    gamma = measured.per_change["gamma-0.7"]
    for rates in (gamma, measured.together):
        assert rates.any_label.value == pytest.approx(3 / 40)
        assert dataclasses.astuple(rates.any_label.counts) == (3, 37, 2, 19)
        assert rates.any_label.low < 3 / 40 < rates.any_label.high
        assert (rates.per_label["Mass"].value, rates.per_label["Edema"].value) == (3 / 40, 1 / 40)
        assert {r.value for label, r in rates.per_label.items() if label not in ("Mass", "Edema")} == {0.0}
        assert set(rates.per_label) == set(measured.thresholds) == set(card.labels)
    for name, rates in measured.per_change.items():
        if name != "gamma-0.7":
            assert rates.any_label.value == 0
            assert rates.logit_difference.value == 0
    # four differences of 1 among 40 images and 14 labels
    assert gamma.logit_difference.value == pytest.approx(4 / (40 * 14))
    assert gamma.logit_shift.value == pytest.approx(4 / (40 * 14))
    assert (measured.number_of_images, measured.number_of_patients) == (40, 20)


def test_the_card_keeps_it_and_says_it_in_a_sentence(measured, card, tmp_path):
    path = tmp_path / "card.json"
    write_card(dataclasses.replace(card, stability=measured), path)
    assert read_card(path).stability == measured
    sentence = describe_stability(measured)
    assert sentence.startswith("On 7.5% (")
    assert "at least one of 14 evaluated labels changes its state under at least one of 6 small changes" in sentence
    assert "was not measured" in describe_stability(None)


def test_logits_are_those_of_a_reading_and_a_broken_file_is_left_out(images, predictor, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"not an image")
    some = images.select(np.arange(3))
    paths = some.paths.copy()
    paths[1] = broken
    done = []
    scored = logits_under_changes(predictor, dataclasses.replace(some, paths=paths), done.append)
    assert scored.rows.tolist() == [0, 2]
    assert done == [1, 2, 3]
    for row, logits in zip(scored.rows, np.moveaxis(scored.logits, 1, 0), strict=True):
        _, reading = read_image(paths[row].read_bytes(), predictor, stability=True)
        assert [finding.logit for finding in reading.findings] == logits[0].tolist()
        for changed, expected in zip(reading.under_changes, logits[1:], strict=True):
            assert [finding.logit for finding in changed.findings] == expected.tolist()


def test_a_sample_is_drawn_once_from_its_seed(images):
    drawn = sample_images(images, 10, seed=3)
    assert len(set(drawn.names.tolist())) == 10
    assert drawn.names.tolist() == sorted(drawn.names.tolist())
    assert sample_images(images, 10, seed=3).names.tolist() == drawn.names.tolist()
    assert sample_images(images, 10, seed=4).names.tolist() != drawn.names.tolist()
    assert sample_images(images, 41) is images
