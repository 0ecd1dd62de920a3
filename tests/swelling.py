"""Open files of :mod:`tests.bombs` as the app or a command does, and print how far this process grew.

``python -m tests.swelling read|predict|drop NAME...``: a line of JSON for each file, then one for all decoder
processes together. The high-water mark of this process is set back before each file is opened, so that what was needed
to make the file hides nothing.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cxr_core.cli.main import main as command
from cxr_core.errors import InputRefused
from cxr_core.imaging import decoder_apart, phantom_png, read_radiograph
from cxr_core.ui.worklist import Worklist
from tests.bombs import GROWING, MEGABYTE, SLOW, zip_of

STUDY = "zip of 20 images of 20 MB"
FILES = GROWING | SLOW | {STUDY: lambda: zip_of(*((f"IM{n}", bytes([n]) * (20 * MEGABYTE)) for n in range(20)))}


def reset_high_water() -> float:
    """Set this process's high-water mark back to what it holds now (Linux), and return that in 10^6 bytes."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    return high_water()


def high_water() -> float:
    """Return the most memory of this process since the mark was set back, in 10^6 bytes."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6


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


def main(way: str, *names: str) -> None:
    """Open each file and print what came of it."""
    # what is loaded at the first file is none of theirs
    if way == "drop":
        decoder_apart().unpacked(zip_of(("a", b"a")), 10)
    else:
        WAYS[way](phantom_png(128, 128))
    for name in names:
        data = FILES[name]()
        before, start = reset_high_water(), time.monotonic()
        outcome = WAYS[way](data)
        seconds, grew = time.monotonic() - start, high_water() - before
        print(json.dumps({"name": name, "mb": len(data) / 1e6, "outcome": outcome, "seconds": seconds, "grew": grew}))
    decoder_apart().close()
    print(json.dumps({"decoders": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6}))


if __name__ == "__main__":
    main(*sys.argv[1:])
