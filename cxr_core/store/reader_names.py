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

    A number is given when a reader first occurs in a statistic, to all that are new then in random order, so that it
    tells neither the name nor who came first. It stays the same, also after the reader's reads were deleted; of the
    name the table of numbers has the SHA-256 alone.

    Args:
        store: of the reads; written to where a reader has no number yet.
        readers: names in the store: issuer and subject, or a digest of a browser's cookie.

    Raises:
        PathUnusable: a number cannot be written at the moment.
    """
    names = sorted(set(readers))
    if settings().reader_names == "lead":
        subjects = {name: name.rpartition("|")[2] for name in names}
        several = Counter(subjects.values())
        return {name: subject if several[subject] == 1 else name for name, subject in subjects.items()}
    digests = {name: hashlib.sha256(name.encode()).hexdigest() for name in names}
    numbers = _numbers(store)
    if not numbers.keys() >= set(digests.values()):
        numbers = _with_new_numbers(store, digests.values())
    return {name: f"Reader {numbers[digest]}" for name, digest in digests.items()}


_NUMBERS = text("SELECT reader, number FROM reader_numbers")


def _numbers(store: ReadStore) -> dict[str, int]:
    with transaction(store._engine) as connection:
        return {row.reader: row.number for row in connection.execute(_NUMBERS)}


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
