"""What a PACS may change of an object, and what it may not."""

import io

import pydicom
import pytest
from pydicom.uid import ImplicitVRLittleEndian, RLELossless

from cxr_core.imaging import phantom_dicom
from cxr_core.pacs.comparison import different_elements, same_content, same_patient
from tests.dicom_results import PATIENT, objects, report_image

DATA = phantom_dicom(256, 224, **PATIENT)


@pytest.fixture(scope="module")
def report(predictor):
    return objects(report_image(DATA, predictor), predictor.card, DATA, ("sr",))["sr"]


def changed(data, change):
    file = pydicom.dcmread(io.BytesIO(data))
    change(file)
    stream = io.BytesIO()
    file.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def implicit(file):
    file.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian


def corrected(file):
    file.PatientName, file.PatientID, file.AccessionNumber = "Other^Name", "77", "A-2"
    file.SpecificCharacterSet = "ISO_IR 100"


def with_more(file):
    file.add_new(0x00091010, "LO", "of the PACS")
    file.StationName = "PACS"
    file.OperatorsName = ""


def stating(values):
    def change(file):
        for keyword, value in values.items():
            setattr(file, keyword, value)

    return change


def measured_otherwise(file):
    (container,) = [one for one in file.ContentSequence if "ContentSequence" in one][-1:]
    numbers = [item for _, item in walk(container) if "MeasuredValueSequence" in item]
    numbers[0].MeasuredValueSequence[0].NumericValue = "0.123"


def walk(item):
    for one in item.get("ContentSequence", ()):
        yield item, one
        yield from walk(one)


@pytest.mark.parametrize("change", [implicit, corrected, with_more])
def test_what_a_pacs_may_change(report, change):
    kept = changed(report, change)
    assert kept != report
    assert same_content(report, kept)


def test_a_measurement_deep_in_a_report_is_compared(report):
    assert not same_content(report, changed(report, measured_otherwise))
    assert not same_content(report, changed(report, lambda file: file.ContentSequence.pop()))
    assert not same_content(report, changed(report, lambda file: delattr(file, "CodingSchemeIdentificationSequence")))
    assert not same_content(report, changed(report, lambda file: setattr(file, "SOPInstanceUID", "2.25.1")))


@pytest.mark.parametrize("kept", [b"", b"planted", DATA[:200]])
def test_bytes_that_are_no_file_are_not_the_same(report, kept):
    assert not same_content(report, kept)


def test_pixels_are_compared_unless_they_are_compressed_otherwise():
    def inverted(file):
        file.PixelData = bytes(255 - byte for byte in file.PixelData)

    def compressed(file):
        file.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)

    assert not same_content(DATA, changed(DATA, inverted))
    assert same_content(DATA, changed(DATA, compressed))
    assert not same_content(DATA, changed(DATA, lambda file: (compressed(file), setattr(file, "Rows", 1))))


def test_what_differs_is_named_without_its_value(report):
    assert different_elements(report, report) == ()
    assert different_elements(report, changed(report, corrected)) == ()
    assert different_elements(report, changed(report, measured_otherwise)) == ("ContentSequence",)
    later = changed(report, stating({"ContentDate": "20270101", "ContentTime": "120000"}))
    assert different_elements(report, later) == ("ContentDate", "ContentTime")
    assert different_elements(report, b"planted") == ("all",)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"PatientID": f" {PATIENT['PatientID']} "}, True),
        # a PACS spells names in its way, and adds an issuer
        ({"PatientName": PATIENT["PatientName"].upper(), "IssuerOfPatientID": "HOSPITAL"}, True),
        ({"PatientSex": ""}, True),
        ({"PatientID": "77"}, False),
        ({"PatientID": ""}, False),
        ({"PatientID": PATIENT["PatientID"].lower()}, False),
        ({"PatientBirthDate": "19020315"}, False),
        ({"PatientSex": "M"}, False),
        ({"PatientName": "QZOTHER^Anna", "PatientBirthDate": ""}, False),
    ],
)
def test_what_was_read_back_is_of_the_same_patient(report, change, same):
    assert same_patient(report, changed(report, stating(change))) == same
