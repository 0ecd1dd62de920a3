"""Zip archives and DICOMDIR directories of a study: the images that they list, read within limits.

Runs in a decoder process (:mod:`.decoder_process`): one member is in memory at a time, never the whole archive.
"""

from __future__ import annotations

import contextlib
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import pydicom
from pydicom.uid import MediaStorageDirectoryStorage

from ..errors import InputRefused
from ..settings import settings

__all__ = ["ArchiveReader", "is_archive", "is_dicomdir", "is_dicomdir_name", "listed_files", "normalised_name"]

ENTRIES_PER_FILE = 20
"""Limit of all entries, folders and hidden files included, as a multiple of ``max_files``."""

# of the central directory, for each accepted entry: 46 and the name (APPNOTE 4.3.12)
_ENTRY_BYTES = 300
_END, _END_BYTES, _COMMENT_BYTES = b"PK\x05\x06", 22, 65_535
_IN_ZIP64 = 0xFFFFFFFF
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
_METHOD_NAMES = {9: "deflate64", 93: "zstandard", 95: "xz", 98: "PPMd"}
_TOO_MANY = "Zip archive of more than {} entries. Unpack it first."
# PS3.10 8.2: up to eight of these letters; others would lead out of the medium
_COMPONENT = re.compile(r"[A-Z0-9_]{1,8}", re.IGNORECASE)
_BROKEN = "Zip archive that is broken, encrypted or truncated. Make it again."


def is_archive(data: bytes) -> bool:
    """Return whether the bytes are a zip archive."""
    return data[:4] == b"PK\x03\x04"


class ArchiveReader:
    """An open zip archive.

    Folders, hidden files and a DICOMDIR are skipped; an archive within is a file like others, and refused as such.

    Attributes:
        sizes: (name, bytes) of each image file, in the archive's order. A name is the last
            component of its path.

    Args:
        file: the archive, open for reading; it must stay open.

    Raises:
        InputRefused: it is broken, encrypted, compressed by an unknown method, its members overlap, or it exceeds
            the limits: ``max_files`` files, each of ``max_file_mb``, together no more than ``max_zip_ratio`` times
            the archive.
    """

    def __init__(self, file: BinaryIO) -> None:
        with _translated():
            size = _check_directory(file)
            self._archive = zipfile.ZipFile(file)
            entries = self._archive.infolist()
        if len(entries) > _max_entries():
            raise InputRefused(_TOO_MANY.format(_max_entries()))
        # many members may refer to the same compressed bytes
        if sum(entry.compress_size for entry in entries) > size:
            raise InputRefused("Zip archive whose members overlap. Make it again.")
        self._members = [entry for entry in entries if _is_image(entry)]
        _check_members(self._members, size)
        self.sizes = [(PurePosixPath(entry.filename).name, entry.file_size) for entry in self._members]

    def content(self, number: int) -> bytes:
        """Return the bytes of a member, by its place in ``sizes``; raises InputRefused where it is broken."""
        entry = self._members[number]
        with _translated(), self._archive.open(entry) as file:
            # its declared size was checked before; the read is limited to it
            content = file.read(entry.file_size + 1)
        if len(content) != entry.file_size:
            raise InputRefused(_BROKEN)
        return content

    def contents(self, max_bytes: int) -> Iterator[tuple[str, bytes] | None]:
        """Yield (path, content) of each member while they fit into ``max_bytes``, and None for each that does not.

        The path is for display; it leads to no folder above the archive.
        """
        for number, (_, size) in enumerate(self.sizes):
            if size > max_bytes:
                yield None
                continue
            max_bytes -= size
            yield _shown_path(self._members[number].filename), self.content(number)


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
    if length != _IN_ZIP64 and length > _ENTRY_BYTES * _max_entries():
        raise InputRefused(_TOO_MANY.format(_max_entries()))
    file.seek(0)
    return size


def _max_entries() -> int:
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
        raise InputRefused(f"Zip archive with a file beyond {limits.max_file_mb} MB. Give one image per file.")
    if sum(entry.file_size for entry in members) > limits.max_zip_ratio * size:
        raise InputRefused(f"Zip archive that grows more than {limits.max_zip_ratio} times. Unpack it first.")


def _shown_path(filename: str) -> str:
    return "/".join(part for part in PurePosixPath(filename).parts if part not in ("/", "..", "."))


def _is_image(entry: zipfile.ZipInfo) -> bool:
    parts = PurePosixPath(entry.filename).parts
    hidden = any(part.startswith((".", "__MACOSX")) for part in parts if part != "..")
    return not entry.is_dir() and bool(parts) and not hidden and not is_dicomdir_name(parts[-1])


def is_dicomdir(head: bytes) -> bool:
    """Return whether the first kilobyte of a file is that of a DICOMDIR (PS3.3 F, PS3.10 8)."""
    return head[128:132] == b"DICM" and MediaStorageDirectoryStorage.encode() in head


def normalised_name(name: str) -> str:
    """Return a file's name as in a DICOMDIR: in capitals, without ``.dcm`` and the ``;1`` of ISO 9660."""
    return re.sub(r"(\.DCM)?\.?(;\d+)?$", "", name.upper())


def is_dicomdir_name(name: str) -> bool:
    """Return whether a file's name is a spelling of DICOMDIR."""
    return normalised_name(name) == "DICOMDIR"


def listed_files(data: bytes) -> list[Path]:
    """Return the paths of a DICOMDIR's images, relative to its folder, in its order.

    Raises:
        InputRefused: it cannot be read, lists more files than the setting ``max_files``, or a path outside its
            folder.
    """
    try:
        # only these elements are read: a directory holds the patients' names
        ds = pydicom.dcmread(io.BytesIO(data), specific_tags=["DirectoryRecordSequence"])
        records = [
            item.ReferencedFileID
            for item in ds.DirectoryRecordSequence
            if item.get("DirectoryRecordType") == "IMAGE" and item.get("ReferencedFileID")
        ]
        paths = [[record] if isinstance(record, str) else [str(part) for part in record] for record in records]
    except Exception as error:
        raise InputRefused("DICOMDIR that is broken or truncated. Give the folder of the images instead.") from error
    if len(paths) > settings().max_files:
        raise InputRefused(f"DICOMDIR of {len(paths)} images: {settings().max_files} are accepted.")
    if not all(_COMPONENT.fullmatch(part) for path in paths for part in path):
        raise InputRefused("DICOMDIR that names files outside its medium. Give the folder of the images instead.")
    return [Path(*path) for path in paths]
