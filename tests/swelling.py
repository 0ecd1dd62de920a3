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
from cxr_core.imaging import decoder_apart, phantom_png, read_radiograph
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
    apart = decoder_apart()
    alive = [process for free in (apart._free, apart._free_for_archives) for process in free.queue if process]
    return max((memory("VmHWM", process._child.pid) for process in alive), default=0.0)


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
    """Drop it as an archive on a list."""
    films = Worklist()
    unpacked = decoder_apart().unpacked(data, films.room())
    dropped = films.drop(unpacked.files, most=100, left_out=unpacked.left_out)
    return f"{len(dropped.taken)} taken, {dropped.left_out} left out: {dropped.why}"


WAYS: dict[str, Callable[[bytes], str]] = {"read": read, "predict": predict, "drop": drop}


def main(way: str, *paths: str) -> None:
    """Open each file and print what came of it."""
    # what is loaded at the first file is none of theirs
    if way == "drop":
        decoder_apart().unpacked(zip_of(("a", b"a")), 10)
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
