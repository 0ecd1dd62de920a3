"""What a decoder process does: requests of :class:`.isolated_decoder.IsolatedDecoder`, answered by the codecs."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import InputRefused
from ..killable_worker import Answer, Head, Reply
from .dataset import dataset, inflate
from .frame_decoding import container_pixels
from .raster import Raster, read_raster
from .zip_archive import ArchiveReader, listed_files

__all__ = ["decoding"]


def decoding(limits: bytes) -> Answer:
    """Return what answers requests, with the settings ``limits`` (JSON, by the names of environment variables)."""
    os.environ.update(json.loads(limits))
    return _decoded


def _decoded(head: Head, data: bytes) -> Iterator[Reply]:
    try:
        yield from _REPLIES[head["kind"]](head, data)
    except MemoryError:
        raise InputRefused("Image that needs more memory to decode than is allowed. Export it again.") from None


def _of_pixels(pixels: np.ndarray, **facts: object) -> Reply:
    pixels = np.ascontiguousarray(pixels)
    return facts | {"shape": pixels.shape, "type": pixels.dtype.name}, memoryview(pixels.data).cast("B")


def _frame(head: Head, data: bytes) -> Iterator[Reply]:
    yield _of_pixels(container_pixels(dataset(data)))


def _raster(head: Head, data: bytes) -> Iterator[Reply]:
    raster: Raster = read_raster(data, head["format"])
    yield _of_pixels(raster.values, bits=raster.bits, transforms=raster.transforms, warnings=raster.warnings)


def _inflated(head: Head, data: bytes) -> Iterator[Reply]:
    yield {}, inflate(data, head["at"], head["most"])


def _members(head: Head, data: bytes) -> Iterator[Reply]:
    """One answer for each member that fits into ``most`` bytes, then how many did not."""
    left_out = 0
    for member in ArchiveReader(io.BytesIO(data)).contents(head["most"]):
        if member is None:
            left_out += 1
        else:
            name, content = member
            # who only asks whether it can be unpacked is given nothing of it
            yield {"name": name, "more": True}, content if head["wanted"] else b""
    yield {"left_out": left_out}, b""


def _listing(head: Head, data: bytes) -> Iterator[Reply]:
    with _opened(head["path"]) as file:
        yield {"sizes": ArchiveReader(file).sizes}, b""


def _member(head: Head, data: bytes) -> Iterator[Reply]:
    with _opened(head["path"]) as file:
        yield {}, ArchiveReader(file).content(head["number"])


def _directory(head: Head, data: bytes) -> Iterator[Reply]:
    yield {"places": [place.parts for place in listed_files(data)]}, b""


def _opened(path: str) -> BinaryIO:
    try:
        return Path(os.fsdecode(bytes.fromhex(path))).open("rb")
    except OSError as error:
        raise InputRefused("Zip archive that cannot be opened. Check file permissions.") from error


_REPLIES: dict[str, Callable[[Head, bytes], Iterator[Reply]]] = {
    "frame": _frame,
    "raster": _raster,
    "inflated": _inflated,
    "members": _members,
    "listing": _listing,
    "member": _member,
    "directory": _directory,
}
