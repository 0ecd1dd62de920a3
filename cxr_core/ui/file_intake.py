"""Files on their way into the worklist: archives are unpacked, and a DICOMDIR among images is omitted."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import InputRefused
from ..imaging import Unpacked, is_archive, is_dicomdir, shared_decoder
from ..settings import settings
from .worklist import AddResult, Worklist

__all__ = ["add_files"]


def add_files(
    images: Worklist, files: Sequence[tuple[str, bytes]], *, upload: str = "", position: int = 0, of: int = 0
) -> AddResult:
    """Add files to a worklist; the images of a zip archive are added instead of it.

    Args:
        images: the worklist.
        files: (name, content) of each.
        upload: names the upload, where it comes file by file.
        position: place of the first file in that upload.
        of: number of files in that upload; by default that of ``files``.
    """
    # a DICOMDIR only lists the images that are added with it
    alone = max(of, len(files)) == 1
    unpacked: list[tuple[str, bytes]] = []
    skipped, free = 0, images.free_bytes()
    for name, data in files:
        if is_dicomdir(data[:1024]) and not alone:
            continue
        members = _unpack(name, data, free)
        unpacked += members.files
        skipped += members.left_out
        free -= sum(len(content) for _, content in members.files)
    return images.add(
        unpacked,
        max_images=settings().max_files,
        skipped=skipped,
        upload=upload,
        position=position,
        more=position + len(files) < of,
    )


def _unpack(name: str, data: bytes, free: int) -> Unpacked:
    """Return the members of a ZIP archive that fit into ``free`` bytes; any other file, and a broken archive, as is."""
    unchanged = Unpacked([(name, data)], left_out=0)
    if not is_archive(data):
        return unchanged
    try:
        members = shared_decoder().unpacked(data, max(0, free))
    except InputRefused:
        return unchanged
    inside = [(f"{name}/{path}", content) for path, content in members.files]
    return Unpacked(inside, members.left_out) if members.files or members.left_out else unchanged
