"""docs/backup.md: what it says to do is done, on SQLite and on PostgreSQL, and everything is there again."""

import base64
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
import uuid
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from cxr_core.access import LOCAL, audit
from cxr_core.settings import settings
from cxr_core.store import RunStore
from cxr_core.store.reads import ReadStore
from tests.conftest import PROJECT, missing
from tests.reads import store_reads
from tests.runs import made_up, record_of

PAGE = (PROJECT / "docs" / "backup.md").read_text()
KEY = base64.b64encode(bytes(range(32))).decode()
COMMENT = "a comment that nobody reads without the key"
# the reads of the tests are of other days
SETTINGS = {"KEEP": "store", "KEEP_DAYS": "9999", "STORE_KEY": KEY}


def blocks(heading):
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    found = re.findall(r"^( *)```bash\n(.*?)^ *```", section, re.S | re.M)
    return [textwrap.dedent(block) for _, block in found]


WITH_SQLITE, WITH_POSTGRES = blocks("Backing up")
RESTORE_DATABASE, RESTORE, CHECK = blocks("Restoring")
(TRIAL,) = blocks("Trying it")


@pytest.fixture
def shell(tmp_path):
    """Run blocks of the page in one shell, as an administrator does; return what they print."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "second-read").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cxr_core "$@"\n')
    (folder / "second-read").chmod(0o755)
    servers = [str(path.parent) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_dump"), reverse=True)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SECOND_READ_")}
    kept |= {"PATH": os.pathsep.join([str(folder), *servers, os.environ["PATH"]]), "PYTHONPATH": str(PROJECT)}
    (tmp_path / "backups").mkdir()

    def run(*commands, **variables):
        done = subprocess.run(
            ["bash", "-euc", "\n".join(commands)],
            cwd=tmp_path,
            env=kept | {f"SECOND_READ_{name}": value for name, value in SETTINGS.items()} | variables,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


SYSTEMD = PROJECT / "deployment" / "systemd"
DEPLOYMENT = (PROJECT / "docs" / "deployment.md").read_text()


def entries(name, key):
    """Return the values of a key of a file of systemd's."""
    return re.findall(rf"^{key}=(.*)$", (SYSTEMD / name).read_text(), re.M)


def as_nightly_unit(tmp_path, home, **variables):
    """Run the lines of the nightly unit as systemd does: no environment but its own, no shell but the one it names.

    Args:
        home: where the unit has /var/lib/second-read.
        variables: beside those of /etc/second-read/environment in docs/deployment.md, or instead of them; without None.
    """
    (file,) = re.findall(r"^`/etc/second-read/environment`.*?^```\n(.*?)^```", DEPLOYMENT, re.S | re.M)
    assert entries("second-read-.service.d/common.conf", "EnvironmentFile") == ["/etc/second-read/environment"]
    environment = dict(line.split("=", 1) for line in file.splitlines())
    programs = [str(path.parent) for path in Path("/usr/lib/postgresql").glob("*/bin/pg_dump")]
    environment |= {"PATH": os.pathsep.join(["/usr/bin", "/bin", *programs]), "PYTHONPATH": str(PROJECT)}
    for name in ("second-read-.service.d/common.conf", "second-read-backup.service"):
        for line in entries(name, "Environment"):
            environment |= dict(word.split("=", 1) for word in shlex.split(line))
    for name, value in variables.items():
        environment.pop(name, None)
        environment |= {} if value is None else {name: value}
    (writable,) = entries("second-read-backup.service", "ReadWritePaths")
    paths = {
        "/var/lib/second-read": str(home),
        writable: str(tmp_path / "backups"),
        "/opt/second-read/bin/second-read": str(tmp_path / "bin" / "second-read"),
    }

    def moved(word):
        return re.sub("|".join(map(re.escape, paths)), lambda path: paths[path[0]], word)

    environment = {name: moved(value) for name, value in environment.items()}
    for line in entries("second-read-backup.service", "ExecStart"):
        # systemd takes each other % for a specifier, and each other $ for a variable of its own
        assert not re.search(r"[%$]", re.sub(r"%%|\$\$", "", line))
        words = [moved(word.replace("%%", "%").replace("$$", "$")) for word in shlex.split(line)]
        done = subprocess.run(words, cwd=home, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    # named by the day, which is not needed here
    for path in (tmp_path / "backups").iterdir():
        assert re.fullmatch(r"second-read-(Mon|Tue|Wed|Thu|Fri|Sat|Sun)\.(zip|dump)", path.name)
        path.rename(path.with_stem("second-read"))


@pytest.fixture
def use(monkeypatch):
    """Set the folder and the database of what this process stores and looks at; return both as variables of a shell."""
    for name in ("RUNS", "AUDIT"):
        monkeypatch.delenv(f"SECOND_READ_{name}", raising=False)

    def use(home, url=""):
        named = {"HOME": str(home)} | ({"DATABASE_URL": url} if url else {})
        for name, value in (SETTINGS | named).items():
            monkeypatch.setenv(f"SECOND_READ_{name}", value)
        settings.cache_clear()
        return {f"SECOND_READ_{name}": value for name, value in named.items()}

    yield use
    monkeypatch.undo()
    settings.cache_clear()


def fill():
    """Store a run, and images with reads, opinions and a comment."""
    predictions = made_up(20)
    runs = RunStore()
    runs.add(record_of(predictions, "one"), predictions)
    runs.close()
    store = ReadStore()
    store_reads(store, 4, opinions=False)
    read = store.list_reads()[0]
    store.add_opinion(read.id, read.reader, "Mass", "present", COMMENT)
    store.close()
    audit.record(LOCAL, "export", run="one")


def contents():
    """Return what is stored: runs, and of each read all that a reader sees, with the bytes of its image."""
    runs = RunStore()
    stored = [(run.record, run.predictions().scores.tolist()) for run in runs.list()]
    runs.close()
    store = ReadStore()
    reads = [
        (
            summary,
            store.read(summary.id).reading.findings,
            store.load(summary.study, summary.image),
            store.opinions(summary.study, summary.image),
        )
        for summary in store.list_reads()
    ]
    store.close()
    return stored, reads


@pytest.mark.slow
@pytest.mark.parametrize("nightly", [False, True], ids=["by hand", "nightly"])
def test_everything_is_there_again_on_sqlite(tmp_path, use, shell, nightly):
    variables = use(tmp_path / "home") | {"BACKUPS": str(tmp_path / "backups"), "TRIAL": str(tmp_path / "trial")}
    fill()
    before = contents()
    assert len(before[1]) == 4
    if nightly:
        as_nightly_unit(tmp_path, tmp_path / "home", SECOND_READ_STORE_KEY=KEY, SECOND_READ_DATABASE_URL=None)
    else:
        shell(WITH_SQLITE, **variables)
    assert [path.name for path in (tmp_path / "backups").iterdir()] == ["second-read.zip"]
    assert COMMENT.encode() not in (tmp_path / "backups" / "second-read.zip").read_bytes()
    shutil.rmtree(tmp_path / "home")
    said = shell(RESTORE, CHECK, **variables)
    assert contents() == before
    for summary, *_ in before[1]:
        assert summary.id in said
    assert "1 runs, 4 studies" in shell(TRIAL, **variables)
    use(tmp_path / "trial")
    assert contents() == before


@pytest.mark.slow
@pytest.mark.parametrize("nightly", [False, True], ids=["by hand", "nightly"])
def test_everything_is_there_again_on_postgres(tmp_path, use, shell, server, nightly):
    if shutil.which("pg_dump") is None and not list(Path("/usr/lib/postgresql").glob("*/bin/pg_dump")):
        missing("postgres", "pg_dump is not installed")
    names = [f"{name}_{uuid.uuid4().hex}" for name in ("before", "after")]
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            for name in names:
                connection.execute(text(f"CREATE DATABASE {name}"))
        address, another = (make_url(server).set(database=name) for name in names)
        variables = use(tmp_path / "home", address.render_as_string(hide_password=False))
        variables |= {"BACKUPS": str(tmp_path / "backups")}
        fill()
        before = contents()
        assert len(before[1]) == 4
        if nightly:
            # with a driver, which the programs of PostgreSQL do not know
            url = variables["SECOND_READ_DATABASE_URL"]
            assert url.startswith("postgresql+psycopg:")
            as_nightly_unit(tmp_path, tmp_path / "home", SECOND_READ_STORE_KEY=KEY, SECOND_READ_DATABASE_URL=url)
        else:
            shell(WITH_POSTGRES, DATABASE=plain(address), **variables)
        shutil.rmtree(tmp_path / "home")
        variables |= use(tmp_path / "home", another.render_as_string(hide_password=False))
        said = shell(RESTORE_DATABASE, RESTORE, CHECK, DATABASE=plain(another), **variables)
        assert contents() == before
        for summary, *_ in before[1]:
            assert summary.id in said
    finally:
        with engine.connect() as connection:
            for name in names:
                connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        engine.dispose()


def plain(address):
    """Return the address of a database as the programs of PostgreSQL take it."""
    return address.set(drivername="postgresql").render_as_string(hide_password=False)
