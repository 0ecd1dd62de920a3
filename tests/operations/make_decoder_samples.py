"""Write ``cxr_core/operations/decoder_samples.npz``: ``python -m tests.operations.make_decoder_samples``.

Needs DCMTK's dcmcjpeg for JPEG Extended and Lossless, and imagecodecs for HTJ2K.
"""

from __future__ import annotations

import io
import subprocess
import tempfile
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from cxr_core.imaging.frame_decoding import TRANSFER_SYNTAXES
from cxr_core.operations.decoder_checks import SAMPLES, SIDE, target

BASELINE = "1.2.840.10008.1.2.4.50"
DCMCJPEG = {"1.2.840.10008.1.2.4.51": "+ee", "1.2.840.10008.1.2.4.57": "+el", "1.2.840.10008.1.2.4.70": "+e1"}
OPTIONS = {"1.2.840.10008.1.2.4.81": {"jls_error": 1}, "1.2.840.10008.1.2.4.91": {"j2k_cr": [3]}}
HTJ2K = tuple(f"1.2.840.10008.1.2.4.{end}" for end in (201, 202, 203))


def dataset(bits: int) -> Dataset:
    """Return an uncompressed image of nobody, of this many bits."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = "2.25.1"
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = SecondaryCaptureImageStorage
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.Modality = "2.25.2", "2.25.3", "OT"
    ds.PatientName = ds.PatientID = ""
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.Rows = ds.Columns = SIDE
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8 if bits == 8 else 16, bits, bits - 1
    pixels = target(bits)
    ds.PixelData = (pixels.astype(np.uint8) if bits == 8 else pixels).tobytes()
    ds["PixelData"].VR = "OB" if bits == 8 else "OW"
    return ds


def saved(ds: Dataset, syntax: str) -> bytes:
    """Return the file of a data set."""
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    with io.BytesIO() as file:
        pydicom.dcmwrite(
            file,
            ds,
            implicit_vr=UID(syntax).is_implicit_VR,
            little_endian=UID(syntax).is_little_endian,
            enforce_file_format=True,
        )
        return file.getvalue()


def sample(syntax: str) -> bytes:
    """Return the sample of a transfer syntax."""
    ds = dataset(8 if syntax == BASELINE else 12)
    if syntax == BASELINE:
        with io.BytesIO() as file:
            Image.fromarray(target(8).astype(np.uint8)).save(file, "JPEG", quality=95)
            return encapsulated(ds, syntax, file.getvalue())
    if syntax in HTJ2K:
        return encapsulated(ds, syntax, imagecodecs.htj2k_encode(target(12), reversible=True))
    if syntax in DCMCJPEG:
        with tempfile.TemporaryDirectory() as folder:
            source, made = Path(folder, "a.dcm"), Path(folder, "b.dcm")
            source.write_bytes(saved(ds, ExplicitVRLittleEndian))
            subprocess.run(["dcmcjpeg", DCMCJPEG[syntax], "+un", source, made], check=True)
            compressed = pydicom.dcmread(made)
            return encapsulated(
                ds, syntax, next(pydicom.encaps.generate_frames(compressed.PixelData, number_of_frames=1))
            )
    if not UID(syntax).is_encapsulated:
        if not UID(syntax).is_little_endian:
            ds.PixelData = target(12).astype(">u2").tobytes()
        return saved(ds, syntax)
    ds.compress(UID(syntax), generate_instance_uid=False, **OPTIONS.get(syntax, {}))
    return saved(ds, syntax)


def encapsulated(ds: Dataset, syntax: str, frame: bytes) -> bytes:
    """Return the file of a data set with a compressed frame."""
    ds.PixelData = encapsulate([frame])
    ds["PixelData"].VR = "OB"
    return saved(ds, syntax)


if __name__ == "__main__":
    np.savez_compressed(SAMPLES, **{syntax: np.frombuffer(sample(syntax), np.uint8) for syntax in TRANSFER_SYNTAXES})
