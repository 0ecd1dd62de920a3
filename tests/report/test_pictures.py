import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from cxr_core.imaging import phantom_dicom
from cxr_core.labels import LABELS, NOTICE
from cxr_core.model import Predictor, open_model
from cxr_core.model.predictor import open_engine
from cxr_core.reading import read_image
from cxr_core.report import heatmaps_npz, overlay_pngs
from cxr_core.report.sheet import sheet, sheet_png


@pytest.fixture(scope="module")
def image_and_reading(predictor):
    return read_image(phantom_dicom(300, 260), predictor)


def test_npz_holds_rectified_maps_and_the_way_back(image_and_reading, predictor):
    _, reading = image_and_reading
    with np.load(io.BytesIO(heatmaps_npz(reading, predictor.card))) as file:
        assert file["maps"].shape == (14, 7, 7)
        assert file["maps"].dtype == np.float32
        np.testing.assert_array_equal(file["maps"], np.maximum(reading.class_maps, 0))
        assert file["labels"].tolist() == list(LABELS)
        np.testing.assert_array_equal(file["to_original"], reading.placement.to_original(7, 7))
        assert str(file["notice"]) == NOTICE


def test_one_overlay_a_finding_with_the_notice_in_its_text(image_and_reading, predictor):
    radiograph, reading = image_and_reading
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


def test_the_sheet_shows_the_image_and_four_findings(image_and_reading, predictor):
    radiograph, reading = image_and_reading
    reference = {finding.label: rank == 0 for rank, finding in enumerate(reading.ranked())}
    figure = sheet(radiograph, reading, predictor.card, reference=reference)
    text = words(figure)
    assert NOTICE in text
    assert text.count("strongest") + text.count("no part of the image") == 4
    assert "\npositive in the reference" in text
    assert text.count("negative in the reference") == 3
    for finding in reading.ranked()[:4]:
        if finding.state == "below":
            assert "below its operating point" in text
    image = Image.open(io.BytesIO(sheet_png(radiograph, reading, predictor.card)))
    assert image.text["Disclaimer"] == NOTICE


def test_the_sheet_says_what_the_size_of_a_cell_is_measured_by(predictor):
    for elements, size in (
        ({}, "cell 60 × 60 mm at the detector"),
        ({"ImagerPixelSpacing": None, "PixelSpacing": [1.4, 1.4]}, "cell 60 × 60 mm calibrated"),
    ):
        radiograph, reading = read_image(phantom_dicom(300, 260, **elements), predictor)
        assert words(sheet(radiograph, reading, predictor.card)).count(size) == 4


def test_the_sheet_marks_a_finding_whose_state_changes_under_small_changes(edge_model):
    folder = open_model(str(edge_model))
    predictor = Predictor(folder, open_engine(folder, "openvino"))
    radiograph, reading = read_image(phantom_dicom(256, 224), predictor, stability=True)
    text = words(sheet(radiograph, reading, folder.card))
    assert reading.ranked()[0].label == "Effusion"
    count = len(reading.changes_of_state("Effusion"))
    assert text.count(f"changes under small changes of the image ({count} of 6)") == 1
    plain = dataclasses.replace(reading, under_changes=())
    assert "small changes" not in words(sheet(radiograph, plain, folder.card))


def test_a_refused_image_has_a_sheet_with_its_reason(predictor):
    radiograph, reading = read_image(phantom_dicom(128, 128, Modality="CT"), predictor)
    assert "modality CT" in words(sheet(radiograph, reading, predictor.card))
