"""What a reader has chosen for the reading page, for all programs over one store: the switch "Read first".

A file under ``SECOND_READ_HOME`` stands for a reader who has turned it on. Its name is the SHA-256 of the reader's name
in the store, and it is empty: no row of the database, because it is of no study and is deleted with none.
"""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

from ..files import cannot_write, make_private, private_folder, write_whole
from ..settings import settings

__all__ = ["ReadFirstChoice"]


class ReadFirstChoice:
    """The switch of one reader, as this program has seen it last.

    Args:
        reader: what the store calls the reader.

    Attributes:
        on: whether findings stay hidden until the reader shows them; true where that cannot be read.
    """

    def __init__(self, reader: str) -> None:
        self._name = hashlib.sha256(reader.encode()).hexdigest()
        self.on = self._is_on()

    def changed(self) -> bool:
        """Look again, and return whether another program has turned the switch since."""
        before, self.on = self.on, self._is_on()
        return self.on != before

    def turn(self, on: bool) -> None:
        """Store the switch; raises PathUnusable where that cannot be written."""
        try:
            if on:
                make_private(private_folder(self._path().parent))
                write_whole(self._path(), b"", private=True)
            else:
                self._path().unlink(missing_ok=True)
        except OSError as error:
            raise cannot_write("Choice of a reader", error) from error
        self.on = on

    def _is_on(self) -> bool:
        try:
            return stat.S_ISREG(self._path().stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            # what cannot be read may be on
            return True

    def _path(self) -> Path:
        return settings().home / "read-first" / self._name
