"""What statistics call the readers: a number, or the name where the setting ``reader_names`` allows it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from secrets import SystemRandom

from sqlalchemy import text

from ..settings import settings
from .database import transaction
from .reads import ReadStore

__all__ = ["reader_titles"]


def reader_titles(store: ReadStore, readers: Iterable[str]) -> dict[str, str]:
    """Return what each reader is called, by the name in the store.

    Numbers are given to all readers of the store at once, in random order, and to those who are new since whenever one
    is asked for. So they tell neither the name nor who came first, and do not depend on the readers of the statistic
    that was made first. A number stays the same, also after the reader's reads were deleted; of the name the table of
    numbers has the SHA-256 alone.

    Args:
        store: of the reads; written to where one of its readers has no number yet.
        readers: names in the store: issuer and subject, or a digest of a browser's cookie.

    Raises:
        PathUnusable: a number cannot be written at the moment.
    """
    names = sorted(set(readers))
    if settings().reader_names == "lead":
        subjects = {name: name.rpartition("|")[2] for name in names}
        several = Counter(subjects.values())
        return {name: subject if several[subject] == 1 else name for name, subject in subjects.items()}
    with transaction(store._engine) as connection:
        numbers = {row.reader: row.number for row in connection.execute(_NUMBERS)}
        stored = [_digest(name) for (name,) in connection.execute(_READERS)]
    wanted = {*stored, *map(_digest, names)}
    if not numbers.keys() >= wanted:
        numbers = _with_new_numbers(store, sorted(wanted))
    return {name: f"Reader {numbers[_digest(name)]}" for name in names}


_NUMBERS = text("SELECT reader, number FROM reader_numbers")
_READERS = text("SELECT DISTINCT reader FROM reads")


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _with_new_numbers(store: ReadStore, digests: Iterable[str]) -> dict[str, int]:
    with transaction(store._engine, writing=True, lock="reader_numbers") as connection:
        numbers = {row.reader: row.number for row in connection.execute(_NUMBERS)}
        new = [digest for digest in digests if digest not in numbers]
        SystemRandom().shuffle(new)
        for number, digest in enumerate(new, max(numbers.values(), default=0) + 1):
            connection.execute(
                text("INSERT INTO reader_numbers VALUES (:reader, :number)"), {"reader": digest, "number": number}
            )
            numbers[digest] = number
    return numbers
