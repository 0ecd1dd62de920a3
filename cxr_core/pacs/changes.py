"""The change feed of an Orthanc: which studies are complete since it was last read.

Orthanc tells of a study that nothing was added to for a while (``StableStudy``), and again each time when something is.
It is not part of DICOMweb. Source: https://orthanc.uclouvain.be/book/users/rest.html, "Tracking changes".
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx

from ..errors import PacsUnavailable
from ..files import cannot_write, private_folder, write_whole
from ..settings import settings
from .addresses import WebAddress
from .dicomweb import checked, web_client
from .source import is_uid

__all__ = ["ChangeFeed"]

PAGE = 100
_IDENTIFIER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{8}){4}")


class ChangeFeed:
    """The feed of one Orthanc, and how far it was read: in a file, so that nothing is missed while nobody reads.

    A feed that was never read begins with what arrives from then on.

    Args:
        address: root of the REST API.
        credentials: as :func:`.dicomweb.web_client` takes them.
    """

    def __init__(self, address: WebAddress, credentials: str | None) -> None:
        self._address, self._credentials = address, credentials
        name = hashlib.sha256(address.url.encode()).hexdigest()[:16]
        self._file = settings().home / "pacs" / f"changes-{name}.json"

    def completed_studies(self) -> Iterator[list[str]]:
        """Yield Study Instance UIDs, page by page; a page is not given again once the next one is asked for.

        Raises PacsUnavailable, PacsRefused, WrongArguments, and PathUnusable where it cannot be noted how far the feed
        was read.
        """
        with web_client(self._address, self._credentials) as client:
            last = _number(self._json(client, "changes?last"), "Last")
            since = self._position()
            if since is None:
                self._note(last)
                return
            # an Orthanc whose database is new counts from the beginning
            since = since if since <= last else 0
            while since < last:
                page = self._json(client, f"changes?since={since}&limit={PAGE}")
                yield self._studies(client, page)
                since = max(since + 1, _number(page, "Last"))
                self._note(since)

    def _studies(self, client: httpx.Client, page: dict[str, Any]) -> list[str]:
        changes = [one for one in page.get("Changes", []) if isinstance(one, dict)]
        complete = (str(one.get("ID")) for one in changes if one.get("ChangeType") == "StableStudy")
        uids = []
        for identifier in dict.fromkeys(complete):
            if not _IDENTIFIER.fullmatch(identifier):
                continue
            response = client.get(f"studies/{identifier}")
            # deleted since
            if response.status_code != httpx.codes.NOT_FOUND:
                tags = self._object(checked(response, self._address)).get("MainDicomTags")
                uid = str(tags.get("StudyInstanceUID")) if isinstance(tags, dict) else ""
                uids += [uid] if is_uid(uid) else []
        return uids

    def _json(self, client: httpx.Client, path: str) -> dict[str, Any]:
        return self._object(checked(client.get(path), self._address))

    def _object(self, response: httpx.Response) -> dict[str, Any]:
        with suppress(ValueError):
            answer = response.json()
            if isinstance(answer, dict):
                return answer
        raise PacsUnavailable(f"{self._address} does not answer as the REST API of an Orthanc.")

    def _position(self) -> int | None:
        with suppress(OSError, ValueError, TypeError, KeyError):
            return int(json.loads(self._file.read_bytes())["since"])
        return None

    def _note(self, since: int) -> None:
        try:
            private_folder(self._file.parent)
            write_whole(self._file, json.dumps({"since": since}).encode(), private=True)
        except OSError as error:
            raise cannot_write("The position in the change feed", error) from error


def _number(answer: dict[str, Any], name: str) -> int:
    value = answer.get(name)
    return value if isinstance(value, int) and value >= 0 else 0
