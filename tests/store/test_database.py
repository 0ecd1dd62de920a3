"""Opening a database of PostgreSQL in every encoding: UTF8 alone can store every text."""

import time

import pytest
from sqlalchemy import make_url, text

from cxr_core.errors import PathUnusable
from cxr_core.operations.checks import findings_at_start, readiness_checks
from cxr_core.operations.data_checks import check_database
from cxr_core.operations.doctor import diagnose
from cxr_core.settings import settings
from cxr_core.store import RunStore
from cxr_core.store.database import open_database

COMMENT = "opacité, затемнение, 陰影 ≥ 2 cm"


@pytest.fixture
def encoded(request, schemas, server):
    """The address of an empty database in an encoding."""
    encoding, name = request.param, f"in_{request.param.lower()}"
    engine = schemas.execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        made = f"TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'"
        connection.execute(text(f"CREATE DATABASE {name} {made}"))
    yield make_url(server).set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} (FORCE)"))


@pytest.mark.parametrize("encoded", ["UTF8"], indirect=True)
def test_a_database_in_utf8_stores_every_text(encoded, own_folders, tmp_path):
    RunStore(encoded, tmp_path / "runs").close()
    engine = open_database(encoded)
    with engine.begin() as connection:
        assert connection.scalar(text("SELECT CAST(:comment AS TEXT)"), {"comment": COMMENT}) == COMMENT
    engine.dispose()


@pytest.mark.parametrize("encoded", ["SQL_ASCII", "LATIN1"], indirect=True)
def test_another_encoding_is_one_line_wherever_the_database_is_opened(encoded, own_folders, tmp_path):
    encoding = make_url(encoded).database.removeprefix("in_").upper()
    with pytest.raises(PathUnusable, match=f"has the encoding {encoding}, and UTF8 is needed.*createdb") as error:
        RunStore(encoded, tmp_path / "runs")
    line = str(error.value)
    assert "\n" not in line
    own_folders.setenv("SECOND_READ_DATABASE_URL", encoded)
    settings.cache_clear()
    assert line in findings_at_start()
    ((_, result),) = diagnose({"Storage": check_database})
    assert (result.state, f"{result.text}. {result.action}") == ("failed", line)
    with pytest.raises(PathUnusable):
        readiness_checks()["store"]()


@pytest.mark.parametrize("encoded", ["SQL_ASCII"], indirect=True)
def test_a_refused_database_keeps_no_connection_open(encoded, schemas):
    engine = open_database(encoded)
    for _ in range(3):
        with pytest.raises(PathUnusable), engine.connect():
            pass
    query = text("SELECT COUNT(*) FROM pg_stat_activity WHERE datname = :name")
    deadline = time.monotonic() + 60
    # a backend ends a moment after its connection
    with schemas.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        while connection.scalar(query, {"name": make_url(encoded).database}):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    engine.dispose()
