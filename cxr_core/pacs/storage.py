"""Storing instances by C-STORE, and reading them back by C-GET or finding them by C-FIND (PS3.4 B and C)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from ..errors import PacsRefused, PacsUnavailable
from .addresses import DimseAddress
from .association import associate, pynetdicom

__all__ = ["LOST", "find_files", "get_files", "store_files"]

LOST = 0x0110
"""Processing failure: stands for an answer that did not come."""

_FIND, _GET = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.2.3"
"""Study Root Query/Retrieve Information Model."""

_PENDING = (0xFF00, 0xFF01)


def store_files(address: DimseAddress, files: Sequence[Dataset]) -> Iterator[int]:
    """Send files over one association, and yield the status of each answer (PS3.4 B.2.3).

    Raises:
        PacsUnavailable: no association.
        PacsRefused: the entity accepts no objects of this class and transfer syntax.
    """
    kinds = {(str(file.SOPClassUID), str(file.file_meta.TransferSyntaxUID)) for file in files}
    contexts = [pynetdicom().build_context(*kind) for kind in sorted(kinds)]
    with associate(address, contexts) as association:
        for file in files:
            try:
                answer = association.send_c_store(file)
            except ValueError as error:
                raise PacsRefused(f"{address} accepts no {file.SOPClassUID.name} of this encoding.") from error
            except RuntimeError:
                # the association has ended meanwhile
                answer = {}
            yield int(answer.get("Status", LOST))


def get_files(address: DimseAddress, files: Sequence[Dataset]) -> Iterator[bytes | None]:
    """Read back what an entity keeps under the UIDs of files (C-GET), each as a DICOM file; None where there is none.

    Raises:
        PacsUnavailable: no association, or the request fails.
        PacsRefused: the entity knows no C-GET.
    """
    library = pynetdicom()
    received: list[bytes] = []

    def receive(event: Any) -> int:
        received.append(event.encoded_dataset())
        return 0x0000

    classes = sorted({str(file.SOPClassUID) for file in files})
    syntaxes = {str(file.file_meta.TransferSyntaxUID) for file in files}
    contexts = [library.build_context(_GET)]
    for one in classes:
        # in a context of its own each, so that the entity can answer in the syntax in which it keeps the object
        plain = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
        contexts += [library.build_context(one, syntax) for syntax in sorted(syntaxes.difference(plain))]
        contexts.append(library.build_context(one, plain))
    roles = [library.build_role(one, scp_role=True) for one in classes]
    handlers = [(library.evt.EVT_C_STORE, receive)]
    with associate(address, contexts, handlers=handlers, negotiation=roles) as association:
        for file in files:
            received.clear()
            _answers(address, association.send_c_get, file, _GET, "C-GET")
            yield received[0] if received else None


def find_files(address: DimseAddress, files: Sequence[Dataset]) -> Iterator[bool]:
    """Yield for each file whether an entity has an instance of its UIDs (C-FIND); errors as :func:`get_files`."""
    with associate(address, [pynetdicom().build_context(_FIND)]) as association:
        for file in files:
            found = _answers(address, association.send_c_find, file, _FIND, "C-FIND")
            yield any(one.get("SOPInstanceUID") == file.SOPInstanceUID for one in found)


def _answers(address: DimseAddress, request: Any, file: Dataset, model: str, name: str) -> list[Dataset]:
    """Ask for one instance and return the data sets of the answers."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "IMAGE"
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(identifier, keyword, file[keyword].value)
    try:
        answers = list(request(identifier, model))
    except ValueError as error:
        raise PacsRefused(
            f"{address} offers no {name}, by which results are read back: set read_back of this destination in "
            "the file of rules."
        ) from error
    except RuntimeError:
        answers = []
    status = int(answers[-1][0].get("Status", LOST)) if answers else LOST
    if status != 0x0000:
        raise PacsUnavailable(f"{address} answers to {name} with status {status:04X}.")
    return [found for answer, found in answers if answer.Status in _PENDING and found is not None]
