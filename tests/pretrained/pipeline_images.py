"""Twenty radiograph-like images, PNG and DICOM, portrait and landscape, 384 to 2,500 pixels, from fixed seeds.

``make_pipeline_reference.py`` gives the same files to torchxrayvision's own pipeline. To write them into a folder::

    python -m tests.pretrained.pipeline_images DIR
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from cxr_core.imaging import phantom, phantom_dicom

SIZES = (
    *((384, 384), (512, 512), (1024, 1024), (384, 500), (601, 480), (1024, 896), (896, 1025), (1333, 1000)),
    *((1000, 1333), (2048, 1760), (1760, 2048), (2022, 2021), (2500, 2048), (2048, 2500), (2500, 2500), (700, 2500)),
    *((2500, 771), (1501, 1500), (450, 449), (2433, 1999)),
)


def image(number: int) -> np.ndarray:
    """Return an image's stored values of 12 bits, (rows, columns) uint16."""
    rows, columns = SIZES[number]
    draw = np.random.RandomState(number)
    values = phantom(rows, columns, seed=number, text=False) / 4095
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    # markings of several sizes, then noise of single pixels
    for waves in (7, 31, 97):
        turn, phase = draw.uniform(0, np.pi), draw.uniform(0, 6)
        values += 0.04 * np.sin(waves * (np.cos(turn) * x / columns + np.sin(turn) * y / rows) * 6.28 + phase)
    values = draw.uniform(0.6, 1) * np.clip(values, 0, 1) ** draw.uniform(0.7, 1.4) + draw.uniform(0, 0.2)
    return np.clip(values * 4095 + draw.normal(0, 60, (rows, columns)), 0, 4095).astype(np.uint16)


def file(number: int) -> tuple[str, bytes]:
    """Return an image's name and bytes: even ones are PNG of 8 bits, odd ones DICOM of 12, some of them inverted."""
    values = image(number)
    if number % 2 == 0:
        stream = io.BytesIO()
        Image.fromarray((values >> 4).astype(np.uint8)).save(stream, "PNG")
        return f"{number:02}.png", stream.getvalue()
    # a window over all values: torchxrayvision scales by the number of bits, and has no other window
    elements = {"WindowCenter": 2048, "WindowWidth": 4096}
    if number % 4 == 3:
        elements["PhotometricInterpretation"] = "MONOCHROME1"
    return f"{number:02}.dcm", phantom_dicom(*values.shape, values=values, **elements)


def main() -> None:
    folder = Path(sys.argv[1])
    for number in range(len(SIZES)):
        name, data = file(number)
        (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
