"""The product's errors: one root, and a few families under it.

A message is one line: what happened, what is accepted, what to do. It never contains patient data, a path that the user
did not type, or a library's message about the content of a file.
"""

from __future__ import annotations

__all__ = [
    "AuditUnwritable",
    "Busy",
    "CxrError",
    "DeletionUnfinished",
    "InputRefused",
    "LeaseLost",
    "ModelUnusable",
    "PacsRefused",
    "PacsUnavailable",
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
    """The arguments of a command are not valid."""

    exit_status = 2


class InputRefused(CxrError):
    """One input file is not read; the others of the batch are."""

    exit_status = 3


class ModelUnusable(CxrError):
    """A model folder is missing, changed, incomplete, or bound to other weights."""


class Busy(CxrError):
    """The reading queue is full; the request can be repeated later.

    Attributes:
        waiting: number of waiting images.
        seconds: estimated seconds until all of them are read.
    """

    def __init__(self, waiting: int, seconds: float) -> None:
        super().__init__(
            f"The reading queue is full: {waiting} images are waiting, for about {seconds:.0f} s. Try again then."
        )
        self.waiting, self.seconds = waiting, seconds


class AuditUnwritable(CxrError):
    """The audit trail cannot be written or read: an action that requires an entry in it is not done."""


class PacsUnavailable(CxrError):
    """A PACS cannot be reached, or cannot do now what it is asked for; it can be asked again later."""


class PacsRefused(CxrError):
    """A PACS refuses what it is asked for, and would refuse it again."""


class PathUnusable(CxrError):
    """An input path or an output path cannot be used."""


class DeletionUnfinished(PathUnusable):
    """What was to be deleted is not shown any more, but something of it is left; it is deleted later."""


class LeaseLost(CxrError):
    """A worker no longer has the job that it works on: its lease has ended, or the image was deleted."""


class StoreDamaged(PathUnusable):
    """The database of runs is damaged; the files of the runs may be intact."""


class TrainingRefused(CxrError):
    """The data or the starting weights do not allow a valid training."""


class WeightsRefused(CxrError):
    """A weights file is broken, hostile, too large, not the expected one, or of another network."""
