"""Databases for the tests of the store: SQLite, and a PostgreSQL that they start on a temporary folder."""

import os
import uuid

import pytest
from sqlalchemy import create_engine, make_url, text

from tests.conftest import missing
from tests.postgresql import lacking, postgresql_server


@pytest.fixture(scope="session")
def server():
    """The address of a PostgreSQL, on a socket of its own; or the one that SECOND_READ_TEST_DATABASE_URL names."""
    if named := os.environ.get("SECOND_READ_TEST_DATABASE_URL"):
        yield named
        return
    if (words := lacking()) is not None:
        missing("postgres", words)
    with postgresql_server() as server:
        yield server.url


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
