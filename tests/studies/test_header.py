"""Patient and study attributes of files, sound and broken."""

import io
from datetime import date, time

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from cxr_core.imaging import phantom_dicom, phantom_png
from cxr_core.studies import Patient, StudyHeader, read_study_header

STATED = {
    "PatientName": "DOE^Jane^M^Dr",
    "PatientID": "P-7",
    "IssuerOfPatientID": "HOSPITAL",
    "PatientBirthDate": "19700203",
    "PatientSex": "F",
    "StudyDate": "20261120",
    "StudyTime": "103205.25",
    "AccessionNumber": "A123",
    "StudyDescription": "Chest PA and lateral",
    "StudyInstanceUID": "1.2.3",
    "SOPInstanceUID": "1.2.3.4",
    "Manufacturer": "ACME",
    "ManufacturerModelName": "XR 9",
}


def stated(**elements) -> bytes:
    return phantom_dicom(64, 56, **{**STATED, **elements})


def header_of(**elements) -> StudyHeader:
    header = read_study_header(stated(**elements))
    assert header is not None
    return header


def transcoded(data: bytes, syntax: pydicom.uid.UID) -> bytes:
    source, ds, file = pydicom.dcmread(io.BytesIO(data)), Dataset(), io.BytesIO()
    for element in source:
        ds.add(element)
    ds.file_meta = source.file_meta
    if syntax == ExplicitVRBigEndian:
        ds.PixelData = source.pixel_array.astype(">u2").tobytes()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.save_as(file, enforce_file_format=True)
    return file.getvalue()


@pytest.mark.parametrize(
    "syntax", [None, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian], ids=str
)
def test_every_attribute_is_read_in_each_encoding(syntax):
    data = stated() if syntax is None else transcoded(stated(), syntax)
    assert read_study_header(data) == StudyHeader(
        study_uid="1.2.3",
        sop_uid="1.2.3.4",
        view="PA",
        patient=Patient("DOE, Dr Jane M", "P-7", "HOSPITAL", date(1970, 2, 3), "F"),
        study_date=date(2026, 11, 20),
        study_time=time(10, 32, 5),
        accession_number="A123",
        description="Chest PA and lateral",
        manufacturer="ACME",
        device="XR 9",
    )


def test_without_a_preamble_the_attributes_are_read_too():
    file = io.BytesIO()
    pydicom.dcmread(io.BytesIO(stated())).save_as(file, enforce_file_format=True)
    data = file.getvalue()
    start = 144 + int.from_bytes(data[140:144], "little")
    assert read_study_header(data[start:]).patient.patient_id == "P-7"


@pytest.mark.parametrize(
    ("charset", "name", "shown"),
    [
        ("ISO_IR 192", "Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada, Tarou (山田 太郎 / やまだ たろう)"),
        ("ISO_IR 192", "=王^小东", "王 小东"),
        ("ISO_IR 100", "Äneas^Rüdiger", "Äneas, Rüdiger"),
        ("ISO_IR 100", "DOE", "DOE"),
        ("ISO_IR 100", "^Jane", "Jane"),
    ],
)
def test_names_are_shown_in_every_script(charset, name, shown):
    assert header_of(SpecificCharacterSet=charset, PatientName=name).patient.name == shown


@pytest.mark.parametrize(
    ("keyword", "value", "attribute", "expected"),
    [
        ("StudyDate", "2026.11.20", "study_date", date(2026, 11, 20)),
        ("StudyDate", "20261320", "study_date", None),
        ("StudyDate", "last week", "study_date", None),
        ("StudyTime", "10", "study_time", time(10)),
        ("StudyTime", "10:32", "study_time", time(10, 32)),
        ("StudyTime", "noon", "study_time", None),
        ("ViewPosition", "LL", "view", "lateral"),
        ("ViewPosition", "", "view", ""),
        ("AccessionNumber", "", "accession_number", ""),
    ],
)
def test_dates_times_and_views_are_values_or_nothing(keyword, value, attribute, expected):
    assert getattr(header_of(**{keyword: value}), attribute) == expected


def test_control_characters_are_escaped_and_long_values_cut():
    header = header_of(StudyDescription="a\u202eb" + "x" * 400, SpecificCharacterSet="ISO_IR 192")
    assert header.description.startswith("a\\u202eb")
    assert len(header.description) == 120
    assert header.description.endswith("…")


def test_without_identity_only_the_uids_and_the_view_are_read():
    assert read_study_header(stated(), identity=False) == StudyHeader("1.2.3", "1.2.3.4", "PA")


@pytest.mark.parametrize(
    "data",
    [b"", b"text", phantom_png(32, 32), b"\0" * 128 + b"DICM" + b"\xff" * 64],
    ids=["empty", "text", "png", "dicm"],
)
def test_what_is_no_dicom_or_broken_has_no_header_or_an_empty_one(data):
    header = read_study_header(data)
    assert header is None or header == StudyHeader()


def test_a_file_cut_or_damaged_anywhere_raises_nothing():
    data = stated()
    for end in range(132, 1100, 7):
        read_study_header(data[:end])
    for at in range(132, 1100, 5):
        broken = bytearray(data)
        broken[at] ^= 0x41
        read_study_header(bytes(broken))


def test_a_header_with_millions_of_elements_is_refused_and_not_read_on():
    element = b"\x08\x00\x05\x10SH\x02\x00aa"
    assert read_study_header(b"\0" * 128 + b"DICM" + element * 300_000) is None


def test_nothing_of_a_patient_is_in_the_representation():
    text = repr(header_of())
    for secret in ("DOE", "Jane", "P-7", "1970", "A123", "1.2.3", "2026", "Chest"):
        assert secret not in text


@pytest.mark.parametrize("placeholder", ["0", "000-00", "ANON", "anonymous", "N/A", "Unknown", "?"])
def test_a_placeholder_is_no_id_and_no_name(placeholder):
    one = Patient("GAMMA, Gina", placeholder)
    assert one.known_id == ""
    assert not one.is_same_as(Patient("GAMMA, Gina", placeholder))
    assert one.differs_from(Patient("DELTA, Dan", placeholder))
    assert not one.differs_from(Patient(placeholder, "7"))
    assert not Patient(placeholder, placeholder).is_same_as(Patient(placeholder, placeholder))


def test_names_differ_where_they_have_no_word_in_common_and_neither_id_nor_birth_settle_it():
    born = date(1970, 2, 3)
    assert Patient("DOE, Jane").differs_from(Patient("ROE, John"))
    assert not Patient("DOE, Jane").differs_from(Patient("Doe-Smith, J"))
    assert not Patient("DOE, Jane", "7").differs_from(Patient("", "7"))
    assert Patient("DOE, Jane", "7").differs_from(Patient("ROE, John", "7"))
    assert not Patient("Yamada, Tarou", "7", "", born).differs_from(Patient("山田 太郎", "7", "", born))
    assert Patient("DOE, Jane", "7", "A").differs_from(Patient("DOE, Jane", "7", "B"))
    assert Patient("DOE, Jane", sex="F").differs_from(Patient("DOE, Jane", sex="M"))
    assert not Patient("DOE, Jane", sex="F").differs_from(Patient("DOE, Jane", sex="O"))


def test_patients_are_the_same_by_their_id_and_different_by_id_or_date_of_birth():
    jane = Patient("DOE, Jane", "7", "", date(1970, 2, 3), "F")
    assert jane.is_same_as(Patient("Doe-Smith, Jane", "7"))
    assert jane.differs_from(Patient("DOE, Jane", "8", "", date(1970, 2, 3)))
    assert jane.differs_from(Patient("DOE, Jane", "7", "", date(1971, 2, 3)))
    # an ID is unique within its issuer only, and a name alone proves nothing
    assert not Patient("DOE, Jane", "7", "A").is_same_as(Patient("DOE, Jane", "7", "B"))
    assert not Patient("DOE, Jane").is_same_as(Patient("DOE, Jane"))
    assert Patient("DOE, Jane", birth_date=date(1970, 2, 3)).is_same_as(
        Patient("Doe, Jane", birth_date=date(1970, 2, 3))
    )
    assert not jane.is_same_as(Patient("DOE, Jane", birth_date=date(1970, 2, 3)))
    assert not Patient().is_same_as(Patient())
