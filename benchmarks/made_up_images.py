"""The made-up images that benchmarks of a read decode: a PNG and a DICOM that pack as poorly as real ones."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
from PIL import Image

from cxr_core.imaging import phantom, phantom_dicom

__all__ = ["images", "png"]


@cache
def images() -> dict[str, bytes]:
    """Return the made-up images by name: a phantom with noise in every pixel, as a detector's, which does not pack."""
    window = {"WindowCenter": 32768, "WindowWidth": 65536}
    return {
        "PNG": png(_image(1024, 1024, bits=8).astype(np.uint8)),
        "DICOM": phantom_dicom(values=_image(2500, 2000, bits=16), BitsStored=16, HighBit=15, **window),
    }


def _image(rows: int, columns: int, bits: int) -> np.ndarray:
    """Return (rows, columns) uint16: a phantom of a quarter of the side, enlarged, with noise of 0.8 % of the range."""
    shape = Image.fromarray(phantom(rows // 4, columns // 4, text=False).astype(np.float32) / 4096)
    grey = np.asarray(shape.resize((columns, rows), Image.Resampling.BICUBIC))
    noise = np.random.default_rng(0).normal(0, 0.008, grey.shape)
    return (np.clip(grey + noise, 0, 1) * ((1 << bits) - 1)).astype(np.uint16)


def png(grey: np.ndarray) -> bytes:
    """Return an 8-bit picture as PNG, as Pillow writes it if nothing else is asked for."""
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "PNG")
    return file.getvalue()
