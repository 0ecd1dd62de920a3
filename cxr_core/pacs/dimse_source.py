"""A PACS that is asked by DIMSE: C-FIND, and C-GET or C-MOVE, in the Study Root model (PS3.4 C.6.2)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from pydicom.dataset import Dataset

from ..errors import CxrError, PacsRefused, PacsUnavailable
from ..imaging.conformance import CAPTURE_CLASSES, RADIOGRAPH_CLASSES
from ..imaging.elements import stated_text
from ..imaging.frame_decoding import TRANSFER_SYNTAXES
from ..settings import settings
from .addresses import DimseAddress
from .association import associate, pynetdicom
from .source import (
    Keys,
    RemoteImage,
    RemoteStudy,
    has_other_patient,
    images_of,
    is_uid,
    is_wanted_series,
    studies_of,
)

__all__ = ["DimseSource"]

FIND, MOVE, GET = (f"1.2.840.10008.5.1.4.1.2.2.{number}" for number in (1, 2, 3))
"""Study Root Query/Retrieve Information Model: FIND, MOVE and GET."""

VERIFICATION = "1.2.840.10008.1.1"

_RETURNED = {
    "STUDY": (
        "StudyInstanceUID", "StudyDate", "StudyTime", "AccessionNumber", "PatientName", "PatientID",
        "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "ModalitiesInStudy", "NumberOfStudyRelatedInstances",
    ),
    "SERIES": ("StudyInstanceUID", "SeriesInstanceUID", "Modality", "SeriesDescription"),
    "IMAGE": ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"),
}  # fmt: skip
"""Return keys of each level of a query (PS3.4 C.6.1.1)."""

_PENDING = (0xFF00, 0xFF01)
_SUCCESS, _KEPT_OUT = 0x0000, 0xA700
_REFUSALS = (0x0122, 0xA900)
"""SOP class not supported, identifier does not match SOP class: an answer that does not change."""

_FAILURES = {
    0xA701: "is out of resources",
    0xA702: "is unable to send the images as they are stored",
    0xA801: "does not know the AE title {own} as a destination of C-MOVE. Add it there, with host and port of the "
    "receiver",
    0xFE00: "has stopped the retrieval",
}


class DimseSource:
    """An application entity.

    Args:
        address: who is called.
        moves: whether images are retrieved by C-MOVE to the receiver of this program, and not by C-GET.
    """

    def __init__(self, address: DimseAddress, *, moves: bool) -> None:
        self._address, self.moves = address, moves

    @property
    def no_priors(self) -> str:
        """Why no priors are to be fetched from it: there is no reason."""
        return ""

    def studies(self, keys: Keys) -> list[RemoteStudy]:
        """Return the studies that match all keys."""
        with self._associated(FIND) as association:
            return studies_of(self._find(association, "STUDY", keys))

    def has_other_patient(self, study_uid: str, patient_id: str) -> bool:
        """Return whether the entity has a study under another patient; False where it offers no C-FIND.

        As :func:`.source.has_other_patient`.
        """
        # with a service that each entity offers, so that one without C-FIND does not reject the association
        contexts = [pynetdicom().build_context(service) for service in (FIND, VERIFICATION)]
        with associate(self._address, contexts) as association:
            if FIND not in {context.abstract_syntax for context in association.accepted_contexts}:
                return False
            try:
                answers = self._find(association, "STUDY", {"StudyInstanceUID": study_uid})
            except PacsRefused:
                return False
            return has_other_patient(answers, study_uid, patient_id)

    def images(self, study_uid: str) -> list[RemoteImage]:
        """Return the images of a study that could be read."""
        found: list[RemoteImage] = []
        study = {"StudyInstanceUID": study_uid}
        with self._associated(FIND) as association:
            for series in filter(is_wanted_series, self._find(association, "SERIES", study)):
                uid = stated_text(series, "SeriesInstanceUID")
                if is_uid(uid):
                    answers = self._find(association, "IMAGE", {**study, "SeriesInstanceUID": uid})
                    found += images_of(answers, study_uid, uid)
        return found

    def retrieve(self, images: Sequence[RemoteImage], keep: Callable[[bytes], None]) -> None:
        """Retrieve images of one study, one series after the other; with C-MOVE the receiver gets them."""
        for series_uid in dict.fromkeys(image.series_uid for image in images):
            of_series = [image for image in images if image.series_uid == series_uid]
            if self.moves:
                self._move(of_series)
            else:
                self._get(of_series, keep)

    def _associated(self, model: str) -> Any:
        return associate(self._address, [pynetdicom().build_context(model)])

    def _find(self, association: Any, level: str, keys: Keys) -> list[Dataset]:
        query, answers = Dataset(), []
        query.SpecificCharacterSet = "ISO_IR 192"
        query.QueryRetrieveLevel = level
        with warnings.catch_warnings():
            # pydicom's would quote values
            warnings.simplefilter("ignore")
            for keyword in {*_RETURNED[level], *keys}:
                setattr(query, keyword, keys.get(keyword, ""))
            for status, answer in association.send_c_find(query, FIND):
                if status.get("Status") not in _PENDING:
                    self._check(status, "C-FIND")
                elif answer is not None:
                    answers.append(answer)
        return answers

    def _move(self, images: Sequence[RemoteImage]) -> None:
        with self._associated(MOVE) as association:
            for status, _ in association.send_c_move(_identifier(images), settings().pacs_ae_title, MOVE):
                if status.get("Status") not in _PENDING:
                    self._check(status, "C-MOVE")

    def _get(self, images: Sequence[RemoteImage], keep: Callable[[bytes], None]) -> None:
        library = pynetdicom()
        refused: list[CxrError] = []

        def store(event: Any) -> int:
            try:
                keep(event.encoded_dataset())
            except CxrError as error:
                refused.append(error)
                return _KEPT_OUT
            return _SUCCESS

        classes = {image.sop_class for image in images}
        if "" in classes:
            classes = {*RADIOGRAPH_CLASSES, *CAPTURE_CLASSES}
        # one syntax a context: a PACS then sends each image in that in which it has it. 7 classes in 16 syntaxes are
        # 112 of the 128 contexts that an association may have
        contexts = [library.build_context(one, syntax) for one in sorted(classes) for syntax in TRANSFER_SYNTAXES]
        roles = [library.build_role(one, scp_role=True) for one in sorted(classes)]
        with associate(
            self._address,
            [library.build_context(GET), *contexts],
            handlers=[(library.evt.EVT_C_STORE, store)],
            negotiation=roles,
        ) as association:
            for status, _ in association.send_c_get(_identifier(images), GET):
                if status.get("Status") not in _PENDING and not refused:
                    self._check(status, "C-GET")
        if refused:
            raise refused[0]

    def _check(self, status: Dataset, service: str) -> None:
        """Raise for a final status that is no success; PS3.4 C.4.1.1.4, C.4.2.1.5, C.4.3.1.4."""
        code = status.get("Status")
        if code == _SUCCESS:
            return
        if code is None:
            raise PacsUnavailable(f"{self._address} has ended the connection, or does not answer to {service} in time.")
        if code in _FAILURES:
            raise PacsUnavailable(f"{self._address} {_FAILURES[code].format(own=settings().pacs_ae_title)}.")
        failed = status.get("NumberOfFailedSuboperations")
        if failed:
            raise PacsUnavailable(
                f"{self._address} could not send {failed} of the images by {service} (status {code:04X})."
            )
        if code in _REFUSALS:
            raise PacsRefused(f"{self._address} refuses {service} (status {code:04X}).")
        raise PacsUnavailable(f"{self._address} is unable to process {service} (status {code:04X}).")


def _identifier(images: Sequence[RemoteImage]) -> Dataset:
    """Return what names images of one series in a retrieval (PS3.4 C.4.2.1.4.1)."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "IMAGE"
    identifier.StudyInstanceUID, identifier.SeriesInstanceUID = images[0].study_uid, images[0].series_uid
    identifier.SOPInstanceUID = [image.sop_instance_uid for image in images]
    return identifier
