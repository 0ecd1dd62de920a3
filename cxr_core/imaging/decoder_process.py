"""The process in which files are decoded apart: ``python -m cxr_core.imaging.decoder_process MEGABYTES``.

It reads requests from stdin and writes answers to stdout; see :mod:`.apart` for the other side. A message is
a line of JSON and as many bytes as it says. Nothing is unpickled on either side: a codec that was taken over
by a hostile file could otherwise reach the server.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import InputRefused
from .archive import ArchiveReader
from .decode import container_pixels
from .dicom import dataset
from .dicomdir import listed_files
from .element_limits import inflated
from .raster import Raster, read_raster

__all__ = ["receive", "send"]

LATE = 5
"""Seconds after which this process ends itself, should the one that watches the time have gone."""

MOST_HEAD, MOST_BODY = 2**26, 2**30
"""Bytes of a message: a process that was taken over by a hostile file must not fill the memory of the other."""

Answer = tuple[dict, bytes | memoryview]


def send(stream: BinaryIO, head: dict, body: bytes | memoryview = b"") -> None:
    """Write one message."""
    stream.write(json.dumps(head | {"bytes": len(body)}).encode() + b"\n")
    stream.write(body)
    stream.flush()


def receive(stream: BinaryIO) -> tuple[dict, bytes]:
    """Read one message; raises EOFError where the other side has gone, ValueError where it is no message."""
    line = stream.readline(MOST_HEAD)
    if not line:
        raise EOFError
    head = json.loads(line)
    if not 0 <= head["bytes"] <= MOST_BODY:
        raise ValueError
    body = stream.read(head["bytes"])
    if len(body) < head["bytes"]:
        raise EOFError
    return head, body


def _bound(megabytes: int) -> None:
    """Let this process take so much memory on top of what its libraries have mapped; where the system can."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        # a crash is expected now and then, and a core file would hold the image
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with open("/proc/self/statm") as file:
            mapped = int(file.read().split()[0]) * resource.getpagesize()
        most = mapped + megabytes * 10**6
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _of_pixels(pixels: np.ndarray, **facts: object) -> Answer:
    pixels = np.ascontiguousarray(pixels)
    return facts | {"shape": pixels.shape, "type": pixels.dtype.name}, memoryview(pixels).cast("B")


def _frame(head: dict, data: bytes) -> Iterator[Answer]:
    yield _of_pixels(container_pixels(dataset(data)))


def _raster(head: dict, data: bytes) -> Iterator[Answer]:
    raster: Raster = read_raster(data, head["format"])
    yield _of_pixels(raster.values, bits=raster.bits, transforms=raster.transforms, warnings=raster.warnings)


def _inflated(head: dict, data: bytes) -> Iterator[Answer]:
    yield {}, inflated(data, head["at"], head["most"])


def _members(head: dict, data: bytes) -> Iterator[Answer]:
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


def _listing(head: dict, data: bytes) -> Iterator[Answer]:
    with _opened(head["path"]) as file:
        yield {"sizes": ArchiveReader(file).sizes}, b""


def _member(head: dict, data: bytes) -> Iterator[Answer]:
    with _opened(head["path"]) as file:
        yield {}, ArchiveReader(file).content(head["number"])


def _directory(head: dict, data: bytes) -> Iterator[Answer]:
    yield {"places": [place.parts for place in listed_files(data)]}, b""


def _opened(path: str) -> BinaryIO:
    try:
        return Path(os.fsdecode(bytes.fromhex(path))).open("rb")
    except OSError as error:
        raise InputRefused("Zip archive that cannot be opened. Check file permissions.") from error


_ANSWERS: dict[str, Callable[[dict, bytes], Iterator[Answer]]] = {
    "frame": _frame,
    "raster": _raster,
    "inflated": _inflated,
    "members": _members,
    "listing": _listing,
    "member": _member,
    "directory": _directory,
}


@contextlib.contextmanager
def _ended_after(seconds: float) -> Iterator[None]:
    """End this process where a request takes far too long and nobody has ended it."""
    if not hasattr(signal, "alarm"):
        yield
        return
    signal.alarm(math.ceil(seconds) + LATE)
    try:
        yield
    finally:
        signal.alarm(0)


def main(megabytes: int) -> None:
    """Answer requests until stdin ends."""
    # Ctrl-C is for the command that started it, and which then ends it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    # whatever a library prints goes nowhere: the answers have a channel of their own
    nothing = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nothing, descriptor)
    _bound(megabytes)
    send(answers, {"ready": True})
    while True:
        try:
            head, data = receive(sys.stdin.buffer)
        except EOFError:
            return
        try:
            with _ended_after(head["seconds"]):
                for answer, body in _ANSWERS[head["kind"]](head, data):
                    send(answers, answer, body)
        except InputRefused as refusal:
            send(answers, {"refused": str(refusal)})
        except MemoryError:
            send(answers, {"refused": "Image that needs more memory to decode than is allowed. Export it again."})


if __name__ == "__main__":
    main(int(sys.argv[1]))
