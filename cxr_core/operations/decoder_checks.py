"""Checks of the decoders: a small image in each transfer syntax and each format is decoded and compared.

``decoder_samples.npz`` holds the files, made by ``tests/operations/make_decoder_samples.py``: a ramp of 32 x 32 pixels
with 12 bits, 8 bits where the syntax has no more.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import get_args

import numpy as np
import pydicom
from PIL import Image
from pydicom.uid import UID

from ..errors import CxrError
from ..imaging.frame_decoding import container_pixels, is_native
from ..imaging.isolated_decoder import IsolatedDecoder
from ..imaging.radiograph import Kind
from ..settings import settings
from .doctor import CheckResult

__all__ = ["SAMPLES", "check_decoders", "samples", "target"]

SAMPLES = Path(__file__).with_name("decoder_samples.npz")

SIDE = 32
TOLERANCE = 0.02
"""Largest mean error of a lossy syntax, as a proportion of the range."""

_LOSSY = frozenset({*(f"1.2.840.10008.1.2.4.{end}" for end in (50, 51, 81, 91)), "jpeg"})
_REINSTALL = "Install the packages again: pip install --require-hashes -r requirements.txt"


def target(bits: int) -> np.ndarray:
    """Return what each sample shows: (32, 32) uint16, a ramp from 0 to the largest number of so many bits."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    ramp: np.ndarray = (rows + columns) * (2**bits - 1) // (2 * (SIDE - 1))
    return ramp.astype(np.uint16)


@cache
def samples() -> dict[str, bytes]:
    """Return the DICOM file of each transfer syntax, by its UID."""
    with np.load(SAMPLES, allow_pickle=False) as file:
        return {name: file[name].tobytes() for name in file.files}


def check_decoders() -> Iterator[CheckResult]:
    """Decode every sample in a process of its own, as the app does, and compare its pixels."""
    decoder = IsolatedDecoder(settings().decode_seconds, settings().decode_memory_mb, processes=1)
    try:
        for syntax, data in samples().items():
            yield _result(UID(syntax).name, syntax, partial(_dicom_error, decoder, data))
        for kind in get_args(Kind):
            if kind != "dicom":
                yield _result(kind.upper(), kind, partial(_picture_error, decoder, kind))
    finally:
        decoder.close()


def _result(name: str, kind: str, error_of: Callable[[], float]) -> CheckResult:
    try:
        error = error_of()
    except CxrError as problem:
        return CheckResult(name, "failed", str(problem), _REINSTALL)
    if error > (TOLERANCE if kind in _LOSSY else 0):
        return CheckResult(name, "failed", f"decodes to other pixels, by {error:.1%} of the range", _REINSTALL)
    return CheckResult(name, "ok", "decodes" + (" within the loss of its format" if error else " exactly"))


def _dicom_error(decoder: IsolatedDecoder, data: bytes) -> float:
    ds = pydicom.dcmread(io.BytesIO(data))
    pixels = container_pixels(ds) if is_native(ds) else decoder.frame(ds, data)
    return _error(pixels, int(ds.BitsStored))


def _picture_error(decoder: IsolatedDecoder, kind: Kind) -> float:
    with io.BytesIO() as file:
        options = {"lossless": True} if kind == "webp" else {}
        Image.fromarray(target(8).astype(np.uint8)).save(file, kind, **options)
        return _error(decoder.raster(file.getvalue(), kind).values, 8)


def _error(pixels: np.ndarray, bits: int) -> float:
    """Return the mean error as a proportion of the range; 1 for another shape."""
    wanted = target(bits).astype(np.float64)
    return float(np.abs(pixels - wanted).mean() / (2**bits - 1)) if pixels.shape == wanted.shape else 1.0
