"""The switch "Read first" of the person whose worklist is stored: one for every process, whether the store is open."""

from __future__ import annotations

from ..errors import CxrError
from ..store.reader_choices import ReadFirstChoice
from .opinions import set_read_first
from .worklist import Worklist

__all__ = ["StoredChoice"]


class StoredChoice:
    """What brings the switch of a worklist and the person's stored choice together; it needs no database.

    Findings are hidden from now on where either says so.

    Args:
        images: the worklist.
        reader: what the store calls the person.

    Attributes:
        problem: why the choice could not be stored, or empty.
    """

    def __init__(self, images: Worklist, reader: str) -> None:
        self._images, self._choice, self.problem = images, ReadFirstChoice(reader), ""
        set_read_first(images, images.read_first or self._choice.on)

    def follow(self) -> None:
        """Take over what another process has chosen since."""
        if self._choice.changed():
            set_read_first(self._images, self._choice.on)

    def turn(self, on: bool) -> None:
        """Store the choice for every process; where that fails, ``problem`` says so."""
        self.problem = ""
        try:
            self._choice.turn(on)
        except CxrError as error:
            self.problem = str(error)
