"""Send hundreds of large images to the receiver, kill it on the way, and send again. Run by ``make soak``.

200 CR of 10 MB are sent by DCMTK's storescu, one after the other over one association. Three times the receiver is
killed (-9) in the middle and the sending is begun anew, as a modality does; then all are sent once more. Every image
that was confirmed must be there, all of them once, and each with the data set that was sent. The memory of the receiver
must not grow. Its throughput is printed beside that of DCMTK's storescp, which writes to the same disk in the same run.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.soak.server import Server
from cxr_core.imaging import phantom_dicom
from cxr_core.settings import settings
from cxr_core.store.pacs_files import pacs_folder
from cxr_core.store.pacs_header import dataset_sha256
from cxr_core.store.pacs_store import PacsStore
from tests.received import dcmtk, uid

IMAGES, ROWS, COLUMNS = 200, 2400, 2100
KILLED_AFTER = (30, 80, 130)
"""Images in the store when the receiver is killed."""

MAX_GROWTH = 1.25
PDU_BYTES = "131072"
TITLE, SENDER = "SECONDREAD", "ROOM3"


def main() -> int:
    """Print what was stored, and the throughput; status 1 where an image is lost or the memory grows."""
    with tempfile.TemporaryDirectory() as name, _settings(Path(name)):
        files = _images(Path(name) / "sent")
        size = sum(file.stat().st_size for file in files) / 1e6
        expected = {uid(number): dataset_sha256(file.read_bytes()) for number, file in enumerate(files)}
        lost = _kill_and_send_again(files, expected)
        wrong = _wrong(expected)
        shutil.rmtree(settings().home)
        early, late, seconds = _timed(files)
        wrong += _wrong(expected)
        shutil.rmtree(settings().home)
        plain = [_storescp(files, Path(name) / "plain", option) for option in ((), ("--bit-preserving",))]
    print(f"{IMAGES} CR of {size / IMAGES:.1f} MB, receiver killed at {', '.join(map(str, KILLED_AFTER))} images and")
    print(f"all sent again: {lost} confirmed and lost, {wrong} missing, twice or with another data set")
    print(f"memory of the receiver: {early:.0f} MB after 20 images, {late:.0f} MB after {IMAGES}, ", end="")
    print(f"{late / early:.2f} times (at most {MAX_GROWTH})")
    print(
        f"receiver: {seconds:.1f} s, {size / seconds:.0f} MB/s, on the disk and in the database before it is confirmed"
    )
    for option, taken in zip(("decoded and written again", "bit by bit"), plain, strict=True):
        print(f"storescp of DCMTK, {option}, not flushed to the disk: {taken:.1f} s, {size / taken:.0f} MB/s")
    return int(lost > 0 or wrong > 0 or late > MAX_GROWTH * early)


@contextlib.contextmanager
def _settings(folder: Path) -> Iterator[None]:
    changes = {
        "SECOND_READ_HOME": str(folder / "home"),
        "SECOND_READ_RUNS": str(folder / "home" / "runs"),
        "SECOND_READ_PACS_LISTEN": "127.0.0.1:0",
        "SECOND_READ_PACS_SENDERS": f"{SENDER}@127.0.0.1",
    }
    before = dict(os.environ)
    os.environ.update(changes)
    settings.cache_clear()
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        settings.cache_clear()


def _images(folder: Path) -> list[Path]:
    """Write the images: noise, which no file system makes smaller."""
    folder.mkdir()
    files = []
    for number in range(IMAGES):
        values = np.random.default_rng(number).integers(0, 4096, (ROWS, COLUMNS), dtype=np.uint16)
        data = phantom_dicom(
            values=values,
            SOPInstanceUID=uid(number), SeriesInstanceUID=uid(number, "8"), StudyInstanceUID=uid(number, "7"),
        )  # fmt: skip
        files.append(folder / f"{number:03d}.dcm")
        files[-1].write_bytes(data)
    return files


@contextlib.contextmanager
def _receiver() -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A receiver in a process of its own, with its port."""
    command = [sys.executable, "-m", "cxr_core", "pacs", "receive"]
    with (
        (settings().home.parent / "log").open("a") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            match = re.search(r":(\d+)\.$", process.stdout.readline().strip())
            if match is None:
                raise RuntimeError("the receiver did not start")
            yield process, int(match[1])
        finally:
            process.kill()


def _send(port: int, files: Sequence[Path], title: str = TITLE) -> list[Path]:
    """Send files by storescu, and return those that were confirmed."""
    program = dcmtk("storescu")
    if program is None:
        raise SystemExit("storescu of DCMTK is not installed")
    command = [program, "-v", "-pdu", PDU_BYTES, "-aet", SENDER, "-aec", title, "127.0.0.1", str(port)]
    done = subprocess.run([*command, *map(str, files)], capture_output=True, text=True)
    text = done.stdout + done.stderr
    return files[: text.count("Received Store Response (Success)")]


def _kill_and_send_again(files: Sequence[Path], expected: dict[str, str]) -> int:
    """Send and kill; return how many images were confirmed and are not there."""
    lost = 0
    for killed_after in (*KILLED_AFTER, None):
        with _receiver() as (process, port), contextlib.closing(PacsStore()) as store:
            killer = threading.Thread(target=_kill_at, args=(process, store, killed_after), daemon=True)
            if killed_after is not None:
                killer.start()
            confirmed = _send(port, files)
            process.kill()
            if killed_after is not None:
                killer.join()
            here = {each.sop_instance_uid: each.dataset_sha256 for each in store.instances(limit=10 * IMAGES)}
            lost += sum(here.get(uid(int(file.stem))) != expected[uid(int(file.stem))] for file in confirmed)
            print(f"{len(confirmed)} confirmed, {len(here)} in the store", flush=True)
    return lost


def _kill_at(process: subprocess.Popen[str], store: PacsStore, count: int) -> None:
    while process.poll() is None:
        if len(store.instances(limit=10 * IMAGES)) >= count:
            process.kill()
        time.sleep(0.01)


def _wrong(expected: dict[str, str]) -> int:
    """Return how many images are missing, there twice, or have another data set on the disk."""
    with contextlib.closing(PacsStore()) as store:
        rows = Counter(each.sop_instance_uid for each in store.instances(limit=10 * IMAGES))
        wrong = sum(rows[one] != 1 for one in expected) + len(rows - Counter(expected.keys()))
        wrong += len(store.alarms())
        for one in set(expected) & set(rows):
            data = store.load_instance(one)
            wrong += dataset_sha256(data) != expected[one]
        store.delete_due()
        files = [path for path in (pacs_folder() / "instances").iterdir() if path.suffix != ".part"]
    return wrong + abs(len(files) - len(expected))


def _timed(files: Sequence[Path]) -> tuple[float, float, float]:
    """Return memory after 20 and after all images, in MB, and the seconds that all took."""
    with _receiver() as (process, port):
        watched = Server("", process.pid)
        start = time.monotonic()
        confirmed = _send(port, files[:20])
        early = watched.memory_mb()
        confirmed = [*confirmed, *_send(port, files[20:])]
        seconds = time.monotonic() - start
        late = watched.memory_mb()
    if len(confirmed) != len(files):
        raise RuntimeError(f"{len(confirmed)} of {len(files)} images were confirmed")
    return early, late, seconds


def _storescp(files: Sequence[Path], folder: Path, options: Sequence[str]) -> float:
    """Return the seconds in which DCMTK's storescp takes the same files."""
    folder.mkdir()
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program, echo = dcmtk("storescp"), dcmtk("echoscu")
    if program is None or echo is None:
        raise SystemExit("storescp of DCMTK is not installed")
    command = [program, "-pdu", PDU_BYTES, *options, "-od", str(folder), str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            while subprocess.run([echo, "127.0.0.1", str(port)], capture_output=True).returncode:
                time.sleep(0.1)
            start = time.monotonic()
            confirmed = [*_send(port, files[:20]), *_send(port, files[20:])]
            seconds = time.monotonic() - start
        finally:
            process.kill()
    if len(confirmed) != len(files):
        raise RuntimeError(f"storescp took {len(confirmed)} of {len(files)} files")
    shutil.rmtree(folder)
    return seconds


if __name__ == "__main__":
    sys.exit(main())
