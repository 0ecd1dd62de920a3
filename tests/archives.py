"""Archives read by a command of its own that may be killed, and what came of them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

PROJECT = Path(__file__).resolve().parent.parent
CODE = """
import signal
import sys
from cxr_core.archive import on_ray
from cxr_core.cli import archive
from cxr_core.cli.main import main

# tests that are run in the background of a shell inherit that it is ignored
signal.signal(signal.SIGINT, signal.default_int_handler)
archive.CHUNK = on_ray.BLOCK = int(sys.argv[1])
sys.exit(main(sys.argv[2:]))
"""
LIMIT = 600
"""Seconds that a command may take."""


def started(images: Path, out: Path, *options: str, part: int = 512) -> subprocess.Popen:
    """Start to read an archive, with so many images in a part, in a process group of its own."""
    command = [sys.executable, "-c", CODE, str(part), "predict", str(images), "--archive", str(out), *options]
    return subprocess.Popen(
        command, cwd=PROJECT, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@contextlib.contextmanager
def reading(images: Path, out: Path, *options: str, part: int = 512) -> Iterator[subprocess.Popen]:
    """Read an archive as :func:`started`; what still runs of it at the end of the block is killed."""
    process = started(images, out, *options, part=part)
    try:
        yield process
    finally:
        # also what a command that has ended left behind
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def parts(out: Path) -> int:
    """Return how many parts there are."""
    return len(list((out / "findings").glob("[0-9]*.parquet")))


def wait_for_parts(process: subprocess.Popen, out: Path, count: int, seconds: float = LIMIT) -> None:
    """Wait until there are so many; fails where the command ends before."""
    until = time.monotonic() + seconds
    while parts(out) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.005)


def kill_group(process: subprocess.Popen) -> None:
    """Kill a command and all that it has started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def wait_until_gone(group: int, seconds: float = 60) -> bool:
    """Return whether nothing of a process group is left, after waiting for it."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def table(out: Path, name: str = "findings") -> pa.Table:
    """Return the rows of an archive's table, in the order of files and labels; of none, an empty one."""
    if not any((out / name).glob("[0-9]*.parquet")):
        return pa.table({})
    return pq.read_table(out / name).sort_by([("file", "ascending"), ("label", "ascending")]).replace_schema_metadata()
