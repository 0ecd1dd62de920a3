"""Many images through one model: prepared by processes ahead of the engine, answered in no order.

Any process may die (:mod:`cxr_core.killable_worker`). Memory does not depend on the number of images: two images per
process, and :data:`AHEAD` prepared ones that wait for the engine. A process waits until its result is taken.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from ..errors import CxrError, InputRefused
from ..imaging import Preparation, VoiScale
from ..killable_worker import Answer as WorkerAnswer
from ..killable_worker import Head, Reply, WorkerLost, WorkerPool, WorkerUnstartable
from ..model import ModelInput, Predictor, prepare_input
from ..process_resources import products_on_one_thread
from ..reading import open_image
from ..settings import settings
from .listing import InputFile

__all__ = [
    "Answer",
    "ImagePipeline",
    "Lost",
    "Refusal",
    "Workers",
    "WorkersUnusable",
    "default_workers",
    "prepared",
]


ITEMS_PER_PROCESS = 2
"""One in work, and one that waits, or whose result waits."""
TRIES = 2
"""An item whose process died is tried once more, in another process."""
FAILED_STARTS = 5

K = TypeVar("K")
T = TypeVar("T")


class WorkersUnusable(CxrError):
    """Processes cannot be started, or die before they are ready."""


class Lost:
    """In place of a result: two processes in turn died on the item, or took too long."""


class Workers(Generic[T]):
    """A few processes that do one job on many items.

    Args:
        job: applied to each item, in a separate process; job, items and results are pickled. An exception ends the
            process like a crash. No codec runs in these processes: images are decoded by
            :mod:`cxr_core.imaging.isolated_decoder`, so that their results can be trusted.
        processes: number of processes.
        seconds: time after which a process is killed that works on one item.
    """

    def __init__(self, job: Callable[[Any], T], processes: int, seconds: float) -> None:
        self._processes, self._seconds = processes, seconds
        self._pool = WorkerPool("cxr_core.archive.pipeline:_working", processes, setup=pickle.dumps(job))
        self._threads = ThreadPoolExecutor(processes, "archive-worker")

    def map(self, items: Iterable[tuple[K, Any]]) -> Iterator[tuple[K, T | Lost]]:
        """Yield (key, result) of each (key, item) as they come, in no order.

        Items are taken as there are processes for them. The caller may leave at any time, and then calls
        :meth:`close`.

        Raises:
            WorkersUnusable: processes die before they are ready, again and again.
        """
        source = iter(items)
        pending: dict[Future[T | Lost], K] = {}
        while True:
            for key, item in itertools.islice(source, ITEMS_PER_PROCESS * self._processes - len(pending)):
                pending[self._threads.submit(self._result, item)] = key
            if not pending:
                return
            done, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                yield pending.pop(future), future.result()

    def close(self) -> None:
        """End all processes, whatever they do."""
        self._pool.close()
        self._threads.shutdown(cancel_futures=True)

    def _result(self, item: Any) -> T | Lost:
        tries = failed_starts = 0
        while tries < TRIES:
            try:
                ((_, result),) = self._pool.ask({}, pickle.dumps(item), seconds=self._seconds)
            except WorkerLost:
                tries += 1
            except WorkerUnstartable as error:
                failed_starts += 1
                if failed_starts == FAILED_STARTS:
                    raise WorkersUnusable(
                        "Processes that prepare images cannot be started, or die before they are ready. "
                        "The machine may be out of memory."
                    ) from error
            else:
                answer: T = pickle.loads(result)  # noqa: S301 - of a process of ours, in which no codec runs
                return answer
        return Lost()


def _working(job: bytes) -> WorkerAnswer:
    """Return what answers requests, in a process."""
    products_on_one_thread()
    function = pickle.loads(job)  # noqa: S301 - of the process that started this one

    def answer(head: Head, item: bytes) -> Iterator[Reply]:
        yield {}, pickle.dumps(function(pickle.loads(item)))  # noqa: S301

    return answer


Answer = Callable[[ModelInput, Predictor], T]
"""Applied to each prepared image and the model; returns what the caller wants of the image."""

AHEAD = 6
"""Prepared images that wait, in addition to those that the engine processes, so that the next one is always ready."""

PATIENCE = 3
"""A process may work on one image for this many times ``decode_seconds``, the limit of the codec."""


@dataclass(frozen=True)
class Refusal:
    """An image that cannot be read: hex digest of its bytes, None where it could not be opened, and the reason."""

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
    small_changes: bool = False,
) -> ModelInput | Refusal:
    """Return one file as the network's input; the job of the processes.

    The arguments are those of :func:`cxr_core.reading.open_image` and :func:`cxr_core.model.prepare_input`.
    """
    data = None
    try:
        data = file.read()
        image = open_image(
            data,
            read_anyway=read_anyway,
            upright=upright,
            follow_orientation=follow_orientation,
            voi_scale=voi_scale,
        )
        return prepare_input(image, preparation, other_windows=other_windows, small_changes=small_changes)
    except InputRefused as refusal:
        return Refusal(None if data is None else hashlib.sha256(data).hexdigest(), str(refusal))


def default_workers() -> int:
    """Return the number of processes that keep an engine on all cores busy: half as many as cores, at least two.

    An image of 1,024 x 1,024 pixels takes about as long to prepare on one core as to read on two.
    """
    return max(2, (os.cpu_count() or 1) // 2)


class ImagePipeline:
    """Processes and an engine that run for as long as the context lasts.

    Args:
        predictor: the model; opened for throughput where there are many images.
        workers: processes that prepare images; 0 prepares in this process, for a few images: each takes a second to
            start.
        options: of :func:`prepared`, except for the preparation, which is that of the model.
    """

    def __init__(self, predictor: Predictor, *, workers: int, **options: Any) -> None:
        self._predictor = predictor
        self._job: Callable[[InputFile], ModelInput | Refusal] = partial(
            prepared, preparation=predictor.card.input.preparation(), **options
        )
        self._seconds = PATIENCE * settings().decode_seconds
        self._workers = Workers(self._job, workers, self._seconds) if workers else None
        self._engine = ThreadPoolExecutor(predictor.engine.requests, "engine")

    def __enter__(self) -> ImagePipeline:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.shutdown(cancel_futures=True)
        if self._workers is not None:
            self._workers.close()

    def run(self, images: Iterable[tuple[K, InputFile]], answer: Answer[T]) -> Iterator[tuple[K, T | Refusal]]:
        """Yield (key, answer) of each (key, file), in no order; a Refusal for a file that is no image.

        Each image is a forward pass of its own, so that its answer is bit-identical to that of the image alone. An
        image whose process dies is tried in another one, and refused if that dies too.
        """
        waiting: deque[tuple[K, Future[T] | Refusal]] = deque()
        for key, image in self._prepared(images):
            if isinstance(image, ModelInput):
                waiting.append((key, self._engine.submit(answer, image, self._predictor)))
            else:
                waiting.append((key, image))
            while len(waiting) > self._predictor.engine.requests + AHEAD or (waiting and _is_done(waiting[0][1])):
                key, result = waiting.popleft()
                yield key, result if isinstance(result, Refusal) else result.result()
        for key, result in waiting:
            yield key, result if isinstance(result, Refusal) else result.result()

    def _prepared(self, images: Iterable[tuple[K, InputFile]]) -> Iterator[tuple[K, ModelInput | Refusal]]:
        if self._workers is None:
            yield from ((key, self._job(file)) for key, file in images)
            return
        for (key, file), image in self._workers.map(((key, file), file) for key, file in images):
            yield key, self._lost(file) if isinstance(image, Lost) else image

    def _lost(self, file: InputFile) -> Refusal:
        try:
            data = file.read()
        except InputRefused as refusal:
            return Refusal(None, str(refusal))
        return Refusal(
            hashlib.sha256(data).hexdigest(),
            f"Two processes failed on this image, or took more than {self._seconds:.3g} s. Export it again.",
        )


def _is_done(result: Future[Any] | Refusal) -> bool:
    return not isinstance(result, Future) or result.done()
