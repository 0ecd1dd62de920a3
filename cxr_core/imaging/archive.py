"""A zip of a study to its files, in memory, within limits, whatever it says of itself."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import PurePosixPath

from ..errors import InputRefused
from ..settings import settings
from .dicomdir import is_directory_name

__all__ = ["is_archive", "unpacked"]


_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
_OTHER_METHODS = {9: "deflate64", 93: "zstandard", 95: "xz", 98: "PPMd"}


def is_archive(data: bytes) -> bool:
    """Return whether the bytes are a zip archive."""
    return data[:4] == b"PK\x03\x04"


def unpacked(data: bytes) -> list[tuple[str, bytes]]:
    """Return (name, content) of each file of a zip archive.

    A name is its last part only: a path in an archive leads nowhere. Folders, hidden files and a
    DICOMDIR are left out; an archive within is a file like others, and refused as such.

    Raises:
        InputRefused: it is broken, encrypted, or beyond the limits: ``max_files`` files, each of
            ``max_file_mb``, together no more than ``max_zip_ratio`` times the archive.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [member for member in archive.infolist() if _is_film(member)]
            if len(members) > settings().max_files:
                raise InputRefused(f"Zip archive of {len(members)} files: {settings().max_files} are accepted.")
            # what it says is checked before, what it gives while it is read
            most = settings().max_zip_ratio
            if sum(member.file_size for member in members) > most * len(data):
                raise InputRefused(f"Zip archive that grows more than {most} times. Unpack it first.")
            return [(PurePosixPath(member.filename).name, _content(archive, member)) for member in members]
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise InputRefused("Zip archive that is broken, encrypted or cut short. Make it again.") from error


def _is_film(member: zipfile.ZipInfo) -> bool:
    parts = PurePosixPath(member.filename).parts
    hidden = any(part.startswith((".", "__MACOSX")) for part in parts if part != "..")
    return not member.is_dir() and bool(parts) and not hidden and not is_directory_name(parts[-1])


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    most = settings().max_file_mb * 10**6
    if member.compress_type not in _METHODS:
        name = _OTHER_METHODS.get(member.compress_type, f"method {member.compress_type}")
        raise InputRefused(f"Zip archive compressed by {name}: deflate is accepted. Make it again, or unpack it first.")
    with archive.open(member) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise InputRefused(f"Zip archive with a file beyond {settings().max_file_mb} MB. Give one film a file.")
    return content
