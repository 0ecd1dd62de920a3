"""Tables of a long run, written in chunks, each complete or absent.

A chunk is written under a temporary name, flushed to the disk, and renamed. The chunks are the only record of progress:
a resumed run reads them. A killed run loses the images of the unfinished chunk, and reads them again.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..errors import PathUnusable, WrongArguments
from ..files import bring_to_disk, cannot_write, make_private, private_folder, put_in_place
from ..labels import NOTICE

__all__ = ["IMAGES_PER_CHUNK", "OutputChunks"]

IMAGES_PER_CHUNK = 512
"""Images that a killed run reads again at most; half a minute of a laptop's work."""

_PLAN = b"plan"
LOCK = ".lock"


class OutputChunks:
    """Parquet files of one or more tables, ``FOLDER/TABLE/00000.parquet`` and so on; one run per folder at a time.

    Args:
        folder: of the run; made where it is missing.
        schemas: of each table, by its name.
        plan: description of the run, stored in every chunk beside the notice.
        resume: continue with the existing chunks.
        images: images per chunk, at most.
        private: restrict the chunks to their owner, whatever the umask.

    Raises:
        WrongArguments: there are chunks and ``resume`` is not given, or they are of another plan.
        PathUnusable: the folder cannot be written, another run writes there, or a chunk cannot be read.
    """

    def __init__(
        self,
        folder: Path,
        schemas: Mapping[str, pa.Schema],
        plan: Mapping[str, str],
        *,
        resume: bool = False,
        images: int = IMAGES_PER_CHUNK,
        private: bool = False,
    ) -> None:
        self.folder, self._images, self._private = folder, images, private
        metadata = {b"notice": NOTICE.encode(), _PLAN: json.dumps(dict(plan)).encode()}
        self._schemas = {table: schema.with_metadata(metadata) for table, schema in schemas.items()}
        self._rows: dict[str, list[dict[str, Any]]] = {table: [] for table in schemas}
        self._gathered = 0
        with self._writing():
            for table in schemas:
                if private:
                    private_folder(folder / table)
                (folder / table).mkdir(parents=True, exist_ok=True)
            self._lock = _locked(folder)
            if private:
                make_private(folder / LOCK)
        try:
            self._next = self._begin(dict(plan), resume)
        except BaseException:
            self._lock.close()
            raise

    def _begin(self, plan: dict[str, str], resume: bool) -> int:
        """Return the number of the next chunk."""
        with self._writing():
            for unfinished in self.folder.glob("*/.*.writing"):
                unfinished.unlink()
        paths = [path for table in self._schemas for path in self._paths(table)]
        if paths and not resume:
            raise WrongArguments(
                f"Folder {self.folder.name} holds a run. Continue with --resume, or give another folder."
            )
        for table, schema in self._schemas.items():
            for path in self._paths(table)[:1]:
                _check_plan(plan, schema, path)
        return 1 + max((int(path.stem) for path in paths), default=-1)

    def __enter__(self) -> OutputChunks:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            # finished images are stored whatever ended the run, unless the disk is full
            if kind is None or not issubclass(kind, PathUnusable):
                self.write()
        finally:
            self._lock.close()

    def put(self, table: str, rows: list[dict[str, Any]]) -> None:
        """Add all rows of one image to a table."""
        self._rows[table] += rows
        self._gathered += 1
        if self._gathered >= self._images:
            self.write()

    def write(self) -> None:
        """Write the rows gathered so far as a chunk."""
        for table, rows in self._rows.items():
            if rows:
                self._write(pa.Table.from_pylist(rows, self._schemas[table]), table, f"{self._next:05d}.parquet")
                rows.clear()
        self._next += 1
        self._gathered = 0

    def distinct(self, table: str, columns: list[str]) -> Iterator[dict[str, Any]]:
        """Yield the distinct values of these columns in each chunk, chunk by chunk."""
        for path in self._paths(table):
            yield from self._read(path, columns).group_by(columns).aggregate([]).to_pylist()

    def table(self, table: str) -> pa.Table:
        """Return all chunks of a table as one."""
        return pa.concat_tables([self._schemas[table].empty_table(), *(self._read(p) for p in self._paths(table))])

    def drop(self, column: str, values: Collection[str]) -> None:
        """Remove the rows with one of these values in a column."""
        unwanted = pa.array(sorted(values), pa.string())
        for table in self._schemas:
            for path in self._paths(table) if values else ():
                stored = self._read(path)
                remaining = stored.filter(pc.invert(pc.is_in(stored[column], unwanted)))
                if remaining.num_rows < stored.num_rows:
                    self._write(remaining, table, path.name)

    def _paths(self, table: str) -> list[Path]:
        return sorted((self.folder / table).glob("[0-9]*.parquet"))

    def _read(self, path: Path, columns: list[str] | None = None) -> pa.Table:
        try:
            return pq.read_table(path, columns=columns, partitioning=None)
        except (OSError, KeyError, ValueError, pa.ArrowException) as error:
            raise PathUnusable(
                f"File {path.parent.name}/{path.name} cannot be read. Delete it, and its images are read again."
            ) from error

    def _write(self, rows: pa.Table, table: str, name: str) -> None:
        path = self.folder / table / name
        temporary = path.with_name(f".{name}.writing")
        with self._writing():
            try:
                with temporary.open("wb") as file:
                    pq.write_table(rows, file, compression="zstd")
                    bring_to_disk(file)
                if self._private:
                    make_private(temporary)
                put_in_place(temporary, path)
            finally:
                with contextlib.suppress(OSError):
                    temporary.unlink()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise cannot_write(f"Folder {self.folder.name}", error) from error


def _check_plan(plan: dict[str, str], schema: pa.Schema, path: Path) -> None:
    """Refuse to resume with chunks of another plan, or with other columns, which another version may have written."""
    try:
        stored = pq.read_schema(path)
        before = json.loads(stored.metadata[_PLAN])
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
        raise PathUnusable(f"File {path.parent.name}/{path.name} is broken, or not of a run.") from error
    if not stored.equals(schema, check_metadata=False):
        raise WrongArguments(
            f"The interrupted run in {path.parent.parent.name} was written by another version of the program: its "
            f"table {path.parent.name} has other columns. Start again without --resume; with --archive, in another "
            "folder."
        )
    if before != plan:
        changed = ", ".join(key for key in sorted({*plan, *before}) if before.get(key) != plan.get(key))
        raise WrongArguments(
            f"The run in this folder is a different one: {changed} differ. Give the same options, or start again."
        )


def _locked(folder: Path) -> IO[str]:
    """Return an open file that locks the folder until it is closed, or this process ends."""
    file = (folder / LOCK).open("w")
    with contextlib.suppress(ImportError):
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise PathUnusable(f"Folder {folder.name}: another run is writing there.") from error
    return file
