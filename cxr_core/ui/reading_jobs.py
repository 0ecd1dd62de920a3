"""Reading the images of one worklist through the shared queue, whoever asks: a script run or a route of the server.

A job belongs to its image, not to who waits for it. Its result is stored by the thread that read it, and the next
waiting image is queued then. No more images of a worklist are in the queue than are read in parallel, so that other
readers' images are not queued behind all of them.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TypedDict
from uuid import uuid4

from ..errors import Busy, InputRefused
from ..imaging import Radiograph, VoiScale
from ..logs import within_request
from ..model import Predictor, Reading, prepare_input
from ..operations.metrics import timed_read
from ..reading import open_image, read_prepared
from ..reading_queue import AT_ONCE, Job, shared_queue
from .viewer import pixels_version
from .worklist import Worklist, WorklistImage

__all__ = ["WorklistReader", "format_wait", "read_to_end"]

ReadJob = Job[tuple[Radiograph, Reading]]

_RETRY_SECONDS = 1.0
_LOG = logging.getLogger(__name__)


class WorklistReader:
    """Reads the images of one worklist. Safe to use from any thread.

    Attributes:
        images: the worklist.
        predictor: reads the images.
        name: identifies the reader in the queue.
    """

    def __init__(self, images: Worklist, predictor: Predictor, name: str = "") -> None:
        self.images, self.predictor, self.name = images, predictor, name or uuid4().hex
        self._lock = images.unchanged()
        self._ended_one = threading.Condition(self._lock)
        self._paused = False
        self._busy: Busy | None = None

    def begin(self) -> None:
        """Queue images that wait, those on a screen first; does nothing while the queue is full or this is paused."""
        with self._lock:
            live = sum(_is_live(image.job) for image in self.images.images.values())
            for image in self.images.waiting():
                if live >= AT_ONCE or self._paused:
                    return
                if not _is_live(image.job):
                    submitted = self._submit(image)
                    if isinstance(submitted, Busy):
                        return
                    live += 1

    def request(self, image: WorklistImage) -> ReadJob | Busy | None:
        """Have one image read next, or decoded again if it was read before, and its pixels kept.

        Returns:
            Its job; Busy while the queue is full; None if there is nothing to do.
        """
        with self._lock:
            self._paused = False
            image.wanted = True
            if _is_live(image.job):
                return image.job
            needless = image.status != "waiting" and image.radiograph is not None
            if needless or not image.has_file or self.images.images.get(image.digest) is not image:
                return None
            job = self._submit(image)
            # those that nobody looks at come after it; cancelled only now, because the reader keeps its turn
            for other in self.images.images.values():
                if other.job is not None and not other.wanted:
                    other.job.cancel()
            self.begin()
            return job

    def wait(self, image: WorklistImage, seconds: float) -> bool:
        """Request an image and wait at most so many seconds; return whether nothing is left to wait for."""
        with self._ended_one:
            job = self.request(image)
            if job is not None:
                self._ended_one.wait_for(lambda: image.job is not job and not isinstance(job, Busy), seconds)
                job = self.request(image)
            return job is None

    def wait_for_any(self, count: int, seconds: float) -> None:
        """Wait at most so many seconds until fewer than ``count`` images wait."""
        with self._ended_one:
            self._ended_one.wait_for(lambda: len(self.images.waiting()) < count, seconds)

    def pause(self) -> None:
        """Leave the queue, until an image is requested; a job that has begun runs to its end."""
        with self._lock:
            self._paused = True
            for image in self.images.images.values():
                if image.job is not None:
                    image.job.cancel()

    def status_text(self, image: WorklistImage) -> str:
        """Return what a reader sees while an image waits."""
        job = self.request(image)
        if isinstance(job, Busy):
            estimate = f"about {math.ceil(job.seconds)} s"
            return f"Server busy: {_images(job.waiting)} in the queue. Retrying automatically, {estimate}."
        return "" if job is None else format_wait(job.position(), job.seconds())

    def queue_text(self) -> str:
        """Return the suffix of a progress bar: the images ahead in the queue, if any."""
        jobs = [image.job for image in self.images.waiting() if image.job is not None]
        if not jobs and self._busy is not None:
            return f"; server busy: {_images(self._busy.waiting)} in the queue"
        position = min((job.position() or 0 for job in jobs), default=0)
        return f"; {_images(position)} ahead in the queue" if position else ""

    def _submit(self, image: WorklistImage) -> ReadJob | Busy:
        options, decode_only = _read_options(image), image.status != "waiting"
        try:
            opened = partial(self._opened, image, options)
            image.job = job = _enqueue(image, self.predictor, self.name, opened)
        except Busy as busy:
            image.job, self._busy = None, busy
            return busy
        self._busy = None
        job.add_done_callback(lambda: self._ended(image, job, options, decode_only))
        return job

    def _opened(self, image: WorklistImage, options: _ReadOptions, radiograph: Radiograph) -> None:
        """Store the pixels of an image as soon as they are there: they are sent to the browser while it is read."""
        with self._lock:
            if _read_options(image) != options or self.images.images.get(image.digest) is not image:
                return
            self._keep_pixels(image, radiograph)
        self.images.notify()

    def _keep_pixels(self, image: WorklistImage, radiograph: Radiograph) -> None:
        image.shape, image.pixels_version = (radiograph.rows, radiograph.columns), pixels_version(radiograph)
        self.images.set_pixels(image, radiograph)
        if image.radiograph is None and (image.wanted or self.images.is_chosen(image.digest)):
            self.images.mark_viewed(image, radiograph)

    def _ended(self, image: WorklistImage, job: ReadJob, options: _ReadOptions, decode_only: bool) -> None:
        """Store the result of a job, and queue the next image."""
        with self._ended_one:
            outdated = image.job is not job or _read_options(image) != options
            if image.job is job:
                image.job = None
            self._ended_one.notify_all()
            if job.is_cancelled():
                return
            # rotated, overridden or removed while it was read
            if not outdated and self.images.images.get(image.digest) is image:
                self._store(image, job, decode_only)
            self.begin()
        self.images.notify()

    def _store(self, image: WorklistImage, job: ReadJob, decode_only: bool) -> None:
        try:
            radiograph, reading = job.result()
        except Exception as error:
            # any error concerns this image alone; its message may quote the file, so only its type is shown
            reason = f"This file could not be read ({type(error).__name__}). Please report it."
            if decode_only:
                # it was read before: the findings are kept
                image.unload()
            else:
                image.mark_unreadable(str(error) if isinstance(error, InputRefused) else reason)
            return
        # shared between reruns without a copy
        reading.class_maps.setflags(write=False)
        # it may have been chosen since it was opened
        self._keep_pixels(image, radiograph)
        image.wanted = False
        if not decode_only:
            self.images.set_reading(image, reading, self.predictor.card)


def read_to_end(image: WorklistImage, predictor: Predictor, reader: str) -> tuple[Radiograph, Reading]:
    """Read an image and wait for the result, however long it takes; raises InputRefused for unreadable bytes."""
    while True:
        try:
            return _enqueue(image, predictor, reader).result()
        except Busy:
            time.sleep(_RETRY_SECONDS)


def format_wait(position: int | None, seconds: float) -> str:
    """Format how long an image waits: images ahead of it (None once it is being read), and estimated seconds."""
    estimate = f"about {max(1, math.ceil(seconds))} s"
    if position is None:
        return f"Reading, {estimate}"
    return f"In the queue: {_images(position)} ahead, {estimate}" if position else f"Next in the queue, {estimate}"


def _images(count: int) -> str:
    return f"{count} image" + ("s" if count != 1 else "")


def _is_live(job: ReadJob | None) -> bool:
    return job is not None and not job.is_cancelled()


class _ReadOptions(TypedDict):
    """Options that the reader has chosen for an image; a result of other options is discarded."""

    read_anyway: str | None
    quarter_turns: int
    mirrored: bool
    voi_scale: VoiScale


def _read_options(image: WorklistImage) -> _ReadOptions:
    return {
        "read_anyway": image.read_anyway,
        "quarter_turns": image.quarter_turns,
        "mirrored": image.mirrored,
        "voi_scale": image.voi_scale,
    }


def _enqueue(
    image: WorklistImage, predictor: Predictor, reader: str, opened: Callable[[Radiograph], None] | None = None
) -> ReadJob:
    """Queue the reading of an image, or only its decoding if it was read before.

    The result is an InputRefused if the bytes are no readable image. Raises Busy if the queue is full.

    Args:
        image: the image.
        predictor: reads it.
        reader: identifies the reader in the queue.
        opened: called with the decoded image, before it is read, in the thread that reads.
    """
    reading = None if image.status == "waiting" else image.reading
    work = partial(_read, image.file, image.digest, reading, predictor, _read_options(image), opened)
    asked, identifier, digest = time.monotonic(), image.request_id, image.digest

    def counted() -> tuple[Radiograph, Reading]:
        # only decoded again
        if reading is not None:
            return work()
        return _counted(work, digest, identifier, time.monotonic() - asked)

    return shared_queue().ask(reader, counted)


def _counted(
    work: Callable[[], tuple[Radiograph, Reading]], digest: str, identifier: str, waited: float
) -> tuple[Radiograph, Reading]:
    """Read an image, count it, and log what became of it, with the id of the request that it came with."""
    with within_request(identifier):
        read = None
        try:
            with timed_read(waited) as read:
                radiograph, reading = work()
                read.ended_with(reading)
            return radiograph, reading
        finally:
            if read is not None:
                facts = {"image": digest, "outcome": read.outcome, "reason": read.reason}
                times = {"seconds": round(read.seconds, 3), "waited": round(waited, 3)}
                _LOG.info("Image read.", extra={"fields": facts | times})


def _read(
    file: Callable[[], bytes | None],
    digest: str,
    reading: Reading | None,
    predictor: Predictor,
    options: _ReadOptions,
    opened: Callable[[Radiograph], None] | None,
) -> tuple[Radiograph, Reading]:
    # in the thread that reads it: it may come from the disk
    data = file()
    if data is None:
        raise InputRefused("The file is no longer in memory. Add it again.")
    radiograph = open_image(data, sha256=digest, **options)
    if opened is not None:
        opened(radiograph)
    if reading is None:
        reading = read_prepared(prepare_input(radiograph, predictor.card.input.preparation()), predictor)
    return radiograph, reading
