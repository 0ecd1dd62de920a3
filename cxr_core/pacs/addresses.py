"""Where a PACS is reached: by DIMSE, the network of PS3.7 and PS3.8, or by DICOMweb, that of PS3.18."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from ..errors import WrongArguments
from ..pacs_settings import AE_TITLE

__all__ = ["Address", "DimseAddress", "WebAddress", "parse_address"]

ACCEPTED = (
    "https://pacs.example.org/dicom-web, ARCHIVE@pacs.example.org:104 and dicom-tls://ARCHIVE@pacs.example.org:2762 "
    "are accepted"
)

_TLS_SCHEME = "dicom-tls://"
"""The service that PS3.15 B.1 names for port 2762."""

_DIMSE = re.compile(rf"(?P<ae_title>{AE_TITLE})@(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{{1,5}})")


@dataclass(frozen=True)
class DimseAddress:
    """An application entity.

    Attributes:
        ae_title: by which it is called.
        host: name or IP address.
        port: 1 to 65535.
        tls: whether connections use TLS.
    """

    ae_title: str
    host: str
    port: int
    tls: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{_TLS_SCHEME if self.tls else ''}{self.ae_title}@{host}:{self.port}"


@dataclass(frozen=True)
class WebAddress:
    """A DICOMweb service.

    Attributes:
        url: its root, without a slash at the end, a query or credentials.
    """

    url: str

    def __str__(self) -> str:
        return self.url


Address = DimseAddress | WebAddress


def parse_address(text: str) -> Address:
    """Return an address from the text of a setting.

    Raises WrongArguments for one that is neither; the message does not repeat it, since it may hold a password.
    """
    text = text.strip()
    if text.startswith(("http://", "https://")):
        return _web_address(text)
    match = _DIMSE.fullmatch(text.removeprefix(_TLS_SCHEME))
    if match is None or not 1 <= int(match["port"]) <= 65535:
        raise WrongArguments(f"The address of a PACS cannot be used: {ACCEPTED}.")
    return DimseAddress(match["ae_title"], match["host"].strip("[]"), int(match["port"]), text.startswith(_TLS_SCHEME))


def _web_address(text: str) -> WebAddress:
    try:
        parts = urlsplit(text)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or re.search(r"[\s\x00-\x1f\\]", text):
        raise WrongArguments(f"The address of a DICOMweb service cannot be used: {ACCEPTED}.")
    if parts.username is not None:
        raise WrongArguments(
            "The address of a DICOMweb service holds credentials, which a log could show: give them in "
            "SECOND_READ_PACS_CREDENTIALS."
        )
    return WebAddress(text.rstrip("/"))
