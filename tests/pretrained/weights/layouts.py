"""Checkpoints of DenseNet121 in the layouts that circulate, as torch wrote them, with the weights of ``reference.py``.

``make_layouts.py`` made the files with torch and kept, in ``layouts.npz``, all of them that is not weights, and
what torch answered; here the files are made again, byte for byte, without torch.
"""

from __future__ import annotations

import io
import lzma
from functools import cache
from pathlib import Path

import numpy as np

from . import reference as ref

LAYOUTS_FILE = Path(__file__).parent / "layouts.npz"
OUTPUTS = {
    "arnoweng.pth.tar": 14,
    "zoogzog.pth.tar": 14,
    "thtang.pkl": 8,
    "jrzech": 14,
    "parallel.pt": 14,
    "torchvision.pth": 15,
    "timm.pth": 18,
    "lightning.ckpt": 14,
}
"""File names, and the outputs of each."""

MEAN = np.float32([0.485, 0.456, 0.406])
DEVIATION = np.float32([0.229, 0.224, 0.225])


def grey() -> np.ndarray:
    """Return (3, 224, 224) float32, displayed grey in [0, 1)."""
    return ((ref.test_images()[:3, 0] + 1024) / 2048).astype(np.float32)


def normalised() -> np.ndarray:
    """Return what torch is given: (3, 3, 224, 224) float32, grey in three channels by ImageNet's values."""
    return (grey()[:, None] - MEAN[:, None, None]) / DEVIATION[:, None, None]


@cache
def arrays(outputs: int) -> dict[str, np.ndarray]:
    """Return all arrays under torchvision's names, with three input channels that are not alike."""
    made = dict(ref.full_arrays())
    stem = made["features.conv0.weight"] * np.float32(2048 / 3)
    shares = np.float32([0.8, 1.0, 1.2]) * DEVIATION
    made["features.conv0.weight"] = np.ascontiguousarray(stem * shares[:, None, None])
    made["classifier.weight"] = np.ascontiguousarray(made["classifier.weight"][:outputs])
    made["classifier.bias"] = made["classifier.bias"][:outputs].copy()
    return made


@cache
def kept() -> dict[str, np.ndarray]:
    with np.load(LAYOUTS_FILE) as file:
        return {name: file[name] for name in file.files}


def rebuilt(name: str) -> bytes:
    """Return the file that torch wrote."""
    weights = arrays(OUTPUTS[name])
    rest = io.BytesIO(lzma.decompress(kept()[f"{name}_rest"].tobytes()))
    made = io.BytesIO()
    for array, offset in zip(kept()[f"{name}_names"].tolist(), kept()[f"{name}_offsets"].tolist(), strict=True):
        made.write(rest.read(offset - made.tell()))
        made.write(weights[array].tobytes())
    made.write(rest.read())
    return made.getvalue()
