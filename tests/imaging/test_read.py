import pytest

from cxr_core.errors import InputRefused
from cxr_core.imaging import phantom_dicom, phantom_png, sniff


def test_the_content_decides():
    assert sniff(phantom_png(64, 64)) == "png"
    assert sniff(phantom_dicom(64, 64)) == "dicom"
    assert sniff(b"\xff\xd8\xff\xe0rest") == "jpeg"
    assert sniff(b"II*\x00rest") == "tiff"
    assert sniff(b"MM\x00*rest") == "tiff"


def test_dicom_without_preamble():
    assert sniff(phantom_dicom(64, 64)[132:]) == "dicom"


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "Empty file"),
        (b"Patient: somebody", "it is text"),
        (b"PK\x03\x04\0\0\0\0", "zip archive"),
        (b"%PDF-1.4\0\0", "a PDF document"),
        (b"\0" * 400, "like no format"),
    ],
)
def test_other_formats_are_named_with_what_is_accepted(data, found):
    with pytest.raises(InputRefused) as refusal:
        sniff(data)
    assert found in str(refusal.value)
    assert "Accepted: DICOM (CR, DX), PNG, JPEG, TIFF and WEBP" in str(refusal.value)
    assert "somebody" not in str(refusal.value)
