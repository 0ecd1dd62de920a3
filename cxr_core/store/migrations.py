"""The tables of the database, and the named steps that bring an earlier database up to date.

Each step is done in one transaction with its record.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress

from sqlalchemy import Connection, Engine, inspect, text

from ..errors import PathUnusable
from .column_statistics import keep_no_statistics

__all__ = ["MIGRATIONS", "migrate", "pending"]


def runs_table(connection: Connection) -> None:
    """One row a run; what is looked for has a column, the rest is JSON."""
    connection.execute(
        text(
            "CREATE TABLE runs (id VARCHAR(80) PRIMARY KEY, created VARCHAR(32) NOT NULL, "
            "model_id VARCHAR(200) NOT NULL, data_sha256 VARCHAR(64) NOT NULL, part VARCHAR(20) NOT NULL, "
            "record TEXT NOT NULL)"
        )
    )


def evaluations_by_films(connection: Connection) -> None:
    """How often the same images were evaluated is asked at every evaluation."""
    connection.execute(text("CREATE INDEX runs_by_films ON runs (data_sha256)"))


def image_names_kept(connection: Connection) -> None:
    """Earlier runs held the names of images; from this step on, a record states whether it does.

    A version without this step would take a digest for a name.
    """
    for run, record in connection.execute(text("SELECT id, record FROM runs")).fetchall():
        with suppress(ValueError):
            fields = json.dumps({"image_names_kept": True} | json.loads(record))
            connection.execute(text("UPDATE runs SET record = :record WHERE id = :id"), {"record": fields, "id": run})


def reads_and_opinions(connection: Connection) -> None:
    """Studies with their images, what the model stated of each, and what the reader did.

    An opinion has a number per reader, image and label, and is never updated: the first one stays the first one.
    """
    for statement in (
        "CREATE TABLE studies (id VARCHAR(40) PRIMARY KEY, reader VARCHAR(400) NOT NULL, created VARCHAR(32) NOT NULL)",
        "CREATE TABLE images (study VARCHAR(40) NOT NULL REFERENCES studies (id) ON DELETE CASCADE, "
        "digest VARCHAR(64) NOT NULL, created VARCHAR(32) NOT NULL, position INTEGER NOT NULL, bytes BIGINT NOT NULL, "
        "deleted INTEGER NOT NULL, identity TEXT, PRIMARY KEY (study, digest))",
        "CREATE TABLE reads (id VARCHAR(40) PRIMARY KEY, study VARCHAR(40) NOT NULL, image VARCHAR(64) NOT NULL, "
        "reader VARCHAR(400) NOT NULL, number INTEGER NOT NULL, created VARCHAR(32) NOT NULL, revealed VARCHAR(32), "
        "seconds DOUBLE PRECISION NOT NULL, model_id VARCHAR(200) NOT NULL, model_sha256 VARCHAR(64) NOT NULL, "
        "operating_point VARCHAR(200) NOT NULL, quality VARCHAR(20) NOT NULL, record TEXT NOT NULL, "
        "UNIQUE (study, image, reader, number), "
        "FOREIGN KEY (study, image) REFERENCES images (study, digest) ON DELETE CASCADE)",
        "CREATE TABLE read_findings (read_id VARCHAR(40) NOT NULL REFERENCES reads (id) ON DELETE CASCADE, "
        "label VARCHAR(200) NOT NULL, score DOUBLE PRECISION NOT NULL, probability DOUBLE PRECISION, "
        "threshold DOUBLE PRECISION, state VARCHAR(20) NOT NULL, PRIMARY KEY (read_id, label))",
        "CREATE TABLE opinions (study VARCHAR(40) NOT NULL, image VARCHAR(64) NOT NULL, label VARCHAR(200) NOT NULL, "
        "reader VARCHAR(400) NOT NULL, number INTEGER NOT NULL, read_id VARCHAR(40) NOT NULL, "
        "opinion VARCHAR(20) NOT NULL, revealed INTEGER NOT NULL, comment TEXT, created VARCHAR(32) NOT NULL, "
        "PRIMARY KEY (study, image, label, reader, number), "
        "FOREIGN KEY (read_id, label) REFERENCES read_findings (read_id, label) ON DELETE CASCADE)",
        # one row for each deletion whose remains in the file of the database were not overwritten yet
        "CREATE TABLE compactions (id VARCHAR(40) PRIMARY KEY)",
        "CREATE INDEX studies_by_reader ON studies (reader)",
        "CREATE INDEX reads_by_time ON reads (created)",
        "CREATE INDEX opinions_by_read ON opinions (read_id)",
    ):
        connection.execute(text(statement))
    for statement in _NO_UPDATES.get(connection.dialect.name, ()):
        connection.exec_driver_sql(statement)


_NO_UPDATES = {
    "sqlite": (
        "CREATE TRIGGER opinions_are_final BEFORE UPDATE ON opinions "
        "BEGIN SELECT RAISE(ABORT, 'an opinion is never changed'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION opinions_are_final() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'an opinion is never changed'; END $$",
        "CREATE TRIGGER opinions_are_final BEFORE UPDATE ON opinions "
        "FOR EACH ROW EXECUTE FUNCTION opinions_are_final()",
    ),
}


def times_to_answer(connection: Connection) -> None:
    """Seconds from the whole file to its reading; NULL for reads of before, and where it is not known."""
    connection.execute(text("ALTER TABLE reads ADD COLUMN answer_seconds DOUBLE PRECISION"))


def reader_numbers(connection: Connection) -> None:
    """The number by which statistics call a reader, whose name is only here as its SHA-256."""
    connection.execute(
        text("CREATE TABLE reader_numbers (reader VARCHAR(64) PRIMARY KEY, number INTEGER NOT NULL UNIQUE)")
    )


def no_column_statistics(connection: Connection) -> None:
    """PostgreSQL collects no statistics of the columns of studies: they would outlive a deletion."""
    if keep_no_statistics(connection):
        # what was collected is removed when the store is opened
        connection.execute(text("INSERT INTO compactions VALUES ('column statistics')"))


def removals(connection: Connection) -> None:
    """When an image was removed from a worklist, while that can be undone; and places that are times."""
    connection.execute(text("ALTER TABLE images ADD COLUMN removed VARCHAR(32)"))
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("ALTER TABLE images ALTER COLUMN position TYPE BIGINT, ALTER COLUMN removed SET STATISTICS 0")
        )


def dicom_network(connection: Connection) -> None:
    """Instances that were received, alarms of other bytes under a UID, jobs, and results until they are verified."""
    for statement in (
        "CREATE TABLE pacs_instances (sop_instance_uid VARCHAR(64) PRIMARY KEY, study_uid VARCHAR(64) NOT NULL, "
        "series_uid VARCHAR(64) NOT NULL, sop_class VARCHAR(64) NOT NULL, transfer_syntax VARCHAR(64) NOT NULL, "
        "modality VARCHAR(16) NOT NULL, body_part VARCHAR(16) NOT NULL, station_name VARCHAR(64) NOT NULL, "
        "patient_key VARCHAR(64) NOT NULL, is_result INTEGER NOT NULL, sha256 VARCHAR(64) NOT NULL, "
        "dataset_sha256 VARCHAR(64) NOT NULL, bytes BIGINT NOT NULL, source VARCHAR(200) NOT NULL, "
        "is_prior INTEGER NOT NULL, received VARCHAR(32) NOT NULL, planned VARCHAR(32), deleted INTEGER NOT NULL)",
        "CREATE TABLE pacs_alarms (id VARCHAR(40) PRIMARY KEY, sop_instance_uid VARCHAR(64) NOT NULL "
        "REFERENCES pacs_instances (sop_instance_uid) ON DELETE CASCADE, dataset_sha256 VARCHAR(64) NOT NULL, "
        "bytes BIGINT NOT NULL, source VARCHAR(200) NOT NULL, created VARCHAR(32) NOT NULL, "
        "last_seen VARCHAR(32) NOT NULL, times INTEGER NOT NULL, acknowledged VARCHAR(32), "
        "UNIQUE (sop_instance_uid, dataset_sha256))",
        "CREATE TABLE pacs_jobs (id VARCHAR(40) PRIMARY KEY, sop_instance_uid VARCHAR(64) NOT NULL "
        "REFERENCES pacs_instances (sop_instance_uid) ON DELETE CASCADE, model_id VARCHAR(200) NOT NULL, "
        "weights_sha256 VARCHAR(64) NOT NULL, operating_point VARCHAR(200) NOT NULL, content VARCHAR(64) NOT NULL, "
        "plan TEXT NOT NULL, state VARCHAR(20) NOT NULL, attempts INTEGER NOT NULL, next_attempt VARCHAR(32) NOT NULL, "
        "owner VARCHAR(200) NOT NULL, lease_until VARCHAR(32), reason VARCHAR(400) NOT NULL, "
        "received_at VARCHAR(32) NOT NULL, read_at VARCHAR(32), built_at VARCHAR(32), sent_at VARCHAR(32), "
        "verified_at VARCHAR(32), parked_at VARCHAR(32), "
        "UNIQUE (sop_instance_uid, weights_sha256, operating_point, content))",
        "CREATE TABLE pacs_results (job VARCHAR(40) NOT NULL REFERENCES pacs_jobs (id) ON DELETE CASCADE, "
        "name VARCHAR(40) NOT NULL, destination VARCHAR(200) NOT NULL, sop_class VARCHAR(64) NOT NULL, "
        "sop_instance_uid VARCHAR(64) NOT NULL, sha256 VARCHAR(64) NOT NULL, bytes BIGINT NOT NULL, "
        "sent VARCHAR(32), verified VARCHAR(32), PRIMARY KEY (job, destination, name))",
        "CREATE INDEX pacs_instances_by_time ON pacs_instances (received)",
        "CREATE INDEX pacs_instances_by_study ON pacs_instances (study_uid)",
        "CREATE INDEX pacs_instances_unplanned ON pacs_instances (received) "
        "WHERE planned IS NULL AND is_result = 0 AND is_prior = 0",
        "CREATE INDEX pacs_jobs_open ON pacs_jobs (received_at) WHERE state IN ('received', 'read', 'built', 'sent')",
        "CREATE INDEX pacs_jobs_by_time ON pacs_jobs (received_at)",
    ):
        connection.execute(text(statement))
    keep_no_statistics(connection)


def patients_of_studies(connection: Connection) -> None:
    """Which of the patients of its study an instance is of, what an alarm is of, and priors that were asked for."""
    for statement in (
        "CREATE TABLE pacs_awaited_priors (sop_instance_uid VARCHAR(64) PRIMARY KEY, asked VARCHAR(32) NOT NULL)",
        "ALTER TABLE pacs_instances ADD COLUMN patient_number INTEGER",
        "ALTER TABLE pacs_alarms ADD COLUMN kind VARCHAR(16) NOT NULL DEFAULT 'image'",
        "CREATE INDEX pacs_instances_of_further_patients ON pacs_instances (study_uid) WHERE patient_number > 1",
    ):
        connection.execute(text(statement))
    keep_no_statistics(connection)


def stated_issuers(connection: Connection) -> None:
    """Whether an instance states an Issuer of Patient ID, and whether a prior is awaited of an interrupted retrieval.

    The former is NULL for instances of before, until their study gets another one.
    """
    for statement in (
        "ALTER TABLE pacs_instances ADD COLUMN states_issuer INTEGER",
        "ALTER TABLE pacs_awaited_priors ADD COLUMN interrupted INTEGER NOT NULL DEFAULT 0",
    ):
        connection.execute(text(statement))
    keep_no_statistics(connection)


def states_of_retrievals(connection: Connection) -> None:
    """The retrieval of an awaited prior has a state with a name: ``running``, ``interrupted`` or ``repeated``."""
    query = (
        "SELECT sop_instance_uid, asked, CASE interrupted WHEN 0 THEN 'running' WHEN 1 THEN 'interrupted' "
        "ELSE 'repeated' END AS retrieval FROM pacs_awaited_priors"
    )
    awaited = [dict(row) for row in connection.execute(text(query)).mappings()]
    # SQLite drops columns from 3.35 on alone
    for statement in (
        "DROP TABLE pacs_awaited_priors",
        "CREATE TABLE pacs_awaited_priors (sop_instance_uid VARCHAR(64) PRIMARY KEY, asked VARCHAR(32) NOT NULL, "
        "retrieval VARCHAR(16) NOT NULL)",
    ):
        connection.execute(text(statement))
    if awaited:
        stored = "INSERT INTO pacs_awaited_priors VALUES (:sop_instance_uid, :asked, :retrieval)"
        connection.execute(text(stored), awaited)
    keep_no_statistics(connection)


def series_of_results(connection: Connection) -> None:
    """The Series Instance UID of a result; NULL for results of before."""
    connection.execute(text("ALTER TABLE pacs_results ADD COLUMN series_uid VARCHAR(64)"))
    keep_no_statistics(connection)


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (
    runs_table,
    evaluations_by_films,
    image_names_kept,
    reads_and_opinions,
    times_to_answer,
    reader_numbers,
    no_column_statistics,
    removals,
    dicom_network,
    patients_of_studies,
    stated_issuers,
    states_of_retrievals,
    series_of_results,
)
"""In order. A released step is never changed; later steps are appended."""


_LOCK = 5_302_117
"""Of PostgreSQL's advisory locks the one that is this program's; any number that others do not use."""


def migrate(engine: Engine) -> tuple[str, ...]:
    """Bring a database up to date and return the names of the steps that were done.

    Raises:
        PathUnusable: a step is recorded that this version does not know: the store is newer.
    """
    with engine.connect() as connection:
        # a store that is only read must not be written to for that
        if not pending(connection):
            return ()
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            # two programs that open a new store at once: one waits here, and then finds it done
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        elif engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
        todo = pending(connection)
        if not inspect(connection).has_table("migrations"):
            connection.execute(text("CREATE TABLE migrations (name VARCHAR(80) PRIMARY KEY)"))
        for step in todo:
            step(connection)
            connection.execute(text("INSERT INTO migrations (name) VALUES (:name)"), {"name": step.__name__})
        return tuple(step.__name__ for step in todo)


def pending(connection: Connection) -> list[Callable[[Connection], None]]:
    """Return the steps that a database still needs; raises PathUnusable where it is newer than this program."""
    if not inspect(connection).has_table("migrations"):
        return list(MIGRATIONS)
    done = {name for (name,) in connection.execute(text("SELECT name FROM migrations"))}
    if newer := done - {step.__name__ for step in MIGRATIONS}:
        raise PathUnusable(
            f"The store of runs is newer than this program: it has {', '.join(sorted(newer))}. "
            "Use the version that wrote it, or another SECOND_READ_DATABASE_URL."
        )
    return [step for step in MIGRATIONS if step.__name__ not in done]
