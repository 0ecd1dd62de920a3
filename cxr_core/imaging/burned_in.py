"""Text-like marks in a film's pixels: several letters in a row, such as a name or a date.

The tag that tells of burned-in text is unreliable, so the pixels are looked at. Letters are thin strokes of
one height in a row, brighter or darker than what is around them. A lone side marker or a technician's
initials are too few to be a line, and a line that looks like PORTABLE or SUPINE is no name
(:mod:`cxr_core.imaging.marker_words`). Nothing found is no promise: small, faint, handwritten or slanted text,
and short names, are missed.

The bounds were set on the training films of adults of nih_384, as they are and with text planted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .marker_words import marker_word

__all__ = ["BurnedIn", "burned_in"]

STROKE = 30
"""Grey levels of 255 by which a stroke stands out from what is around it."""

CONTRAST = 40
"""The same, of the middle stroke of a line."""

FILL = 0.2
"""Least share of a line's box that strokes cover; tangled wires cover less."""

TALLEST = 0.06
"""Greatest height of a letter, as a share of the picture's."""

WIDE, STROKES = 3.0, 4
"""Least width of a line in heights of its letters, some four letters; strokes that its middle row crosses."""

WIDE_UPRIGHT, STROKES_UPRIGHT = 4.0, 6
"""The same of a line that runs up the film, as wires and side markers do more often."""

_MOST_MARKS = 500
_MOST_LINES_READ = 6


@dataclass(frozen=True)
class BurnedIn:
    """Text-like lines in a picture.

    Attributes:
        lines: how many.
        share: of the picture, 0 to 1, that their boxes cover.
    """

    lines: int = 0
    share: float = 0.0


@dataclass(frozen=True)
class _Line:
    """Marks side by side, in pixels of the reduced copy.

    ``height`` is a letter's; ``strokes`` are crossed by the middle row; ``words`` are the boxes (left, top,
    right, bottom) of what stands between wide gaps.
    """

    box: tuple[int, int, int, int]
    height: float
    strokes: float
    fill: float
    contrast: float
    words: tuple[tuple[int, int, int, int], ...]

    @property
    def area(self) -> int:
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top)

    def is_text(self, wide: float, strokes: float) -> bool:
        breadth = (self.box[2] - self.box[0]) / self.height
        # letters a few pixels high run together and cross fewer strokes than they have
        density = min(0.1 * self.height, 0.9)
        enough = self.strokes >= max(strokes, density * breadth)
        return breadth >= wide and enough and self.fill >= FILL and self.contrast >= CONTRAST

    def overlaps(self, other: _Line) -> bool:
        left, top, right, bottom = other.box
        return self.box[0] < right and left < self.box[2] and self.box[1] < bottom and top < self.box[3]


def burned_in(grey: np.ndarray) -> BurnedIn:
    """Return the text-like lines of a picture.

    Args:
        grey: (rows, columns) uint8, a film's small copy (:func:`cxr_core.imaging.block_means.block_means`).
    """
    bright, dark = _strokes(grey)
    marks = _marks(bright)
    lines = _lines(bright, marks, WIDE, STROKES)
    # what is dark beside bright letters is their rim
    dim = _lines(dark, _marks(dark), WIDE, STROKES)
    lines += [line for line in dim if not any(map(line.overlaps, lines))]
    if 0 < len(lines) <= _MOST_LINES_READ:
        # a line that was found by its rim has bright letters too
        pictures = grey, 255 - grey
        lines = [line for line in lines if all(_width_of_names(p, line) >= WIDE * line.height for p in pictures)]
    lines += _lines(bright.T, marks[:, (2, 3, 0, 1)], WIDE_UPRIGHT, STROKES_UPRIGHT)
    return BurnedIn(len(lines), sum(line.area for line in lines) / grey.size)


def _strokes(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return by how much a pixel is above what is left without bright strokes, and below without dark ones.

    A stroke is up to four pixels wide: what an opening, or a closing, by 5 x 5 pixels removes.
    """
    low, high = _by_fives(grey, np.minimum), _by_fives(grey, np.maximum)
    return grey - _by_fives(low, np.maximum), _by_fives(high, np.minimum) - grey


def _by_fives(grey: np.ndarray, extreme: np.ufunc) -> np.ndarray:
    """Return the extreme of each 5 x 5 neighbourhood; many times faster than SciPy's filter."""
    padded = np.pad(grey, 2, mode="edge")
    twos = extreme(padded[:-1], padded[1:])
    fours = extreme(twos[:-2], twos[2:])
    rows = extreme(fours[:-1], padded[4:])
    twos = extreme(rows[:, :-1], rows[:, 1:])
    fours = extreme(twos[:, :-2], twos[:, 2:])
    return extreme(fours[:, :-1], rows[:, 4:])


def _marks(strokes: np.ndarray) -> np.ndarray:
    """Return the boxes of what hangs together, (n, 4) int: top, bottom, left, right."""
    labels = ndimage.label(strokes > STROKE, np.ones((3, 3)))[0]
    boxes = np.array([(y.start, y.stop, x.start, x.stop) for y, x in ndimage.find_objects(labels)], dtype=int)
    boxes = boxes.reshape(-1, 4)
    heights, widths = boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2]
    tallest = TALLEST * max(strokes.shape)
    kept = np.flatnonzero((np.maximum(heights, widths) >= 3) & (np.minimum(heights, widths) <= tallest))
    if len(kept) > _MOST_MARKS:
        # a noisy picture has thousands; burned-in letters stand out most
        peaks = ndimage.maximum(strokes, labels, kept + 1)
        kept = kept[np.argsort(-peaks, kind="stable")[:_MOST_MARKS]]
    return boxes[kept]


def _lines(strokes: np.ndarray, marks: np.ndarray, wide: float, crossed: float) -> list[_Line]:
    """Gather marks of about one height that stand side by side, and keep what looks like text."""
    heights, widths = marks[:, 1] - marks[:, 0], marks[:, 3] - marks[:, 2]
    marks = marks[(heights >= 3) & (heights <= TALLEST * len(strokes)) & (widths <= 16 * heights)]
    if not len(marks):
        return []
    line_of = _joined(_side_by_side(marks))
    left, right, lowest = np.full(len(marks), np.inf), np.full(len(marks), -np.inf), np.full(len(marks), np.inf)
    np.minimum.at(left, line_of, marks[:, 2])
    np.maximum.at(right, line_of, marks[:, 3])
    np.minimum.at(lowest, line_of, marks[:, 1] - marks[:, 0])
    # a letter's height is no less than the lowest: most groups are too narrow, whatever it is
    likely = np.flatnonzero(right - left >= wide * lowest)
    lines = (_line(strokes, marks[line_of == number]) for number in likely)
    return [line for line in lines if line.is_text(wide, crossed)]


def _joined(near: np.ndarray) -> np.ndarray:
    """Return for each mark the first one that it hangs together with, by (n, n) bool; they are few."""
    first = np.arange(len(near))
    while True:
        before, first = first, np.minimum(first, np.where(near, first, len(near)).min(axis=1))
        first = first[first]
        if np.array_equal(first, before):
            return first


def _side_by_side(marks: np.ndarray) -> np.ndarray:
    """Return (n, n) bool: no farther apart than they are high, like in height, level at top or at bottom."""
    top, bottom, left, right = marks.T
    heights = bottom - top
    taller, lower = np.maximum.outer(heights, heights), np.minimum.outer(heights, heights)
    gap = np.maximum.outer(left, left) - np.minimum.outer(right, right)
    off = np.minimum(abs(np.subtract.outer(top, top)), abs(np.subtract.outer(bottom, bottom)))
    return (gap <= taller) & (2 * gap > -taller) & (2 * lower >= taller) & (off <= np.maximum(1, taller / 4))


def _line(strokes: np.ndarray, marks: np.ndarray) -> _Line:
    top, left = (int(edge) for edge in marks[:, (0, 2)].min(axis=0))
    bottom, right = (int(edge) for edge in marks[:, (1, 3)].max(axis=0))
    height = float(np.median(marks[:, 1] - marks[:, 0]))
    ink = strokes[top:bottom, left:right] > STROKE
    words = []
    columns = np.flatnonzero(ink.any(axis=0))
    for word in np.split(columns, np.flatnonzero(np.diff(columns) > max(2, height / 2)) + 1):
        rows = np.flatnonzero(ink[:, word[0] : word[-1] + 1].any(axis=1))
        words.append((left + int(word[0]), top + int(rows[0]), left + int(word[-1]) + 1, top + int(rows[-1]) + 1))
    return _Line(
        (left, top, right, bottom),
        height,
        strokes=float(np.median((ink[:, 1:] != ink[:, :-1]).sum(axis=1)) / 2),
        fill=float(ink.mean()),
        contrast=float(np.median(strokes[top:bottom, left:right][ink])),
        words=tuple(words),
    )


def _width_of_names(picture: np.ndarray, line: _Line) -> int:
    """Return the width of what is no marker word: nothing, where the whole line is one."""
    if marker_word(picture, line.box):
        return 0
    words = line.words if len(line.words) > 1 else ()
    known = sum(right - left for left, top, right, bottom in words if marker_word(picture, (left, top, right, bottom)))
    return line.box[2] - line.box[0] - known
