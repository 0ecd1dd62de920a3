"""One image in several transfer syntaxes is one image; another patient, another value or other pixels are another."""

import io

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from cxr_core.imaging import phantom, phantom_dicom
from cxr_core.store.pacs_comparison import same_image
from tests.received import received

NATIVE = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
LOSSLESS = [RLELossless, JPEGLSLossless, JPEG2000Lossless]


def original(**elements) -> pydicom.FileDataset:
    """An image with sequences, private elements and a table."""
    values = phantom(64, 56, text=False)
    ds = pydicom.dcmread(io.BytesIO(phantom_dicom(values=values, PatientID="QZ-1", PatientName="Müller^A", **elements)))
    ds.SpecificCharacterSet = "ISO_IR 192"
    code, inner = Dataset(), Dataset()
    inner.CodeValue, inner.CodeMeaning = "1", "inner"
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "R-10206", "SRT", "postero-anterior"
    code.EquivalentCodeSequence = Sequence([inner])
    ds.ViewCodeSequence = Sequence([code])
    block = ds.private_block(0x0009, "SECOND READ TEST", create=True)
    block.add_new(1, "LO", "private")
    block.add_new(2, "US", 513)
    block.add_new(3, "SQ", Sequence([inner]))
    ds.SmallestImagePixelValue = 0
    ds["SmallestImagePixelValue"].VR = "US"
    return ds


def in_syntax(ds: pydicom.FileDataset, syntax: str, **options) -> bytes:
    """A file with the data set in a transfer syntax."""
    ds = pydicom.dcmread(io.BytesIO(saved(ds, ExplicitVRLittleEndian)))
    if syntax not in NATIVE:
        plugin = {"encoding_plugin": "pydicom"} if syntax == RLELossless else {}
        ds.compress(syntax, generate_instance_uid=False, **plugin, **options)
        return saved(ds, syntax)
    if syntax == ExplicitVRBigEndian:
        ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
    return saved(ds, syntax)


def saved(ds: pydicom.FileDataset, syntax: str) -> bytes:
    ds.file_meta.TransferSyntaxUID = syntax
    file = io.BytesIO()
    pydicom.dcmwrite(
        file,
        ds,
        implicit_vr=syntax == ImplicitVRLittleEndian,
        little_endian=syntax != ExplicitVRBigEndian,
        enforce_file_format=True,
    )
    return file.getvalue()


@pytest.mark.parametrize("other", [*NATIVE, *LOSSLESS], ids=lambda uid: uid.name)
@pytest.mark.parametrize(
    "one", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, JPEGLSLossless], ids=lambda uid: uid.name
)
def test_an_image_is_the_same_in_each_lossless_transfer_syntax(one, other):
    ours, theirs = in_syntax(original(), one), in_syntax(original(), other)
    assert same_image(ours, theirs)
    assert same_image(theirs, ours)


def changed(keyword, value):
    def change(ds):
        setattr(ds, keyword, value)

    return change


def one_pixel(ds):
    pixels = ds.pixel_array.copy()
    pixels[3, 4] ^= 1
    ds.PixelData = pixels.tobytes()


def deep(ds):
    ds.ViewCodeSequence[0].EquivalentCodeSequence[0].CodeMeaning = "other"


def private(ds):
    ds[0x0009, 0x1002].value = 514


def one_number(ds):
    """32, whose bytes are a space and a null."""
    ds.SmallestImagePixelValue = 32


def one_item_more(ds):
    ds.ViewCodeSequence.append(Dataset())


CHANGES = {
    "another patient": changed("PatientID", "QZ-2"),
    "another name": changed("PatientName", "Muller^A"),
    "no value": changed("PatientID", ""),
    "one element more": changed("PatientComments", "new"),
    "another polarity": changed("PhotometricInterpretation", "MONOCHROME1"),
    "another window": changed("WindowCenter", 2049),
    "said to be lossy": changed("LossyImageCompression", "01"),
    "one pixel": one_pixel,
    "a number whose bytes look like padding": one_number,
    "within sequences": deep,
    "one item more": one_item_more,
    "a private element": private,
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless], ids=lambda uid: uid.name
)
def test_what_differs_in_anything_else_is_another_image(change, syntax):
    ds = original()
    CHANGES[change](ds)
    ours, theirs = in_syntax(original(), ExplicitVRLittleEndian), in_syntax(ds, syntax)
    assert not same_image(ours, theirs)
    assert not same_image(theirs, ours)


def test_lossy_pixels_are_others():
    lossy = in_syntax(original(), JPEGLSNearLossless, jls_error=3)
    assert not same_image(in_syntax(original(), ExplicitVRLittleEndian), lossy)


def test_that_nothing_was_lost_may_be_said_or_not():
    """A codec adds it."""
    said = original(LossyImageCompression="00")
    assert same_image(in_syntax(original(), ExplicitVRLittleEndian), in_syntax(said, JPEGLSLossless))


def coloured(photometric="RGB", planar=0) -> pydicom.FileDataset:
    ds = original()
    colours = np.stack([ds.pixel_array >> 4] * 3, axis=-1).astype(np.uint8)
    colours[:8, :8, 0] = 255
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, photometric, planar
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
    ds.PixelData = (colours if planar == 0 else colours.transpose(2, 0, 1)).tobytes()
    ds["PixelData"].VR = "OB"
    return ds


def test_colours_may_be_arranged_in_another_way_and_not_mean_others():
    plain = saved(coloured(), ExplicitVRLittleEndian)
    assert same_image(plain, saved(coloured(planar=1), ImplicitVRLittleEndian))
    assert same_image(plain, in_syntax(coloured(), JPEG2000Lossless))
    assert not same_image(plain, saved(coloured("YBR_FULL"), ExplicitVRLittleEndian))


def test_what_has_no_pixels_is_compared_by_its_elements():
    report, other = original(), original()
    for ds in (report, other):
        del ds.PixelData
    other.AccessionNumber = "2"
    assert same_image(saved(report, ImplicitVRLittleEndian), saved(report, ExplicitVRLittleEndian))
    assert not same_image(saved(report, ImplicitVRLittleEndian), saved(other, ExplicitVRLittleEndian))
    assert not same_image(saved(report, ImplicitVRLittleEndian), saved(original(), ExplicitVRLittleEndian))


def test_several_frames_are_the_same_where_their_bytes_are_and_are_not_decoded():
    def frames(number):
        ds = original(NumberOfFrames=2)
        ds.PixelData = ds.PixelData * 2 if number == 1 else ds.PixelData + bytes(len(ds.PixelData))
        return ds

    plain = saved(frames(1), ExplicitVRLittleEndian)
    assert same_image(plain, saved(frames(1), ImplicitVRLittleEndian))
    assert not same_image(plain, saved(frames(2), ImplicitVRLittleEndian))
    assert not same_image(plain, in_syntax(frames(1), RLELossless))


@pytest.mark.parametrize("at", range(140, 1400, 97))
def test_broken_files_are_no_image_and_no_error(at):
    data = received(1)
    broken = bytearray(in_syntax(pydicom.dcmread(io.BytesIO(data)), ImplicitVRLittleEndian))
    broken[at : at + 8] = b"\xff" * 8
    assert not same_image(data, bytes(broken))
    assert not same_image(bytes(broken[:at]), data)
