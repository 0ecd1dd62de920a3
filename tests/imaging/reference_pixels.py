"""The truth table of pixels: one line a case, made up by code, shared by all tests of reading.

A case holds a file's bytes and what its pixels must look like: by DCMTK (``witness``: the options of
its ``dcm2pnm``; within one grey level of 255) or by arithmetic (``display``: brightness in [0, 1]).
"""

from __future__ import annotations

import io
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from cxr_core.imaging import phantom_dicom

RAMP = (np.arange(64 * 64).reshape(64, 64) % 4096).astype(np.uint16)
"""Every value of 12 bits once."""

FULL = {"WindowCenter": 2048, "WindowWidth": 4096}
NONE = {"WindowCenter": None, "WindowWidth": None}
M1 = {"PhotometricInterpretation": "MONOCHROME1"}
NO_RESCALE = {"RescaleSlope": None, "RescaleIntercept": None, "RescaleType": None}
DX = {"SOPClassUID": UID("1.2.840.10008.5.1.4.1.1.1.1"), "Modality": "DX"}


@dataclass(frozen=True)
class Case:
    """One line of the table.

    Attributes:
        name: what it is.
        data: makes the file.
        witness: options of dcm2pnm, or None where DCMTK is wrong or silent.
        display: makes the expected brightness, (rows, columns) in [0, 1], or None.
        tolerance: of ``display``.
        failure: the named failure of a peer that this case is.
        says: words that the reasons, notes or transforms hold.
    """

    name: str
    data: Callable[[], bytes]
    witness: tuple[str, ...] | None = None
    display: Callable[[], np.ndarray] | None = None
    tolerance: float = 1e-6
    failure: str = ""
    says: str = ""


def dicom(values: np.ndarray = RAMP, **elements) -> Callable[[], bytes]:
    return lambda: phantom_dicom(values=values, **elements)


def lut(entries, first: int = 0, bits: int = 12, packed: bool = False) -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [len(entries) % 65536, first, bits]
    item["LUTDescriptor"].VR = "SS" if first < 0 else "US"
    item.add_new("LUTData", "OW", np.asarray(entries, np.uint8 if packed else "<u2").tobytes())
    item.ModalityLUTType = "US"
    return item


def curve(entries: int, top: int) -> np.ndarray:
    return np.rint(top * (np.arange(entries) / (entries - 1)) ** 2).astype(int)


def linear(x, c: float, w: float) -> np.ndarray:
    return np.clip((np.asarray(x, float) - (c - 0.5)) / (w - 1) + 0.5, 0, 1)


def signed(bits: int) -> tuple[np.ndarray, dict]:
    half = 1 << (bits - 1)
    values = np.linspace(-half, half - 1, 64 * 64).reshape(64, 64).astype(np.int16)
    elements = {"BitsStored": bits, "HighBit": bits - 1, "PixelRepresentation": 1}
    return (values.view(np.uint16) & ((1 << bits) - 1)).astype(np.uint16), elements


def unsigned(bits: int) -> tuple[np.ndarray, dict]:
    values = np.linspace(0, (1 << bits) - 1, 64 * 64).reshape(64, 64).astype(np.uint16)
    return values, {"BitsStored": bits, "HighBit": bits - 1, "WindowCenter": 1 << (bits - 1), "WindowWidth": 1 << bits}


def small(values: np.ndarray, **elements) -> Callable[[], bytes]:
    """8-bit containers, grey or colour."""

    def make() -> bytes:
        ds = pydicom.dcmread(io.BytesIO(phantom_dicom(values=RAMP, **(NONE | elements))))
        ds.Rows, ds.Columns = values.shape[:2]
        if "Planar" not in elements and values.ndim == 3:
            ds.SamplesPerPixel, ds.PlanarConfiguration = 3, 0
        ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
        for keyword, value in elements.items():
            if value is not None:
                setattr(ds, keyword, value)
        pixels = np.moveaxis(values, 2, 0) if elements.get("PlanarConfiguration") else values
        ds.PixelData = np.ascontiguousarray(pixels, np.uint8).tobytes()
        ds["PixelData"].VR = "OB"
        return saved(ds)

    return make


def saved(ds: Dataset) -> bytes:
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def written(syntax: str, values: np.ndarray = RAMP, **elements) -> Callable[[], bytes]:
    """The same data set in another uncompressed syntax."""

    def make() -> bytes:
        ds = pydicom.dcmread(io.BytesIO(phantom_dicom(values=values, **elements)))
        ds.file_meta.TransferSyntaxUID = UID(syntax)
        big = syntax.endswith("1.2.2")
        if big:
            ds.PixelData = values.astype(">u2").tobytes()
        out = io.BytesIO()
        pydicom.dcmwrite(out, ds, implicit_vr=syntax.endswith("1.2"), little_endian=not big, enforce_file_format=True)
        return out.getvalue()

    return make


def compressed(syntax: str, values: np.ndarray = RAMP, **elements) -> Callable[[], bytes]:
    """Compressed by pydicom's own encoders: RLE, JPEG-LS, JPEG 2000."""

    def make() -> bytes:
        ds = pydicom.dcmread(io.BytesIO(phantom_dicom(values=values, **elements)))
        options = {"jls_error": 1} if syntax.endswith(".81") else {"j2k_cr": [4]} if syntax.endswith(".91") else {}
        ds.compress(UID(syntax), generate_instance_uid=False, **options)
        return saved(ds)

    return make


def encapsulated(syntax: str, frame: Callable[[], bytes], **elements) -> Callable[[], bytes]:
    """A frame that another library compressed."""

    def make() -> bytes:
        ds = pydicom.dcmread(io.BytesIO(phantom_dicom(values=RAMP, **elements)))
        ds.file_meta.TransferSyntaxUID = UID(syntax)
        ds.PixelData = encapsulate([frame()])
        ds["PixelData"].VR = "OB"
        return saved(ds)

    return make


def dcmtk_jpeg(option: str, values: np.ndarray = RAMP, **elements) -> Callable[[], bytes]:
    """Compressed by DCMTK's dcmcjpeg: JPEG Extended and Lossless."""

    def make() -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder, "a.dcm"), Path(folder, "b.dcm")
            source.write_bytes(phantom_dicom(values=values, **elements))
            subprocess.run(["dcmcjpeg", option, source, target], check=True, capture_output=True)
            return target.read_bytes()

    return make


def picture(image: Image.Image, kind: str, **options) -> Callable[[], bytes]:
    def make() -> bytes:
        file = io.BytesIO()
        image.save(file, kind, **options)
        return file.getvalue()

    return make


GREY = (RAMP >> 4).astype(np.uint8)
SMOOTH = np.add.outer(np.arange(64) * 32, np.arange(64) * 32).astype(np.uint16)
RGB = np.stack([GREY, GREY[::-1], GREY.T], axis=2)
LUMA = np.rint(RGB @ np.array([0.299, 0.587, 0.114])) / 255
PADDED = np.where(np.arange(64) < 20, 65535, np.minimum(RAMP, 4000)).astype(np.uint16)
BODY = np.minimum(RAMP, 4000)[:, 20:]


def percentile(values, low: float = 0.5, high: float = 99.5) -> np.ndarray:
    a, b = np.percentile(values, (low, high))
    return np.clip((np.asarray(values, float) - a) / (b - a), 0, 1)


def padded_display() -> np.ndarray:
    shown = np.zeros((64, 64))
    shown[:, 20:] = 1 - percentile(BODY)
    return shown


def deep(values: np.ndarray) -> Callable[[], np.ndarray]:
    return lambda: percentile(values)


W = ("+Wi", "1")
T = ("+Wl", "1")
XRV, PYD = "torchxrayvision 1.5.7: ", "pydicom 3.0.2 chain: "
S12, E12 = signed(12)

CASES: tuple[Case, ...] = (
    Case("window LINEAR", dicom(**FULL), W),
    Case("window LINEAR, narrow", dicom(WindowCenter=1000, WindowWidth=500), W),
    Case("window LINEAR, partly outside the data", dicom(WindowCenter=4000, WindowWidth=900), W),
    Case("window LINEAR, width 2", dicom(WindowCenter=2000, WindowWidth=2), W),
    Case("window SIGMOID", dicom(WindowCenter=2000, WindowWidth=1500, VOILUTFunction="SIGMOID"), W),
    Case(
        "window LINEAR_EXACT",
        dicom(VOILUTFunction="LINEAR_EXACT", **FULL),
        display=lambda: RAMP / 4096,
    ),
    Case("several windows: the first", dicom(WindowCenter=[1000, 2000], WindowWidth=[500, 600]), W),
    Case("rescale by 0.5", dicom(RescaleSlope=0.5, WindowCenter=1000, WindowWidth=1500), W),
    Case(
        "rescale 2/-1000 with window",
        dicom(RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=3000, WindowWidth=5000),
        W,
        failure=XRV + "rescale 2/-1000 with window",
    ),
    Case("rescale by -1", dicom(RescaleSlope=-1, RescaleIntercept=4095, **FULL), W),
    Case(
        "rescale by 0.001",
        dicom(RescaleSlope=0.001, WindowCenter=2.5, WindowWidth=4),
        display=lambda: linear(RAMP * 0.001, 2.5, 4),
    ),
    Case(
        "modality LUT of 16 bits",
        dicom(
            ModalityLUTSequence=[lut(curve(4096, 65535), bits=16)],
            WindowCenter=30000, WindowWidth=50000, **NO_RESCALE,
        ),
        W,
    ),
    Case(
        "modality LUT, shorter than the data",
        dicom(ModalityLUTSequence=[lut(curve(1024, 4095), first=500)], **(NO_RESCALE | FULL)),
        W,
    ),
    Case(
        "VOI LUT of 16 bits",
        dicom(VOILUTSequence=[lut(curve(4096, 65535), bits=16)], **NONE),
        T,
        failure=XRV + "VOI LUT 16-bit",
    ),
    Case("VOI LUT of 12 bits", dicom(VOILUTSequence=[lut(curve(4096, 4095))], **NONE), T),
    Case("VOI LUT of 8 bits in words", dicom(VOILUTSequence=[lut(curve(4096, 255), bits=8)], **NONE), T),
    Case(
        "VOI LUT of 8 bits, two to a word",
        dicom(VOILUTSequence=[lut(curve(4096, 255), bits=8, packed=True)], **NONE),
        T,
        failure=XRV + "VOI LUT 8-bit; " + PYD + "VOI LUT 8-bit",
    ),
    Case("VOI LUT that begins at 1000", dicom(VOILUTSequence=[lut(curve(2000, 4095), first=1000)], **NONE), T),
    Case("VOI LUT under MONOCHROME1", dicom(VOILUTSequence=[lut(curve(4096, 4095))], **(NONE | M1)), T),
    Case("VOI LUT before a window", dicom(VOILUTSequence=[lut(curve(4096, 4095))], **FULL), T),
    Case(
        "two VOI LUTs: the first",
        dicom(VOILUTSequence=[lut(curve(4096, 4095)), lut(np.arange(4096))], **NONE),
        T,
    ),
    Case(
        "VOI LUT after a rescale",
        dicom(RescaleSlope=0.5, VOILUTSequence=[lut(curve(2048, 4095))], **NONE),
        T,
    ),
    Case("MONOCHROME1", dicom(**(M1 | FULL)), W, failure=PYD + "CR MONOCHROME1 without shape"),
    Case("MONOCHROME1, SIGMOID", dicom(WindowCenter=2000, WindowWidth=900, VOILUTFunction="SIGMOID", **M1), W),
    Case("MONOCHROME1, shape INVERSE", dicom(PresentationLUTShape="INVERSE", **(M1 | FULL)), W),
    Case(
        "MONOCHROME1, shape IDENTITY",
        dicom(PresentationLUTShape="IDENTITY", **(M1 | FULL)),
        W,
        failure="conflict: MONOCHROME1 with Presentation LUT Shape IDENTITY",
    ),
    Case(
        "MONOCHROME2, shape INVERSE, data that stop at 3000",
        dicom(np.minimum(RAMP, 3000), PresentationLUTShape="INVERSE", **FULL),
        W,
        failure=PYD + "INVERSE by the data's own maximum",
    ),
    Case("MONOCHROME2, shape IDENTITY", dicom(PresentationLUTShape="IDENTITY", **FULL), W),
    Case("signed, 10 bits", dicom(signed(10)[0], WindowCenter=0, WindowWidth=700, **signed(10)[1]), W),
    Case("signed, 12 bits", dicom(S12, WindowCenter=0, WindowWidth=3000, **E12), W, failure=XRV + "signed"),
    Case("signed, 14 bits", dicom(signed(14)[0], WindowCenter=0, WindowWidth=9000, **signed(14)[1]), W),
    Case("signed, 16 bits", dicom(signed(16)[0], WindowCenter=0, WindowWidth=40000, **signed(16)[1]), W),
    Case(
        "signed MONOCHROME1",
        dicom(S12, WindowCenter=0, WindowWidth=3000, **(E12 | M1)),
        W,
        failure=XRV + "signed MONOCHROME1",
    ),
    Case(
        "signed, rescale by 2",
        dicom(S12, RescaleSlope=2, RescaleIntercept=100, WindowCenter=0, WindowWidth=6000, **E12),
        W,
    ),
    *(Case(f"unsigned, {b} bits", dicom(unsigned(b)[0], **unsigned(b)[1]), W) for b in (9, 10, 11, 13, 14, 15, 16)),
    Case("8 bits in 8", small(GREY, WindowCenter=128, WindowWidth=256), W),
    Case("8 bits in 16", dicom(GREY.astype(np.uint16), BitsStored=8, HighBit=7, WindowCenter=100, WindowWidth=150), W),
    Case("12 bits with dirty bits above", dicom((RAMP | 0xF000).astype(np.uint16), **FULL), W),
    Case("12 bits, High Bit 15, dirty bits below", dicom(((RAMP << 4) | 5).astype(np.uint16), HighBit=15, **FULL), W),
    Case("implicit VR", written("1.2.840.10008.1.2", **FULL), W),
    Case("big endian", written("1.2.840.10008.1.2.2", **FULL), W),
    Case("deflated", written("1.2.840.10008.1.2.1.99", **FULL), W),
    Case("RLE", compressed("1.2.840.10008.1.2.5", **FULL), W),
    Case("JPEG-LS lossless", compressed("1.2.840.10008.1.2.4.80", **FULL), display=lambda: linear(RAMP, 2048, 4096)),
    Case(
        "JPEG-LS near-lossless, error 1",
        compressed("1.2.840.10008.1.2.4.81", **FULL),
        display=lambda: linear(RAMP, 2048, 4096),
        tolerance=1.01 / 4095,
    ),
    Case("JPEG 2000 lossless", compressed("1.2.840.10008.1.2.4.90", **FULL), display=lambda: linear(RAMP, 2048, 4096)),
    Case(
        "JPEG 2000 lossy",
        compressed("1.2.840.10008.1.2.4.91", SMOOTH, **FULL),
        display=lambda: linear(SMOOTH, 2048, 4096),
        tolerance=0.01,
    ),
    *(
        Case(
            f"HTJ2K {name}",
            encapsulated(syntax, lambda: imagecodecs.htj2k_encode(RAMP, reversible=True), **FULL),
            display=lambda: linear(RAMP, 2048, 4096),
        )
        for name, syntax in (("lossless", "1.2.840.10008.1.2.4.201"), ("RPCL", "1.2.840.10008.1.2.4.202"))
    ),
    Case("JPEG Lossless, process 14", dcmtk_jpeg("+el", **FULL), display=lambda: linear(RAMP, 2048, 4096)),
    Case("JPEG Lossless, first order", dcmtk_jpeg("+e1", **FULL), display=lambda: linear(RAMP, 2048, 4096)),
    Case("JPEG Lossless, MONOCHROME1", dcmtk_jpeg("+e1", **(M1 | FULL)), display=lambda: 1 - linear(RAMP, 2048, 4096)),
    Case(
        "JPEG Extended, 12 bits",
        dcmtk_jpeg("+ee", SMOOTH, **FULL),
        display=lambda: linear(SMOOTH, 2048, 4096),
        tolerance=8 / 4095,
    ),
    Case(
        "JPEG Baseline",
        encapsulated(
            "1.2.840.10008.1.2.4.50",
            picture(Image.fromarray(GREY), "JPEG", quality=95),
            BitsAllocated=8, BitsStored=8, HighBit=7, WindowCenter=128, WindowWidth=256,
        ),
        display=lambda: np.asarray(Image.open(io.BytesIO(picture(Image.fromarray(GREY), "JPEG", quality=95)()))) / 255,
    ),
    Case("RGB", small(RGB, PhotometricInterpretation="RGB"), display=lambda: LUMA),
    Case(
        "RGB by planes",
        small(RGB, PhotometricInterpretation="RGB", SamplesPerPixel=3, PlanarConfiguration=1),
        display=lambda: LUMA,
    ),
    Case(
        "no VOI, 16 bits stored with 12-bit data",
        dicom(BitsStored=16, HighBit=15, **NONE),
        display=deep(RAMP),
        failure=XRV + "16 bits stored with 12-bit data",
    ),
    Case("no VOI, 12 bits", dicom(**NONE), display=deep(RAMP)),
    Case("no VOI, 8 bits", small(GREY), display=lambda: GREY / 255),
    Case("no VOI, MONOCHROME1", dicom(**(NONE | M1)), display=lambda: 1 - percentile(RAMP)),
    Case("a window that is not a number", dicom(WindowCenter=5, WindowWidth="nan"), display=deep(RAMP)),
    Case("a window without width", dicom(WindowCenter=5, WindowWidth=0), display=deep(RAMP)),
    Case("FOR PROCESSING", dicom(PresentationIntentType="FOR PROCESSING", **NONE), display=deep(RAMP)),
    Case(
        "padding of 65535 in 12 bits, MONOCHROME1",
        dicom(PADDED, PixelPaddingValue=65535, **(NONE | M1)),
        display=padded_display,
        failure=XRV + "padding; " + PYD + "padding masked",
    ),
    Case(
        "padding by a range",
        dicom(np.where(np.arange(64) < 20, 4090 + np.arange(64)[:, None] % 6, np.minimum(RAMP, 4000)).astype(np.uint16),
              PixelPaddingValue=4090, PixelPaddingRangeLimit=4095, **(NONE | M1)),
        display=padded_display,
    ),
    Case(
        "DX, identity, INVERSE",
        dicom(PresentationLUTShape="INVERSE", **(DX | M1 | FULL)),
        W,
    ),
    Case(
        "DX with a rescale that is not identity",
        dicom(RescaleSlope=2, RescaleIntercept=-1000, **(DX | FULL)),
        display=lambda: linear(RAMP, 2048, 4096),
        failure="conflict: DX with a rescale that is not identity",
    ),
    Case("PNG, 8 bits", picture(Image.fromarray(GREY), "PNG"), display=lambda: GREY / 255),
    Case("PNG, 16 bits", picture(Image.fromarray(RAMP), "PNG"), display=deep(RAMP)),
    Case("PNG, palette", picture(Image.fromarray(GREY).convert("P"), "PNG"), display=lambda: GREY / 255),
    Case("PNG, RGBA", picture(Image.fromarray(RGB).convert("RGBA"), "PNG"), display=lambda: LUMA),
    Case("TIFF, 8 bits", picture(Image.fromarray(GREY), "TIFF"), display=lambda: GREY / 255),
    Case("TIFF, 16 bits", picture(Image.fromarray(RAMP), "TIFF"), display=deep(RAMP)),
    Case("TIFF, LZW", picture(Image.fromarray(GREY), "TIFF", compression="tiff_lzw"), display=lambda: GREY / 255),
    Case(
        "TIFF, 16 bits, white is zero",
        picture(Image.fromarray(RAMP), "TIFF", tiffinfo={262: 0}),
        display=lambda: percentile(65535.0 - RAMP),
    ),
    Case(
        "JPEG, CMYK",
        picture(Image.fromarray(SMOOTH.astype(np.uint8) // 2).convert("CMYK"), "JPEG", quality=100),
        display=lambda: (SMOOTH.astype(np.uint8) // 2) / 255,
        tolerance=6 / 255,
    ),
)  # fmt: skip

NAMED_FAILURES = (
    XRV + "signed",
    XRV + "signed MONOCHROME1",
    XRV + "rescale 2/-1000 with window",
    XRV + "VOI LUT 16-bit",
    XRV + "VOI LUT 8-bit",
    XRV + "16 bits stored with 12-bit data",
    XRV + "padding",
    PYD + "CR MONOCHROME1 without shape",
    PYD + "padding masked",
    PYD + "VOI LUT 8-bit",
    PYD + "INVERSE by the data's own maximum",
    "conflict: MONOCHROME1 with Presentation LUT Shape IDENTITY",
    "conflict: DX with a rescale that is not identity",
)
"""Those that a picture can show; two frames are refused, by a test of its own."""
