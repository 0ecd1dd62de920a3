"""Draw the pictures of docs/pixels.md from the phantom: ``python docs/make_pictures.py``.

What is drawn goes through the reader itself wherever a file can show it; the steps between are the reader's
own functions. ``docs/make_screens.py`` makes the pictures of screens.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
matplotlib.use("Agg")

from matplotlib import pyplot

from cxr_core.imaging import Voi, phantom, phantom_dicom, read_radiograph
from cxr_core.imaging.windowing import apply_window

FOLDER = Path(__file__).resolve().parent
ROWS, COLUMNS, MARGIN = 512, 448, 44
PADDING = 0
SLOPE, INTERCEPT = 0.5, 100
WINDOW = Voi(1300, 1900)


def main() -> int:
    """Write the pictures beside the manual."""
    chain()
    polarity()
    windows()
    return 0


def padded() -> tuple[np.ndarray, np.ndarray]:
    """Return a MONOCHROME1 image of 12 bits with a border of padding, and where that is."""
    image = 4095 - phantom(ROWS, COLUMNS - 2 * MARGIN)
    # no pixel of the image itself may have the padding's value
    stored = np.pad(np.maximum(image, PADDING + 1), ((0, 0), (MARGIN, MARGIN)), constant_values=PADDING)
    return stored.astype(np.uint16), stored == PADDING


def chain() -> None:
    """Draw the five steps of one file: a rescale, a window, MONOCHROME1, padding."""
    stored, border = padded()
    data = phantom_dicom(
        values=stored,
        PhotometricInterpretation="MONOCHROME1",
        PixelPaddingValue=PADDING,
        RescaleSlope=SLOPE,
        RescaleIntercept=INTERCEPT,
        WindowCenter=WINDOW.center,
        WindowWidth=WINDOW.width,
    )
    image = read_radiograph(data)
    values = stored * SLOPE + INTERCEPT
    seen = apply_window(values.astype(np.float32), WINDOW)
    turned = 1 - seen
    # the steps are the reader's: what they come to is what it shows
    np.testing.assert_allclose(values, image.values, atol=1e-3)
    np.testing.assert_allclose(np.where(border, 0, turned), image.display, atol=1e-6)
    low, high = INTERCEPT, 4095 * SLOPE + INTERCEPT
    draw(
        "pixels-chain.png",
        (
            ("1  stored values", stored, 0, 4095, "12 bits, MONOCHROME1;\nthe border is padding, 0"),
            (
                "2  Modality LUT",
                values,
                low,
                high,
                f"rescale: {SLOPE:g} × stored + {INTERCEPT:g},\nso {low:g} to {high:g}",
            ),
            ("3  VOI window", seen, 0, 1, f"center {WINDOW.center:g}, width {WINDOW.width:g},\nLINEAR"),
            ("4  polarity", turned, 0, 1, "MONOCHROME1:\nturned over, once"),
            ("5  padding", image.display, 0, 1, "painted black, last"),
        ),
    )


def polarity() -> None:
    """Draw a MONOCHROME1 image as it is shown, and as it looks where nobody turns it over."""
    data = phantom_dicom(values=(4095 - phantom(ROWS, COLUMNS)), PhotometricInterpretation="MONOCHROME1")
    right = read_radiograph(data)
    draw(
        "pixels-monochrome1.png",
        (
            ("wrong: shown as stored", 1 - right.display, 0, 1, "lungs white, bones dark"),
            ("right: turned over once", right.display, 0, 1, "air dark, as on an image"),
        ),
    )


def windows() -> None:
    """Draw one image through two windows that its file names."""
    panels = []
    for center, width, words in ((2048, 4096, "the whole range"), (1000, 1400, "the lungs; the rest is white")):
        image = read_radiograph(phantom_dicom(ROWS, COLUMNS, WindowCenter=center, WindowWidth=width))
        panels.append((f"C {center}  W {width}", image.display, 0, 1, words))
    draw("pixels-windows.png", tuple(panels))


def draw(name: str, panels: tuple[tuple[str, np.ndarray, float, float, str], ...]) -> None:
    """Draw panels side by side, each with its title above and its words below."""
    with pyplot.style.context("dark_background"):
        figure, axes = pyplot.subplots(1, len(panels), figsize=(2.3 * len(panels) + 0.2, 3.7), dpi=110)
        for axis, (title, picture, low, high, words) in zip(axes, panels, strict=True):
            axis.imshow(picture, cmap="gray", vmin=low, vmax=high, interpolation="antialiased")
            axis.set_title(title, fontsize=11, loc="left")
            axis.text(0, 1.02 * ROWS, words, fontsize=9, va="top")
            axis.set_axis_off()
        figure.subplots_adjust(left=0.01, right=0.99, top=0.92, bottom=0.12, wspace=0.05)
        figure.savefig(FOLDER / name, metadata={"Software": None, "Description": "Synthetic phantom, no patient."})
        pyplot.close(figure)


if __name__ == "__main__":
    sys.exit(main())
