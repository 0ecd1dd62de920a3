import io

import numpy as np
import pydicom
import pydicom.uid as uids
import pytest

from cxr_core.imaging import Quality, phantom, phantom_dicom, phantom_png, read_radiograph
from cxr_core.imaging.accepted import CAPTURES, RADIOGRAPHS

FILM = phantom(256, 256, words=False)


def quality(values=FILM, **elements):
    return read_radiograph(phantom_dicom(values=values, **elements)).quality


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
        ({"PresentationIntentType": "FOR PROCESSING"}, "raw detector data"),
        ({"Modality": "OT"}, "secondary capture"),
    ],
)
def test_warnings(elements, words):
    found = quality(**elements)
    assert found.status == "warning"
    assert any(words in reason for reason in found.reasons)


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ({"PatientAge": ""}, "age unknown"),
        ({"ViewPosition": ""}, "view position not stated"),
        ({"ViewPosition": "UPRIGHT"}, "view position stated in a word"),
        ({"ViewPosition": "DECUBITO DORSAL"}, "view position stated in a word"),
        ({"ViewPosition": "BED SIDE"}, "view position stated in a word"),
        ({"BodyPartExamined": "JOHN DOE"}, "body part stated in a word"),
        ({"Modality": "JOHN DOE"}, "modality stated in a word"),
        ({"Modality": "PX"}, "modality PX"),
    ],
)
def test_what_is_unknown_is_a_note_and_no_warning(elements, words):
    found = quality(**elements)
    assert (found.status, found.reasons) == ("ok", ())
    (note,) = found.notes
    assert note.startswith(words)
    assert "DOE" not in note


def test_an_unknown_modality_is_not_said_to_be_decided_by_a_class_that_says_nothing():
    """Secondary Capture, and a private class."""
    for uid in ("1.2.840.10008.5.1.4.1.1.7", "1.2.840.113619.4.2"):
        assert quality(Modality="JOHN DOE", SOPClassUID=uid).notes == (
            "modality stated in a word that is not known here: ignored",
        )


@pytest.mark.parametrize("part", ["CHEST PA", "PORT CHEST", "CHEST_1_VIEW", "Thorax ap"])
def test_a_chest_in_words_of_their_own_is_a_chest(part):
    assert quality(BodyPartExamined=part).status == "ok"


def test_an_empty_picture_is_refused():
    found = quality(np.full((64, 64), 900, np.uint16))
    assert found.status == "refused"
    assert "every pixel is the same" in found.reasons[0]


def test_a_picture_file_says_that_the_age_is_unknown_and_that_there_is_text():
    found = read_radiograph(phantom_png(256, 256)).quality
    assert found.reasons == ("text-like marks in the picture: look for a name before you share it",)
    assert found.notes == ("age unknown: the model is for adults",)


@pytest.mark.parametrize(
    ("values", "status", "words"),
    [
        (FILM // 8, "warning", "dark: little"),
        (4095 - (4095 - FILM.astype(int)) // 4, "warning", "light: little"),
        (1600 + FILM // 8, "warning", "flat: its middle spans"),
        (np.clip(FILM.astype(int) * 3, 0, 4095), "refused", "not read: "),
        (2000 + FILM // 64, "refused", "not read: its middle spans"),
    ],
)
def test_a_badly_exposed_film(values, status, words):
    found = quality(values.astype(np.uint16))
    assert found.status == status
    assert any(words in reason for reason in found.reasons)


@pytest.mark.parametrize("uid", RADIOGRAPHS)
def test_the_classes_of_radiographs_are_read(uid):
    raw = "raw detector data (FOR PROCESSING): the window was chosen from the pixels"
    assert quality(SOPClassUID=uid).reasons == ((raw,) if uid == uids.DigitalXRayImageStorageForProcessing else ())


@pytest.mark.parametrize("uid", CAPTURES)
def test_captures_are_read_with_a_warning(uid):
    found = quality(SOPClassUID=uid, NumberOfFrames=1)
    assert found == Quality("warning", ("a secondary capture: its grey levels may have been changed",))


@pytest.mark.parametrize(
    "uid",
    [
        uids.CTImageStorage,
        uids.MRImageStorage,
        uids.UltrasoundImageStorage,
        uids.DigitalMammographyXRayImageStorageForPresentation,
        uids.DigitalIntraOralXRayImageStorageForPresentation,
        uids.NuclearMedicineImageStorage,
        uids.PositronEmissionTomographyImageStorage,
        uids.XRayAngiographicImageStorage,
        uids.XRayRadiofluoroscopicImageStorage,
        uids.VLPhotographicImageStorage,
    ],
)
def test_other_classes_are_refused_by_name(uid):
    found = quality(SOPClassUID=uid)
    assert found.status == "refused"
    assert found.reasons[0] == f"not read: SOP class {uid.name}; CR, DX and secondary captures are accepted"


@pytest.mark.parametrize(
    ("uid", "words"),
    [
        ("1.2.840.113619.4.2", "a SOP class that the standard does not know: taken as a radiograph"),
        ("", "SOP class not stated: taken as a radiograph"),
    ],
)
def test_a_class_that_says_nothing_is_warned_of(uid, words):
    assert quality_of_class(uid) == Quality("warning", (words,))


def quality_of_class(uid):
    ds = pydicom.dcmread(io.BytesIO(phantom_dicom(values=FILM)))
    ds.SOPClassUID = uid
    file = io.BytesIO()
    pydicom.dcmwrite(file, ds)
    return read_radiograph(file.getvalue()).quality
