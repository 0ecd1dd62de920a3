"""Faults of the deployment under load: what is broken, and how long it takes until all is stored again."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import create_engine, text

from tests.deployment import Deployment, Person
from tests.orthanc import Orthanc
from tests.postgresql import PostgreSQL

LIMIT_SECONDS = 600
"""Seconds in which everything must be stored and verified once the load has ended."""


@dataclass
class Fault:
    """Something that was broken, and until when.

    Attributes:
        began, ended: when it was broken, and when its cause was gone; of ``time.monotonic``.
        stored: seconds from then until everything that had been confirmed was stored.
    """

    what: str
    began: float
    ended: float = 0.0
    stored: float = 0.0


@dataclass
class Soak:
    """The run: who reads, what the PACS sent, and the faults."""

    deployment: Deployment
    database: PostgreSQL
    pacs: Orthanc
    people: list[Person]
    sent: list[str] = field(default_factory=list)
    refused: int = 0
    faults: list[Fault] = field(default_factory=list)


def kill_app(soak: Soak) -> None:
    """Kill one process of the app (SIGKILL), and start it again ten seconds later."""
    fault = Fault("one of two processes of the app killed, started 10 s later", time.monotonic())
    soak.faults.append(fault)
    soak.deployment.stop_app(0, kill=True)
    time.sleep(10)
    soak.deployment.start_app(0)
    fault.ended = time.monotonic()


async def restart_database(soak: Soak) -> None:
    """Stop the database as a crash does, and start it again five seconds later."""
    fault = Fault("database stopped as by a crash, started 5 s later", time.monotonic())
    soak.faults.append(fault)
    await asyncio.to_thread(soak.database.stop, "immediate")
    await asyncio.sleep(5)
    await asyncio.to_thread(soak.database.start)
    await _recovered(soak, fault)


async def fill_disk(soak: Soak, seconds: float) -> None:
    """Fill the disk of the home for so many seconds."""
    filler = soak.deployment.folder / "home" / "filler"
    fault = Fault(f"disk of the home full for {seconds:.0f} s", time.monotonic())
    soak.faults.append(fault)
    with contextlib.suppress(OSError), open(filler, "wb") as file:
        while True:
            file.write(bytes(2**20))
            file.flush()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        # what is deleted meanwhile is filled, too
        with contextlib.suppress(OSError), open(filler, "ab") as file:
            file.write(bytes(2**12))
        await asyncio.sleep(0.2)
    filler.unlink()
    await _recovered(soak, fault)


async def _recovered(soak: Soak, fault: Fault) -> None:
    """Note that the cause of a fault is gone, and how long it takes until all that was confirmed is stored."""
    fault.ended = time.monotonic()
    confirmed = {digest for person in soak.people for digest in person.sent}
    await until(lambda: confirmed <= stored(soak, "SELECT digest FROM images"), LIMIT_SECONDS)
    fault.stored = time.monotonic() - fault.ended


def stored(soak: Soak, query: str) -> set[str]:
    """Return the first column of a query of the database."""
    engine = create_engine(soak.database.url)
    try:
        with engine.connect() as connection:
            return {row[0] for row in connection.execute(text(query))}
    finally:
        engine.dispose()


async def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until a condition holds; False where it does not within so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if await asyncio.to_thread(condition):
            return True
        await asyncio.sleep(0.5)
    return False
