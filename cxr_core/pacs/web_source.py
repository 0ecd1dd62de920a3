"""A PACS that is asked by DICOMweb: QIDO-RS and WADO-RS (PS3.18 10.6, 10.4)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import httpx
from pydicom.dataset import Dataset

from ..errors import InputRefused, PacsUnavailable, WrongArguments
from ..imaging.elements import stated_text
from ..settings import settings
from .addresses import WebAddress
from .dicomweb import AS_STORED, DICOM_JSON, checked, parts_of, web_client
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

__all__ = ["WebSource"]

# a parameter each: Orthanc 1.10 ignores a list with commas, which PS3.18 8.3.4.3 allows as well
_STUDY_FIELDS = ("IssuerOfPatientID", "NumberOfStudyRelatedInstances", "PatientBirthDate", "PatientSex")
_NO_PATIENT_ID = (
    "By DICOMweb, the address of the search has the Patient ID. Set SECOND_READ_PACS_PATIENT_ID_IN_URL=true where no "
    "proxy or web server logs it, or SECOND_READ_PACS_SOURCE to an AE, which is searched by C-FIND."
)
_ENVELOPE = 10**5
"""Bytes of a response beside the file in it."""


class WebSource:
    """A DICOMweb service.

    Args:
        address: its root.
        credentials: as :func:`.dicomweb.web_client` takes them.
    """

    moves = False

    def __init__(self, address: WebAddress, credentials: str | None) -> None:
        self._address, self._credentials = address, credentials

    @property
    def no_priors(self) -> str:
        """Why no priors are to be fetched from it: the address of the search has the Patient ID."""
        return "" if settings().pacs_patient_id_in_url else _NO_PATIENT_ID

    def studies(self, keys: Keys) -> list[RemoteStudy]:
        """Return the studies that match all keys; raises WrongArguments for a Patient ID that no address may have."""
        if "PatientID" in keys and self.no_priors:
            raise WrongArguments(self.no_priors)
        with web_client(self._address, self._credentials) as client:
            return studies_of(self._search(client, "studies", {**keys, "includefield": _STUDY_FIELDS}))

    def has_other_patient(self, study_uid: str, patient_id: str) -> bool:
        """Return whether the service has a study under another patient, as :func:`.source.has_other_patient`.

        Nothing but the Study Instance UID is in the address of the request.
        """
        with web_client(self._address, self._credentials) as client:
            answers = self._search(client, "studies", {"StudyInstanceUID": study_uid})
            return has_other_patient(answers, study_uid, patient_id)

    def images(self, study_uid: str) -> list[RemoteImage]:
        """Return the images of a study that could be read."""
        found: list[RemoteImage] = []
        with web_client(self._address, self._credentials) as client:
            path = f"studies/{study_uid}/series"
            for series in filter(is_wanted_series, self._search(client, path, {"includefield": "SeriesDescription"})):
                uid = stated_text(series, "SeriesInstanceUID")
                if is_uid(uid):
                    found += images_of(self._search(client, f"{path}/{uid}/instances", {}), study_uid, uid)
        return found

    def retrieve(self, images: Sequence[RemoteImage], keep: Callable[[bytes], None]) -> None:
        """Retrieve images as they are stored there, one after the other, and hand each file over."""
        with web_client(self._address, self._credentials) as client:
            for image in images:
                # a larger one counts as missing
                with suppress(InputRefused):
                    keep(self._file(client, image))

    def _search(
        self, client: httpx.Client, path: str, parameters: Mapping[str, str | Sequence[str]]
    ) -> Iterator[Dataset]:
        """Yield all answers to a search.

        No page is asked for unless the service warns that there are more (PS3.18 10.6.3.4): Orthanc 1.10 leaves out
        studies where a limit and an offset meet Modalities in Study.
        """
        seen: set[str] = set()
        count, more = 0, True
        while more:
            page = {**parameters, "offset": str(count)} if count else parameters
            response = checked(client.get(path, params=page, headers=DICOM_JSON), self._address)
            answers = [] if response.status_code == httpx.codes.NO_CONTENT else self._data_sets(response)
            new = [answer for answer in answers if _key(answer) not in seen]
            yield from new
            seen.update(map(_key, new))
            count += len(answers)
            # a service that knows no offset answers with the same again
            more = bool(new) and "Warning" in response.headers

    def _data_sets(self, response: httpx.Response) -> list[Dataset]:
        try:
            answers = response.json()
        except ValueError as error:
            raise PacsUnavailable(f"{self._address} does not answer a search with DICOM JSON.") from error
        if not isinstance(answers, list) or not all(isinstance(answer, dict) for answer in answers):
            raise PacsUnavailable(f"{self._address} does not answer a search with DICOM JSON.")
        return [_data_set(answer) for answer in answers]

    def _file(self, client: httpx.Client, image: RemoteImage) -> bytes:
        path = f"studies/{image.study_uid}/series/{image.series_uid}/instances/{image.sop_instance_uid}"
        limit = settings().max_file_mb * 10**6 + _ENVELOPE
        headers, content = AS_STORED | {"Accept-Encoding": "identity"}, bytearray()
        with client.stream("GET", path, headers=headers) as response:
            checked(response, self._address)
            for chunk in response.iter_raw():
                content += chunk
                if len(content) > limit:
                    raise InputRefused("An image is larger than SECOND_READ_MAX_FILE_MB allows.")
            whole = httpx.Response(
                response.status_code, headers=response.headers, content=bytes(content), request=response.request
            )
        files = parts_of(whole)
        if len(files) != 1:
            raise PacsUnavailable(f"{self._address} answers with {len(files)} files where it was asked for one.")
        return files[0]


def _data_set(answer: dict[str, Any]) -> Dataset:
    """Return the elements of an answer that can be read (PS3.18 F.2)."""
    data_set = Dataset()
    with warnings.catch_warnings():
        # pydicom's would quote values
        warnings.simplefilter("ignore")
        for tag, element in answer.items():
            # pydicom fails in any way on what is no element
            with suppress(Exception):
                data_set.update(Dataset.from_json({tag: element}))
    return data_set


def _key(answer: Dataset) -> str:
    names = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    return " ".join(stated_text(answer, name) for name in names)
