"""An image of the store as one of a worklist, as it was shown last."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial

from ..model import ModelCard
from ..settings import settings
from ..store.read_record import Opinion, StoredImage, StoredRead
from ..store.reads import ReadStore
from ..studies import read_study_header
from .viewer import pixels_version
from .worklist_image import POSITIONS, WorklistImage

__all__ = ["file_loader", "in_time", "reader_opinions", "restored_image"]


def restored_image(
    store: ReadStore, stored: StoredImage, upload: int, card: ModelCard
) -> tuple[WorklistImage, StoredRead | None]:
    """Return an image of the worklist, and the read that it shows: its last one, where the same model serves.

    Args:
        store: it is in.
        stored: the image.
        upload: number of an upload in the worklist.
        card: of the model that serves.

    Raises CxrError.
    """
    load = file_loader(store, stored)
    name = stored.name or f"image {stored.digest[:8]}"
    header = stored.header or read_study_header(load(), identity=settings().identity != "off")
    image = WorklistImage(
        stored.digest, name, None, header, upload, stored.position % POSITIONS, path=stored.path or name, load=load,
        added=None, place=stored.position,
    )  # fmt: skip
    image.opinions = reader_opinions(store, stored)
    read = store.last_read(stored)
    # whatever model it was that was shown
    image.revealed = image.findings_shown = read is not None and read.summary.revealed is not None
    if read is None or read.summary.model_sha256 != card.weights_sha256:
        return image, None
    options = read.options
    image.read_anyway, image.voi_scale = options.read_anyway, options.voi_scale
    image.quarter_turns, image.mirrored = options.quarter_turns, options.mirrored
    image.pixels = read.pixels
    image.shape = (read.reading.image.rows, read.reading.image.columns)
    image.pixels_version = pixels_version(read.reading.image)
    image.set_reading(read.reading)
    image.read_at = datetime.fromisoformat(read.summary.created)
    return image, read


def file_loader(store: ReadStore, stored: StoredImage) -> partial[bytes]:
    """Return what reads the file of an image."""
    return partial(store.load, stored.study, stored.digest)


def reader_opinions(store: ReadStore, stored: StoredImage) -> tuple[Opinion, ...]:
    """Return the opinions that its reader has given on an image, in the order of time; raises CxrError."""
    given = store.opinions(stored.study, stored.digest)
    return in_time(one for one in given if one.reader == stored.reader)


def in_time(opinions: Iterable[Opinion]) -> tuple[Opinion, ...]:
    """Return opinions in the order in which they were given."""
    return tuple(sorted(opinions, key=lambda one: one.created))
