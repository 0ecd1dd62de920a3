"""A zip archive of a study: which images it holds, and each of them, within limits, whatever it says of itself.

Runs in a decoder process (:mod:`.decoder_process`): one member is in memory at a time, never the whole archive.
"""

from __future__ import annotations

import contextlib
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import BinaryIO

from ..errors import InputRefused
from ..settings import settings
from .dicomdir import is_directory_name

__all__ = ["ArchiveReader", "is_archive"]

ENTRIES_PER_FILE = 20
"""Folders and hidden files are entries as well: an archive may have so many times ``max_files`` entries in all."""

_ENTRY_BYTES = 300  # of the central directory, for each entry that is accepted: 46 and the name (APPNOTE 4.3.12)
_END, _END_BYTES, _COMMENT_BYTES = b"PK\x05\x06", 22, 65_535
_IN_ZIP64 = 0xFFFFFFFF
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
_METHOD_NAMES = {9: "deflate64", 93: "zstandard", 95: "xz", 98: "PPMd"}
_MANY = "Zip archive of more than {} entries. Unpack it first."
_BROKEN = "Zip archive that is broken, encrypted or cut short. Make it again."


def is_archive(data: bytes) -> bool:
    """Return whether the bytes are a zip archive."""
    return data[:4] == b"PK\x03\x04"


class ArchiveReader:
    """An open zip archive.

    Folders, hidden files and a DICOMDIR are left out; an archive within is a file like others, and refused as such.

    Attributes:
        sizes: (name, bytes) of each image file, in the archive's order. A name is its last part only: a path in an
            archive leads nowhere.

    Args:
        file: the archive, open for reading; it must stay open.

    Raises:
        InputRefused: it is broken, encrypted, compressed by an unknown method, its members overlap, or it is beyond
            the limits: ``max_files`` files, each of ``max_file_mb``, together no more than ``max_zip_ratio`` times
            the archive.
    """

    def __init__(self, file: BinaryIO) -> None:
        with _translated():
            size = _check_directory(file)
            self._archive = zipfile.ZipFile(file)
            entries = self._archive.infolist()
        if len(entries) > _most_entries():
            raise InputRefused(_MANY.format(_most_entries()))
        # one run of deflated bytes that many members point to
        if sum(entry.compress_size for entry in entries) > size:
            raise InputRefused("Zip archive whose members overlap. Make it again.")
        self._members = [entry for entry in entries if _is_image(entry)]
        _check_members(self._members, size)
        self.sizes = [(PurePosixPath(entry.filename).name, entry.file_size) for entry in self._members]

    def content(self, number: int) -> bytes:
        """Return the bytes of a member, by its place in ``sizes``; raises InputRefused where it is broken."""
        entry = self._members[number]
        with _translated(), self._archive.open(entry) as file:
            # what it says was checked before; what it gives is bounded while it is read
            content = file.read(entry.file_size + 1)
        if len(content) != entry.file_size:
            raise InputRefused(_BROKEN)
        return content

    def contents(self, most: int) -> Iterator[tuple[str, bytes] | None]:
        """Yield (name, content) of each member while they fit into ``most`` bytes, and None for each that does not."""
        for number, (name, size) in enumerate(self.sizes):
            if size > most:
                yield None
                continue
            most -= size
            yield name, self.content(number)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise InputRefused(_BROKEN) from error
    except (struct.error, IndexError) as error:
        raise InputRefused(_BROKEN) from error


def _check_directory(file: BinaryIO) -> int:
    """Return the size of an archive; refuse one of a million entries before an object is made for each."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _END_BYTES - _COMMENT_BYTES))
    tail = file.read()
    end = tail.rfind(_END)
    if end < 0 or len(tail) - end < _END_BYTES:
        raise InputRefused(_BROKEN)
    length = int.from_bytes(tail[end + 12 : end + 16], "little")
    if length != _IN_ZIP64 and length > _ENTRY_BYTES * _most_entries():
        raise InputRefused(_MANY.format(_most_entries()))
    file.seek(0)
    return size


def _most_entries() -> int:
    return ENTRIES_PER_FILE * settings().max_files


def _check_members(members: list[zipfile.ZipInfo], size: int) -> None:
    limits = settings()
    if len(members) > limits.max_files:
        raise InputRefused(f"Zip archive of {len(members)} files: {limits.max_files} are accepted.")
    for entry in members:
        if entry.flag_bits & 1:
            raise InputRefused("Zip archive that is encrypted. Unpack it first.")
        if entry.compress_type not in _METHODS:
            method = _METHOD_NAMES.get(entry.compress_type, f"method {entry.compress_type}")
            raise InputRefused(
                f"Zip archive compressed by {method}: deflate is accepted. Make it again, or unpack it first."
            )
    if any(entry.file_size > limits.max_file_mb * 10**6 for entry in members):
        raise InputRefused(f"Zip archive with a file beyond {limits.max_file_mb} MB. Give one image a file.")
    if sum(entry.file_size for entry in members) > limits.max_zip_ratio * size:
        raise InputRefused(f"Zip archive that grows more than {limits.max_zip_ratio} times. Unpack it first.")


def _is_image(entry: zipfile.ZipInfo) -> bool:
    parts = PurePosixPath(entry.filename).parts
    hidden = any(part.startswith((".", "__MACOSX")) for part in parts if part != "..")
    return not entry.is_dir() and bool(parts) and not hidden and not is_directory_name(parts[-1])
