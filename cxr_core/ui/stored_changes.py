"""What other processes have changed in the store: images, opinions, and what was shown."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ..store.read_record import StoredImage
from ..store.reads import ReadStore
from ..store.removals import Progress
from .stored_image import in_time, reader_opinions
from .stored_removal import StoredRemoval
from .worklist import Worklist

__all__ = ["Changes", "compare", "is_added_again", "removed_here", "take_over_progress"]


@dataclass(frozen=True)
class Changes:
    """What is different in the store since it was looked at last, each by digest.

    Attributes:
        stored: images that are to be in the worklist, and those that were removed from it here.
        new: those of them that the worklist has to have and has not, as far as the store tells.
        deleted: images that are gone, or that were deleted and added again.
        away: images that were removed in another process, where that can be undone.
    """

    stored: dict[str, StoredImage]
    new: tuple[StoredImage, ...]
    deleted: frozenset[str]
    away: frozenset[str]


def compare(
    every: Mapping[str, StoredImage],
    before: Mapping[str, StoredImage],
    removed: Collection[str],
    back: Collection[str],
    leaving: StoredRemoval,
) -> Changes:
    """Compare all images that are stored for a reader with those of before.

    Args:
        every, before: stored images by digest, now and then.
        removed, back: of :func:`removed_here`.
        leaving: what notes the removals of the worklist.
    """
    away = {
        digest
        for digest, image in every.items()
        if image.removed and digest not in removed and not leaving.is_returning(digest)
    }
    stored = {digest: image for digest, image in every.items() if digest not in away}
    deleted = {
        digest for digest, image in before.items() if digest not in stored or is_added_again(image, stored[digest])
    }
    new = (image for digest, image in stored.items() if digest not in before or digest in deleted or digest in back)
    new = (image for image in new if image.digest not in removed)
    return Changes(stored, tuple(new), frozenset(deleted), frozenset(away))


def removed_here(
    images: Worklist, leaving: StoredRemoval, every: Mapping[str, StoredImage], noted: Collection[str]
) -> tuple[set[str], set[str]]:
    """Return the images that were removed here and are not deleted yet, and those that others have added again.

    Args:
        images: the worklist.
        leaving: what notes its removals.
        every: all images that are stored for the reader, by digest.
        noted: those whose removal the store knew of before it was asked for these.
    """
    removal = images.removal
    undoable = () if removal is None else removal.entries()
    removed = leaving.digests | {image.digest for image in undoable}
    back = {digest for digest in removed & set(noted) & every.keys() if every[digest].removed is None}
    return removed - back, back


def is_added_again(before: StoredImage, now: StoredImage) -> bool:
    """Return whether an image was deleted and added again in between."""
    return (before.study, before.created) != (now.study, now.created)


def take_over_progress(
    images: Worklist,
    store: ReadStore,
    stored: Mapping[str, StoredImage],
    progress: Mapping[tuple[str, str], Progress],
) -> None:
    """Take over opinions that were given, and findings that were shown, in other processes; raises CxrError.

    Args:
        images: the worklist.
        store: its store.
        stored: images by digest.
        progress: of :func:`.removals.reader_progress`.
    """
    changed = False
    for image in images.images.values():
        one = stored.get(image.digest)
        there = progress.get((one.study, one.digest)) if one is not None else None
        if one is None or there is None:
            continue
        if there.revealed and not image.findings_shown and images.is_hidden(image):
            image.revealed = image.findings_shown = changed = True
        if there.opinions != len(image.opinions):
            given = reader_opinions(store, one)
            with images.unchanged():
                others = [opinion for opinion in image.opinions if opinion not in given]
                before, image.opinions = image.opinions, in_time((*others, *given))
                changed |= image.opinions != before
    if changed:
        images.notify()
