"""The store of studies: rows in the database of runs, images beside it on disk, each of one reader."""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, text

from ..access import Visitor
from ..errors import AuditUnwritable, DeletionUnfinished, PathUnusable, StoreDamaged, WrongArguments
from ..settings import settings
from ..studies import StudyHeader
from . import pacs_deletion
from .database import DATABASE, open_migrated, transaction
from .deletion import delete_expired, delete_images, finish_deletions, is_unfinished, mark_deleted, remove_marked
from .identities import opened_identity, sealed_identity
from .image_files import image_path, load_file, save_file, studies_lock
from .read_record import StoredImage
from .rekeying import rekey
from .removals import delete_abandoned

__all__ = ["StudyStore", "new_id", "utc_now"]

_LOG = logging.getLogger(__name__)


def utc_now() -> str:
    """Return the time, UTC, ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def new_id() -> str:
    """Return an id that tells nothing and cannot be guessed."""
    return secrets.token_hex(10)


class StudyStore:
    """Studies of one database and folder. Safe for several threads and for several programs at once.

    Opening it deletes what is to be deleted: what was decided and not finished, and studies whose days have passed.

    Attributes:
        unfinished: why something that is to be deleted is not deleted yet, in one line; empty where nothing is left.
        expired: number of images that were deleted on opening, since their days had passed.

    Args:
        url: of the database, as SQLAlchemy accepts it; by default the setting ``database_url``.
        runs: folder of runs, in which the database is by default.
        delete_due: whether to delete that; otherwise the caller does, with :meth:`delete_due`.
    """

    def __init__(self, url: str | None = None, runs: Path | None = None, *, delete_due: bool = True) -> None:
        runs = runs or settings().runs
        self._engine = open_migrated(url or settings().database_url or f"sqlite:///{runs / DATABASE}", runs, self)
        self.unfinished = ""
        try:
            self.expired = self.delete_due() if delete_due else 0
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close its connections."""
        self._engine.dispose()

    def add_image(
        self,
        reader: str,
        data: bytes,
        *,
        study: str | None = None,
        position: int = 0,
        name: str = "",
        path: str = "",
        header: StudyHeader | None = None,
    ) -> StoredImage:
        """Store an image; when this returns, it is on the disk. One that the reader has already is not stored again.

        Args:
            reader: whose image it is.
            data: content of the file.
            study: id of the reader's study that it belongs to; None for a new one.
            position: its place among the images of the reader.
            name, path: of the file; stored only where identity is.
            header: its study and patient; stored only where identity is.

        Raises:
            WrongArguments: the reader has no such study.
            PathUnusable: it cannot be written, or more than ``keep_gb`` would be stored.
        """
        digest = hashlib.sha256(data).hexdigest()
        failure = None
        if self._is_marked(reader, digest):
            # what cannot be removed at the moment hinders nobody
            with suppress(PathUnusable):
                remove_marked(self._engine)
        with studies_lock():
            with transaction(self._engine, writing=True) as connection:
                known = connection.execute(
                    text(
                        "SELECT images.study FROM images JOIN studies ON studies.id = images.study "
                        "WHERE studies.reader = :reader AND images.digest = :digest AND images.deleted = 0"
                    ),
                    {"reader": reader, "digest": digest},
                ).scalar()
                if known is None:
                    self._check_room(connection, len(data))
                    study = self._study(connection, reader, study, digest)
                    connection.execute(
                        text(
                            "INSERT INTO images VALUES (:study, :digest, :now, :position, :bytes, 0, :identity, NULL)"
                        ),
                        {
                            "study": study,
                            "digest": digest,
                            "now": utc_now(),
                            "position": position,
                            "bytes": len(data),
                            "identity": sealed_identity(study, digest, name, path, header),
                        },
                    )
                else:
                    study = known
                    returned = "UPDATE images SET removed = NULL WHERE study = :study AND digest = :digest"
                    connection.execute(text(returned), {"study": study, "digest": digest})
            # after its row, so that there is no file that no row leads to
            if not image_path(str(study), digest).is_file():
                try:
                    save_file(str(study), digest, data)
                except PathUnusable as error:
                    failure = error
                    if known is None:
                        mark_deleted(self._engine, [(str(study), digest)])
        if failure is not None:
            with suppress(PathUnusable):
                finish_deletions(self._engine)
            raise failure
        return next(image for image in self.images(reader) if image.digest == digest)

    @staticmethod
    def _check_room(connection: Connection, size: int) -> None:
        used = connection.execute(text("SELECT COALESCE(SUM(bytes), 0) FROM images")).scalar_one()
        if used + size > settings().keep_gb * 1e9:
            raise PathUnusable(
                f"More than {settings().keep_gb:g} GB of images would be stored. Delete studies, or raise "
                "SECOND_READ_KEEP_GB."
            )

    def _is_marked(self, reader: str, digest: str) -> bool:
        with transaction(self._engine) as connection:
            marked = connection.execute(
                text(
                    "SELECT 1 FROM images JOIN studies ON studies.id = images.study "
                    "WHERE reader = :reader AND digest = :digest AND deleted = 1"
                ),
                {"reader": reader, "digest": digest},
            ).first()
        return marked is not None

    @staticmethod
    def _study(connection: Connection, reader: str, study: str | None, digest: str) -> str:
        """Return the study of a new image: the one that is given, or a new one."""
        if study is not None:
            here = {"study": study, "digest": digest}
            marked = "SELECT 1 FROM images WHERE study = :study AND digest = :digest"
            if connection.execute(text(marked), here).first() is not None:
                # its row is still to be deleted
                study = None
        if study is None:
            study = new_id()
            connection.execute(
                text("INSERT INTO studies VALUES (:id, :reader, :now)"),
                {"id": study, "reader": reader, "now": utc_now()},
            )
            return study
        owner = connection.execute(text("SELECT reader FROM studies WHERE id = :id"), {"id": study}).scalar()
        if owner != reader:
            raise WrongArguments("No such study.")
        return study

    def images(self, reader: str) -> tuple[StoredImage, ...]:
        """Return the images of a reader whose files are there, removed ones too, in the order of their positions."""
        with transaction(self._engine) as connection:
            rows = connection.execute(
                text(
                    "SELECT images.study, digest, images.created, position, identity, removed FROM images "
                    "JOIN studies ON studies.id = images.study WHERE reader = :reader AND deleted = 0 "
                    "ORDER BY position, images.created, digest"
                ),
                {"reader": reader},
            ).fetchall()
        return tuple(
            StoredImage(study, digest, reader, created, position, *opened_identity(study, digest, identity), removed)
            for study, digest, created, position, identity, removed in rows
            if image_path(study, digest).is_file()
        )

    def all_images(self, since: datetime, removed_since: datetime) -> list[tuple[str, str]]:
        """Return (study, digest) of the images of all readers.

        Args:
            since: time before which a study was stored that is left out.
            removed_since: time before which an image was removed that is left out.
        """
        query = text(
            "SELECT images.study, digest FROM images JOIN studies ON studies.id = images.study "
            "WHERE deleted = 0 AND studies.created >= :since AND (removed IS NULL OR removed >= :removed_since)"
        )
        with transaction(self._engine) as connection:
            times = {"since": since, "removed_since": removed_since}
            rows = connection.execute(query, {n: time.isoformat(timespec="milliseconds") for n, time in times.items()})
            return [(study, digest) for study, digest in rows]

    def load(self, study: str, digest: str) -> bytes:
        """Return the content of an image; raises PathUnusable where it is not there, or cannot be decrypted."""
        data = load_file(study, digest)
        if hashlib.sha256(data).hexdigest() != digest:
            raise PathUnusable("The stored image was changed since it was stored.")
        return data

    def delete(self, who: Visitor, *, reader: str, digests: Sequence[str] | None = None) -> int:
        """Delete images of a reader, all of them by default, with their reads and opinions; return their number.

        Raises as :func:`.deletion.delete_images`.
        """
        # also those whose files are missing, which no worklist can list
        present = self._present("reader = :value", reader)
        images = [(study, digest) for study, digest in present if digests is None or digest in digests]
        self._delete(who, images, "images of a reader")
        return len(images)

    def delete_study(self, who: Visitor, study: str) -> int:
        """Delete a study, with its images, reads and opinions; return the number of images.

        Raises WrongArguments where there is none, and as :func:`.deletion.delete_images`.
        """
        images = self._present("images.study = :value", study)
        if not images:
            raise WrongArguments("No such study.")
        self._delete(who, images, "study")
        return len(images)

    def _present(self, condition: str, value: str) -> list[tuple[str, str]]:
        query = (
            "SELECT images.study, digest FROM images JOIN studies ON studies.id = images.study WHERE deleted = 0 AND "
        )
        with transaction(self._engine) as connection:
            return [(study, digest) for study, digest in connection.execute(text(query + condition), {"value": value})]

    def _delete(self, who: Visitor, images: Sequence[tuple[str, str]], detail: str) -> None:
        try:
            delete_images(self._engine, who, images, detail)
        except DeletionUnfinished as error:
            self.unfinished = str(error)
            raise

    def rekey(self) -> dict[str, int]:
        """Encrypt everything that is stored with the key of the setting; return how much was not, by its kind.

        Raises as :func:`.rekeying.rekey`.
        """
        return rekey(self._engine)

    def delete_expired(self, now: datetime | None = None) -> int:
        """Delete the studies that are older than the setting ``keep_days``; return the number of images.

        Raises as :func:`.deletion.delete_images`.
        """
        return delete_expired(self._engine, settings().keep_days, now)

    def delete_abandoned(self) -> int:
        """Delete images that were removed by a process that has ended since; return their number.

        Raises as :func:`.deletion.delete_images`.
        """
        return delete_abandoned(self._engine)

    def delete_due(self) -> int:
        """Delete what is to be deleted by now, as far as that is possible; return the number of images that expired.

        What is left, :attr:`unfinished` says. Raises StoreDamaged.
        """
        problem, expired = "", 0
        try:
            # one audit trail that cannot be written hinders new deletions, and not those that are in it
            if is_unfinished(self._engine):
                finish_deletions(self._engine)
        except StoreDamaged:
            raise
        except PathUnusable as error:
            problem = str(error)
        try:
            self.delete_abandoned()
            expired = self.delete_expired()
            pacs_deletion.delete_due(self._engine)
        except StoreDamaged:
            raise
        except (PathUnusable, AuditUnwritable) as error:
            problem = problem or f"Studies whose days have passed cannot be deleted at the moment. {error}"
        if problem and problem != self.unfinished:
            _LOG.warning("%s", problem)
        self.unfinished = problem
        return expired
