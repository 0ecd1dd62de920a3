import dataclasses

import pytest

from cxr_core.imaging import phantom_dicom, read_radiograph
from cxr_core.imaging.header import allowed_header, patient_age


def test_no_identity_of_the_patient_is_read():
    secret = "SECRETNAME"
    data = phantom_dicom(
        64,
        64,
        PatientName=f"{secret}^A",
        PatientID=secret,
        ReferringPhysicianName=secret,
        StudyID=secret,
        AccessionNumber=secret,
        BodyPartExamined=secret,
        ViewPosition=secret,
        PatientSex=secret,
        PhotometricInterpretation="MONOCHROME2",
        WindowCenterWidthExplanation=secret,
    )
    image = read_radiograph(data)
    for field in dataclasses.fields(image):
        assert secret not in str(getattr(image, field.name))


@pytest.mark.parametrize(
    ("text", "years"),
    [("058Y", 58), ("58", 58), ("006M", 0.5), ("010D", 10 / 365.25), ("", None), ("old", None), ("999Y", None)],
)
def test_age_strings(text, years):
    from pydicom.dataset import Dataset

    ds = Dataset()
    ds.PatientAge = text
    assert patient_age(ds) == (None if years is None else pytest.approx(years))


@pytest.mark.parametrize(
    ("birth", "study", "years"),
    [
        ("20200101", "20260101", 6), ("19000101", "20260101", None), ("20260101", "20260101", None),
        ("20260102", "20260101", None), ("2020", "20260101", None), ("20200101", "", None),
        ("20260101", "20260201", 0.085),
    ],
)  # fmt: skip
def test_the_age_of_dates_where_no_age_is_stated(birth, study, years):
    from pydicom.dataset import Dataset

    ds = Dataset()
    ds.PatientBirthDate, ds.StudyDate = birth, study
    assert patient_age(ds) == (None if years is None else pytest.approx(years, abs=0.01))
    ds.PatientAge = "058Y"
    assert patient_age(ds) == 58


def test_an_age_of_ninety_or_more_is_not_stated():
    from pydicom.dataset import Dataset

    ds = Dataset()
    ds.PatientAge = "094Y"
    assert allowed_header(ds)["PatientAge"] == "90Y or over"


@pytest.mark.parametrize(
    ("at_detector", "calibrated", "spacing", "source"),
    [
        ([0.2, 0.2], None, (0.2, 0.2), "ImagerPixelSpacing"),
        ([0.2, 0.2], [0.2, 0.2], (0.2, 0.2), "ImagerPixelSpacing"),
        ([0.2, 0.2], [0.15, 0.15], (0.15, 0.15), "PixelSpacing"),
        ([0.2, 0.2], [0, 0], (0.2, 0.2), "ImagerPixelSpacing"),
        ([0.2], [0.15, 0.15], (0.15, 0.15), "PixelSpacing"),
        (None, [0.3, 0.3], (0.3, 0.3), "PixelSpacing"),
        (None, None, None, ""),
    ],
)
def test_spacing_is_calibrated_where_pixel_spacing_differs_from_that_at_the_detector(
    at_detector, calibrated, spacing, source
):
    also = {} if calibrated is None else {"PixelSpacing": calibrated}
    image = read_radiograph(phantom_dicom(64, 64, ImagerPixelSpacing=at_detector, **also))
    assert (image.spacing_mm, image.spacing_source) == (spacing, source)


@pytest.mark.parametrize(
    ("uid", "name"),
    [
        ("1.2.840.10008.5.1.4.1.1.1", "Computed Radiography Image Storage"),
        ("1.2.840.10008.5.1.4.1.1.2", "CT Image Storage"),
        ("1.2.840.113619.4.2", "another"),
        ("1.2.840.10008.1.2", "another"),
        ("SECRET^NAME", "another"),
        ("", None),
    ],
)
def test_a_sop_class_is_read_by_the_standards_name_or_not_at_all(uid, name):
    from pydicom.dataset import Dataset

    ds = Dataset()
    ds.add_new("SOPClassUID", "LO", uid)
    assert allowed_header(ds).get("SOPClassUID") == name
