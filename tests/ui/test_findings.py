"""The message of the list of findings: what stands under each map is what the card says of it."""

import pytest

from cxr_core.imaging import phantom_dicom
from cxr_core.model.localisation import describe_map
from cxr_core.reading import read_image
from cxr_core.ui.findings import findings_message


def test_the_line_under_a_map_is_that_of_the_card(predictor):
    card = predictor.card
    _, reading = read_image(phantom_dicom(256, 224), predictor)
    maps = findings_message(reading, card, None)["maps"]
    for label in card.labels:
        assert maps[label]["localisationText"] == describe_map(card.localisation, label)
    # the strongest cell of Nodule is in no box, and there are none of Edema; Effusion beats the centre
    assert "no better than the image centre" in maps["Nodule"]["localisationText"]
    assert "was not measured" in maps["Edema"]["localisationText"]
    assert maps["Effusion"]["localisationText"] == ""


@pytest.mark.parametrize(
    ("elements", "size"),
    [
        ({"ImagerPixelSpacing": [0.2, 0.2]}, "is 7 × 7 mm at the detector."),
        ({"ImagerPixelSpacing": None, "PixelSpacing": [0.2, 0.2]}, "is 7 × 7 mm calibrated."),
        ({"ImagerPixelSpacing": None}, "size in mm unknown, because the file states no pixel spacing."),
    ],
)
def test_the_legend_says_what_the_size_of_a_cell_is_measured_by(predictor, elements, size):
    _, reading = read_image(phantom_dicom(256, 224, **elements), predictor)
    for text in (entry["scaleText"] for entry in findings_message(reading, predictor.card, None)["maps"].values()):
        assert f"cell {size}" in text
