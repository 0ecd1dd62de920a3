"""Open files as the app or a command does, and print how far this process grew.

``python -m tests.swelling read|predict|drop FILE...``: a line of JSON for each file, with the
high-water mark of this process over what it held before, and that of the decoder processes. Linux only: the mark of
``getrusage`` is also that of the process that started this one.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cxr_core.cli.main import main as command
from cxr_core.errors import InputRefused
from cxr_core.imaging import phantom_png, read_radiograph, shared_decoder
from cxr_core.ui.worklist import Worklist
from tests.bombs import zip_of


def memory(what: str, process: int | str = "self") -> float:
    """Return the memory of a process, in 10^6 bytes: ``VmRSS`` now, or ``VmHWM`` the most; 0 where it has gone."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return max((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(what)), default=0.0)


def decoders() -> float:
    """Return the most that a decoder process took, of those that are alive."""
    decoder = shared_decoder()
    workers = decoder._files._workers | decoder._archives._workers
    return max((memory("VmHWM", worker._child.pid) for worker in workers), default=0.0)


def read(data: bytes) -> str:
    """Read a file as the app does."""
    try:
        read_radiograph(data)
    except InputRefused as refusal:
        return str(refusal)
    return "read"


def predict(data: bytes) -> str:
    """Read it by the command, beside a good file."""
    with tempfile.TemporaryDirectory() as folder:
        bad, good, out = (Path(folder) / name for name in ("bad", "good.png", "out.jsonl"))
        bad.write_bytes(data)
        good.write_bytes(phantom_png(128, 128))
        status = command(["predict", str(bad), str(good), "--json", "--out", str(out)])
        lines = out.read_text().splitlines()
    return f"status {status}, {sum(bool(json.loads(line)['findings']) for line in lines)} read"


def drop(data: bytes) -> str:
    """Add it to a worklist as an archive."""
    images = Worklist()
    unpacked = shared_decoder().unpacked(data, images.free_bytes())
    result = images.add(unpacked.files, max_images=100, skipped=unpacked.left_out)
    return f"{len(result.added)} added, {result.skipped} skipped: {result.reason}"


WAYS: dict[str, Callable[[bytes], str]] = {"read": read, "predict": predict, "drop": drop}


def main(way: str, *paths: str) -> None:
    """Open each file and print what came of it."""
    # what is loaded at the first file is none of theirs
    if way == "drop":
        shared_decoder().unpacked(zip_of(("a", b"a")), 10)
    else:
        WAYS[way](phantom_png(128, 128))
    for path in paths:
        data = Path(path).read_bytes()
        # the high-water mark begins anew
        Path("/proc/self/clear_refs").write_text("5")
        before, start = memory("VmRSS"), time.monotonic()
        outcome = WAYS[way](data)
        seconds, grew = time.monotonic() - start, memory("VmHWM") - before
        answer = {"name": Path(path).name, "outcome": outcome, "seconds": seconds, "grew": grew, "decoder": decoders()}
        print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
