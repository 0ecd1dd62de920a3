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
_MOST_MOVES = 12
_MOVES = np.array(
    [
        [by * (edge in moved) for edge in range(4)]
        for moved in ((0,), (1,), (2,), (3,), (0, 2), (1, 3))
        for by in (-1, 1)
    ]
)
"""Of left, top, right and bottom: each edge out and in, and both edges of an axis together."""


def marker_word(grey: np.ndarray, box: tuple[int, int, int, int]) -> str | None:
    """Return the word of :data:`WORDS` that a line looks like, or None.

    Args:
        grey: (rows, columns), a picture with the letters bright.
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


def _fitted(grey: np.ndarray, box: tuple[int, int, int, int], drawn: np.ndarray) -> tuple[float, np.ndarray]:
    """Move the edges of the box as long as the likeness grows: roughly at first, then by a pixel and by half."""
    # the first or last letter may be too faint to be part of the line, and an outline be taken for letters
    steps = (0.0, 2.0, -2.0, -0.7 * (box[3] - box[1]))
    starts = [(start, inset, -stop, -inset) for inset in (0.0, 1.5) for start in steps for stop in steps]
    likeness, at = _likest(grey, np.array(box) + np.array(starts), drawn)
    if likeness < _LEAST_AT_FIRST:
        return likeness, at
    for step in (1.0, 0.5):
        for _ in range(_MOST_MOVES):
            better, moved = _likest(grey, at + step * _MOVES, drawn)
            if better <= likeness:
                break
            likeness, at = better, moved
    return likeness, at


def _likest(grey: np.ndarray, boxes: np.ndarray, drawn: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the greatest likeness of a word to what (n, 4) boxes hold, -1 where none is fit, and its box."""
    left, top, right, bottom = boxes.T
    rows, columns = grey.shape
    inside = (left >= 0) & (top >= 0) & (right <= columns) & (bottom <= rows)
    boxes = boxes[inside & (right - left >= 8) & (bottom - top >= 3)]
    if not len(boxes):
        return -1.0, np.zeros(4)
    left, top, right, bottom = boxes.T
    # what lies a sample beyond the boxes has a share in them
    first_row, last_row = max(0, int(top.min()) - 8), min(rows, int(bottom.max()) + 8)
    first, last = max(0, int(left.min()) - 8), min(columns, int(right.max()) + 8)
    patch = grey[first_row:last_row, first:last].astype(np.float32)
    down = _samples(top - first_row, bottom - first_row, drawn.shape[0], patch.shape[0])
    across = _samples(left - first, right - first, drawn.shape[1], patch.shape[1])
    cuts = (down @ patch) @ across.transpose(0, 2, 1)
    cuts -= cuts.mean(axis=(1, 2), keepdims=True)
    lengths = np.maximum(np.sqrt((cuts**2).sum(axis=(1, 2))), 1e-6)
    likenesses = (cuts * drawn).sum(axis=(1, 2)) / lengths
    best = int(likenesses.argmax())
    return float(likenesses[best]), boxes[best]


def _samples(start: np.ndarray, stop: np.ndarray, count: int, length: int) -> np.ndarray:
    """Return (n, count, length) float32 weights that bring start to stop of a line to ``count`` samples.

    An antialiasing triangle filter, as Pillow's BILINEAR; what lies outside the line has no weight.
    """
    start, stop = (edges.astype(np.float32)[:, None, None] for edges in (start, stop))
    scale = (stop - start) / np.float32(count)
    centres = start + (np.arange(count, dtype=np.float32)[:, None] + np.float32(0.5)) * scale
    away = np.arange(length, dtype=np.float32) + np.float32(0.5) - centres
    away /= np.maximum(scale, 1)
    weights = np.maximum(1 - np.abs(away), 0)
    return weights / weights.sum(axis=2, keepdims=True)


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
