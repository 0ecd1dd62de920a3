"""The process in which files are decoded apart: ``python -m cxr_core.imaging.decoder_process MEGABYTES``.

It reads requests from stdin and writes answers to stdout; see :mod:`.apart` for the other side. A message is
a line of JSON and as many bytes as it says. Nothing is unpickled on either side: a codec that was taken over
by a hostile file could otherwise reach the server.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import BinaryIO

import numpy as np

from ..errors import InputRefused
from .decode import container_pixels
from .dicom import dataset
from .raster import Raster, read_raster

__all__ = ["receive", "send"]


def send(stream: BinaryIO, head: dict, body: bytes | memoryview = b"") -> None:
    """Write one message."""
    stream.write(json.dumps(head | {"bytes": len(body)}).encode() + b"\n")
    stream.write(body)
    stream.flush()


def receive(stream: BinaryIO) -> tuple[dict, bytes]:
    """Read one message; raises EOFError where the other side has gone."""
    line = stream.readline()
    if not line:
        raise EOFError
    head = json.loads(line)
    body = stream.read(head["bytes"])
    if len(body) < head["bytes"]:
        raise EOFError
    return head, body


def _bound(megabytes: int) -> None:
    """Let this process take so much memory on top of what its libraries have mapped; where the system can."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        with open("/proc/self/statm") as file:
            mapped = int(file.read().split()[0]) * resource.getpagesize()
        most = mapped + megabytes * 10**6
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        # a crash is expected now and then, and a core file would hold the film
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _decoded(kind: str, data: bytes) -> tuple[dict, np.ndarray]:
    if kind == "dicom":
        pixels = container_pixels(dataset(data))
        return {}, pixels
    raster: Raster = read_raster(data, kind)
    return {"bits": raster.bits, "transforms": raster.transforms, "warnings": raster.warnings}, raster.values


def main(megabytes: int) -> None:
    """Answer requests until stdin ends."""
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
            facts, pixels = _decoded(head["kind"], data)
            pixels = np.ascontiguousarray(pixels)
            answer = facts | {"shape": pixels.shape, "type": pixels.dtype.name}
            send(answers, answer, memoryview(pixels).cast("B"))
        except InputRefused as refusal:
            send(answers, {"refused": str(refusal)})
        except MemoryError:
            send(answers, {"refused": "Film that needs more memory to decode than is allowed. Export it again."})


if __name__ == "__main__":
    main(int(sys.argv[1]))
