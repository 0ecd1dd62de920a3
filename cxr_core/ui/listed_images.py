"""Which stored images a worklist lists when it is opened: those of the studies that were added to last.

Every message of a worklist names all its images, and each image that is listed has its reading in memory. So the number
of those that are restored is bounded; the others are in History, from where a study is opened in the worklist.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from ..store.read_record import StoredImage

__all__ = ["LISTED_IMAGES", "OlderImages"]

LISTED_IMAGES = 500
"""Stored images that are listed at once when a worklist is opened."""


class OlderImages:
    """The stored images of one worklist that are not listed, by their digests."""

    def __init__(self) -> None:
        self.digests: set[str] = set()

    def listed(self, new: Sequence[StoredImage], stored: Collection[str]) -> list[StoredImage]:
        """Return which of the images that were not known yet are to be listed, in their order.

        These are the images of the studies that were added to last, at most :data:`LISTED_IMAGES`; a study is not
        divided, and the last one is always among them.

        Args:
            new: images that were not known yet.
            stored: digests of all images that are stored.
        """
        sizes = Counter(image.study for image in new)
        last: dict[str, tuple[str, int]] = {}
        for place, image in enumerate(new):
            last[image.study] = max(last.get(image.study, ("", 0)), (image.created, place))
        taken: set[str] = set()
        number = 0
        for study in sorted(last, key=lambda study: last[study], reverse=True):
            number += sizes[study]
            if taken and number > LISTED_IMAGES:
                break
            taken.add(study)
        self.digests |= {image.digest for image in new if image.study not in taken}
        self.digests.intersection_update(stored)
        return [image for image in new if image.study in taken]

    def count(self, listed: Collection[str]) -> int:
        """Return how many are older, given the digests of the images that are listed."""
        return len(self.digests.difference(listed))

    def study_of(self, digest: str, stored: Collection[StoredImage]) -> list[StoredImage]:
        """Return the images of an older image's study that are older too, which are to be listed from now on."""
        study = next((image.study for image in stored if image.digest == digest), None)
        found = [image for image in stored if image.study == study and image.digest in self.digests]
        if digest not in self.digests:
            return []
        self.digests -= {image.digest for image in found}
        return found
