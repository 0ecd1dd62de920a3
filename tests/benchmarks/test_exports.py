"""Other exports of an image: what each does to its grey, and the rates that are counted from logits."""

import numpy as np
import pytest

from benchmarks.exports import EXPORTS, MARKER, dark_below_marker, export_rates, flagged, grey_range, markdown
from cxr_core.imaging import Preparation, prepare
from cxr_core.model.card import read_card
from cxr_core.model.findings import make_findings
from cxr_core.model.folder import CARD, find_model


@pytest.fixture
def display():
    return np.random.default_rng(0).random((200, 160)).astype(np.float32)


def test_each_export_leaves_an_image_of_the_same_size(display):
    before = display.copy()
    for export in EXPORTS:
        changed = export.apply(display)
        assert (changed.shape, changed.dtype) == (display.shape, np.float32)
        assert 0 <= changed.min() < changed.max() <= 1
        assert not np.array_equal(changed, display)
    np.testing.assert_array_equal(display, before)


def test_a_dark_export_has_its_marker_as_the_brightest_part(display):
    np.testing.assert_allclose(grey_range(display, 0.25, 0.75), 0.25 + display / 2, atol=1e-6)
    dark = dark_below_marker(display)
    white = np.argwhere(dark > 0.45)
    assert len(white) == round(200 * (MARKER[1] - MARKER[0])) * round(160 * (MARKER[1] - MARKER[0]))
    assert white.max(axis=0).tolist() == [13, 10]
    # where the exposure of a network's input is measured the marker is not, so the stretch undoes the export
    stretched = Preparation(64, exposure="stretched")
    middle = (slice(8, -8), slice(16, -16))
    np.testing.assert_allclose(prepare(dark, stretched)[0][middle], prepare(display, stretched)[0][middle], atol=1e-5)


def test_rates_are_counts_of_images_whose_state_changes():
    card = read_card(find_model("second-read-mini") / CARD)
    images = 60
    logits = np.random.default_rng(1).normal(0, 2, (1 + len(EXPORTS), images, len(card.labels))).astype(np.float32)
    logits[1] = logits[0]
    logits[2] = logits[0] + 0.5
    rates = export_rates(card, logits, np.arange(images))
    point = card.operating_point()
    states = [[[f.state for f in make_findings(card, row, point)] for row in variant] for variant in logits]
    for export, changed in zip(EXPORTS, states[1:], strict=True):
        expected = sum(one != other for one, other in zip(states[0], changed, strict=True))
        assert rates[export.name].states.value == pytest.approx(expected / images)
    assert flagged(card, logits) == [np.mean([("above" in of_image) for of_image in variant]) for variant in states]
    same, shifted = rates[EXPORTS[0].name], rates[EXPORTS[1].name]
    assert (same.states.value, same.difference.value) == (0, 0)
    assert shifted.difference.value == pytest.approx(0.5, abs=1e-6)
    assert shifted.shift.value == pytest.approx(0.5, abs=1e-6)
    table = markdown({"one": rates}).splitlines()
    assert len(table) == 2 + len(EXPORTS)
    assert table[0] == "| export | one: logits | one: a state changes |"
