"""The four cases of the paper's Table 1 (Prajwal M and Jalaja G), through the real app and the real model."""

import hashlib

import numpy as np
import pytest

from cxr_core.imaging import phantom_dicom, phantom_png
from cxr_core.labels import LABELS
from tests.browser import canvas_pixels, map_switched, upload

DICOM = phantom_dicom(640, 560)


@pytest.mark.e2e
def test_uploading_image(page):
    png = phantom_png(512, 448)
    upload(page, ("image.dcm", DICOM), ("image.png", png))
    page.wait_for_selector(f'canvas.radiograph[data-sha="{hashlib.sha256(DICOM).hexdigest()}"]')
    page.wait_for_selector('.worklist .entry[data-status="read"] >> nth=1')
    page.locator(".worklist .entry").nth(1).click()
    page.wait_for_selector(f'canvas.radiograph[data-sha="{hashlib.sha256(png).hexdigest()}"]')
    assert canvas_pixels(page).std() > 20


def test_addressing_class_imbalance(predictor):
    """With the paper's weights, positives and negatives of every class of the embedded model's training weigh alike."""
    from cxr_core.training.class_weights import class_weights

    card = predictor.card
    counts = card.counts["train"]
    images = card.training.images
    labels = np.zeros((images, len(LABELS)), bool)
    for column, label in enumerate(LABELS):
        assert counts[label].positive_images + counts[label].negative_images == images
        labels[: counts[label].positive_images, column] = True
    weights = class_weights(labels)
    before = labels.sum(axis=0) / (~labels).sum(axis=0)
    assert before.min() < 0.02  # imbalance as it is: under one positive in fifty
    np.testing.assert_allclose(labels.sum(axis=0) * weights.positive, (~labels).sum(axis=0) * weights.negative)
    assert "w_pos = proportion of negatives" in card.training.loss


@pytest.mark.e2e
def test_pathology_detection(page, predictor):
    from cxr_core.formatting import format_probability
    from cxr_core.reading import read_image

    upload(page, ("image.dcm", DICOM))
    page.wait_for_selector(".findings .row")
    findings = read_image(DICOM, predictor)[1].findings
    # a probability where the card allows one, else the score
    expected = {
        f.label: f"score {format_probability(f.score)}"
        if f.probability is None
        else f"probability {format_probability(f.probability)}"
        for f in findings
    }
    shown = page.locator(".findings .row").evaluate_all(
        "rows => Object.fromEntries(rows.map(r => [r.dataset.label, r.querySelector('.number').textContent]))"
    )
    assert shown == expected


@pytest.mark.e2e
def test_visualizing_activity(page, predictor):
    upload(page, ("image.dcm", DICOM))
    page.wait_for_selector(".findings .row")
    map_switched(page, on=False)
    without = canvas_pixels(page)
    map_switched(page, on=True)
    with_map = canvas_pixels(page)
    # a grey image alone; colour where the model looked
    assert (without[..., 0] == without[..., 2]).all()
    assert (with_map[..., 0] != with_map[..., 2]).any()
    assert "third of the image" in page.locator(".legend").inner_text()
