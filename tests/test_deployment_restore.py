"""A deployment that is lost and restored by docs/backup.md: studies, findings and audit trail are there again."""

import asyncio
import base64
import contextlib
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from cxr_core.imaging import phantom_dicom
from tests.browser import browsing, wait_until_drawn
from tests.conftest import missing
from tests.deployment import SECRET, Deployment, Person
from tests.deployment import lacking as lacking_caddy
from tests.orthanc import lacking as lacking_orthanc
from tests.orthanc import orthanc_server
from tests.postgresql import lacking as lacking_postgresql
from tests.postgresql import postgresql_server
from tests.processes import free_port
from tests.protocol import signed_in

KEY = base64.b64encode(bytes(range(32))).decode()
LIMIT = 180
"""Seconds in which each step must be done."""

PATIENT = "QZPLANTEDNAME"


@pytest.fixture
def server():
    for name, words in (("postgres", lacking_postgresql()), ("caddy", lacking_caddy()), ("orthanc", lacking_orthanc())):
        if words is not None:
            missing(name, words)
    with postgresql_server() as server:
        yield server


@contextlib.contextmanager
def database(server, name):
    """A new database, and its address."""
    address = make_url(server.url).set(database=name)
    execute(server.url, f"CREATE DATABASE {name}")
    try:
        yield address.render_as_string(hide_password=False)
    finally:
        execute(server.url, f"DROP DATABASE {name} WITH (FORCE)")


def execute(url, statement):
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        found = connection.execute(text(statement))
        rows = found.fetchall() if found.returns_rows else []
    engine.dispose()
    return rows


def program(name):
    """The path of a program of PostgreSQL."""
    return max(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), default=None) or shutil.which(name)


def plain(url):
    return url.replace("postgresql+psycopg:", "postgresql:")


def done(deployment, *arguments):
    """Run a command of the program to its end."""
    process = deployment.run(*arguments)
    try:
        assert process.wait(LIMIT) == 0, deployment.log(deployment.log_of(*arguments))
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def running(deployment):
    """Start everything, a receiver and a worker too, until the end of the block."""
    with contextlib.ExitStack() as end:
        end.callback(deployment.close)
        deployment.start()
        for command in ("receive", "work"):
            process = deployment.run("pacs", command)
            end.callback(process.wait)
            end.callback(process.kill)
        yield


def until(condition, what, deployment):
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, f"{what}\n{deployment.log('pacs-receive')}\n{deployment.log('pacs-work')}"
        time.sleep(0.2)


def forward(pacs, stored, deployment):
    """Send a study from the PACS until the receiver confirms it."""
    body = {"Resources": [stored], "Synchronous": True, "Timeout": 60}
    until(
        lambda: pacs.rest.post("/modalities/SECONDREAD/store", json=body).is_success, "nothing is received", deployment
    )


def study(number):
    return phantom_dicom(
        256, 224, StudyInstanceUID=f"1.2.826.0.1.8.{number}", SOPInstanceUID=f"1.2.826.0.1.9.{number}",
        PatientID=f"{PATIENT}{number}", Manufacturer="Phantom",
    )  # fmt: skip


async def read(people):
    """Let everybody add two images, and read them."""

    async def one(own, person):
        ended = asyncio.Event()
        work = asyncio.create_task(
            person.work(lambda n: phantom_dicom(256, 224, StudyInstanceUID=f"1.2.3.{own}.{n}", SeriesNumber=n), ended)
        )
        async with asyncio.timeout(LIMIT):
            while len(person.read) < 2:
                await asyncio.sleep(0.1)
        ended.set()
        await work

    await asyncio.gather(*(one(number, person) for number, person in enumerate(people)))


@pytest.mark.slow
@pytest.mark.e2e
def test_a_deployment_that_is_lost_is_restored_from_its_backup(server, chromium, tmp_path):
    with contextlib.ExitStack() as end:
        pacs = end.enter_context(orthanc_server())
        port = end.enter_context(free_port())
        pacs.know("SECONDREAD", port)
        settings = {
            "SECOND_READ_STORE_KEY": KEY,
            "SECOND_READ_PACS": pacs.dicom_web,
            "SECOND_READ_PACS_CREDENTIALS": ":".join(pacs.auth),
            "SECOND_READ_PACS_LISTEN": f"127.0.0.1:{port}",
            "SECOND_READ_PACS_SENDERS": f"{pacs.aet}@127.0.0.1",
        }
        before, after, backups = (tmp_path / name for name in ("before", "after", "backups"))
        for folder in (before, after, backups):
            folder.mkdir()
        dump, archive = backups / "second-read.dump", backups / "second-read.zip"
        with database(server, "before") as url:
            lost = Deployment(before, url, **settings)
            with running(lost):
                people = [Person(lost, f"reader-{number}") for number in range(2)]
                asyncio.run(read(people))
                sent = pacs.store(study(1))
                forward(pacs, sent, lost)
                verified = "SELECT sop_instance_uid FROM pacs_jobs WHERE state = 'verified'"
                until(lambda: len(execute(url, verified)) == 1, "the job is not done", lost)
                # the dump first, as docs/backup.md has it, while all is running
                command = [program("pg_dump"), "--format=custom", f"--file={dump}", plain(url)]
                subprocess.run(command, check=True, timeout=LIMIT)
                done(lost, "backup", str(archive))
                trail = (before / "home" / "audit.jsonl").read_bytes()
        shutil.rmtree(before)
        in_pacs = pacs.counts()
        assert PATIENT.encode() not in archive.read_bytes()

        url = end.enter_context(database(server, "after"))
        restored = Deployment(after, url, **settings)
        end.callback(restored.close)
        command = [program("pg_restore"), "--no-owner", "--exit-on-error", f"--dbname={plain(url)}", str(dump)]
        subprocess.run(command, check=True, timeout=LIMIT)
        done(restored, "restore", str(archive))
        for check in (("models", "verify"), ("audit", "--verify")):
            done(restored, *check)
        with running(restored):
            for person in people:
                person.deployment = restored
                asyncio.run(person.look())
                assert person.wrong == []
                assert len(person.sent) >= 2
            assert (after / "home" / "audit.jsonl").read_bytes().startswith(trail)
            with browsing(chromium) as page:
                ((name, value),) = signed_in(SECRET, restored.address, people[0].name).items()
                page.context.add_cookies([{"name": name, "value": value, "url": restored.address}])
                page.goto(restored.address)
                page.wait_for_selector("canvas.radiograph[data-label]:not([data-label=''])")
                wait_until_drawn(page)
                shown = page.locator("canvas.radiograph").get_attribute("data-sha")
                assert shown in people[0].sent
            # images of the PACS are in no backup: it sends one again, which makes no second result
            forward(pacs, sent, restored)
            forward(pacs, pacs.store(study(2)), restored)
            until(lambda: len(execute(url, verified)) == 2, "the job is not done", restored)
            assert pacs.counts() == {name: 2 * number for name, number in in_pacs.items()}
