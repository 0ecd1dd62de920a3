"""Tables of a long run, in parts that are whole or not there: what they hold is done, whatever happens after.

A part is written aside, brought to the disk, and renamed. There is no other record of what is done: whoever goes on
reads it from the parts. A run that is killed loses the films of the part that it was gathering, and reads them again.
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
from ..labels import NOTICE
from ..private_files import make_private, private_folder
from ..whole_files import bring_to_disk, cannot_write, put_in_place

__all__ = ["FILMS_PER_PART", "Parts"]

FILMS_PER_PART = 512
"""What a kill may cost; half a minute of a laptop's work."""

_PLAN = b"plan"
LOCK = ".lock"


class Parts:
    """Parquet parts of one or more tables, ``FOLDER/TABLE/00000.parquet`` and on; a folder of one run at a time.

    Args:
        folder: of the run; made where it is not there.
        schemas: of each table, by its name.
        plan: what the run is, in words; kept in every part beside the notice.
        resume: go on with the parts that are there.
        films: that a part holds at most.
        private: close the parts to all but their owner, whatever the umask.

    Raises:
        WrongArguments: there are parts and ``resume`` is not given, or they are those of another plan.
        PathUnusable: the folder cannot be written, another run writes there, or a part cannot be read.
    """

    def __init__(
        self,
        folder: Path,
        schemas: Mapping[str, pa.Schema],
        plan: Mapping[str, str],
        *,
        resume: bool = False,
        films: int = FILMS_PER_PART,
        private: bool = False,
    ) -> None:
        self.folder, self._films, self._private = folder, films, private
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
        """Return the number of the next part."""
        with self._writing():
            for left in self.folder.glob("*/.*.writing"):
                left.unlink()
        paths = [path for table in self._schemas for path in self._paths(table)]
        if paths and not resume:
            raise WrongArguments(f"Folder {self.folder.name} holds a run. Go on with --resume, or give another folder.")
        if paths:
            _check_plan(plan, paths[0])
        return 1 + max((int(path.stem) for path in paths), default=-1)

    def __enter__(self) -> Parts:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            # whatever ended the run, films that are done are done; but not after a disk that is full
            if kind is None or not issubclass(kind, PathUnusable):
                self.write()
        finally:
            self._lock.close()

    def put(self, table: str, rows: list[dict[str, Any]]) -> None:
        """Add all rows of one film to a table."""
        self._rows[table] += rows
        self._gathered += 1
        if self._gathered >= self._films:
            self.write()

    def write(self) -> None:
        """Write what was gathered as a part."""
        for table, rows in self._rows.items():
            if rows:
                self._write(pa.Table.from_pylist(rows, self._schemas[table]), table, f"{self._next:05d}.parquet")
                rows.clear()
        self._next += 1
        self._gathered = 0

    def distinct(self, table: str, columns: list[str]) -> Iterator[dict[str, Any]]:
        """Yield what these columns hold, part by part, and once in each part."""
        for path in self._paths(table):
            yield from self._read(path, columns).group_by(columns).aggregate([]).to_pylist()

    def table(self, table: str) -> pa.Table:
        """Return all parts of a table as one."""
        return pa.concat_tables([self._schemas[table].empty_table(), *(self._read(p) for p in self._paths(table))])

    def drop(self, column: str, values: Collection[str]) -> None:
        """Take rows out of the parts: those with one of these values in a column."""
        unwanted = pa.array(sorted(values), pa.string())
        for table in self._schemas:
            for path in self._paths(table) if values else ():
                whole = self._read(path)
                kept = whole.filter(pc.invert(pc.is_in(whole[column], unwanted)))
                if kept.num_rows < whole.num_rows:
                    self._write(kept, table, path.name)

    def _paths(self, table: str) -> list[Path]:
        return sorted((self.folder / table).glob("[0-9]*.parquet"))

    def _read(self, path: Path, columns: list[str] | None = None) -> pa.Table:
        try:
            return pq.read_table(path, columns=columns, partitioning=None)
        except (OSError, KeyError, ValueError, pa.ArrowException) as error:
            raise PathUnusable(
                f"Part {path.parent.name}/{path.name} cannot be read. Delete it, and its films are read again."
            ) from error

    def _write(self, rows: pa.Table, table: str, name: str) -> None:
        path = self.folder / table / name
        aside = path.with_name(f".{name}.writing")
        with self._writing():
            try:
                with aside.open("wb") as file:
                    pq.write_table(rows, file, compression="zstd")
                    bring_to_disk(file)
                if self._private:
                    make_private(aside)
                put_in_place(aside, path)
            finally:
                with contextlib.suppress(OSError):
                    aside.unlink()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise cannot_write(f"Folder {self.folder.name}", error) from error


def _check_plan(plan: dict[str, str], path: Path) -> None:
    """Refuse to go on with parts of another plan."""
    try:
        before = json.loads(pq.read_schema(path).metadata[_PLAN])
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
        raise PathUnusable(f"Part {path.parent.name}/{path.name} is broken, or not a run's.") from error
    if before != plan:
        changed = ", ".join(key for key in plan if before.get(key) != plan[key])
        raise WrongArguments(
            f"The run to go on with is another one: {changed} differ. Give the same options, or start anew."
        )


def _locked(folder: Path) -> IO[str]:
    """Return an open file that keeps other runs out of the folder until it is closed, or this process ends."""
    file = (folder / LOCK).open("w")
    with contextlib.suppress(ImportError):
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise PathUnusable(f"Folder {folder.name}: another run writes there just now.") from error
    return file
