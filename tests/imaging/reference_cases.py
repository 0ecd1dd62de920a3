"""More lines of the truth table: broken and unusual files that a workstation shows, by the kind of what is wrong.

Each is made by code; a file is called by its kind, then by the variant.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import imagecodecs
import numpy as np
import pydicom
import tifffile
from PIL import Image
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from cxr_core.imaging import phantom_dicom
from tests.imaging.reference_pixels import (
    BODY,
    DX,
    FULL,
    GREY,
    LUMA,
    M1,
    NO_RESCALE,
    NONE,
    RAMP,
    RGB,
    SMOOTH,
    Case,
    compressed,
    curve,
    dcmtk_jpeg,
    deep,
    dicom,
    encapsulated,
    linear,
    lut,
    padded_display,
    percentile,
    picture,
    saved,
    signed,
    small,
    written,
)

__all__ = ["BROKEN"]

EXPLICIT, IMPLICIT = b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2\0\0\0"
W, T = ("+Wi", "1"), ("+Wl", "1")
SHOWN = linear(RAMP, 2048, 4096)
EIGHT = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "WindowCenter": 128, "WindowWidth": 256}
JPEG, LOSSLESS, JLS, J2K, RLE = (f"1.2.840.10008.1.2.{end}" for end in ("4.50", "4.70", "4.80", "4.90", "5"))


def edited(change: Callable[[Dataset], None], values: np.ndarray = RAMP, **elements) -> Callable[[], bytes]:
    """The phantom's data set with a change that :func:`phantom_dicom` does not offer."""

    def make() -> bytes:
        ds = pydicom.dcmread(io.BytesIO(phantom_dicom(values=values, **elements)))
        change(ds)
        return saved(ds)

    return make


def again(make: Callable[[], bytes], change: Callable[[Dataset], None]) -> Callable[[], bytes]:
    """Another file's data set with a change."""

    def changed() -> bytes:
        ds = pydicom.dcmread(io.BytesIO(make()))
        change(ds)
        return saved(ds)

    return changed


def raw(vr: str = "DS", **texts: str | bytes) -> Callable[[Dataset], None]:
    """Elements with any bytes."""

    def change(ds: Dataset) -> None:
        for keyword, text in texts.items():
            value = text if isinstance(text, bytes) else text.encode("utf-8")
            value += b" " * (len(value) % 2)
            tag = Tag(keyword)
            ds[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)

    return change


def without(*keywords: str) -> Callable[[Dataset], None]:
    def change(ds: Dataset) -> None:
        for keyword in keywords:
            delattr(ds, keyword)

    return change


def table(entries: np.ndarray, says: int, bits: int, *, packed: bool = False) -> Dataset:
    """A look-up table that says another number of entries than it has."""
    item = lut(entries, bits=bits, packed=packed)
    item.LUTDescriptor = [says, 0, bits]
    return item


def item(**elements) -> Dataset:
    ds = Dataset()
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return ds


def bare_data() -> Dataset:
    ds = Dataset()
    ds.add_new("LUTData", "OW", b"\0\0" * 64)
    return ds


def short_display(entries: np.ndarray, top: int) -> Callable[[], np.ndarray]:
    return lambda: entries[np.minimum(RAMP, len(entries) - 1)] / top


def palette(**leftovers) -> Callable[[], bytes]:
    def change(ds: Dataset) -> None:
        for colour in ("Red", "Green", "Blue"):
            setattr(ds, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
            ds[f"{colour}PaletteColorLookupTableDescriptor"].VR = "US"
            setattr(ds, f"{colour}PaletteColorLookupTableData", (np.arange(256) * 257).astype("<u2").tobytes())

    def make() -> bytes:
        data = small(GREY, PhotometricInterpretation="PALETTE COLOR", **leftovers)()
        ds = pydicom.dcmread(io.BytesIO(data))
        change(ds)
        return saved(ds)

    return make


def short_palette(entries: int) -> Callable[[], bytes]:
    """Of so many entries, which says 256."""

    def change(ds: Dataset) -> None:
        for colour in ("Red", "Green", "Blue"):
            keyword = f"{colour}PaletteColorLookupTableData"
            setattr(ds, keyword, getattr(ds, keyword)[: 2 * entries])

    return again(palette(), change)


def cut(make: Callable[[], bytes], count: int) -> Callable[[], bytes]:
    """A file that ends too soon."""
    return lambda: make()[:-count]


def shorter(count: int) -> Callable[[Dataset], None]:
    """Pixel data whose length is less than rows and columns say."""

    def change(ds: Dataset) -> None:
        ds.PixelData = ds.PixelData[:-count]

    return change


def blank_end(display: np.ndarray, pixels: int) -> Callable[[], np.ndarray]:
    def make() -> np.ndarray:
        flat = display.copy().reshape(-1)
        flat[-pixels:] = 0
        return flat.reshape(display.shape)

    return make


def wide(values: np.ndarray, **elements) -> Callable[[], bytes]:
    """32 bits allocated."""

    def change(ds: Dataset) -> None:
        ds.BitsAllocated = 32
        ds.PixelData = values.astype("<u4").tobytes()

    return edited(change, RAMP, **elements)


def bare_big_endian(make: Callable[[], bytes]) -> Callable[[], bytes]:
    """Big endian without preamble and file meta information."""

    def convert() -> bytes:
        data = make()
        return data[144 + int.from_bytes(data[140:144], "little") :]

    return convert


def without_end(syntax: str, frame: Callable[[], bytes], **elements) -> Callable[[], bytes]:
    """A frame without its end marker."""

    def lacking() -> bytes:
        data = frame()
        assert data.rstrip(b"\0").endswith(b"\xff\xd9")
        return data.rstrip(b"\0")[:-2]

    return encapsulated(syntax, lacking, **elements)


def other_syntax(make: Callable[[], bytes], named: bytes, instead: bytes) -> Callable[[], bytes]:
    """A file whose meta information names another syntax of the same length than its data set has."""

    def make_it() -> bytes:
        data = make()
        assert data.count(named, 0, 400) == 1
        return data.replace(named, instead, 1)

    return make_it


def renamed(data: bytes) -> bytes:
    """An implicit data set under the name of explicit little endian, whose meta information is longer."""
    start = 144 + int.from_bytes(data[140:144], "little")
    meta = data[:start].replace(b"\x10\0UI\x12\x001.2.840.10008.1.2\0", b"\x10\0UI\x14\x001.2.840.10008.1.2.1\0")
    assert len(meta) == start + 2
    return meta[:140] + (start - 144 + 2).to_bytes(4, "little") + meta[144:] + data[start:]


def stretched(display: np.ndarray, times: float, axis: int) -> np.ndarray:
    """Linear between pixel centres, the edge held: what stretching one side is, by NumPy's own interpolation."""
    old = display.shape[axis]
    new = round(old * times)
    at = (np.arange(new) + 0.5) * old / new - 0.5
    return np.apply_along_axis(lambda line: np.interp(at, np.arange(old), line), axis, display)


def padded_stretched() -> np.ndarray:
    """Padding of 20 columns and a body of 44, each pixel twice as wide: nothing is mixed across the border."""
    body = stretched(BODY.astype(float), 2, 1)
    body[:, 0] = BODY[:, 0]
    shown = np.zeros((64, 128))
    shown[:, 40:] = 1 - np.clip((np.rint(body) - LOW) / (HIGH - LOW), 0, 1)
    return shown


LOW, HIGH = np.percentile(BODY, (0.5, 99.5))
PADDED = np.where(np.arange(64) < 20, 65535, np.minimum(RAMP, 4000)).astype(np.uint16)

DEEP = np.stack([SMOOTH, SMOOTH[::-1], SMOOTH.T], axis=2).astype(np.uint16)
DEEP_LUMA = np.rint(DEEP @ np.array([0.299, 0.587, 0.114]))
OPAQUE = np.full((64, 64, 1), 65535, np.uint16)
HALF = np.full((64, 64, 1), 30000, np.uint16)


def separate(samples: np.ndarray, **options) -> bytes:
    """Each sample in a plane of its own."""
    file = io.BytesIO()
    extra = {"extrasamples": ["unassalpha"]} if samples.shape[2] == 4 else {}
    tifffile.imwrite(file, np.moveaxis(samples, 2, 0), photometric="rgb", **(extra | options))
    return file.getvalue()


def tiff(samples: np.ndarray, **options) -> Callable[[], bytes]:
    def make() -> bytes:
        file = io.BytesIO()
        layout = {"photometric": "minisblack"} if samples.ndim == 2 or samples.shape[2] < 3 else {"photometric": "rgb"}
        if options.get("planarconfig") == "separate":
            return separate(samples, **options)
        extra = {"extrasamples": ["unassalpha"]} if samples.ndim == 3 and samples.shape[2] in (2, 4) else {}
        planar = {"planarconfig": "contig"} if samples.ndim == 3 else {}
        tifffile.imwrite(file, samples, **(layout | extra | planar | options))
        return file.getvalue()

    return make


def png(samples: np.ndarray) -> Callable[[], bytes]:
    return lambda: imagecodecs.png_encode(samples)


def pages(*subfiles: tuple[np.ndarray, int]) -> Callable[[], bytes]:
    def make() -> bytes:
        file = io.BytesIO()
        with tifffile.TiffWriter(file) as writer:
            for page, subfile in subfiles:
                writer.write(page, photometric="minisblack", subfiletype=subfile, metadata=None)
        return file.getvalue()

    return make


def mpo(first: Image.Image, second: Image.Image) -> Callable[[], bytes]:
    def make() -> bytes:
        file = io.BytesIO()
        first.save(file, "MPO", save_all=True, append_images=[second], quality=100, subsampling=0)
        return file.getvalue()

    return make


def jpeg_of(image: Image.Image) -> Callable[[], bytes]:
    return picture(image, "JPEG", quality=95)


def decoded(make: Callable[[], bytes]) -> Callable[[], np.ndarray]:
    """What Pillow makes of a whole JPEG or WEBP."""
    return lambda: np.asarray(Image.open(io.BytesIO(make())).convert("L")) / 255


SOFT = Image.fromarray((SMOOTH >> 4).astype(np.uint8))
COLOURED = Image.merge("RGB", [SOFT, SOFT.transpose(Image.Transpose.ROTATE_90), SOFT])
S12, E12 = signed(12)
S12_VALUES = np.linspace(-2048, 2047, 64 * 64).reshape(64, 64).astype(np.int16)
SIGNED = (SMOOTH - 2048).astype(np.uint16) & 4095
ODD = np.roll(SMOOTH, 7, 1).astype(np.uint16)
ODD_SHOWN = linear(ODD, 2048, 4096)


def odd_frame() -> bytes:
    data = imagecodecs.jpegls_encode(ODD)
    assert len(data) % 2
    return data


MISSING, TAKEN = "is missing or no number", "values beyond its end use its last entry"
NO_ENTRIES, NO_RESCALE_LEFT = "no entries or no descriptor", "a rescale that cannot be applied"
LEFTOVER, NO_END = "a colour image: left over", "no end marker"
SHORT = "the file is truncated"
C12, C16 = curve(4096, 4095), curve(4096, 65535)

BROKEN: tuple[Case, ...] = (
    Case("short VOI table: 4,000 of 4,096, 12 bits", dicom(VOILUTSequence=[table(C12[:4000], 4096, 12)], **NONE), T,
         says=TAKEN),
    Case("short VOI table: 3,000 of 4,096, 16 bits", dicom(VOILUTSequence=[table(C16[:3000], 4096, 16)], **NONE), T,
         says=TAKEN),
    Case("short VOI table: signed values", dicom(S12, VOILUTSequence=[table(C12[:4000], 4096, 12)], **(NONE | E12)),
         display=lambda: C12[np.clip(S12_VALUES, 0, 3999)] / 4095, says=TAKEN),
    Case("short VOI table: 1,900 packed words for 4,096 entries of 8 bits",
         dicom(VOILUTSequence=[table(curve(4096, 255)[:3800], 4096, 8, packed=True)], **NONE),
         display=short_display(curve(4096, 255)[:3800], 255), says=TAKEN),
    Case("short modality table: 1,000 of 4,096",
         dicom(ModalityLUTSequence=[table(C12[:1000], 4096, 12)], **(NO_RESCALE | FULL)), W, says=TAKEN),
    Case("empty VOI table: no data", dicom(VOILUTSequence=[item(LUTDescriptor=[4096, 0, 12])], **FULL), W,
         says=NO_ENTRIES),
    Case("empty VOI table: nothing", dicom(VOILUTSequence=[item()], **FULL), W, says=NO_ENTRIES),
    Case("empty VOI table: no descriptor", dicom(VOILUTSequence=[bare_data()], **FULL), W,
         says=NO_ENTRIES),
    Case("empty VOI table: 40 bits", dicom(VOILUTSequence=[table(C12, 4096, 40)], **FULL),
         display=lambda: SHOWN, says=NO_ENTRIES),
    Case("empty VOI table: the second is used", dicom(VOILUTSequence=[item(), lut(C12)], **NONE),
         display=lambda: C12[RAMP] / 4095, says=NO_ENTRIES),
    Case("empty modality table: nothing", dicom(ModalityLUTSequence=[item()], **FULL), W, says=NO_ENTRIES),
    Case("empty modality table: no data, a rescale beside it",
         dicom(ModalityLUTSequence=[item(LUTDescriptor=[4096, 0, 12], ModalityLUTType="US")], RescaleSlope=2,
               RescaleIntercept=-1000, WindowCenter=3000, WindowWidth=5000),
         display=lambda: linear(2.0 * RAMP - 1000, 3000, 5000), says=NO_ENTRIES),
    *(
        Case(f"leftover in colour: {name}", small(RGB, PhotometricInterpretation="RGB", **leftovers),
             display=lambda: LUMA, says=LEFTOVER)
        for name, leftovers in (
            ("a CT's rescale and window", {"RescaleIntercept": -1024, "WindowCenter": 500, "WindowWidth": 2000}),
            ("a window of 12 bits", {"WindowCenter": 2048, "WindowWidth": 4096}),
            ("shape INVERSE", {"PresentationLUTShape": "INVERSE"}),
            ("a VOI table", {"VOILUTSequence": [lut(C12)]}),
            ("a slope that is text", {"RescaleSlope": 0}),
        )
    ),
    Case("leftover in colour: YBR_FULL",
         small(np.dstack([GREY, np.full_like(GREY, 128), np.full_like(GREY, 128)]),
               PhotometricInterpretation="YBR_FULL", WindowCenter=40, WindowWidth=400),
         display=lambda: GREY / 255, tolerance=1.01 / 255, says=LEFTOVER),
    Case("leftover in colour: palette", palette(WindowCenter=500, WindowWidth=2000, RescaleIntercept=-1024),
         display=lambda: GREY / 255, says=LEFTOVER),
    Case("short palette: 100 of 256 entries", short_palette(100), display=lambda: np.minimum(GREY, 99) / 255,
         says="the palette has fewer entries than it declares"),
    Case("decimal comma: window", edited(raw(WindowCenter="2048,0", WindowWidth="1500,0")),
         display=lambda: linear(RAMP, 2048, 1500), says="a decimal comma in Window Center"),
    Case("decimal comma: two windows", edited(raw(WindowCenter="1000,5\\2000", WindowWidth="500,5\\600")),
         display=lambda: linear(RAMP, 1000.5, 500.5), says="a decimal comma in Window Width"),
    Case("decimal comma: rescale", edited(raw(RescaleSlope="0,5", RescaleIntercept="-100,25"), **FULL),
         display=lambda: linear(RAMP * 0.5 - 100.25, 2048, 4096), says="a decimal comma in Rescale Slope"),
    Case("a window not in pairs: no width", edited(without("WindowWidth"), **FULL), display=deep(RAMP),
         says="not in pairs"),
    Case("a window not in pairs: no centre", edited(without("WindowCenter"), **FULL), display=deep(RAMP),
         says="not in pairs"),
    Case("a window not in pairs: two centres", edited(raw(WindowCenter="2048\\1000", WindowWidth="4096")), W,
         says="not in pairs"),
    Case("no number: a window of words", edited(raw(WindowCenter="auto", WindowWidth="auto")),
         display=deep(RAMP), says="a window of the file is not usable"),
    *(
        Case(f"no rescale: {name}", edited(raw(**texts), **FULL), witness, display=None if witness else lambda: SHOWN,
             says=NO_RESCALE_LEFT)
        for name, texts, witness in (
            ("slope 0", {"RescaleSlope": "0"}, W),
            ("slope NaN", {"RescaleSlope": "NaN"}, None),
            ("slope in words", {"RescaleSlope": "none"}, None),
            ("intercept in words", {"RescaleIntercept": "unknown"}, None),
            ("slope without end", {"RescaleSlope": "1e400"}, None),
        )
    ),
    Case("truncated: the length says so", edited(shorter(2), **FULL), display=blank_end(SHOWN, 1), says=SHORT),
    Case("truncated: the file ends", cut(dicom(**FULL), 39), display=blank_end(SHOWN, 20), says=SHORT),
    Case("truncated: MONOCHROME1", edited(shorter(6), **(M1 | FULL)), display=blank_end(1 - SHOWN, 3), says=SHORT),
    Case("truncated: implicit VR", cut(written("1.2.840.10008.1.2", **FULL), 4), display=blank_end(SHOWN, 2),
         says=SHORT),
    Case("truncated: big endian", cut(written("1.2.840.10008.1.2.2", **FULL), 4), display=blank_end(SHOWN, 2),
         says=SHORT),
    Case("missing: PixelRepresentation", edited(without("PixelRepresentation"), **FULL), display=lambda: SHOWN,
         says=f"Pixel Representation {MISSING}: taken as 0"),
    Case("missing: PixelRepresentation, an empty rescale",
         edited(lambda ds: (without("PixelRepresentation")(ds), raw(RescaleSlope="")(ds)), **(M1 | FULL)),
         display=lambda: 1 - SHOWN, says=f"Pixel Representation {MISSING}: taken as 0"),
    Case("missing: SamplesPerPixel", edited(without("SamplesPerPixel"), **FULL), W,
         says=f"Samples Per Pixel {MISSING}: taken as 1"),
    Case("missing: BitsStored", edited(without("BitsStored"), **FULL), display=lambda: SHOWN,
         says=f"Bits Stored {MISSING}: taken as 16"),
    Case("missing: BitsStored and HighBit", edited(without("BitsStored", "HighBit"), **FULL), display=lambda: SHOWN,
         says=f"Bits Stored {MISSING}: taken as 16"),
    Case("missing: BitsAllocated", edited(without("BitsAllocated"), **FULL), display=lambda: SHOWN,
         says=f"Bits Allocated {MISSING}: taken as 16"),
    Case("missing: HighBit", edited(without("HighBit"), **FULL), display=lambda: SHOWN),
    Case("missing: BitsStored is empty", edited(raw("US", BitsStored=b""), **FULL), display=lambda: SHOWN,
         says=f"Bits Stored {MISSING}"),
    Case("missing: PlanarConfiguration", again(small(RGB, PhotometricInterpretation="RGB"),
                                               without("PlanarConfiguration")),
         display=lambda: LUMA, says=f"Planar Configuration {MISSING}: taken as 0"),
    Case("missing: a number of frames in words", edited(raw("IS", NumberOfFrames="one"), **FULL),
         display=lambda: SHOWN, says="Number of Frames is no number"),
    *(
        Case(f"small letters: {name}", edited(raw("CS", **texts), **elements), W)
        for name, texts, elements in (
            ("Monochrome2", {"PhotometricInterpretation": "Monochrome2"}, FULL),
            ("monochrome1 with blanks", {"PhotometricInterpretation": " monochrome1 "}, FULL),
        )
    ),
    Case("small letters: sigmoid",
         edited(raw("CS", VOILUTFunction="sigmoid"), WindowCenter=2000, WindowWidth=1500),
         display=lambda: 1 / (1 + np.exp(-4 * (RAMP - 2000.0) / 1500))),
    Case("small letters: shape inverse", edited(raw("CS", PresentationLUTShape="inverse"), **FULL),
         display=lambda: 1 - SHOWN),
    Case("small letters: rgb",
         lambda: small(RGB, PhotometricInterpretation="RGB")().replace(b"\x04\0CS\x04\0RGB ", b"\x04\0CS\x04\0 rgb"),
         display=lambda: LUMA),
    Case("padding that cannot be used: two values", edited(raw("US", PixelPaddingValue=b"\0\0\0\0"), **FULL), W,
         says="a padding value or limit"),
    Case("padding that cannot be used: in words", edited(raw("LO", PixelPaddingValue="none"), **FULL),
         display=lambda: SHOWN, says="a padding value or limit"),
    Case("padding that cannot be used: empty", edited(raw("US", PixelPaddingValue=b""), **FULL),
         display=lambda: SHOWN, says="a padding value or limit"),
    Case("padding that cannot be used: the limit alone",
         edited(raw("US", PixelPaddingValue=b"\xff\xff", PixelPaddingRangeLimit=b"\0\0\0\0"), PADDED, **(NONE | M1)),
         display=padded_display, says="a padding value or limit"),
    Case("32 bits allocated: 12 stored", wide(RAMP, **FULL), W),
    Case("32 bits allocated: 12 stored, signed",
         wide(S12, WindowCenter=0, WindowWidth=3000, **E12), display=lambda: linear(S12_VALUES, 0, 3000)),
    Case("32 bits allocated: 12 stored, High Bit 31", wide(RAMP.astype(np.uint32) << 20, HighBit=31, **FULL),
         display=lambda: SHOWN),
    Case("32 bits allocated: 16 stored, MONOCHROME1",
         wide(RAMP.astype(np.uint32) * 16, BitsStored=16, HighBit=15, WindowCenter=32768, WindowWidth=65536, **M1),
         W),
    Case("bare big endian: 12 bits", bare_big_endian(written("1.2.840.10008.1.2.2", **FULL)),
         display=lambda: SHOWN),
    Case("bare big endian: MONOCHROME1, SIGMOID",
         bare_big_endian(written("1.2.840.10008.1.2.2", WindowCenter=2000, WindowWidth=900, VOILUTFunction="SIGMOID",
                                 **M1)),
         display=lambda: 1 - 1 / (1 + np.exp(-4 * (RAMP - 2000.0) / 900))),
    Case("no delimiter: JPEG Lossless", cut(dcmtk_jpeg("+e1", **FULL), 8), display=lambda: SHOWN, says="have no end"),
    Case("no delimiter: half of it, RLE", cut(compressed(RLE, **FULL), 4), display=lambda: SHOWN, says="have no end"),
    Case("no delimiter: JPEG-LS", cut(compressed(JLS, **FULL), 8), display=lambda: SHOWN, says="have no end"),
    Case("no delimiter: JPEG 2000", cut(compressed(J2K, **FULL), 8), display=lambda: SHOWN, says="have no end"),
    Case("colour frame named grey: JPEG Baseline", encapsulated(JPEG, jpeg_of(COLOURED), **EIGHT),
         display=decoded(jpeg_of(COLOURED)), tolerance=2.01 / 255, says="the compressed frame is in colour"),
    Case("colour frame named grey: MONOCHROME1", encapsulated(JPEG, jpeg_of(COLOURED), **(EIGHT | M1)),
         display=lambda: 1 - decoded(jpeg_of(COLOURED))(), tolerance=2.01 / 255,
         says="the compressed frame is in colour"),
    Case("colour frame named grey: JPEG 2000",
         encapsulated(J2K, lambda: imagecodecs.jpeg2k_encode(RGB, level=0, codecformat="j2k", reversible=True),
                      **EIGHT),
         display=lambda: LUMA, tolerance=1.01 / 255, says="the compressed frame is in colour"),
    Case("no end marker: JPEG Baseline", without_end(JPEG, jpeg_of(SOFT), **EIGHT), display=decoded(jpeg_of(SOFT)),
         tolerance=1.01 / 255, says=NO_END),
    Case("no end marker: JPEG Lossless",
         without_end(LOSSLESS, lambda: imagecodecs.ljpeg_encode(RAMP, bitspersample=12), **FULL),
         display=lambda: SHOWN, says=NO_END),
    Case("no end marker: JPEG-LS", without_end(JLS, lambda: imagecodecs.jpegls_encode(RAMP), **FULL),
         display=lambda: SHOWN, says=NO_END),
    Case("no end marker: JPEG-LS of an odd length", without_end(JLS, odd_frame, **FULL), display=lambda: ODD_SHOWN,
         says=NO_END),
    Case("no end marker: a JPEG file", cut(jpeg_of(SOFT), 2), display=decoded(jpeg_of(SOFT)), tolerance=1.01 / 255,
         says=NO_END),
    *(
        Case(f"pixels not square: {name}", dicom(SMOOTH, ImagerPixelSpacing=None, **(spacing | FULL)),
             display=lambda times=times, axis=axis: stretched(linear(SMOOTH, 2048, 4096), times, axis),
             tolerance=0.51 / 4095, says="made square")
        for name, spacing, times, axis in (
            ("aspect ratio 1:2", {"PixelAspectRatio": [1, 2]}, 2, 1),
            ("aspect ratio 2:1", {"PixelAspectRatio": [2, 1]}, 2, 0),
            ("Pixel Spacing 0.1 x 0.15", {"PixelSpacing": [0.1, 0.15]}, 1.5, 1),
            ("Nominal Scanned Pixel Spacing 0.3 x 0.1", {"NominalScannedPixelSpacing": [0.3, 0.1]}, 3, 0),
        )
    ),
    Case("pixels not square: Imager Pixel Spacing 0.25 x 0.2, signed, MONOCHROME1",
         dicom(SIGNED, ImagerPixelSpacing=[0.25, 0.2], WindowCenter=0, WindowWidth=4096, **(E12 | M1)),
         display=lambda: stretched(1 - linear(SMOOTH - 2048.0, 0, 4096), 1.25, 0), tolerance=0.51 / 4095,
         says="made square"),
    Case("pixels not square: padding of 65535 in 12 bits",
         dicom(PADDED, ImagerPixelSpacing=[0.1, 0.2], PixelPaddingValue=65535, **(NONE | M1)),
         display=padded_stretched, says="made square"),
    Case("explicit named implicit", other_syntax(dicom(**FULL), EXPLICIT, IMPLICIT),
         display=lambda: SHOWN, says="the data set was followed"),
    Case("explicit named implicit: RGB",
         other_syntax(small(RGB, PhotometricInterpretation="RGB"), EXPLICIT, IMPLICIT),
         display=lambda: LUMA, says="the data set was followed"),
    Case("implicit named explicit",
         lambda: renamed(written("1.2.840.10008.1.2", **FULL)()), display=lambda: SHOWN,
         says="the data set was followed"),
    Case("16-bit picture: PNG, grey and alpha", png(np.dstack([RAMP, OPAQUE])), display=deep(RAMP)),
    Case("16-bit picture: PNG, colour", png(DEEP), display=lambda: percentile(DEEP_LUMA), tolerance=1e-3),
    Case("16-bit picture: PNG, colour and alpha", png(np.dstack([DEEP, OPAQUE])),
         display=lambda: percentile(DEEP_LUMA), tolerance=1e-3),
    Case("16-bit picture: PNG, half transparent", png(np.dstack([RAMP, HALF])),
         display=lambda: percentile(np.rint(RAMP * np.float32(30000 / 65535))), tolerance=1e-3),
    *(
        Case(f"16-bit picture: TIFF, grey and alpha, {name}", tiff(np.dstack([RAMP, HALF]), **options),
             display=deep(RAMP), says="alpha: left out")
        for name, options in (
            ("little endian", {"byteorder": "<"}),
            ("big endian", {"byteorder": ">"}),
            ("deflate", {"compression": "zlib"}),
            ("LZW with differences", {"compression": "lzw", "predictor": True}),
            ("big endian, differences", {"byteorder": ">", "compression": "zlib", "predictor": True}),
            ("BigTIFF", {"bigtiff": True}),
            ("tiles, deflate", {"compression": "zlib", "tile": (32, 32)}),
        )
    ),
    *(
        Case(f"16-bit picture: TIFF, colour, {name}", tiff(samples, **options),
             display=lambda: percentile(DEEP_LUMA), tolerance=1e-3)
        for name, samples, options in (
            ("little endian", DEEP, {"byteorder": "<"}),
            ("big endian", DEEP, {"byteorder": ">"}),
            ("LZW with differences", DEEP, {"compression": "lzw", "predictor": True}),
            ("alpha", np.dstack([DEEP, HALF]), {}),
            ("multiplied by alpha", np.dstack([DEEP, HALF]), {"extrasamples": ["assocalpha"]}),
            ("multiplied by alpha, big endian", np.dstack([DEEP, HALF]),
             {"extrasamples": ["assocalpha"], "byteorder": ">"}),
            ("multiplied by alpha, deflate", np.dstack([DEEP, HALF]),
             {"extrasamples": ["assocalpha"], "compression": "zlib"}),
        )
    ),
    Case("TIFF: BigTIFF, 8 bits", tiff(GREY, bigtiff=True), display=lambda: GREY / 255),
    Case("TIFF: BigTIFF, 16 bits, deflate with differences",
         tiff(RAMP, bigtiff=True, compression="zlib", predictor=True),
         display=deep(RAMP)),
    Case("TIFF: a thumbnail behind", pages((GREY, 0), (GREY[::4, ::4], 1)), display=lambda: GREY / 255,
         says="page 1 of 2"),
    Case("TIFF: a thumbnail before", pages((GREY[::4, ::4], 1), (GREY, 0)), display=lambda: GREY / 255,
         says="page 2 of 2"),
    Case("TIFF: two thumbnails behind, 16 bits", pages((RAMP, 0), (RAMP[::2, ::2], 1), (RAMP[::4, ::4], 1)),
         display=deep(RAMP), says="page 1 of 3"),
    Case("phone: MPO", mpo(SOFT.convert("RGB"), SOFT.resize((32, 32)).convert("RGB")),
         display=lambda: np.asarray(SOFT) / 255, tolerance=4 / 255, says="the first of 2 images"),
    Case("phone: MPO in grey", mpo(SOFT, SOFT.rotate(180)), display=lambda: np.asarray(SOFT) / 255, tolerance=4 / 255,
         says="the first of 2 images"),
    Case("WEBP: lossless", picture(Image.fromarray(RGB), "WEBP", lossless=True), display=lambda: LUMA),
    Case("WEBP: lossy", picture(SOFT, "WEBP", quality=95), display=lambda: np.asarray(SOFT) / 255, tolerance=8 / 255),
    Case("WEBP: alpha", picture(Image.fromarray(RGB).convert("RGBA"), "WEBP", lossless=True), display=lambda: LUMA),
    Case("unknown words: DX with modality DR", dicom(**(DX | FULL | {"Modality": "DR"})), W),
)  # fmt: skip
