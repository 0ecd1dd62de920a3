"""A synthetic chest radiograph, drawn by code: an example image for the app, the documentation and the tests.

It shows no patient, which is written into its pixels.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

__all__ = ["phantom", "phantom_dicom", "phantom_png"]

_TEXT = "SYNTHETIC PHANTOM"
_BITS = 12


def phantom(rows: int = 1024, columns: int = 896, *, seed: int = 0, text: bool = True) -> np.ndarray:
    """Return the phantom: (rows, columns) uint16 of 12 bits, bright where X-rays are absorbed.

    Row 0 on top, the heart on the image's right. Without ``text`` there is no text in it, for tests of images
    without burned-in text.
    """
    noise = np.random.default_rng(seed).normal(0, 0.008, (rows, columns))
    values = np.clip(0.06 + 1.15 * _thickness(rows, columns) + noise, 0, 1) * ((1 << _BITS) - 96)
    stored = np.rint(values).astype(np.uint16)
    return _with_text(stored) if text else stored


def _thickness(rows: int, columns: int) -> np.ndarray:
    """Return how much of the radiation the body absorbs: (rows, columns) float32, about 0 in air and 0.7 at most."""
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    u, v = (x + 0.5) / columns - 0.5, (y + 0.5) / rows - 0.5

    def blob(cx: float, cy: float, rx: float, ry: float, edge: float) -> np.ndarray:
        r = np.sqrt(((u - cx) / rx) ** 2 + ((v - cy) / ry) ** 2)
        return 1 / (1 + np.exp(np.clip((r - 1) / edge, -30, 30)))

    body = blob(0, 0.18, 0.47, 0.66, 0.03)
    body = np.maximum(body, blob(0, -0.42, 0.12, 0.3, 0.08))
    thick = 0.62 * body
    for side in (-1, 1):
        lung = blob(0.215 * side, -0.02, 0.165, 0.345, 0.06)
        lung *= 1 / (1 + np.exp(np.clip((v - 0.27 + 0.9 * (np.abs(u) - 0.2) ** 2) / 0.01, -30, 30)))
        thick -= 0.42 * lung
        for rib in range(8):
            # the posterior part of a rib descends laterally along a parabola
            middle = -0.33 + 0.078 * rib + 0.55 * (np.abs(u) - 0.05) ** 2 + 0.1 * np.abs(u)
            band = np.exp(-(((v - middle) / 0.011) ** 2)) * (np.abs(u) < 0.38 - 0.002 * rib) * (u * side > 0.04)
            thick += 0.075 * band * body
        clavicle = np.exp(-(((v + 0.335 + 0.22 * (np.abs(u) - 0.2)) / 0.014) ** 2)) * (u * side > 0.03)
        thick += 0.09 * clavicle * body * (np.abs(u) < 0.4)
        for branch in range(6):
            angle = np.pi / 2 - 1.1 + 0.38 * branch
            along = (u * side - 0.06) * np.sin(angle) + (v + 0.02) * np.cos(angle)
            across = (u * side - 0.06) * np.cos(angle) - (v + 0.02) * np.sin(angle)
            vessel = np.exp(-((across / (0.008 * (1.1 - 2.5 * np.clip(along, 0, 0.4)))) ** 2))
            thick += 0.08 * vessel * (along > 0) * (along < 0.2) * np.clip(1 - along / 0.2, 0, 1)
    heart = blob(0.055, 0.13, 0.155, 0.17, 0.05)
    mediastinum = blob(0.0, -0.05, 0.065, 0.55, 0.12)
    thick = np.maximum(thick, 0.57 * heart * body)
    thick = np.maximum(thick, 0.56 * mediastinum * body)
    thick += 0.05 * np.exp(-((u / 0.028) ** 2)) * body * (0.7 + 0.3 * np.cos(2 * np.pi * v / 0.055))
    thick -= 0.1 * np.exp(-((u / 0.016) ** 2)) * (v < -0.12) * body
    return thick


def _with_text(values: np.ndarray) -> np.ndarray:
    size = max(8, values.shape[1] // 40)
    mask = Image.new("L", (values.shape[1], values.shape[0]))
    draw = ImageDraw.Draw(mask)
    font = ImageFont.load_default(size)
    draw.text((size, size), _TEXT, fill=255, font=font)
    draw.text((values.shape[1] - size, size), "L", fill=255, font=font, anchor="ra")
    return np.where(np.asarray(mask) > 96, (1 << _BITS) - 1, values).astype(np.uint16)


def phantom_png(rows: int = 1024, columns: int = 896) -> bytes:
    """Return the phantom as an 8-bit grey PNG."""
    file = io.BytesIO()
    Image.fromarray((phantom(rows, columns) >> (_BITS - 8)).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def phantom_dicom(
    rows: int = 1024, columns: int = 896, *, values: np.ndarray | None = None, **elements: object
) -> bytes:
    """Return the phantom as an uncompressed CR image of 12 bits.

    Args:
        rows, columns: of the image.
        values: other stored values, (rows, columns); unsigned of up to 16 bits.
        elements: DICOM attributes to set, by keyword; None removes one.
    """
    stored = phantom(rows, columns) if values is None else values
    ds = Dataset()
    ds.SOPClassUID = UID("1.2.840.10008.5.1.4.1.1.1")
    ds.SOPInstanceUID = UID("2.25.320187120874312598071230985712309857")
    ds.StudyInstanceUID = UID("2.25.1870192837401928374019283740192837")
    ds.SeriesInstanceUID = UID("2.25.9812374098123740981237409812374098")
    ds.Modality, ds.ViewPosition, ds.BodyPartExamined = "CR", "PA", "CHEST"
    ds.PatientName, ds.PatientID, ds.PatientAge, ds.PatientSex = "PHANTOM^SYNTHETIC", "PHANTOM", "050Y", "O"
    ds.PatientBirthDate = ds.StudyDate = ds.StudyTime = ds.AccessionNumber = ds.StudyID = ds.ReferringPhysicianName = ""
    ds.SeriesNumber = ds.InstanceNumber = 1
    ds.Manufacturer = "Second Read"
    ds.ImagerPixelSpacing = [round(420 / stored.shape[0], 4)] * 2
    ds.Rows, ds.Columns = stored.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, _BITS, _BITS - 1, 0
    ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = 1, 0, "US"
    ds.WindowCenter, ds.WindowWidth = 1 << (_BITS - 1), 1 << _BITS
    for keyword, value in elements.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    data = np.ascontiguousarray(stored.astype(stored.dtype.newbyteorder("<"))).tobytes()
    ds.PixelData = data + b"\0" * (len(data) % 2)
    ds["PixelData"].VR = "OW"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = io.BytesIO()
    ds.save_as(file, enforce_file_format=True)
    return file.getvalue()
