"""Words that machines write into films and that are no names: PORTABLE and SUPINE.

One in six of the training films of nih_384 says PORTABLE. A warning of each would be a warning of none, so a line
that looks like such a word is told from others: by its likeness to the word as Pillow's own font draws it. It
is no reading of text; at the size of these letters nobody could promise one. A name of nearly the same letters,
alone on its line, passes for the word (SUSINI for SUPINE, PORTELLA for PORTABLE); so the list is short.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

__all__ = ["LEAST_LIKENESS", "WORDS", "marker_word"]

WORDS = ("PORTABLE", "SUPINE")

LEAST_LIKENESS = 0.57
"""Correlation with the drawn word; of some hundred such words in training films of nih_384 all but three reach it."""

_LEAST_AT_FIRST = 0.15
_COVERED = 0.8
_ROWS, _COLUMNS = 10, 6
_LETTER_WIDTHS = (0.4, 1.1)


def marker_word(grey: Image.Image, box: tuple[int, int, int, int]) -> str | None:
    """Return the word of :data:`WORDS` that a line looks like, or None.

    Args:
        grey: a picture of mode F with the letters bright.
        box: left, top, right, bottom of the line, about as tight as its letters.
    """
    left, top, right, bottom = box
    best, found = LEAST_LIKENESS, None
    for word in WORDS:
        if _LETTER_WIDTHS[0] < (right - left) / (bottom - top) / len(word) < _LETTER_WIDTHS[1]:
            likeness, fitted = _fitted(grey, box, _drawn(word))
            # a name that ends like the word must not pass with its first letter left out
            if likeness >= best and fitted[2] - fitted[0] >= _COVERED * (right - left):
                best, found = likeness, word
    return found


def _fitted(grey: Image.Image, box: tuple[int, int, int, int], drawn: np.ndarray) -> tuple[float, list[float]]:
    """Move the edges of the box as long as the likeness grows: roughly at first, then by a pixel and by half."""
    left, top, right, bottom = box
    # the first or last letter may be too faint to be part of the line, and an outline be taken for letters
    steps = (0.0, 2.0, -2.0, -0.7 * (bottom - top))
    starts = [
        [left + start, top + inset, right - stop, bottom - inset]
        for inset in (0.0, 1.5)
        for start in steps
        for stop in steps
    ]
    likeness, at = max((_likeness(grey, start, drawn), start) for start in starts)
    if likeness < _LEAST_AT_FIRST:
        return likeness, at
    for step in (1.0, 0.5):
        for _ in range(6):
            before = likeness
            for moved in ((0,), (1,), (2,), (3,), (0, 2), (1, 3)):
                for by in (-step, step):
                    tried = [edge + by * (number in moved) for number, edge in enumerate(at)]
                    value = _likeness(grey, tried, drawn)
                    if value > likeness:
                        likeness, at = value, tried
            if likeness == before:
                break
    return likeness, at


def _likeness(grey: Image.Image, box: list[float], drawn: np.ndarray) -> float:
    left, top, right, bottom = box
    if left < 0 or top < 0 or right > grey.width or bottom > grey.height or right - left < 8 or bottom - top < 3:
        return -1.0
    cut = grey.resize(drawn.shape[::-1], Image.Resampling.BILINEAR, box=(left, top, right, bottom))
    return float((_normed(np.asarray(cut)) * drawn).sum())


@lru_cache(maxsize=len(WORDS))
def _drawn(word: str) -> np.ndarray:
    """Return the word, bold, as (rows, columns) float32 of mean 0 and length 1."""
    font = ImageFont.load_default(64)
    left, top, right, bottom = (round(edge) for edge in font.getbbox(word, stroke_width=2))
    image = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(image).text((-left, -top), word, fill=255, font=font, stroke_width=2, stroke_fill=255)
    tight = image.crop(image.point(lambda level: 255 * (level > 128)).getbbox())
    return _normed(np.asarray(tight.resize((_COLUMNS * len(word), _ROWS), Image.Resampling.BOX), dtype=np.float32))


def _normed(picture: np.ndarray) -> np.ndarray:
    centred = picture - picture.mean()
    return centred / max(float(np.sqrt((centred**2).sum())), 1e-6)
