"""CSV that a spreadsheet opens without running a cell of it: the one writer of every table.

A spreadsheet takes a cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a return for a formula, and a formula
can send what stands beside it away. Such a text gets an apostrophe in front, which a spreadsheet shows as text. Where
the separator is another one than the comma, as in much of Europe, a cell is also cut at ``;``, tab and return, whatever
quotes stand around it: what follows one of these is looked at too. Numbers stay numbers.

Source: OWASP, *CSV Injection*.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["csv_text", "frame_csv", "guarded", "unguarded"]

# full-width signs are signs to a spreadsheet in Japanese, Chinese or Korean
_SIGN = "=+\\-@\uff1d\uff0b\uff0d\uff20"
# an apostrophe that is there already gets one too, so that taking one away always gives the text back
_FORMULA = re.compile(f"^(?='*[{_SIGN}\\t\\r\\n])|(?<=[;\\t\\r\\n])(?='*[{_SIGN}])")
_GUARD = re.compile(f"^'(?='*[{_SIGN}\\t\\r\\n])|(?<=[;\\t\\r\\n])'(?='*[{_SIGN}])")


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any] | Sequence[Any]], *, header: bool = True) -> str:
    """Return rows as CSV, lines ending with a line feed.

    Args:
        columns: names, in their order.
        rows: values by the column's name (a missing one is empty; a name that is no column raises ValueError), or in
            the columns' order. None and NaN are empty; numbers and booleans are written as Python writes them;
            anything else is text, and guarded.
        header: whether the first line names the columns.
    """
    stream = _Lines()
    # a return within a cell is quoted only where it ends lines too
    writer = csv.writer(stream, lineterminator="\r\n")
    if header:
        writer.writerow([guarded(str(column)) for column in columns])
    for row in rows:
        if isinstance(row, Mapping):
            if unknown := row.keys() - set(columns):
                raise ValueError(f"no columns: {sorted(unknown)}")
            row = [row.get(column) for column in columns]
        writer.writerow([_cell(value) for value in row])
    return stream.getvalue()


def frame_csv(frame: pd.DataFrame) -> str:
    """Return a table as CSV, without its index."""
    empty = frame.astype(object).where(frame.notna(), None)
    return csv_text([str(column) for column in frame.columns], empty.itertuples(index=False, name=None))


def guarded(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula; it stays text where it looks like a number, too."""
    return _FORMULA.sub("'", text)


def unguarded(text: str) -> str:
    """Return what :func:`guarded` was given."""
    return _GUARD.sub("", text)


class _Lines(io.StringIO):
    """Gets a whole row at a time, and ends it with a line feed alone."""

    def write(self, row: str) -> int:
        return super().write(row.removesuffix("\r\n") + "\n")


def _cell(value: Any) -> Any:
    if value is None or value != value:
        return ""
    # bool is an int, and NumPy's numbers are none of Python's
    return value if hasattr(value, "__float__") and not isinstance(value, str) else guarded(str(value))
