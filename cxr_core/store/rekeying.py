"""Change of the key with which stored images, reads, identity and comments are encrypted; it encrypts what is not, too.

Each image and each row is replaced at once, and what the key before has encrypted is read as long as its setting is
there: so nothing is unreadable at any moment, and a program that is killed is followed by another that does the rest.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Engine, MetaData, Table, select, text

from ..errors import WrongArguments
from ..settings import settings
from .compaction import request
from .database import transaction
from .deletion import finish_deletions
from .image_files import reseal_file, studies_lock
from .pacs_files import instance_path, load_checked, pacs_lock, reseal_path, result_path
from .pacs_header import read_instance_header
from .sealing import reseal_text

__all__ = ["rekey"]

_AT_ONCE = 200
"""Rows that are written in one transaction."""


class _Texts(NamedTuple):
    """A column of encrypted texts: name for the report, table, column, and what a text of a row is bound to."""

    kind: str
    table: str
    column: str
    purpose: str


_TEXTS = (
    _Texts("reads", "reads", "record", "read {id}"),
    _Texts("identities", "images", "identity", "identity {study} {digest}"),
    _Texts("comments", "opinions", "comment", "comment {read_id} {label}"),
)


def rekey(engine: Engine) -> dict[str, int]:
    """Encrypt everything that is stored with the key of the setting ``store_key``.

    Returns:
        Number of ``images``, ``reads``, ``identities``, ``comments``, and files ``received`` over the DICOM network or
        built from those, that were not encrypted with it before.

    Raises:
        WrongArguments: no key is set.
        PathUnusable: something was encrypted with neither key, or cannot be written. What was done until then is done.
    """
    if settings().store_key is None:
        raise WrongArguments("Set SECOND_READ_STORE_KEY to the new key, SECOND_READ_STORE_KEY_PREVIOUS to the old one.")
    counts = {texts.kind: _rekey_texts(engine, texts) for texts in _TEXTS} | {
        "images": _rekey_files(engine),
        "received": _rekey_received(engine),
    }
    if any(counts.values()):
        # what the file of the database still holds of them is encrypted with the key before, or not at all
        with transaction(engine, writing=True) as connection:
            request(connection)
        finish_deletions(engine)
    return counts


def _rekey_texts(engine: Engine, texts: _Texts) -> int:
    """Replace the texts of a column, and return how many were."""
    with transaction(engine) as connection:
        table = Table(texts.table, MetaData(), autoload_with=connection)
        column, key = table.c[texts.column], tuple(table.primary_key.columns)
        rows = connection.execute(select(*key).where(column.is_not(None))).fetchall()
    count = 0
    for start in range(0, len(rows), _AT_ONCE):
        with transaction(engine, writing=True, lock=texts.table) as connection:
            for row in rows[start : start + _AT_ONCE]:
                is_row = [part == row._mapping[part.name] for part in key]
                stored = connection.execute(select(table).where(*is_row)).first()
                if stored is None or stored._mapping[texts.column] is None:
                    # deleted meanwhile
                    continue
                values = dict(stored._mapping)
                sealed = reseal_text(values[texts.column], texts.purpose.format(**values))
                if sealed is None:
                    continue
                if texts.table == "opinions":
                    # the database refuses to change an opinion: its row is written again
                    connection.execute(table.delete().where(*is_row))
                    connection.execute(table.insert().values(values | {texts.column: sealed}))
                else:
                    connection.execute(table.update().where(*is_row).values({texts.column: sealed}))
                count += 1
    return count


def _rekey_files(engine: Engine) -> int:
    """Replace the files of images, and return how many were."""
    with transaction(engine) as connection:
        images = connection.execute(text("SELECT study, digest FROM images WHERE deleted = 0")).fetchall()
    count = 0
    for study, digest in images:
        # for each, so that images are added and deleted meanwhile
        with studies_lock():
            count += reseal_file(study, digest)
    return count


def _rekey_received(engine: Engine) -> int:
    """Replace the files of the DICOM network, and the digests of patients; return how many files were replaced."""
    with transaction(engine) as connection:
        instances = connection.execute(
            text("SELECT sop_instance_uid, sha256 FROM pacs_instances WHERE deleted = 0")
        ).fetchall()
        results = connection.execute(text("SELECT DISTINCT job, sha256 FROM pacs_results")).fetchall()
    count = 0
    for uid, sha256 in instances:
        with pacs_lock():
            path = instance_path(sha256)
            count += reseal_path(path)
            if path.is_file():
                key = read_instance_header(load_checked(path, sha256)).patient_key
                update = text("UPDATE pacs_instances SET patient_key = :key WHERE sop_instance_uid = :uid")
                with transaction(engine, writing=True) as connection:
                    connection.execute(update, {"uid": uid, "key": key})
    for job, sha256 in results:
        with pacs_lock():
            count += reseal_path(result_path(job, sha256))
    return count
