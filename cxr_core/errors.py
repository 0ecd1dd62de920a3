"""One root for everything that goes wrong on purpose, and a few families under it.

A message is one line: what was found, what is accepted, what to do. It never holds patient data,
a path that the user did not type, or a library's own words about the content of a file.
"""

from __future__ import annotations

__all__ = [
    "AuditUnwritable",
    "Busy",
    "CxrError",
    "InputRefused",
    "ModelUnusable",
    "PathUnusable",
    "StoreDamaged",
    "TrainingRefused",
    "WeightsRefused",
    "WrongArguments",
]


class CxrError(Exception):
    """Root of the product's errors. ``str(error)`` is the one line that a user sees."""

    exit_status = 4

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class WrongArguments(CxrError):
    """The command was called in a way it does not offer."""

    exit_status = 2


class InputRefused(CxrError):
    """One input file is not read; the others of the batch are."""

    exit_status = 3


class ModelUnusable(CxrError):
    """A model folder is missing, changed, incomplete, or bound to other weights."""


class Busy(CxrError):
    """As many films wait to be read as may; asking again in a while is all that is needed.

    Attributes:
        waiting: how many wait.
        seconds: about how long it is until all of them are read.
    """

    def __init__(self, waiting: int, seconds: float) -> None:
        super().__init__(
            f"{waiting} films wait to be read, which is the most; it takes about {seconds:.0f} s. Ask again then."
        )
        self.waiting, self.seconds = waiting, seconds


class AuditUnwritable(CxrError):
    """The audit trail cannot be written or read: what must stand in it is not done."""


class PathUnusable(CxrError):
    """An input path or an output path cannot be used."""


class StoreDamaged(PathUnusable):
    """The database of the store of runs is no longer one; the runs' own files may be whole."""


class TrainingRefused(CxrError):
    """The data or the starting weights do not allow an honest training."""


class WeightsRefused(CxrError):
    """A weights file is broken, hostile, too large, not the one it is said to be, or of another network."""
