"""A film with a map over it, as a picture."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from ..labels import NOTICE
from .gradcam import HeatMap
from .place import contour, on_original

__all__ = ["CONTOUR_COLOUR", "MAP_ALPHA", "MAP_COLOUR", "UNSEEN_SHARE", "overlay", "overlay_png", "png"]

MAP_COLOUR = (230, 159, 0)
"""Okabe and Ito's orange: the one hue of all maps; its strength is its opacity. sRGB, 0 to 255."""

MAP_ALPHA = 0.65
"""Opacity of full colour, of 1."""

CONTOUR_COLOUR = (86, 180, 233)
"""Okabe and Ito's sky blue."""

UNSEEN_SHARE = 0.35
"""Brightness that is left to what the model has not seen."""


def overlay(grey: np.ndarray, heat: HeatMap, *, opacity: float = MAP_ALPHA, lines: bool = True) -> np.ndarray:
    """Return the film with the map over it.

    Args:
        grey: (rows, columns) uint8, the displayed film or a smaller copy of it.
        heat: the map.
        opacity: of full colour, 0 to 1.
        lines: draw the contour.

    Returns:
        (rows, columns, 3) uint8. What the model has not seen is darkened and hatched.
    """
    rows, columns = grey.shape
    share = np.clip(on_original(heat, rows, columns) / heat.anchor, 0, 1)
    unseen = np.isnan(share)
    alpha = (opacity * np.nan_to_num(share))[:, :, None]
    picture = grey[:, :, None] * (1 - alpha) + np.array(MAP_COLOUR, dtype=np.float32) * alpha
    if unseen.any():
        y, x = np.indices(grey.shape)
        hatch = (x + y) % max(8, rows // 64) < 2
        picture[unseen] *= UNSEEN_SHARE
        picture[unseen & hatch] += 40
    image = Image.fromarray(np.clip(np.rint(picture), 0, 255).astype(np.uint8))
    if lines:
        pen = ImageDraw.Draw(image)
        scale = np.array([columns / heat.columns, rows / heat.rows])
        for line in contour(heat):
            points = (line + 0.5) * scale - 0.5
            pen.line([tuple(p) for p in points.tolist()], fill=CONTOUR_COLOUR, width=max(1, rows // 400))
    return np.asarray(image)


def overlay_png(grey: np.ndarray, heat: HeatMap, *, side: int = 1024) -> bytes:
    """Return :func:`overlay` as PNG, its longer side at most ``side`` pixels, the notice in its text."""
    image = Image.fromarray(grey)
    image.thumbnail((side, side), Image.Resampling.BOX)
    return png(Image.fromarray(overlay(np.asarray(image), heat)), title=f"Heat map: {heat.label}")


def png(image: Image.Image, title: str) -> bytes:
    """Return an image as PNG that carries a title and the notice."""
    text = PngInfo()
    text.add_text("Title", title)
    text.add_text("Disclaimer", NOTICE)
    stream = io.BytesIO()
    image.save(stream, format="PNG", pnginfo=text, compress_level=4)
    return stream.getvalue()
