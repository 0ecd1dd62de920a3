"""Where results go: sending them by STOW or C-STORE, and reading them back to see that they are kept.

A status of success does not say that a PACS keeps an object: it drops one whose UID it has already, silently. A result
counts as kept when what the PACS returns for its UID says the same.
"""

from __future__ import annotations

import io
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from time import monotonic
from typing import Literal

import pydicom

from ..errors import PacsRefused, PacsUnavailable
from ..imaging.elements import stated_text
from . import association, dicomweb
from .addresses import Address, DimseAddress, WebAddress
from .comparison import different_elements, same_patient
from .dimse_source import DimseSource
from .source import is_uid
from .storage import find_files, get_files, store_files
from .web_source import WebSource

__all__ = ["Destination", "Pauses", "ReadBack", "ResultFile", "echo", "present", "send", "verify"]

ReadBack = Literal["retrieve", "find", "off"]

_WARNINGS = (0xB000, 0xB006, 0xB007)
"""Stored, with elements that were coerced or are not understood (PS3.4 B.2.3)."""

_LATER = (0x0110, 0x0124, 0x0213)
"""Processing failure, not authorized, resource limitation (PS3.7 C)."""


LONGEST_PAUSE = 300.0
"""Seconds."""


@dataclass(frozen=True)
class Destination:
    """A PACS that results are sent to.

    Attributes:
        name: by which rules, jobs and the audit trail call it.
        address: where it is.
        credentials: of a DICOMweb service, as :func:`.dicomweb.web_client` takes them.
        read_back: how a result is verified: ``retrieve``, by its content (WADO-RS, C-GET); ``find``, by its UID alone
            (C-FIND), for an entity without C-GET; ``off``, by nothing but the status of the answer.
    """

    name: str
    address: Address
    credentials: str | None = field(default=None, repr=False)
    read_back: ReadBack = "retrieve"


@dataclass(frozen=True, eq=False)
class ResultFile:
    """A result, as the DICOM file that is sent.

    Attributes:
        name: kind of the result, such as ``sr`` or ``sc-1``.
        data: content of the file.
    """

    name: str
    data: bytes = field(repr=False)

    @cached_property
    def dataset(self) -> pydicom.FileDataset:
        """The file, as pydicom has it."""
        return pydicom.dcmread(io.BytesIO(self.data))

    @property
    def uids(self) -> tuple[str, str, str]:
        """UIDs of study, series and instance."""
        file = self.dataset
        return str(file.StudyInstanceUID), str(file.SeriesInstanceUID), str(file.SOPInstanceUID)


class Pauses:
    """Leaves a destination alone for a while after it has failed, so that other jobs need not wait for its time limit.

    A pause is as long as the failure took, and twice as long after each further one, but at most :data:`LONGEST_PAUSE`.
    One that refuses connections at once is thus asked again at once, and one that hangs is not.
    """

    def __init__(self) -> None:
        self._failures: dict[str, _Failure] = {}

    @contextmanager
    def attempt(self, destination: Destination) -> Iterator[None]:
        """Ask a destination in the block; raises PacsUnavailable with the last reason where it is left alone."""
        last, start = self._failures.get(destination.name), monotonic()
        if last is not None and start < last.until:
            raise PacsUnavailable(last.reason)
        self._failures.pop(destination.name, None)
        try:
            yield
        except PacsUnavailable as error:
            end = monotonic()
            pause = min(max(end - start, 0.0 if last is None else 2 * last.pause), LONGEST_PAUSE)
            self._failures[destination.name] = _Failure(str(error), pause, end + pause)
            raise


@dataclass(frozen=True)
class _Failure:
    """The last failure of a destination.

    Attributes:
        reason: its message.
        pause: seconds for which the destination is left alone.
        until: by the clock of this process.
    """

    reason: str
    pause: float
    until: float


def echo(destination: Destination) -> None:
    """Verify that a destination answers; raises PacsUnavailable, PacsRefused and WrongArguments."""
    if isinstance(destination.address, DimseAddress):
        association.echo(destination.address)
    else:
        dicomweb.echo(destination.address, destination.credentials)


def send(destination: Destination, results: Sequence[ResultFile]) -> Generator[ResultFile, None, None]:
    """Send results of one image, and yield each when the destination has confirmed it.

    Raises:
        PacsUnavailable: it cannot be reached, or cannot store the next result now.
        PacsRefused: it will not store the next result, or has the study under another patient; then nothing is sent.
    """
    _check_patient(destination, results)
    # the answers come first in each pair, so that their connection is closed after the last one
    for status, result in zip(_statuses(destination, results), results, strict=False):
        if status and status not in (*_WARNINGS, dicomweb.DUPLICATE):
            later = status in _LATER or 0xA700 <= status <= 0xA7FF
            kind = PacsUnavailable if later else PacsRefused
            raise kind(f"{destination.name} did not store result {result.name}: status {status:04X}.")
        yield result


def _check_patient(destination: Destination, results: Sequence[ResultFile]) -> None:
    """Raise PacsRefused where a destination that can be asked has the study of results under another Patient ID.

    A patient may have been corrected there after the image was sent here: results under the old one would be a second
    study of it. Nothing but the Study Instance UID is asked for, so that no address holds a patient.
    """
    if destination.read_back == "off" or not results or not is_uid(results[0].uids[0]):
        return
    address = destination.address
    source = (
        WebSource(address, destination.credentials)
        if isinstance(address, WebAddress)
        else DimseSource(address, moves=False)
    )
    if source.has_other_patient(results[0].uids[0], stated_text(results[0].dataset, "PatientID")):
        raise PacsRefused(
            f"{destination.name} has this study under another patient than the image here. If it is wrong there, "
            "correct it there and retry; if it is right, replace the study here (pacs fetch --replace)."
        )


def _statuses(destination: Destination, results: Sequence[ResultFile]) -> Iterator[int]:
    address = destination.address
    if not results:
        return
    if isinstance(address, DimseAddress):
        yield from store_files(address, [result.dataset for result in results])
        return
    with dicomweb.web_client(address, destination.credentials) as client:
        for result in results:
            yield dicomweb.store(client, address, result.uids[0], result.data)


def verify(destination: Destination, results: Sequence[ResultFile]) -> Generator[ResultFile, None, None]:
    """Yield each result when the destination is seen to keep it, in the way of :attr:`Destination.read_back`.

    Raises:
        PacsUnavailable: it cannot be reached, or has no object of this UID yet.
        PacsRefused: it keeps another object under the UID, keeps it under another patient, or cannot be asked in this
            way.
    """
    if destination.read_back == "off" or not results:
        yield from results
        return
    address = destination.address
    if isinstance(address, WebAddress) or destination.read_back == "retrieve":
        for kept, result in zip(_kept(destination, results), results, strict=False):
            if kept is None:
                raise _absent(destination, result)
            if different := different_elements(result.data, kept):
                raise PacsRefused(
                    f"{destination.name} keeps another object under the UID of result {result.name}: two different "
                    f"data sets have it, which differ in {', '.join(different)}."
                )
            if not same_patient(result.data, kept):
                raise PacsRefused(
                    f"{destination.name} keeps result {result.name} under another patient than that of the image here."
                )
            yield result
        return
    _check_patient(destination, results)
    for found, result in zip(find_files(address, [result.dataset for result in results]), results, strict=False):
        if not found:
            raise _absent(destination, result)
        yield result


def present(destination: Destination, results: Sequence[ResultFile]) -> Iterator[bool]:
    """Yield for each result whether the destination has an object of its UID, whatever that says.

    None has where the destination is not to be asked. Errors as :func:`verify`.
    """
    address = destination.address
    if destination.read_back == "off":
        yield from (False for _ in results)
    elif isinstance(address, DimseAddress):
        yield from find_files(address, [result.dataset for result in results])
    else:
        yield from (kept is not None for kept in _kept(destination, results))


def _absent(destination: Destination, result: ResultFile) -> PacsUnavailable:
    return PacsUnavailable(f"{destination.name} does not return result {result.name}, which it was sent.")


def _kept(destination: Destination, results: Sequence[ResultFile]) -> Iterator[bytes | None]:
    address = destination.address
    if isinstance(address, DimseAddress):
        yield from get_files(address, [result.dataset for result in results])
        return
    with dicomweb.web_client(address, destination.credentials) as client:
        for result in results:
            yield dicomweb.retrieve(client, address, *result.uids)
