"""Texts of elements as identities are compared (PS3.5 6.2)."""

import pytest
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from cxr_core.imaging.elements import stated_text


def stored(keyword: str, value: bytes, character_set: str = "ISO_IR 192") -> Dataset:
    """A data set with the bytes of a value, as a file has them."""
    ds = Dataset()
    ds.SpecificCharacterSet = character_set
    tag = Tag(tag_for_keyword(keyword))
    ds[tag] = RawDataElement(tag, dictionary_VR(keyword), len(value), value, 0, False, True)
    return ds


@pytest.mark.parametrize(
    ("keyword", "value", "text"),
    [
        ("PatientID", b" P 1 ", "P 1"),
        ("PatientID", b"P  1", "P  1"),
        ("PatientID", b"P1\0", "P1"),
        ("PatientID", b"D \\ E ", "D\\E"),
        ("PatientID", b"\\E ", "\\E"),
        ("PatientID", b"  ", ""),
        ("PatientID", b"", ""),
        ("AccessionNumber", b" A ", "A"),
        ("Modality", b" CR ", "CR"),
        ("StudyInstanceUID", b"1.2.3\0", "1.2.3"),
        ("SeriesNumber", b" 9101 ", "9101"),
        # a space at the beginning is part of a text, and a backslash too where there is one value alone
        ("PatientComments", b" a\\b ", " a\\b"),
        ("AdditionalPatientHistory", b" a ", " a"),
        ("PatientName", b" M\xc3\xbcller^A ", " Müller^A"),
    ],
)
def test_padding_is_left_out_and_everything_else_counts(keyword, value, text):
    assert stated_text(stored(keyword, value), keyword) == text


def test_a_backslash_within_a_letter_separates_nothing():
    """In GB18030 and Shift JIS, the second byte of a letter may be that of the backslash."""
    name = "表 山"
    assert b"\\" in name.encode("shift_jis")
    assert stated_text(stored("PatientID", name.encode("shift_jis"), "ISO_IR 13"), "PatientID") != ""
    assert stated_text(stored("PatientID", "太\\郎 ".encode("gb18030"), "GB18030"), "PatientID") == "太\\郎"


def test_what_is_missing_or_cannot_be_read_is_empty():
    assert stated_text(Dataset(), "PatientID") == ""
    ds = stored("SeriesNumber", b"QUENDELZAHN")
    assert stated_text(ds, "SeriesNumber") in ("", "QUENDELZAHN")
    assert stated_text(stored("Rows", b"\x01"), "Rows") == ""


def test_answers_in_json_have_the_same_text():
    answer = Dataset.from_json({"00100020": {"vr": "LO", "Value": ["D ", "E"]}})
    assert stated_text(answer, "PatientID") == "D\\E"
