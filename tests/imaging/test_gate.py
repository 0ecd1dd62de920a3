import pytest

from cxr_core.imaging import phantom_dicom, phantom_png, read_radiograph


def quality(**elements):
    return read_radiograph(phantom_dicom(256, 256, **elements)).quality


def test_an_adult_frontal_chest_is_ok():
    assert quality().status == "ok"
    assert quality().reasons == ()


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ({"Modality": "CT"}, "not read: modality CT"),
        ({"Modality": "MR"}, "not read: modality MR"),
        ({"ViewPosition": "LL"}, "not read: lateral view"),
        ({"ViewPosition": "LEFT LATERAL"}, "not read: lateral view"),
        ({"ViewPosition": "LLAT"}, "not read: lateral view"),
        ({"ViewPosition": "LLD"}, "not read: lateral decubitus view"),
        ({"ViewPosition": "RLO"}, "not read: oblique view"),
        ({"BodyPartExamined": "KNEE"}, "not read: body part KNEE"),
        ({"BodyPartExamined": "JOHN DOE"}, "not read: another body part"),
    ],
)
def test_refusals(elements, words):
    found = quality(**elements)
    assert found.status == "refused"
    assert found.reasons[0].startswith(words)


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ({"PatientAge": "012Y"}, "age under 18"),
        ({"PatientAge": "010M"}, "age under 18"),
        ({"PatientAge": ""}, "age unknown"),
        ({"ViewPosition": ""}, "view position not stated"),
        ({"ViewPosition": "UPRIGHT"}, "view position stated in words"),
        ({"PresentationIntentType": "FOR PROCESSING"}, "raw detector data"),
        ({"Modality": "OT"}, "secondary capture"),
    ],
)
def test_warnings(elements, words):
    found = quality(**elements)
    assert found.status == "warning"
    assert any(words in reason for reason in found.reasons)


@pytest.mark.parametrize("part", ["CHEST PA", "PORT CHEST", "CHEST_1_VIEW", "Thorax ap"])
def test_a_chest_in_words_of_their_own_is_a_chest(part):
    assert quality(BodyPartExamined=part).status == "ok"


def test_an_empty_picture_is_refused():
    import numpy as np

    found = read_radiograph(phantom_dicom(values=np.full((64, 64), 900, np.uint16))).quality
    assert found.status == "refused"
    assert "every pixel is the same" in found.reasons[0]


def test_a_picture_file_says_that_the_age_is_unknown():
    assert read_radiograph(phantom_png(256, 256)).quality.reasons == ("age unknown: the model is for adults",)
