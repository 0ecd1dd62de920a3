"""Detection of burned-in text in an image's pixels: lines of several letters, such as a name or a date.

Burned In Annotation is unreliable, so the pixels are searched. Letters are thin strokes of one height in a row,
brighter or darker than their surroundings. A single side marker or a technician's initials are too few letters for a
line, and a line that looks like PORTABLE or SUPINE is no name (:mod:`.marker_words`). Small, faint, handwritten or
slanted text, and short names, are missed: an image without detected text is not proved to be free of it.

The bounds were set on the training images of adults of nih_384, as they are and with text added.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .marker_words import match_marker_word
from .marks import STROKE, TALLEST, find_marks, find_strokes, first_connected

__all__ = ["BurnedInText", "detect_text"]

CONTRAST = 40
"""The same for the median stroke of a line."""

FILL = 0.2
"""Least fraction of a line's box that strokes cover; tangled wires cover less."""

WIDE, STROKES = 3.0, 4
"""Least width of a line in heights of its letters (some four letters); least strokes that its middle row crosses."""

WIDE_UPRIGHT, STROKES_UPRIGHT = 4.0, 6
"""The same for a vertical line, as wires and side markers form more often."""

_MAX_LINES_MATCHED = 6


@dataclass(frozen=True)
class BurnedInText:
    """Text-like lines in an image.

    Attributes:
        lines: how many.
        area_fraction: of the image, 0 to 1, that their boxes cover.
    """

    lines: int = 0
    area_fraction: float = 0.0


@dataclass(frozen=True)
class _Line:
    """Marks side by side that look like text, in pixels of the reduced copy.

    ``height`` is the letters' median; ``words`` are the boxes (left, top, right, bottom) between wide gaps.
    """

    box: tuple[int, int, int, int]
    height: float
    words: tuple[tuple[int, int, int, int], ...]

    @property
    def area(self) -> int:
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top)

    def overlaps(self, other: _Line) -> bool:
        left, top, right, bottom = other.box
        return self.box[0] < right and left < self.box[2] and self.box[1] < bottom and top < self.box[3]


def detect_text(grey: np.ndarray) -> BurnedInText:
    """Return the text-like lines of an image.

    Args:
        grey: (rows, columns) uint8, an image's reduced copy (:func:`cxr_core.imaging.gate.decision.block_means`).
    """
    bright, dark = find_strokes(grey)
    marks = find_marks(bright)
    lines = _lines(bright, marks, WIDE, STROKES)
    # dark strokes beside bright letters are their rim
    dark_lines = _lines(dark, find_marks(dark), WIDE, STROKES)
    lines += [line for line in dark_lines if not any(map(line.overlaps, lines))]
    if 0 < len(lines) <= _MAX_LINES_MATCHED:
        # a line that was detected by its rim has bright letters too
        polarities = grey, 255 - grey
        lines = [line for line in lines if all(_is_more_than_marker(p, line) for p in polarities)]
    lines += _lines(bright.T, marks[:, (2, 3, 0, 1)], WIDE_UPRIGHT, STROKES_UPRIGHT)
    return BurnedInText(len(lines), sum(line.area for line in lines) / grey.size)


def _lines(strokes: np.ndarray, marks: np.ndarray, wide: float, crossed: float) -> list[_Line]:
    """Return groups of marks of similar height side by side that look like text."""
    heights, widths = marks[:, 1] - marks[:, 0], marks[:, 3] - marks[:, 2]
    marks = marks[(heights >= 3) & (heights <= TALLEST * len(strokes)) & (widths <= 16 * heights)]
    if not len(marks):
        return []
    line_of = first_connected(len(marks), *np.nonzero(_side_by_side(marks)))
    left, right, lowest = np.full(len(marks), np.inf), np.full(len(marks), -np.inf), np.full(len(marks), np.inf)
    np.minimum.at(left, line_of, marks[:, 2])
    np.maximum.at(right, line_of, marks[:, 3])
    np.minimum.at(lowest, line_of, marks[:, 1] - marks[:, 0])
    # the median height is at least the lowest, so most groups are too narrow and need no further check
    candidates = np.flatnonzero(right - left >= wide * lowest)
    lines = (_line(strokes, marks[line_of == number], wide, crossed) for number in candidates)
    return [line for line in lines if line is not None]


def _side_by_side(marks: np.ndarray) -> np.ndarray:
    """Return (n, n) bool: no farther apart than they are high, similar in height, aligned at top or bottom."""
    top, bottom, left, right = marks.T
    heights = bottom - top
    taller, lower = np.maximum.outer(heights, heights), np.minimum.outer(heights, heights)
    gap = np.maximum.outer(left, left) - np.minimum.outer(right, right)
    off = np.minimum(abs(np.subtract.outer(top, top)), abs(np.subtract.outer(bottom, bottom)))
    return (gap <= taller) & (2 * gap > -taller) & (2 * lower >= taller) & (off <= np.maximum(1, taller / 4))


def _line(strokes: np.ndarray, marks: np.ndarray, wide: float, crossed: float) -> _Line | None:
    """Return the line of these marks; None where it does not look like text, the cheapest question first."""
    top, left = (int(edge) for edge in marks[:, (0, 2)].min(axis=0))
    bottom, right = (int(edge) for edge in marks[:, (1, 3)].max(axis=0))
    height = float(np.median(marks[:, 1] - marks[:, 0]))
    breadth = (right - left) / height
    if breadth < wide:
        return None
    levels = strokes[top:bottom, left:right]
    ink = levels > STROKE
    # letters a few pixels high merge, so that fewer strokes are counted
    density = min(0.1 * height, 0.9)
    if np.median((ink[:, 1:] != ink[:, :-1]).sum(axis=1)) / 2 < max(crossed, density * breadth):
        return None
    if ink.mean() < FILL or np.median(levels[ink]) < CONTRAST:
        return None
    return _Line((left, top, right, bottom), height, tuple(_words(ink, top, left, max(2, height / 2))))


def _words(ink: np.ndarray, top: int, left: int, gap: float) -> Iterator[tuple[int, int, int, int]]:
    """Yield the boxes of the parts of a line between gaps wider than ``gap``; it begins at ``top``, ``left``."""
    columns = np.flatnonzero(ink.any(axis=0))
    for word in np.split(columns, np.flatnonzero(np.diff(columns) > gap) + 1):
        rows = np.flatnonzero(ink[:, word[0] : word[-1] + 1].any(axis=1))
        yield left + int(word[0]), top + int(rows[0]), left + int(word[-1]) + 1, top + int(rows[-1]) + 1


def _is_more_than_marker(grey: np.ndarray, line: _Line) -> bool:
    """Return whether a line without its marker words is still wide enough for text; False where the whole is one."""
    if match_marker_word(grey, line.box):
        return False
    words = line.words if len(line.words) > 1 else ()
    left, unknown = line.box[2] - line.box[0], sum(word[2] - word[0] for word in words)
    for word in sorted(words, key=lambda word: word[0] - word[2]):
        # whatever the other words are; matching one takes a millisecond
        if left - unknown >= WIDE * line.height:
            return True
        width = word[2] - word[0]
        unknown -= width
        left -= width if match_marker_word(grey, word) else 0
    return left >= WIDE * line.height
