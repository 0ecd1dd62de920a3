import io

import numpy as np
import pytest
from PIL import Image

from cxr_core.imaging import phantom_dicom
from cxr_core.labels import LABELS, NOTICE
from cxr_core.reading import read_film
from cxr_core.report import heatmaps_npz, overlay_pngs
from cxr_core.report.sheet import sheet, sheet_png


@pytest.fixture(scope="module")
def film(predictor):
    return read_film(phantom_dicom(300, 260), predictor)


def test_npz_holds_rectified_maps_and_the_way_back(film, predictor):
    _, reading = film
    with np.load(io.BytesIO(heatmaps_npz(reading, predictor.card))) as file:
        assert file["maps"].shape == (14, 7, 7)
        assert file["maps"].dtype == np.float32
        np.testing.assert_array_equal(file["maps"], np.maximum(reading.class_maps, 0))
        assert file["labels"].tolist() == list(LABELS)
        np.testing.assert_array_equal(file["to_original"], reading.placement.to_original(7, 7))
        assert str(file["notice"]) == NOTICE


def test_one_overlay_a_finding_with_the_notice_in_its_text(film, predictor):
    radiograph, reading = film
    pictures = overlay_pngs(radiograph, reading, predictor.card)
    assert list(pictures) == list(LABELS)
    for label, data in pictures.items():
        image = Image.open(io.BytesIO(data))
        assert image.text["Disclaimer"] == NOTICE
        assert label in image.text["Title"]
        assert image.size == (260, 300)


def words(figure) -> str:
    texts = [text.get_text() for text in figure.texts]
    texts += [text.get_text() for panel in figure.axes for text in panel.texts]
    return "\n".join(texts)


def test_the_sheet_shows_the_film_and_four_findings(film, predictor):
    radiograph, reading = film
    figure = sheet(radiograph, reading, predictor.card, reference=(reading.ranked()[0].label,))
    text = words(figure)
    assert NOTICE in text
    assert text.count("strongest") + text.count("no part of the image") == 4
    assert "\nin the reference" in text
    assert text.count("not in the reference") == 3
    for finding in reading.ranked()[:4]:
        if finding.state == "below":
            assert "below its operating point" in text
    image = Image.open(io.BytesIO(sheet_png(radiograph, reading, predictor.card)))
    assert image.text["Disclaimer"] == NOTICE


def test_a_refused_film_has_a_sheet_with_its_reason(predictor):
    radiograph, reading = read_film(phantom_dicom(128, 128, Modality="CT"), predictor)
    assert "modality CT" in words(sheet(radiograph, reading, predictor.card))
