"""docs/conformance.md against the code: every table row by row, and a file of every row is read."""

import io
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from cxr_core.errors import InputRefused
from cxr_core.imaging import phantom, phantom_dicom, read_radiograph
from cxr_core.imaging.conformance import (
    BITS_ALLOCATED,
    CAPTURE_CLASSES,
    CAPTURE_MODALITIES,
    COLOUR,
    GREY,
    MAX_BITS,
    RADIOGRAPH_CLASSES,
    RADIOGRAPH_MODALITIES,
)
from cxr_core.imaging.frame_decoding import _DECODERS, _NATIVE
from tests.conftest import missing

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "conformance.md").read_text()


def table(first: str) -> list[dict[str, str]]:
    """Return the rows of the table whose first column has this head."""
    lines = TEXT[TEXT.index(f"\n| {first} |") + 1 :].split("\n\n")[0].splitlines()
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return [dict(zip(head, row, strict=True)) for row in rows]


CLASSES, PHOTOMETRIC, SYNTAXES = table("SOP class"), table("photometric interpretation"), table("transfer syntax")


def numbers(words: str) -> list[int]:
    """Return what a cell names: 8; 8 or 12; 1 to 16 by its ends."""
    return sorted({int(number) for number in re.findall(r"\d+", words)})


def test_every_sop_class_is_listed_with_its_result():
    listed = {row["UID"]: (row["SOP class"], row["what comes of it"]) for row in CLASSES if row["UID"]}
    warned = {uid for uid, name in RADIOGRAPH_CLASSES.items() if name.endswith("For Processing")} | set(CAPTURE_CLASSES)
    accepted = {
        uid: (name, "read, with a warning" if uid in warned else "read")
        for uid, name in (RADIOGRAPH_CLASSES | CAPTURE_CLASSES).items()
    }
    assert listed == accepted
    assert all(UID(uid).name == name for uid, (name, _) in listed.items())


@pytest.mark.parametrize("row", [row for row in CLASSES if row["UID"]], ids=lambda row: row["SOP class"])
def test_a_file_of_each_sop_class_gives_the_listed_result(row):
    image = phantom_dicom(values=phantom(256, 224, text=False), SOPClassUID=UID(row["UID"]))
    assert read_radiograph(image).quality.status == ("ok" if row["what comes of it"] == "read" else "warning")


def test_every_photometric_interpretation_is_listed_with_its_bits():
    assert [row["photometric interpretation"] for row in PHOTOMETRIC] == [*GREY, *COLOUR]
    assert sorted({bits for row in PHOTOMETRIC for bits in numbers(row["bits allocated"])}) == list(BITS_ALLOCATED)
    for row in PHOTOMETRIC[: len(GREY)]:
        assert numbers(row["bits allocated"]) == list(BITS_ALLOCATED)
        assert numbers(row["bits stored"]) == [1, MAX_BITS]
    assert all("warning" in row["shown as"] for row in PHOTOMETRIC[len(GREY) :])


GREY8 = (phantom(64, 64) >> 4).astype(np.uint8)


@pytest.mark.parametrize(
    ("name", "allocated", "stored"),
    [
        (row["photometric interpretation"], allocated, stored)
        for row in PHOTOMETRIC
        for allocated in numbers(row["bits allocated"])
        for stored in numbers(row["bits stored"])
        if stored <= allocated
    ],
)
def test_a_file_of_each_photometric_interpretation_is_read(name, allocated, stored):
    image = read_radiograph(coloured(name, allocated, stored))
    expected = (GREY8 >> (8 - stored)) / ((1 << stored) - 1) if stored < 8 else GREY8 / 255
    np.testing.assert_allclose(image.display, 1 - expected if name == "MONOCHROME1" else expected, atol=1.01 / 255)
    assert any("in colour" in reason for reason in image.quality.reasons) == (name in COLOUR)
    assert image.header["PhotometricInterpretation"] == name


@pytest.mark.parametrize("name", ["YBR_PARTIAL_420", "HSV", "CMYK", "ARGB", "SMITH", ""])
def test_another_photometric_interpretation_is_refused(name):
    with pytest.raises(InputRefused, match="photometric interpretation") as refusal:
        read_radiograph(coloured(name, 8, 8))
    assert "SMITH" not in str(refusal.value)


def coloured(name: str, allocated: int, stored: int) -> bytes:
    """Return the same grey picture in any photometric interpretation."""
    ds = pydicom.dcmread(io.BytesIO(phantom_dicom(64, 64, WindowCenter=None, WindowWidth=None)))
    ds.PhotometricInterpretation, ds.BitsAllocated, ds.BitsStored, ds.HighBit = name, allocated, stored, stored - 1
    dtype = f"<u{allocated // 8}"
    # the full range of the bits stored
    grey = np.rint(GREY8 / 255 * ((1 << stored) - 1)).astype(dtype) if stored >= 8 else GREY8 >> (8 - stored)
    grey = grey.astype(dtype)
    half = np.full_like(grey, 128)
    planes = {
        "YBR_FULL": (grey, half, half),
        "YBR_FULL_422": (grey[:, 0::2], grey[:, 1::2], half[:, ::2], half[:, ::2]),
    }
    if name in GREY:
        ds.WindowCenter, ds.WindowWidth = ((1 << stored) - 1) / 2, (1 << stored) - 1
        ds.VOILUTFunction = "LINEAR_EXACT"
        ds.PixelData = grey.tobytes()
    elif name == "PALETTE COLOR":
        index = GREY8.astype(dtype)
        for colour in ("Red", "Green", "Blue"):
            setattr(ds, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
            ds[f"{colour}PaletteColorLookupTableDescriptor"].VR = "US"
            setattr(ds, f"{colour}PaletteColorLookupTableData", (np.arange(256) * 257).astype("<u2").tobytes())
        ds.PixelData = index.tobytes()
    else:
        ds.SamplesPerPixel, ds.PlanarConfiguration = 3, 0
        ds.PixelData = np.stack(planes.get(name, (grey, grey, grey)), axis=2).tobytes()
    ds["PixelData"].VR = "OB" if allocated == 8 else "OW"
    if name in ("YBR_ICT", "YBR_RCT"):
        reversible = name == "YBR_RCT"
        level = {} if reversible else {"level": 99}
        frame = imagecodecs.jpeg2k_encode(np.stack([GREY8] * 3, 2), reversible=reversible, codecformat="j2k", **level)
        return encapsulated(ds, "1.2.840.10008.1.2.4." + ("90" if reversible else "91"), frame)
    return saved(ds)


def test_every_transfer_syntax_is_listed_with_its_decoder():
    listed = {row["UID"]: row["decoded by"] for row in SYNTAXES}
    assert listed == dict.fromkeys(_NATIVE, "pydicom") | _DECODERS


@pytest.mark.parametrize(
    ("uid", "bits"),
    [(row["UID"], bits) for row in SYNTAXES for bits in numbers(row["bits stored"])],
)
def test_a_file_of_each_transfer_syntax_is_read_at_its_least_and_most_bits(uid, bits):
    values = (np.add.outer(np.arange(64), np.arange(64)) * ((1 << bits) - 1) // 126).astype(np.uint16)
    image = read_radiograph(in_syntax(uid, values, bits))
    lossy = uid.endswith((".50", ".51", ".81", ".91"))
    np.testing.assert_allclose(image.values, values, atol=2 if lossy else 0)


def in_syntax(uid: str, values: np.ndarray, bits: int) -> bytes:
    ds = pydicom.dcmread(io.BytesIO(phantom_dicom(values=values, BitsStored=bits, HighBit=bits - 1)))
    if bits <= 8:
        ds.BitsAllocated, ds.PixelData = 8, values.astype(np.uint8).tobytes()
        ds["PixelData"].VR = "OB"
    if uid in _NATIVE:
        return native(ds, uid)
    if uid.endswith((".50", ".51", ".57", ".70")):
        return by_dcmtk(ds, {"50": "+eb", "51": "+ee", "57": "+el", "70": "+e1"}[uid[-2:]])
    if ".4.20" in uid:
        frame = imagecodecs.htj2k_encode(values.astype(np.uint8) if bits <= 8 else values, reversible=True)
        return encapsulated(ds, uid, frame)
    options = {"81": {"jls_error": 1}, "91": {"j2k_cr": [2]}}.get(uid[-2:], {})
    ds.compress(UID(uid), generate_instance_uid=False, **options)
    return saved(ds)


def native(ds, uid: str) -> bytes:
    ds.file_meta.TransferSyntaxUID = UID(uid)
    big = uid.endswith("1.2.2")
    if big and ds.BitsAllocated == 16:
        ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
    file = io.BytesIO()
    pydicom.dcmwrite(file, ds, implicit_vr=uid.endswith("1.2"), little_endian=not big, enforce_file_format=True)
    return file.getvalue()


def encapsulated(ds, uid: str, frame: bytes) -> bytes:
    ds.file_meta.TransferSyntaxUID = UID(uid)
    ds.PixelData = encapsulate([frame])
    ds["PixelData"].VR = "OB"
    return saved(ds)


def saved(ds) -> bytes:
    file = io.BytesIO()
    ds.save_as(file, enforce_file_format=True)
    return file.getvalue()


def by_dcmtk(ds, option: str) -> bytes:
    if shutil.which("dcmcjpeg") is None:
        missing("dcmtk", "DCMTK's dcmcjpeg is not installed")
    quality = ["+q", "100"] if option in ("+eb", "+ee") else []
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "a.dcm"), Path(folder, "b.dcm")
        source.write_bytes(saved(ds))
        subprocess.run(["dcmcjpeg", option, *quality, source, target], check=True, capture_output=True)
        return target.read_bytes()


MODALITIES = sorted(RADIOGRAPH_MODALITIES | CAPTURE_MODALITIES)


@pytest.mark.parametrize("word", [*MODALITIES, "SECOND_READ_MAX_FILE_MB", "SECOND_READ_MAX_MEGAPIXELS", "on NIH"])
def test_everything_that_the_code_accepts_is_documented(word):
    assert word in TEXT
