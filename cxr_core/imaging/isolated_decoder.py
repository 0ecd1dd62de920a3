"""Decoding in processes of its own (:mod:`cxr_core.killable_worker`), bounded in time and memory.

Compressed frames, picture files, deflated data sets and zip archives are opened by C libraries. Some of them end the
process on a broken file, or work on it for ever, or give back a thousand times what they were given. A codec that
crashes, hangs or takes too much memory costs one file a refusal, and nobody else anything. What the processes do is in
:mod:`.decoder_process`.
"""

from __future__ import annotations

import atexit
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from ..errors import InputRefused
from ..killable_worker import Head, Message, WorkerLost, WorkerPool, WorkerUnstartable
from ..settings import settings
from .radiograph import Kind
from .raster import Raster

__all__ = ["IsolatedDecoder", "Unpacked", "shared_decoder"]

PROCESSES = max(2, os.cpu_count() or 1)
"""Files that are decoded at once; the app reads two images at a time (:data:`cxr_core.reading_queue.AT_ONCE`)."""

FRAME_SECONDS, MEGAPIXEL_SECONDS = 3.0, 1.0
"""A compressed frame may take so long, and so much longer for each 10^6 pixels. JPEG 2000, the slowest, takes a third
of a second for a million."""

_LIMITS = ("max_file_mb", "max_megapixels", "max_files", "max_zip_ratio")


@dataclass(frozen=True)
class Unpacked:
    """Content of a zip archive.

    Attributes:
        files: (path within the archive, content) of each file that there was room for.
        left_out: number of files that there was no room for.
    """

    files: list[tuple[str, bytes]]
    left_out: int


class IsolatedDecoder:
    """Decodes files in a few processes. Safe to use from several threads.

    Archives have one process of their own, so that unpacking never holds up an image that is read. All methods raise
    InputRefused where a file is broken or beyond the limits, or where its decoder died or was killed.

    Args:
        seconds: after so long a file is refused and its process ended; a frame of few pixels sooner, see
            :data:`FRAME_SECONDS`.
        megabytes: memory (10^6 bytes) that a process may take beyond its libraries.
        processes: files that are decoded at once; a further one waits.
    """

    def __init__(self, seconds: float, megabytes: int, processes: int = PROCESSES) -> None:
        self._seconds, self._megabytes = seconds, megabytes
        # the processes apply the limits of this one, whatever becomes of the settings file meanwhile
        limits = {f"SECOND_READ_{name.upper()}": str(getattr(settings(), name)) for name in _LIMITS}
        self._files, self._archives = (
            WorkerPool(
                "cxr_core.imaging.decoder_process:decoding",
                number,
                setup=json.dumps(limits).encode(),
                megabytes=megabytes,
            )
            for number in (processes, 1)
        )

    def start(self) -> None:
        """Start a process ahead of the first file, without waiting for it."""
        self._files.start()

    def frame(self, ds: Dataset, data: bytes) -> np.ndarray:
        """Return the containers of a compressed DICOM file, as :func:`.frame_decoding.container_pixels`.

        ``ds`` is what was read of the file ``data``.
        """
        megapixels = int(ds.Rows) * int(ds.Columns) / 1e6
        seconds = min(self._seconds, FRAME_SECONDS + MEGAPIXEL_SECONDS * megapixels)
        return _pixels(*self._ask({"kind": "frame"}, data, seconds))

    def raster(self, data: bytes, kind: Kind) -> Raster:
        """Return the grey values of a picture file, as :func:`.raster.read_raster`."""
        head, body = self._ask({"kind": "raster", "format": kind}, data)
        return Raster(_pixels(head, body), head["bits"], tuple(head["transforms"]), tuple(head["warnings"]))

    def inflated(self, data: bytes, at: int) -> bytes:
        """Return the data set that is deflated from byte ``at`` of a file, of ``max_file_mb`` at most."""
        return self._ask({"kind": "inflated", "at": at, "most": settings().max_file_mb * 10**6}, data)[1]

    def unpacked(self, data: bytes, most: int) -> Unpacked:
        """Return the files of a zip archive while they fit into ``most`` bytes.

        Raises InputRefused as :class:`.zip_archive.ArchiveReader`; then no file is returned.
        """
        return self._unpacked(data, most, wanted=True)

    def check_archive(self, data: bytes) -> None:
        """Raise InputRefused where a zip archive cannot be unpacked."""
        self._unpacked(data, settings().max_zip_ratio * len(data), wanted=False)

    def listed(self, path: Path) -> list[tuple[str, int]]:
        """Return (name, bytes) of each file of a zip archive on the disk."""
        head, _ = self._ask({"kind": "listing", "path": _hex(path)})
        return [(name, size) for name, size in head["sizes"]]

    def member(self, path: Path, number: int) -> bytes:
        """Return one file of a zip archive on the disk, by its place in what :meth:`listed` returns."""
        return self._ask({"kind": "member", "path": _hex(path), "number": number})[1]

    def directory(self, data: bytes) -> list[Path]:
        """Return the paths of the images that a DICOMDIR lists, as :func:`.zip_archive.listed_files`."""
        return [Path(*place) for place in self._ask({"kind": "directory"}, data)[0]["places"]]

    def close(self) -> None:
        """End all processes."""
        self._files.close()
        self._archives.close()

    def _unpacked(self, data: bytes, most: int, *, wanted: bool) -> Unpacked:
        files, left_out = [], 0
        request = {"kind": "members", "most": most, "wanted": wanted}
        for head, body in self._answers(self._archives, request, data, self._seconds):
            if "name" in head:
                if wanted:
                    files.append((head["name"], body))
            else:
                left_out = head["left_out"]
        return Unpacked(files, left_out)

    def _ask(self, request: Head, data: bytes = b"", seconds: float | None = None) -> Message:
        (answer,) = self._answers(self._files, request, data, seconds or self._seconds)
        return answer

    def _answers(self, pool: WorkerPool, request: Head, data: bytes, seconds: float) -> Iterator[Message]:
        """Yield the answers to a request; who asks takes all of them."""
        try:
            yield from pool.ask(request, data, seconds=seconds)
        except WorkerUnstartable as error:
            raise InputRefused("No decoder process can be started. The machine may be out of memory.") from error
        except WorkerLost as error:
            raise InputRefused(
                "Image whose decoder failed, or took more memory or time than is allowed "
                f"({self._megabytes} MB, {seconds:.3g} s). Export it again."
            ) from error


def _pixels(head: Head, body: bytes) -> np.ndarray:
    return np.frombuffer(body, dtype=head["type"]).reshape(head["shape"])


def _hex(path: Path) -> str:
    """Return the absolute path as it goes into JSON: its bytes need not be UTF-8."""
    return os.fsencode(path.absolute()).hex()


@cache
def shared_decoder() -> IsolatedDecoder:
    """Return the one decoder of this process, by the settings."""
    decoder = IsolatedDecoder(settings().decode_seconds, settings().decode_memory_mb)
    atexit.register(decoder.close)
    return decoder
