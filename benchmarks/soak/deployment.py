"""A deployment under load and faults: readers and a PACS, while parts of it are killed. Run by ``make soak``.

40 readers, each with an image every 30 seconds, and a PACS that sends 120 studies an hour, to two processes of the app
behind the proxy, a receiver and a worker, over one PostgreSQL and one home. In the middle one process of the app is
killed, the database is restarted as after a crash, and the disk of the home is filled and freed. At the end every image
whose upload was answered must be stored with its read, be listed in its reader's worklist with the findings that were
shown, and every study that the PACS had confirmed must have its results in the PACS.

The disk is a file system in memory that is mounted for this process alone: that needs the rights of root, and is left
out without them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np

from benchmarks.soak.deployment_faults import Soak, fill_disk, kill_app, restart_database
from benchmarks.soak.deployment_table import settle, table
from cxr_core.imaging import phantom, phantom_dicom
from tests import deployment, orthanc, postgresql
from tests.deployment import Person, deployed
from tests.orthanc import Orthanc, orthanc_server
from tests.postgresql import postgresql_server
from tests.processes import free_port

SHAPE = 384, 336
DISK_MB = 4000
IN_NAMESPACE = "SOAK_IN_A_MOUNT_NAMESPACE"
FORWARDING = 60
"""Seconds that Orthanc may take to send one study."""


def main() -> int:
    """Print the table; status 1 where anything is lost or wrong."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--minutes", type=float, default=10)
    arguments.add_argument("--readers", type=int, default=40)
    arguments.add_argument("--every", type=float, default=30, help="seconds between two images of a reader")
    arguments.add_argument("--studies", type=float, default=120, help="studies an hour from the PACS")
    given = arguments.parse_args()
    for words in (deployment.lacking(), postgresql.lacking(), orthanc.lacking()):
        if words is not None:
            print(words, file=sys.stderr)
            return 4
    _enter_mount_namespace()
    # what was started is ended then, too
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    load = os.getloadavg()[1]
    with _running(given.readers) as soak:
        asyncio.run(run(soak, given.minutes * 60, given.every, 3600 / given.studies))
        unfinished = asyncio.run(settle(soak))
        rows = table(soak, unfinished)
    wrong = [line for person in soak.people for line in person.wrong]
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, load before {load:.1f}, after {os.getloadavg()[1]:.1f};"
    )
    print(f"{given.minutes:g} minutes, {given.readers} readers with an image of {SHAPE[0]} x {SHAPE[1]} every", end=" ")
    print(f"{given.every:g} s, {given.studies:g} studies an hour from the PACS")
    for what, figure in rows:
        print(f"| {what} | {figure} |")
    for line in [*wrong[:20], *unfinished]:
        print(line)
    return int(bool(wrong or unfinished))


def _enter_mount_namespace() -> None:
    """Begin again in a mount namespace of this process, whose mounts end with it."""
    if os.geteuid() == 0 and IN_NAMESPACE not in os.environ:
        os.environ[IN_NAMESPACE] = "1"
        command = ["unshare", "--mount", "--propagation", "private", sys.executable, "-m", __spec__.name]
        os.execvp("unshare", [*command, *sys.argv[1:]])


@contextlib.contextmanager
def _running(readers: int) -> Iterator[Soak]:
    """Start everything, with a disk of its own for the home where that can be mounted."""
    with contextlib.ExitStack() as end:
        folder = Path(end.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        home = folder / "home"
        home.mkdir()
        if IN_NAMESPACE in os.environ:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=0700", "home", home], check=True)
            end.callback(subprocess.run, ["umount", "--lazy", home], check=False)
        database = end.enter_context(postgresql_server())
        pacs = end.enter_context(orthanc_server())
        port = end.enter_context(free_port())
        settings = {
            "SECOND_READ_PACS": pacs.dicom_web,
            "SECOND_READ_PACS_CREDENTIALS": ":".join(pacs.auth),
            "SECOND_READ_PACS_LISTEN": f"127.0.0.1:{port}",
            "SECOND_READ_PACS_SENDERS": f"{pacs.aet}@127.0.0.1",
        }
        pacs.know("SECONDREAD", port)
        running = end.enter_context(deployed(folder, database.url, **settings))
        for command in ("receive", "work"):
            process = running.run("pacs", command)
            end.callback(process.wait)
            end.callback(process.kill)
        people = [Person(running, f"reader-{number}") for number in range(readers)]
        yield Soak(running, database, pacs, people)


async def run(soak: Soak, seconds: float, every: float, between: float) -> None:
    """Let everybody work for so many seconds, and break one part after the other."""
    ended, start = asyncio.Event(), time.monotonic()
    tasks = [
        asyncio.create_task(_work(person, number, len(soak.people), ended, every))
        for number, person in enumerate(soak.people)
    ]
    tasks.append(asyncio.create_task(_send(soak, ended, between)))

    async def at(part: float) -> None:
        await asyncio.sleep(max(0.0, start + part * seconds - time.monotonic()))

    await at(0.25)
    await asyncio.to_thread(kill_app, soak)
    await at(0.5)
    await restart_database(soak)
    await at(0.7)
    if IN_NAMESPACE in os.environ:
        await fill_disk(soak, 0.1 * seconds)
    await at(1.0)
    ended.set()
    await asyncio.gather(*tasks)


async def _work(person: Person, number: int, readers: int, ended: asyncio.Event, every: float) -> None:
    await asyncio.sleep(every * number / readers)
    await person.work(lambda count: image(number * 10_000 + count), ended, every)


def image(number: int, **elements: str) -> bytes:
    """Return an image that no other number gives."""
    rng = np.random.default_rng(number)
    rows, columns = SHAPE
    grid = np.mgrid[0:rows, 0:columns]
    y, x = rng.uniform(0.25, 0.7) * rows, rng.uniform(0.2, 0.8) * columns
    shadow = rng.uniform(-500, 700) * np.exp(-((grid[0] - y) ** 2 + (grid[1] - x) ** 2) / rng.uniform(500, 3000))
    values = np.clip(phantom(rows, columns, seed=number % 8) + shadow, 0, 4095).astype(np.uint16)
    return phantom_dicom(values=values, StudyInstanceUID=f"1.2.826.0.1.3680043.8.498.7.{number}", **elements)


async def _send(soak: Soak, ended: asyncio.Event, between: float) -> None:
    """Send studies from the PACS at their times, whatever became of those before."""
    start, sending = time.monotonic(), []
    while not ended.is_set():
        sending.append(asyncio.create_task(_send_study(soak, len(sending) + 1)))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), max(0.01, start + len(sending) * between - time.monotonic()))
    await asyncio.gather(*sending)


async def _send_study(soak: Soak, number: int) -> None:
    """Send a study again until the receiver has confirmed it."""
    uid = f"1.2.826.0.1.3680043.8.498.9.{number}"
    data = image(9_000_000 + number, SOPInstanceUID=uid, PatientID=f"SOAK-{number}", Manufacturer="Phantom")
    stored = await asyncio.to_thread(soak.pacs.store, data)
    while not await asyncio.to_thread(_forward, soak.pacs, stored):
        soak.refused += 1
        await asyncio.sleep(2)
    soak.sent.append(uid)


def _forward(pacs: Orthanc, stored: str) -> bool:
    body = {"Resources": [stored], "Synchronous": True, "Timeout": FORWARDING}
    with contextlib.suppress(httpx.HTTPError):
        return pacs.rest.post("/modalities/SECONDREAD/store", json=body, timeout=2 * FORWARDING).is_success
    return False


if __name__ == "__main__":
    sys.exit(main())
