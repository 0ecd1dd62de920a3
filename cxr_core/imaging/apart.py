"""Decode in processes of their own, bounded in time and memory."""

from __future__ import annotations

import atexit
import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from queue import LifoQueue

import numpy as np
from pydicom.dataset import Dataset

from ..errors import InputRefused
from ..settings import settings
from .decoder_process import receive, send
from .radiograph import Kind
from .raster import Raster

__all__ = ["Apart", "Unpacked", "decoder_apart"]

PROJECT = Path(__file__).resolve().parents[2]

PROCESSES = max(2, os.cpu_count() or 1)
"""Files that are decoded at once; the app reads two images at a time (:data:`cxr_core.desk.AT_ONCE`)."""

FRAME_SECONDS, MEGAPIXEL_SECONDS = 3.0, 1.0
"""A compressed frame may take so long, and so much longer for each 10^6 pixels. JPEG 2000, the slowest, takes a third
of a second for a million."""

_LIMITS = ("max_file_mb", "max_megapixels", "max_files", "max_zip_ratio")


@dataclass(frozen=True)
class Unpacked:
    """What a zip archive held.

    Attributes:
        files: (name, content) of each file that there was room for.
        left_out: how many there was none for.
    """

    files: list[tuple[str, bytes]]
    left_out: int


class Apart:
    """A few decoder processes, started when they are needed, and again when they have died.

    Archives have one process of their own, so that unpacking never holds up an image that is read.

    Args:
        seconds: after so long a file is refused and its process ended; a frame of few pixels sooner, see
            :data:`FRAME_SECONDS`.
        megabytes: memory (10^6 bytes) that a process may take beyond its libraries.
        processes: how many files are decoded at once; a further one waits.
    """

    def __init__(self, seconds: float, megabytes: int, processes: int = PROCESSES) -> None:
        self._seconds, self._megabytes = seconds, megabytes
        # the one that was used last first: who decodes one file at a time has one process
        self._free: LifoQueue[_Process | None] = LifoQueue()
        self._free_for_archives: LifoQueue[_Process | None] = LifoQueue()
        for _ in range(processes):
            self._free.put(None)
        self._free_for_archives.put(None)

    def start(self) -> None:
        """Start a process ahead of the first file, without waiting for it."""
        process = self._free.get()
        try:
            if process is None:
                with contextlib.suppress(OSError):
                    process = _Process(self._megabytes)
        finally:
            self._free.put(process)

    def frame(self, ds: Dataset, data: bytes) -> np.ndarray:
        """Return the containers of a compressed DICOM file, as :func:`.decode.container_pixels`."""
        megapixels = int(ds.Rows) * int(ds.Columns) / 1e6
        seconds = min(self._seconds, FRAME_SECONDS + MEGAPIXEL_SECONDS * megapixels)
        return _pixels(*self._ask({"kind": "frame"}, data, seconds))

    def raster(self, data: bytes, kind: Kind) -> Raster:
        """Return the grey values of a picture file, as :func:`.raster.read_raster`."""
        head, body = self._ask({"kind": "raster", "format": kind}, data)
        return Raster(_pixels(head, body), head["bits"], tuple(head["transforms"]), tuple(head["warnings"]))

    def inflated(self, data: bytes, at: int) -> bytes:
        """Return a deflated data set, as :func:`.element_limits.inflated`, of ``max_file_mb`` at most."""
        return self._ask({"kind": "inflated", "at": at, "most": settings().max_file_mb * 10**6}, data)[1]

    def unpacked(self, data: bytes, most: int) -> Unpacked:
        """Return the files of a zip archive while they fit into ``most`` bytes.

        Raises InputRefused where it is broken, encrypted or beyond the limits, as :class:`.archive.ArchiveReader`;
        then none of it is kept.
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
        """Return the places of the images that a DICOMDIR lists, as :func:`.dicomdir.listed_files`."""
        return [Path(*place) for place in self._ask({"kind": "directory"}, data)[0]["places"]]

    def close(self) -> None:
        """End the processes that are idle."""
        for free in (self._free, self._free_for_archives):
            idle = [free.get() for _ in range(free.qsize())]
            for process in idle:
                if process is not None:
                    process.end()
                free.put(None)

    def _unpacked(self, data: bytes, most: int, *, wanted: bool) -> Unpacked:
        files, left_out = [], 0
        request = {"kind": "members", "most": most, "wanted": wanted}
        for head, body in self._answers(self._free_for_archives, request, data, self._seconds):
            if "name" in head:
                if wanted:
                    files.append((head["name"], body))
            else:
                left_out = head["left_out"]
        return Unpacked(files, left_out)

    def _ask(self, request: dict, data: bytes = b"", seconds: float | None = None) -> tuple[dict, bytes]:
        """Return the one answer to a request."""
        (answer,) = self._answers(self._free, request, data, seconds or self._seconds)
        return answer

    def _answers(
        self, free: LifoQueue[_Process | None], request: dict, data: bytes, seconds: float
    ) -> Iterator[tuple[dict, bytes]]:
        """Yield the answers to a request; who asks takes all of them."""
        process = free.get()
        asked = False
        try:
            if process is not None and not process.alive():
                process.end()
                process = None
            process = process or _Process(self._megabytes)
            process.wait_until_ready()
            asked = True
            for head, body in process.ask(request, data, seconds):
                if "refused" in head:
                    raise InputRefused(head["refused"])
                yield head, body
        except (EOFError, OSError, ValueError) as error:
            if process is not None:
                process.end()
            process = None
            if not asked:
                raise InputRefused("No decoder process can be started. Is there memory left?") from error
            raise InputRefused(
                "Image whose decoder failed, or took more memory or time than is allowed "
                f"({self._megabytes} MB, {seconds:.3g} s). Export it again."
            ) from error
        except GeneratorExit:
            # its answers would be taken for those of the next file
            process.end()
            process = None
            raise
        finally:
            free.put(process)


def _pixels(head: dict, body: bytes) -> np.ndarray:
    return np.frombuffer(body, dtype=head["type"]).reshape(head["shape"])


def _hex(path: Path) -> str:
    """Return the absolute path as it goes into JSON: its bytes need not be UTF-8."""
    return os.fsencode(path.absolute()).hex()


class _Process:
    """One decoder process. Not for two threads at once."""

    def __init__(self, megabytes: int) -> None:
        # limits that were set in a settings file here; there is none where the process works
        limits = {f"SECOND_READ_{name.upper()}": str(getattr(settings(), name)) for name in _LIMITS}
        self._child = subprocess.Popen(  # noqa: S603 - our own module, a number as its argument
            [sys.executable, "-m", "cxr_core.imaging.decoder_process", str(megabytes)],
            cwd=PROJECT,
            env=os.environ | limits,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._ready = False

    def wait_until_ready(self) -> None:
        """Wait until its libraries are loaded, which takes a second and is not the file's time."""
        if not self._ready:
            receive(self._child.stdout)
            self._ready = True

    def alive(self) -> bool:
        """Return whether it can be asked."""
        return self._child.poll() is None

    def ask(self, request: dict, data: bytes, seconds: float) -> Iterator[tuple[dict, bytes]]:
        """Yield its answers; EOFError where it dies or is too slow, and then it is dead."""
        watch = threading.Timer(seconds, self._child.kill)
        watch.start()
        try:
            send(self._child.stdin, request | {"seconds": seconds}, data)
            more = True
            while more:
                head, body = receive(self._child.stdout)
                more = head.get("more", False)
                if not more:
                    # not only when this generator is closed: who takes the last answer may keep it
                    watch.cancel()
                yield head, body
        finally:
            watch.cancel()

    def end(self) -> None:
        """Kill it, and wait for it."""
        self._child.kill()
        self._child.wait()
        for stream in (self._child.stdin, self._child.stdout):
            with contextlib.suppress(OSError):
                stream.close()


@cache
def decoder_apart() -> Apart:
    """Return the process' one :class:`Apart`, by the settings."""
    decoder = Apart(settings().decode_seconds, settings().decode_memory_mb)
    atexit.register(decoder.close)
    return decoder
