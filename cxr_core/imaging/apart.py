"""Decode in a process of its own, bounded in time and memory."""

from __future__ import annotations

import atexit
import contextlib
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path
from queue import Queue

import numpy as np
from pydicom.dataset import Dataset

from ..errors import InputRefused
from ..settings import settings
from .decoder_process import receive, send
from .radiograph import Kind
from .raster import Raster

__all__ = ["Apart", "decoder_apart"]

PROJECT = Path(__file__).resolve().parents[2]

PROCESSES = 2

FRAME_SECONDS, MEGAPIXEL_SECONDS = 3.0, 1.0
"""A compressed frame may take so long, and so much longer for each 10^6 pixels. JPEG 2000, the slowest, takes a third
of a second for a million."""


class Apart:
    """A few decoder processes, started when they are needed, and again when they have died.

    Args:
        seconds: after so long a file is refused and its process ended; a frame of few pixels sooner, see
            :data:`FRAME_SECONDS`.
        megabytes: memory (10^6 bytes) that a process may take beyond its libraries.
        processes: how many files are decoded at once; a further one waits.
    """

    def __init__(self, seconds: float, megabytes: int, processes: int = PROCESSES) -> None:
        self._seconds, self._megabytes = seconds, megabytes
        self._free: Queue[_Process | None] = Queue()
        for _ in range(processes):
            self._free.put(None)

    def frame(self, ds: Dataset, data: bytes) -> np.ndarray:
        """Return the containers of a compressed DICOM file, as :func:`.decode.container_pixels`."""
        megapixels = int(ds.Rows) * int(ds.Columns) / 1e6
        return self._ask("dicom", data, min(self._seconds, FRAME_SECONDS + MEGAPIXEL_SECONDS * megapixels))[1]

    def raster(self, data: bytes, kind: Kind) -> Raster:
        """Return the grey values of a picture file, as :func:`.raster.read_raster`."""
        head, pixels = self._ask(kind, data, self._seconds)
        return Raster(pixels, head["bits"], tuple(head["transforms"]), tuple(head["warnings"]))

    def close(self) -> None:
        """End the processes that are idle."""
        for _ in range(self._free.qsize()):
            process = self._free.get()
            if process is not None:
                process.end()
            self._free.put(None)

    def _ask(self, kind: str, data: bytes, seconds: float) -> tuple[dict, np.ndarray]:
        process = self._free.get()
        try:
            if process is not None and not process.alive():
                process.end()
                process = None
            process = process or _Process(self._megabytes)
            head, body = process.ask(kind, data, seconds)
        except (EOFError, OSError, ValueError) as error:
            if process is not None:
                process.end()
            process = None
            raise InputRefused(
                "Film whose decoder failed, or took more memory or time than is allowed "
                f"({self._megabytes} MB, {seconds:.3g} s). Export it again."
            ) from error
        finally:
            self._free.put(process)
        if "refused" in head:
            raise InputRefused(head["refused"])
        return head, np.frombuffer(body, dtype=head["type"]).reshape(head["shape"])


class _Process:
    """One decoder process. Not for two threads at once."""

    def __init__(self, megabytes: int) -> None:
        self._child = subprocess.Popen(  # noqa: S603 - our own module, a number as its argument
            [sys.executable, "-m", "cxr_core.imaging.decoder_process", str(megabytes)],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        # its libraries take a second to load, which is not the film's time
        try:
            receive(self._child.stdout)
        except (EOFError, OSError, ValueError):
            self.end()
            raise

    def alive(self) -> bool:
        """Return whether it can be asked."""
        return self._child.poll() is None

    def ask(self, kind: str, data: bytes, seconds: float) -> tuple[dict, bytes]:
        """Return its answer; EOFError where it dies or is too slow, and then it is dead."""
        watch = threading.Timer(seconds, self._child.kill)
        watch.start()
        try:
            send(self._child.stdin, {"kind": kind}, data)
            return receive(self._child.stdout)
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
