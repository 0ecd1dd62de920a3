"""Databases for the tests of the store: SQLite, and a PostgreSQL that they start on a temporary folder."""

import importlib.util
import os
import shutil
import subprocess
import tempfile
import uuid
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from tests.conftest import missing


@pytest.fixture(scope="session")
def server():
    """The address of a PostgreSQL, on a socket of its own; or the one that SECOND_READ_TEST_DATABASE_URL names."""
    if named := os.environ.get("SECOND_READ_TEST_DATABASE_URL"):
        yield named
        return
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    programs += [Path(found).resolve() for found in [shutil.which("postgres")] if found]
    if not programs:
        missing("postgres", "PostgreSQL is not installed")
    if importlib.util.find_spec("psycopg") is None:
        missing("postgres", "psycopg is not installed (requirements-dev.txt)")
    bin_folder = programs[-1].parent
    with ExitStack() as stack:
        # short, for the path of a socket has 107 bytes at most
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True)))
        user = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
        if user:
            shutil.chown(folder, "postgres")
        data = str(folder / "data")
        initdb = [bin_folder / "initdb", "-D", data, "-U", "reader", "-A", "trust", "--no-sync", "--no-instructions"]
        subprocess.run(initdb, check=True, capture_output=True, cwd=folder, **user)
        options = f"-k {folder} -c listen_addresses='' -c fsync=off -c shared_buffers=16MB"
        pg_ctl = [bin_folder / "pg_ctl", "-D", data, "-w", "-s"]
        start = [*pg_ctl, "-l", folder / "log", "-o", options, "start"]
        subprocess.run(start, check=True, stdout=subprocess.DEVNULL, cwd=folder, **user)
        stop = [*pg_ctl, "-m", "immediate", "stop"]
        stack.callback(subprocess.run, stop, stdout=subprocess.DEVNULL, cwd=folder, **user)
        yield f"postgresql+psycopg://reader@/postgres?host={folder}"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request, tmp_path):
    """The address of an empty database."""
    if request.param == "sqlite":
        (tmp_path / "runs").mkdir()
        yield f"sqlite:///{tmp_path / 'runs' / 'second-read.sqlite'}"
        return
    address, schema = request.getfixturevalue("server"), f"test_{uuid.uuid4().hex}"
    # a test may end all connections
    server = create_engine(address, pool_pre_ping=True)
    with server.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    with_schema = make_url(address).update_query_dict({"options": f"-csearch_path={schema}"})
    yield with_schema.render_as_string(hide_password=False)
    with server.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    server.dispose()
