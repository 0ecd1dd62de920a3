"""Tables as files: CSV that is safe to open in a spreadsheet, and reading of plain or gzipped tables with a size limit.

A spreadsheet takes a cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a return for a formula, and a formula
can send the contents of other cells away. Such a text gets an apostrophe in front, so that it is shown as text. Where
the separator is not the comma, as in much of Europe, a cell is also split at ``;``, tab and return, even within quotes:
text after one of these is guarded too. Numbers stay numbers.

Source: OWASP, *CSV Injection*.
"""

from __future__ import annotations

import csv
import io
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import PathUnusable
from .settings import settings

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "csv_text",
    "frame_csv",
    "guarded",
    "open_unpacked",
    "read_unpacked",
    "unguarded",
]


# full-width signs are signs to a spreadsheet in Japanese, Chinese or Korean
_SIGN = "=+\\-@\uff1d\uff0b\uff0d\uff20"
# an existing apostrophe gets another one, so that removing one always restores the text
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
    """Return a text that no spreadsheet takes for a formula."""
    return _FORMULA.sub("'", text)


def unguarded(text: str) -> str:
    """Return the argument of :func:`guarded`."""
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


# Tables and lists that a command is given, plain or packed by gzip, bounded when they are unpacked.

_GZIP = b"\x1f\x8b"
_PIECE = 2**20


def read_unpacked(path: Path) -> bytes:
    """Return the bytes of a file, unpacked if its content is gzip.

    Raises:
        PathUnusable: there are more than the setting ``max_table_mb``, counted while unpacking.
        OSError, EOFError: the file cannot be opened, or its gzip data are broken or truncated.
    """
    max_bytes = settings().max_table_mb * 10**6
    with path.open("rb") as file:
        data = file.read(max_bytes + 1)
    if data[:2] == _GZIP:
        data = _unpacked(data, max_bytes)
    if len(data) > max_bytes:
        raise PathUnusable(f"Table {path}: more than {max_bytes // 10**6} MB, unpacked. Set SECOND_READ_MAX_TABLE_MB.")
    return data


def open_unpacked(path: Path) -> io.BytesIO:
    """Return :func:`read_unpacked` as an open file; raises ValueError for broken data, as parsers of tables do."""
    try:
        return io.BytesIO(read_unpacked(path))
    except EOFError as error:
        raise ValueError("broken or truncated") from error


def _unpacked(data: bytes, max_bytes: int) -> bytes:
    """Return the members of a gzip file one after the other (RFC 1952 2.2), one byte beyond the limit at most."""
    pieces, length, remaining = [], 0, data
    try:
        while remaining and length <= max_bytes:
            member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
            while not member.eof and length <= max_bytes:
                piece = member.decompress(remaining, min(_PIECE, max_bytes + 1 - length))
                if not piece and not member.unconsumed_tail and not member.eof:
                    raise EOFError
                pieces.append(piece)
                length += len(piece)
                remaining = member.unconsumed_tail
            # some writers fill the last block with zeros
            remaining = member.unused_data.lstrip(b"\0") if member.eof else remaining
    except zlib.error as error:
        raise EOFError from error
    return b"".join(pieces)
