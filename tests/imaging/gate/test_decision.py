import io

import numpy as np
import pydicom
import pydicom.uid as uids
import pytest

from cxr_core.imaging import Quality, phantom, phantom_dicom, phantom_png, read_radiograph
from cxr_core.imaging.conformance import CAPTURE_CLASSES, RADIOGRAPH_CLASSES
from cxr_core.imaging.gate.decision import block_means

IMAGE = phantom(256, 256, text=False)


def quality(values=IMAGE, **elements):
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
    result = quality(**elements)
    assert result.status == "refused"
    assert result.reasons[0].startswith(words)


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
    result = quality(**elements)
    assert result.status == "warning"
    assert any(words in reason for reason in result.reasons)


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ({"PatientAge": ""}, "age unknown"),
        ({"ViewPosition": ""}, "view position not stated"),
        ({"ViewPosition": "UPRIGHT"}, "view position not recognised"),
        ({"ViewPosition": "DECUBITO DORSAL"}, "view position not recognised"),
        ({"ViewPosition": "BED SIDE"}, "view position not recognised"),
        ({"BodyPartExamined": "JOHN DOE"}, "body part not recognised"),
        ({"Modality": "JOHN DOE"}, "modality not recognised"),
        ({"Modality": "PX"}, "modality PX"),
    ],
)
def test_what_is_unknown_is_a_note_and_no_warning(elements, words):
    result = quality(**elements)
    assert (result.status, result.reasons) == ("ok", ())
    (note,) = result.notes
    assert note.startswith(words)
    assert "DOE" not in note


def test_an_unknown_sop_class_does_not_decide_an_unknown_modality():
    """Secondary Capture, and a private class."""
    for uid in ("1.2.840.10008.5.1.4.1.1.7", "1.2.840.113619.4.2"):
        assert quality(Modality="JOHN DOE", SOPClassUID=uid).notes == ("modality not recognised: ignored",)


@pytest.mark.parametrize("part", ["CHEST PA", "PORT CHEST", "CHEST_1_VIEW", "Thorax ap"])
def test_spellings_of_chest_are_accepted(part):
    assert quality(BodyPartExamined=part).status == "ok"


def test_a_blank_image_is_refused():
    result = quality(np.full((64, 64), 900, np.uint16))
    assert result.status == "refused"
    assert "every pixel is the same" in result.reasons[0]


def test_a_png_notes_the_unknown_age_and_warns_of_its_text():
    result = read_radiograph(phantom_png(256, 256)).quality
    assert result.reasons == ("text-like marks in the image: look for a name before you share it",)
    assert result.notes == ("age unknown: the model is for adults",)


@pytest.mark.parametrize(
    ("values", "status", "words"),
    [
        (IMAGE // 8, "warning", "dark: little"),
        (1600 + IMAGE // 8, "warning", "flat: its middle spans"),
        (np.clip(IMAGE.astype(int) * 3, 0, 4095), "refused", "not read: "),
        (2000 + IMAGE // 64, "refused", "not read: its middle spans"),
    ],
)
def test_a_badly_exposed_image(values, status, words):
    result = quality(values.astype(np.uint16))
    assert result.status == status
    assert any(words in reason for reason in result.reasons)


def test_a_light_image_is_noted_and_still_ok():
    result = quality((4095 * (IMAGE / 4095) ** (1 / 4)).astype(np.uint16))
    assert result.status == "ok"
    assert any("light: little of its middle is dark" in note for note in result.notes)


@pytest.mark.parametrize("uid", RADIOGRAPH_CLASSES)
def test_sop_classes_of_radiographs_are_read(uid):
    raw = "raw detector data (FOR PROCESSING): the window was chosen from the pixels"
    assert quality(SOPClassUID=uid).reasons == ((raw,) if uid == uids.DigitalXRayImageStorageForProcessing else ())


@pytest.mark.parametrize("uid", CAPTURE_CLASSES)
def test_captures_are_read_with_a_warning(uid):
    result = quality(SOPClassUID=uid, NumberOfFrames=1)
    assert result == Quality("warning", ("a secondary capture: its grey levels may have been changed",))


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
def test_other_sop_classes_are_refused_by_name(uid):
    result = quality(SOPClassUID=uid)
    assert result.status == "refused"
    assert result.reasons[0] == f"not read: SOP class {uid.name}; CR, DX and secondary captures are accepted"


@pytest.mark.parametrize(
    ("uid", "words"),
    [
        ("1.2.840.113619.4.2", "a SOP class that the standard does not know: taken as a radiograph"),
        ("", "SOP class not stated: taken as a radiograph"),
    ],
)
def test_an_unknown_sop_class_is_a_warning(uid, words):
    assert quality_of_class(uid) == Quality("warning", (words,))


def quality_of_class(uid):
    ds = pydicom.dcmread(io.BytesIO(phantom_dicom(values=IMAGE)))
    ds.SOPClassUID = uid
    file = io.BytesIO()
    pydicom.dcmwrite(file, ds)
    return read_radiograph(file.getvalue()).quality


def test_a_small_image_keeps_its_size():
    display = np.linspace(0, 1, 300 * 200, dtype=np.float32).reshape(300, 200)
    np.testing.assert_array_equal(block_means(display), np.rint(display * 255))


@pytest.mark.parametrize("block", [2, 3])
def test_means_of_blocks_by_hand(block):
    rng = np.random.default_rng(block)
    display = rng.random((512 * block, 300 * block + 1), dtype=np.float32)
    cut = display[:, : 300 * block].astype(float)
    expected = cut.reshape(512, block, 300, block).mean(axis=(1, 3)) * 255
    np.testing.assert_allclose(block_means(display), expected, atol=0.51)


def test_of_large_blocks_every_second_row_is_used():
    display = np.zeros((2560, 2048), dtype=np.float32)
    display[::2] = 1
    # blocks of 5 x 5: rows 0, 2 and 4 of one block are white, of the next they are black
    small = block_means(display)
    assert small.shape == (512, 409)
    np.testing.assert_array_equal(small[:4, 0], [255, 0, 255, 0])


@pytest.mark.parametrize("shape", [(16, 16), (16, 5000), (4000, 20)])
def test_a_narrow_image_is_not_reduced_to_nothing(shape):
    small = block_means(np.ones(shape, dtype=np.float32))
    assert min(small.shape) >= 16
    assert (small == 255).all()
