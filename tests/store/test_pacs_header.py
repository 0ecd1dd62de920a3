import io
import struct

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from cxr_core.errors import InputRefused
from cxr_core.report.dicom.identification import SERIES
from cxr_core.store.pacs_header import (
    RESULT_SERIES,
    dataset_sha256,
    patient_key,
    read_instance_header,
    read_patient,
)
from tests.received import CR, received, result_of_ours, uid
from tests.store.test_sealing import KEY, key  # noqa: F401 - fixture


def rewritten(data: bytes, **changes) -> bytes:
    """A file with another transfer syntax or implementation."""
    ds = pydicom.dcmread(io.BytesIO(data))
    for keyword, value in changes.items():
        setattr(ds.file_meta, keyword, value)
    file = io.BytesIO()
    ds.save_as(
        file,
        implicit_vr=changes.get("TransferSyntaxUID") == ImplicitVRLittleEndian,
        little_endian=True,
        enforce_file_format=True,
    )
    return file.getvalue()


def test_the_attributes_that_rules_go_by_are_read():
    header = read_instance_header(received(1, BodyPartExamined="CHEST"))
    assert (header.sop_instance_uid, header.series_uid, header.study_uid) == (uid(1), uid(1, "8"), uid(1, "7"))
    assert (header.sop_class, header.transfer_syntax) == (CR, "1.2.840.10008.1.2.1")
    assert (header.modality, header.body_part, header.station_name) == ("CR", "CHEST", "ROOM 3")
    assert header.patient_key == ""
    assert not header.is_result


@pytest.mark.parametrize("syntax", [DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_they_are_read_in_any_transfer_syntax(syntax):
    header = read_instance_header(rewritten(received(1), TransferSyntaxUID=syntax))
    assert (header.sop_instance_uid, header.station_name, header.transfer_syntax) == (uid(1), "ROOM 3", syntax)


def test_a_name_in_a_field_of_another_kind_is_left_out():
    header = read_instance_header(
        received(1, BodyPartExamined="Quendelzahn, Xaver", Modality="CR\\XA", StationName="QUENDELZAHN, XAVER, WARD 3")
    )
    assert (header.modality, header.body_part, header.station_name) == ("", "", "")


def test_a_result_of_ours_is_known_and_our_phantom_is_none():
    assert read_instance_header(result_of_ours(1)).is_result
    assert not read_instance_header(received(1, Manufacturer="Second Read")).is_result
    assert not read_instance_header(received(1, SeriesNumber=SERIES["sc"].number)).is_result
    assert {series.number for series in SERIES.values()} == set(RESULT_SERIES)


def test_the_file_meta_information_is_no_part_of_the_data_set():
    data = received(1)
    sent = rewritten(data, ImplementationVersionName="ANOTHER SENDER", SourceApplicationEntityTitle="ROOM3")
    assert sent != data
    assert dataset_sha256(sent) == dataset_sha256(data)
    assert dataset_sha256(received(1, seed=1)) != dataset_sha256(data)


def with_file_meta(data: bytes, vr: str, length_format: str) -> bytes:
    """A file with one more value in its File Meta Information, of 24 bytes."""
    element = b"\x02\x00\x26\x00" + vr.encode() + struct.pack(length_format, 24) + bytes(24)
    (length,) = struct.unpack_from("<I", data, 140)
    end = 144 + length
    return data[:140] + struct.pack("<I", length + len(element)) + data[144:end] + element + data[end:]


@pytest.mark.parametrize(
    ("vrs", "length_format"),
    [
        ("OB OD OF OL OV OW SQ SV UC UN UR UT UV", "<xxI"),
        ("AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US", "<H"),
    ],
)
def test_values_of_no_representation_hide_where_the_data_set_begins(vrs, length_format):
    """PS3.5 7.1.2; the Presentation Addresses (0002,0026) to (0002,0028) are UR."""
    data = received(1)
    for vr in vrs.split():
        sent = with_file_meta(data, vr, length_format)
        assert dataset_sha256(sent) == dataset_sha256(data), vr
        assert read_instance_header(sent) == read_instance_header(data), vr


def test_a_patient_is_a_keyed_digest_or_nothing(key):  # noqa: F811
    assert patient_key("QZ-4711") == ""
    key(KEY)
    first = read_instance_header(received(1, PatientID="QZ-4711")).patient_key
    assert first == read_instance_header(received(2, PatientID="QZ-4711")).patient_key == patient_key("QZ-4711")
    assert len(first) == 64
    assert "4711" not in first
    others = (patient_key("QZ-4712"), patient_key("QZ-4711", "CLINIC"), patient_key("", "CLINIC"))
    assert first not in others
    assert others[2] == ""
    key(KEY.replace("A", "B", 1))
    assert patient_key("QZ-4711") != first


@pytest.mark.parametrize(
    ("one", "other", "are_two"),
    [
        ({"PatientID": "A"}, {"PatientID": " A "}, False),
        ({"PatientID": "A"}, {"PatientID": "a"}, True),
        ({"PatientID": "A B"}, {"PatientID": "A  B"}, True),
        ({"PatientID": "A\\B"}, {"PatientID": "A\\B"}, False),
        ({"PatientID": "A\\B"}, {"PatientID": "A\\C"}, True),
        ({"PatientID": "A"}, {"PatientID": ""}, False),
        ({"PatientID": ""}, {"PatientID": ""}, False),
        ({"PatientID": "A"}, {"PatientID": "A", "IssuerOfPatientID": "CLINIC"}, False),
        ({"PatientID": "A", "IssuerOfPatientID": "CLINIC"}, {"PatientID": "A", "IssuerOfPatientID": "PRACTICE"}, True),
        ({"PatientID": "A", "PatientName": "Quendel^A"}, {"PatientID": "A", "PatientName": "Zahn^A"}, False),
    ],
)
def test_patients_are_told_apart_by_id_and_issuer(key, one, other, are_two):  # noqa: F811
    patients = [read_patient(received(1, **stated)) for stated in (one, other)]
    assert patients[0].differs_from(patients[1]) == patients[1].differs_from(patients[0]) == are_two
    assert "A" not in repr(patients)
    key(KEY)
    keys = [read_instance_header(received(1, **stated)).patient_key for stated in (one, other)]
    if are_two:
        assert len({*keys, ""}) == 3


NO_UID = {"SOPInstanceUID": None, "StudyInstanceUID": None, "SeriesInstanceUID": None, "SOPClassUID": None}


@pytest.mark.parametrize("keyword", NO_UID)
def test_a_file_without_a_valid_uid_is_refused_and_not_quoted(keyword):
    data = received(1)
    ds = pydicom.dcmread(io.BytesIO(data))
    for value in ("", "1.2.QUENDELZAHN", "1." + "2" * 64, "../../1.2"):
        with pydicom.config.disable_value_validation():
            ds.add_new(keyword, "UI", value)
            file = io.BytesIO()
            ds.save_as(file, enforce_file_format=False)
        with pytest.raises(InputRefused, match=f"without a valid {keyword}") as error:
            read_instance_header(file.getvalue())
        assert "QUENDELZAHN" not in str(error.value)


@pytest.mark.parametrize("cut", [0, 100, 132, 140, 200, 300])
def test_what_is_no_whole_dicom_file_is_refused(cut):
    with pytest.raises(InputRefused):
        read_instance_header(received(1)[:cut])


def test_a_data_set_without_file_meta_information_is_refused():
    ds, file = Dataset(), io.BytesIO()
    ds.SOPInstanceUID = uid(1)
    pydicom.dcmwrite(file, ds, implicit_vr=True, little_endian=True)
    with pytest.raises(InputRefused, match=r"PS3\.10"):
        read_instance_header(file.getvalue())


@pytest.mark.parametrize("length", [5, 0xFFFF])
def test_file_meta_information_of_a_wrong_length_ends_in_a_refusal(length):
    data = bytearray(received(1))
    # of its first element after the group length
    data[152:156] = length.to_bytes(4, "little")
    with pytest.raises(InputRefused):
        read_instance_header(bytes(data))
