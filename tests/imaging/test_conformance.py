"""docs/conformance.md against the code."""

import io
import re
from pathlib import Path

import numpy as np
import pydicom
import pytest

from cxr_core.errors import InputRefused
from cxr_core.imaging import phantom, phantom_dicom, read_radiograph
from cxr_core.imaging.accepted import (
    BITS_ALLOCATED,
    CAPTURE_MODALITIES,
    CAPTURES,
    COLOUR,
    GREY,
    RADIOGRAPH_MODALITIES,
    RADIOGRAPHS,
)
from cxr_core.imaging.decode import _DECODERS, _NATIVE

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "conformance.md").read_text()


def test_every_transfer_syntax_is_listed_with_its_decoder():
    listed = dict(re.findall(r"\| (1\.2\.840\.10008\.1\.[\d.]+) \| ([\w-]+) \|", TEXT))
    assert listed == dict.fromkeys(_NATIVE, "pydicom") | _DECODERS


def test_every_sop_class_is_listed_by_its_name():
    listed = dict(re.findall(r"^\| ([\w -]+) \| (1\.2\.840\.10008\.5\.1\.4[\d.]+) \| ", TEXT, re.MULTILINE))
    assert {uid: name for name, uid in listed.items()} == RADIOGRAPHS | CAPTURES


def test_every_photometric_interpretation_is_listed_with_what_is_made_of_it():
    listed = dict(re.findall(r"^\| `([A-Z0-9_ ]+)` \| (grey|luma)", TEXT, re.MULTILINE))
    assert listed == dict.fromkeys(GREY, "grey") | dict.fromkeys(COLOUR, "luma")


def test_every_depth_is_listed():
    listed = re.findall(r"^\| (\d+) \| 1 to (\d+) \| ", TEXT, re.MULTILINE)
    assert [(int(allocated), int(stored)) for allocated, stored in listed] == [(bits, bits) for bits in BITS_ALLOCATED]


@pytest.mark.parametrize("allocated", [8, 16, 32])
def test_depths_are_accepted_as_they_are_listed(allocated):
    values = phantom(96, 84) >> 4
    data = phantom_dicom(values=values.astype(np.uint8 if allocated == 8 else np.uint16))
    ds = pydicom.dcmread(io.BytesIO(data))
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = allocated, min(allocated, 8), min(allocated, 8) - 1
    if allocated == 32:
        ds.PixelData = values.astype("<u4").tobytes()
    file = io.BytesIO()
    ds.save_as(file)
    if allocated in BITS_ALLOCATED:
        assert read_radiograph(file.getvalue()).rows == 96
    else:
        with pytest.raises(InputRefused, match="up to 16 bits"):
            read_radiograph(file.getvalue())


@pytest.mark.parametrize(("uid", "name"), (RADIOGRAPHS | CAPTURES).items())
def test_listed_sop_classes_pass_the_gate_and_others_do_not(uid, name):
    quality = read_radiograph(phantom_dicom(256, 224, SOPClassUID=uid)).quality
    assert not any("SOP class" in reason for reason in quality.reasons), name
    assert (uid in CAPTURES) == any("secondary capture" in reason for reason in quality.reasons)
    ct = read_radiograph(phantom_dicom(256, 224, SOPClassUID="1.2.840.10008.5.1.4.1.1.2")).quality
    assert ct.status == "refused"
    assert any("SOP class CT Image Storage" in reason for reason in ct.reasons)


WORDS = (*RADIOGRAPH_MODALITIES, *CAPTURE_MODALITIES, "SECOND_READ_MAX_FILE_MB", "SECOND_READ_MAX_MEGAPIXELS", "on NIH")


@pytest.mark.parametrize("word", WORDS)
def test_what_the_code_accepts_is_named(word):
    assert word in TEXT
