"""Recognition of words that devices write into images and that are no names: PORTABLE and SUPINE.

One in six of the training images of nih_384 says PORTABLE; a warning on each would devalue the warning. A line is
recognised by its correlation with the word in Pillow's default font. That is no text recognition, which letters of this
size do not allow: a name of nearly the same letters, alone on its line, passes for the word (SUSINI for SUPINE,
PORTELLA for PORTABLE). So the list is short.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

__all__ = ["MIN_CORRELATION", "WORDS", "match_marker_word"]

WORDS = ("PORTABLE", "SUPINE")

MIN_CORRELATION = 0.57
"""With the drawn word; of some hundred such words in training images of nih_384 all but three reach it."""

_MIN_START_CORRELATION = 0.15
_MIN_COVERAGE = 0.8
_ROWS, _COLUMNS = 10, 6
_LETTER_WIDTHS = (0.4, 1.1)
_MAX_MOVES = 12
_MOVES = np.array(
    [
        [by * (edge in moved) for edge in range(4)]
        for moved in ((0,), (1,), (2,), (3,), (0, 2), (1, 3))
        for by in (-1, 1)
    ]
)
"""Of left, top, right and bottom: each edge out and in, and both edges of an axis together."""


def match_marker_word(grey: np.ndarray, box: tuple[int, int, int, int]) -> str | None:
    """Return the word of :data:`WORDS` that a line looks like, or None.

    Args:
        grey: (rows, columns), an image with bright letters.
        box: left, top, right, bottom of the line, about as tight as its letters.
    """
    left, top, right, bottom = box
    best, match = MIN_CORRELATION, None
    for word in WORDS:
        if _LETTER_WIDTHS[0] < (right - left) / (bottom - top) / len(word) < _LETTER_WIDTHS[1]:
            correlation, fitted = _fit_box(grey, box, _template(word))
            # a name that ends like the word must not match with its first letter left out
            if correlation >= best and fitted[2] - fitted[0] >= _MIN_COVERAGE * (right - left):
                best, match = correlation, word
    return match


def _fit_box(grey: np.ndarray, box: tuple[int, int, int, int], template: np.ndarray) -> tuple[float, np.ndarray]:
    """Move the edges of the box while the correlation grows, in large steps, then by a pixel and by half a pixel."""
    # the first or last letter may be too faint for the line, and an outline may have been taken for letters
    steps = (0.0, 2.0, -2.0, -0.7 * (box[3] - box[1]))
    starts = [(start, inset, -stop, -inset) for inset in (0.0, 1.5) for start in steps for stop in steps]
    correlation, position = _best_box(grey, np.array(box) + np.array(starts), template)
    if correlation < _MIN_START_CORRELATION:
        return correlation, position
    for step in (1.0, 0.5):
        for _ in range(_MAX_MOVES):
            better, moved = _best_box(grey, position + step * _MOVES, template)
            if better <= correlation:
                break
            correlation, position = better, moved
    return correlation, position


def _best_box(grey: np.ndarray, boxes: np.ndarray, template: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the greatest correlation of a template with (n, 4) boxes, -1 where none is usable, and its box."""
    left, top, right, bottom = boxes.T
    rows, columns = grey.shape
    inside = (left >= 0) & (top >= 0) & (right <= columns) & (bottom <= rows)
    boxes = boxes[inside & (right - left >= 8) & (bottom - top >= 3)]
    if not len(boxes):
        return -1.0, np.zeros(4)
    left, top, right, bottom = boxes.T
    # pixels a sample beyond the boxes contribute to them
    first_row, last_row = max(0, int(top.min()) - 8), min(rows, int(bottom.max()) + 8)
    first, last = max(0, int(left.min()) - 8), min(columns, int(right.max()) + 8)
    patch = grey[first_row:last_row, first:last].astype(np.float32)
    down = _samples(top - first_row, bottom - first_row, template.shape[0], patch.shape[0])
    across = _samples(left - first, right - first, template.shape[1], patch.shape[1])
    patches = (down @ patch) @ across.transpose(0, 2, 1)
    patches -= patches.mean(axis=(1, 2), keepdims=True)
    lengths = np.maximum(np.sqrt((patches**2).sum(axis=(1, 2))), 1e-6)
    correlations = (patches * template).sum(axis=(1, 2)) / lengths
    best = int(correlations.argmax())
    return float(correlations[best]), boxes[best]


def _samples(start: np.ndarray, stop: np.ndarray, count: int, length: int) -> np.ndarray:
    """Return (n, count, length) float32 weights that resample start to stop of an axis to ``count`` samples.

    An antialiasing triangle filter, as Pillow's BILINEAR; pixels outside the axis have no weight.
    """
    start, stop = (edges.astype(np.float32)[:, None, None] for edges in (start, stop))
    scale = (stop - start) / np.float32(count)
    centres = start + (np.arange(count, dtype=np.float32)[:, None] + np.float32(0.5)) * scale
    distance = np.arange(length, dtype=np.float32) + np.float32(0.5) - centres
    distance /= np.maximum(scale, 1)
    # in place: of an image's many boxes the weights have a hundred thousand numbers
    weights = np.abs(distance, out=distance)
    np.subtract(1, weights, out=weights)
    np.maximum(weights, 0, out=weights)
    weights /= weights.sum(axis=2, keepdims=True)
    return weights


@lru_cache(maxsize=len(WORDS))
def _template(word: str) -> np.ndarray:
    """Return the word, bold, as (rows, columns) float32 of mean 0 and length 1."""
    font = ImageFont.load_default(64)
    left, top, right, bottom = (round(edge) for edge in font.getbbox(word, stroke_width=2))
    image = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(image).text((-left, -top), word, fill=255, font=font, stroke_width=2, stroke_fill=255)
    tight = image.crop(image.point(lambda level: 255 * (level > 128)).getbbox())
    return _normalised(np.asarray(tight.resize((_COLUMNS * len(word), _ROWS), Image.Resampling.BOX), dtype=np.float32))


def _normalised(image: np.ndarray) -> np.ndarray:
    centred = image - image.mean()
    return centred / max(float(np.sqrt((centred**2).sum())), 1e-6)
