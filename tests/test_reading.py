import dataclasses
import io

import numpy as np
import pydicom
import pytest

from cxr_core.imaging import phantom, phantom_dicom
from cxr_core.reading import read_image


def scores(data, predictor):
    return np.array([finding.score for finding in read_image(data, predictor)[1].findings])


def test_a_negated_monochrome1_twin_has_the_same_scores(predictor):
    values = phantom(512, 448)
    plain = phantom_dicom(values=values)
    twin = phantom_dicom(values=(4095 - values).astype(np.uint16), PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_allclose(scores(plain, predictor), scores(twin, predictor), atol=1e-6)


@pytest.mark.needs_shared
def test_the_real_file_and_its_negated_twin_have_the_same_scores(predictor, shared):
    from pydicom.uid import ExplicitVRLittleEndian

    data = (shared / "dicom" / "rsna_cr_pa_jpeg_baseline.dcm").read_bytes()
    ds = pydicom.dcmread(io.BytesIO(data))
    stored = ds.pixel_array
    ds.PhotometricInterpretation = "MONOCHROME1"
    ds.PixelData = (255 - stored).astype(np.uint8).tobytes()
    ds["PixelData"].VR = "OB"
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    twin = io.BytesIO()
    ds.save_as(twin)
    np.testing.assert_allclose(scores(data, predictor), scores(twin.getvalue(), predictor), atol=1e-6)


def test_two_images_that_differ_in_one_patch_have_other_scores(predictor):
    values = phantom(512, 448)
    other = values.copy()
    other[250:255, 200:205] = 4095
    one, two = phantom_dicom(values=values), phantom_dicom(values=other)
    assert (scores(one, predictor) != scores(two, predictor)).any()
    assert read_image(one, predictor)[1].sha256 != read_image(two, predictor)[1].sha256


def test_a_refused_image_has_no_findings_until_a_reason_is_given(predictor):
    data = phantom_dicom(256, 224, Modality="CT")
    _, refused = read_image(data, predictor)
    assert refused.findings == ()
    assert refused.quality.status == "refused"
    _, read = read_image(data, predictor, read_anyway="tag is wrong")
    assert len(read.findings) == 14
    assert read.quality.status == "refused"
    assert read.quality.override == "tag is wrong"


def test_an_image_unlike_the_known_ones_is_named(predictor):
    from cxr_core.model import Predictor

    data = phantom_dicom(values=phantom(256, 224, text=False))
    assert read_image(data, predictor)[1].quality.status == "ok"
    strict = dataclasses.replace(predictor.card.familiarity, threshold=0.1)
    folder = dataclasses.replace(predictor.folder, card=dataclasses.replace(predictor.card, familiarity=strict))
    _, reading = read_image(data, Predictor(folder, predictor.engine))
    assert reading.quality.status == "warning"
    assert any("unlike the training images of the model" in reason for reason in reading.quality.reasons)


def test_a_model_that_cannot_tell_is_never_a_silent_ok(predictor):
    from cxr_core.model import Predictor

    folder = dataclasses.replace(predictor.folder, card=dataclasses.replace(predictor.card, familiarity=None))
    _, reading = read_image(phantom_dicom(256, 224), Predictor(folder, predictor.engine))
    assert reading.quality.status == "warning"
    assert any("familiarity not measured" in reason for reason in reading.quality.reasons)


@pytest.mark.needs_shared
def test_real_images_of_other_patients_are_familiar(predictor, shared):
    paths = sorted((shared / "nih_expert" / "images").iterdir())[:60]
    readings = [read_image(path.read_bytes(), predictor)[1] for path in paths]
    unlike = sum(any("unlike the training images" in reason for reason in r.quality.reasons) for r in readings)
    assert unlike <= 4
