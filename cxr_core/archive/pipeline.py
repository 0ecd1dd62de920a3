"""Many films through one model: prepared by processes ahead of the engine, answered in no order.

Whatever the number of films, what is held at a time is bounded: two films a process, and :data:`AHEAD` prepared
ones that wait for the engine. A process whose result is not taken yet waits with it.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from ..errors import InputRefused
from ..imaging import Preparation, VoiScale
from ..model import Predictor, PreparedFilm, prepare_film
from ..reading import open_film
from ..settings import settings
from .listing import InputFile
from .workers import Lost, Workers

__all__ = ["Answer", "FilmPipeline", "Refusal", "default_workers", "prepared"]

K = TypeVar("K")
T = TypeVar("T")

Answer = Callable[[PreparedFilm, Predictor], T]
"""What is asked of the model for each film."""

AHEAD = 6
"""Films that wait, prepared, beyond those that the engine works on: the next one is always there."""

PATIENCE = 3
"""A process may work on one film for so many times ``decode_seconds``, which bound its codec alone."""


@dataclass(frozen=True)
class Refusal:
    """A film that cannot be read at all: hex digest of its bytes, None where it could not be opened, and why."""

    sha256: str | None
    reason: str


def prepared(
    file: InputFile,
    *,
    preparation: Preparation,
    read_anyway: str | None = None,
    upright: bool = False,
    follow_orientation: bool = False,
    voi_scale: VoiScale = "file",
    other_windows: bool = True,
) -> PreparedFilm | Refusal:
    """Return one file as the network takes it; the job of the processes.

    The arguments are those of :func:`cxr_core.reading.open_film` and :func:`cxr_core.model.prepare_film`.
    """
    data = None
    try:
        data = file.read()
        film = open_film(
            data,
            read_anyway=read_anyway,
            upright=upright,
            follow_orientation=follow_orientation,
            voi_scale=voi_scale,
        )
        return prepare_film(film, preparation, other_windows=other_windows)
    except InputRefused as refusal:
        return Refusal(None if data is None else hashlib.sha256(data).hexdigest(), str(refusal))


def default_workers() -> int:
    """Return how many processes keep an engine busy that uses all cores: half as many, and two at least.

    A film of 1,024 x 1,024 pixels takes about as long to prepare on one core as to read on two.
    """
    return max(2, (os.cpu_count() or 1) // 2)


class FilmPipeline:
    """Processes and an engine that are kept for as long as the context lasts.

    Args:
        predictor: the model; opened for throughput where there are many films.
        workers: processes that prepare films; 0 for none, which is for a few films: each takes a second to start.
        options: of :func:`prepared`, but for the preparation, which is the model's.
    """

    def __init__(self, predictor: Predictor, *, workers: int, **options: object) -> None:
        self._predictor = predictor
        self._job = partial(prepared, preparation=predictor.card.input.preparation(), **options)
        self._seconds = PATIENCE * settings().decode_seconds
        self._workers = Workers(self._job, workers, self._seconds) if workers else None
        self._engine = ThreadPoolExecutor(predictor.engine.requests, "engine")

    def __enter__(self) -> FilmPipeline:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.shutdown(cancel_futures=True)
        if self._workers is not None:
            self._workers.close()

    def run(self, films: Iterable[tuple[K, InputFile]], answer: Answer[T]) -> Iterator[tuple[K, T | Refusal]]:
        """Yield (key, answer) of each (key, file), in no order; a Refusal for a file that is no film.

        Each film is run forward by itself, so that its answer is the one that it has alone, to the last bit.
        A film whose process dies is tried in another one, and refused if that dies too.
        """
        waiting: deque[tuple[K, Future[T] | Refusal]] = deque()
        for key, film in self._prepared(films):
            if isinstance(film, PreparedFilm):
                waiting.append((key, self._engine.submit(answer, film, self._predictor)))
            else:
                waiting.append((key, film))
            while len(waiting) > self._predictor.engine.requests + AHEAD or (waiting and _is_done(waiting[0][1])):
                yield _taken(waiting)
        while waiting:
            yield _taken(waiting)

    def _prepared(self, films: Iterable[tuple[K, InputFile]]) -> Iterator[tuple[K, PreparedFilm | Refusal]]:
        if self._workers is None:
            yield from ((key, self._job(file)) for key, file in films)
            return
        for (key, file), film in self._workers.map(((key, file), file) for key, file in films):
            yield key, self._lost(file) if isinstance(film, Lost) else film

    def _lost(self, file: InputFile) -> Refusal:
        try:
            data = file.read()
        except InputRefused as refusal:
            return Refusal(None, str(refusal))
        return Refusal(
            hashlib.sha256(data).hexdigest(),
            f"Film on which two processes ended, or took more than {self._seconds:.3g} s. Export it again.",
        )


def _is_done(result: Future | Refusal) -> bool:
    return not isinstance(result, Future) or result.done()


def _taken(waiting: deque[tuple[K, Future[T] | Refusal]]) -> tuple[K, T | Refusal]:
    key, result = waiting.popleft()
    return key, result.result() if isinstance(result, Future) else result
