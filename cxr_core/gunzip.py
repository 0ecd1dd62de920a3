"""Tables and lists that a command is given, plain or packed by gzip, bounded when they are unpacked."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

from .errors import PathUnusable
from .settings import settings

__all__ = ["open_unpacked", "read_unpacked"]

_GZIP = b"\x1f\x8b"
_PIECE = 2**20


def read_unpacked(path: Path) -> bytes:
    """Return the bytes of a file, without gzip's packing, which is told by content.

    Raises:
        PathUnusable: there are more than the setting ``max_table_mb``, counted while they are unpacked.
        OSError, EOFError: it cannot be opened, or is packed and broken or cut short.
    """
    most = settings().max_table_mb * 10**6
    with path.open("rb") as file:
        data = file.read(most + 1)
    if data[:2] == _GZIP:
        data = _unpacked(data, most)
    if len(data) > most:
        raise PathUnusable(f"Table {path}: more than {most // 10**6} MB, unpacked. Set SECOND_READ_MAX_TABLE_MB.")
    return data


def open_unpacked(path: Path) -> io.BytesIO:
    """Return :func:`read_unpacked` as an open file; what is broken raises ValueError, as what is no table does."""
    try:
        return io.BytesIO(read_unpacked(path))
    except EOFError as error:
        raise ValueError("broken or cut short") from error


def _unpacked(data: bytes, most: int) -> bytes:
    """Return the members of a gzip file one after the other (RFC 1952 2.2), one byte beyond the limit at most."""
    pieces, length, rest = [], 0, data
    try:
        while rest and length <= most:
            member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
            while not member.eof and length <= most:
                piece = member.decompress(rest, min(_PIECE, most + 1 - length))
                if not piece and not member.unconsumed_tail and not member.eof:
                    raise EOFError
                pieces.append(piece)
                length += len(piece)
                rest = member.unconsumed_tail
            # some writers fill the last block with zeros
            rest = member.unused_data.lstrip(b"\0") if member.eof else rest
    except zlib.error as error:
        raise EOFError from error
    return b"".join(pieces)
