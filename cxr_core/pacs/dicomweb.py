"""Requests to a DICOMweb service (PS3.18), and multipart bodies of DICOM files."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from email.message import Message
from json import JSONDecodeError
from uuid import uuid4

import httpx

from ..errors import PacsRefused, PacsUnavailable, WrongArguments
from .addresses import WebAddress
from .association import ANSWER_SECONDS, CONNECT_SECONDS, tls_context

__all__ = ["DUPLICATE", "checked", "echo", "multipart_body", "parts_of", "retrieve", "store", "web_client"]

# their lines hold addresses, which a search by patient fills with the patient
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)

DICOM_JSON = {"Accept": "application/dicom+json"}

AS_STORED = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
"""A file in the transfer syntax in which it is stored: others are transcoded (PS3.18 8.7.3.5.2)."""

DUPLICATE = 0x0111
"""Duplicate SOP Instance: one of this UID is there; whether it is the same is to be compared."""

_LATER = (401, 403, 404, 408, 425, 429)
"""Refusals that end when credentials, address or load have changed; further ones are of what was sent."""


@contextmanager
def web_client(address: WebAddress, credentials: str | None = None) -> Iterator[httpx.Client]:
    """Open a client of a service, whose paths are relative to its root; it follows no redirect.

    Args:
        address: root of the service.
        credentials: ``user:password``, or ``Bearer`` and a token.

    Raises:
        PacsUnavailable: within the block, the service cannot be reached or does not answer in time.
        WrongArguments: credentials or files of TLS cannot be used.
    """
    # an environment variable for proxies would send studies elsewhere
    client = httpx.Client(
        base_url=f"{address.url}/",
        headers=_authorization(credentials),
        verify=tls_context() if address.url.startswith("https:") else False,
        timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
        trust_env=False,
    )
    try:
        with client:
            yield client
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise PacsUnavailable(f"{address} cannot be reached, or does not answer as a DICOMweb service.") from error


def _authorization(credentials: str | None) -> dict[str, str]:
    if not credentials:
        return {}
    scheme, _, token = credentials.partition(" ")
    if scheme == "Bearer" and token and token.isascii() and token.isprintable():
        return {"Authorization": credentials}
    user, colon, password = credentials.partition(":")
    if not colon or not user:
        raise WrongArguments(
            "Credentials of a DICOMweb service: `user:password`, or `Bearer` and a token, is accepted."
        )
    request = httpx.Request("GET", "http://none")
    return {"Authorization": next(httpx.BasicAuth(user, password).auth_flow(request)).headers["Authorization"]}


def checked(response: httpx.Response, address: WebAddress) -> httpx.Response:
    """Return a response with a status of success.

    Raises:
        PacsUnavailable: one that may change: of the server, of its load, of credentials or address.
        PacsRefused: one that will not change, such as 409 (PS3.18 10.5.3).
    """
    status = response.status_code
    if 200 <= status < 300:
        return response
    if status in _LATER or not 400 <= status < 500:
        hint = " Check SECOND_READ_PACS_CREDENTIALS." if status in (401, 403) else ""
        hint = " Check the address." if status == 404 or 300 <= status < 400 else hint
        raise PacsUnavailable(f"{address} answers with HTTP status {status}.{hint}")
    raise PacsRefused(f"{address} refuses what it was sent (HTTP status {status}).")


def echo(address: WebAddress, credentials: str | None = None) -> None:
    """Verify that a service answers and knows the credentials: a search for one study, whose result is not read.

    Raises PacsUnavailable, PacsRefused and WrongArguments.
    """
    with (
        web_client(address, credentials) as client,
        client.stream("GET", "studies", params={"limit": 1}, headers=DICOM_JSON) as response,
    ):
        checked(response, address)


def store(client: httpx.Client, address: WebAddress, study: str, data: bytes) -> int:
    """Store one file in its study (STOW-RS, PS3.18 10.5) and return the status of the instance.

    Args:
        client: of :func:`web_client`.
        address: of the service, for messages.
        study: Study Instance UID of the file.
        data: the DICOM file.

    Returns:
        0 for success, or the Failure Reason (PS3.3 C.14.1.1), whose values are those of C-STORE.

    Raises PacsUnavailable and PacsRefused as :func:`checked`.
    """
    content_type, body = multipart_body([data])
    headers = {"Content-Type": content_type} | DICOM_JSON
    response = client.post(f"studies/{study}", content=body, headers=headers)
    reason = _failure_reason(response)
    if response.status_code == 409 and reason == DUPLICATE:
        return reason
    if response.status_code == 409 and reason:
        raise PacsRefused(f"{address} refuses what it was sent (HTTP status 409, failure reason {reason:04X}).")
    checked(response, address)
    return reason


def _failure_reason(response: httpx.Response) -> int:
    """Return the reason of the first failure in the answer to a store, 0 where it states none."""
    try:
        return int(response.json()["00081198"]["Value"][0]["00081197"]["Value"][0])
    except (JSONDecodeError, UnicodeDecodeError, LookupError, TypeError, ValueError):
        # a page of HTML, or an answer without failures
        return 0


def retrieve(client: httpx.Client, address: WebAddress, study: str, series: str, instance: str) -> bytes | None:
    """Return one instance by its UIDs as it is stored (WADO-RS, PS3.18 10.4), or None where the service has none.

    Raises PacsUnavailable and PacsRefused as :func:`checked`.
    """
    response = client.get(f"studies/{study}/series/{series}/instances/{instance}", headers=AS_STORED)
    if response.status_code == 404:
        return None
    parts = parts_of(checked(response, address))
    return parts[0] if parts else None


def multipart_body(files: Iterable[bytes]) -> tuple[str, bytes]:
    """Return the content type and the body of a request that stores DICOM files (PS3.18 8.6.1.2)."""
    boundary = uuid4().hex
    head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    body = b"".join(head + content + b"\r\n" for content in files)
    return f'multipart/related; type="application/dicom"; boundary={boundary}', body + f"--{boundary}--\r\n".encode()


def parts_of(response: httpx.Response) -> list[bytes]:
    """Return the parts of a response that is ``multipart/related``; raises PacsUnavailable for another."""
    header = Message()
    header["Content-Type"] = response.headers.get("Content-Type", "")
    boundary = header.get_param("boundary")
    if header.get_content_type() != "multipart/related" or not isinstance(boundary, str) or not boundary:
        raise PacsUnavailable(f"{response.url.host} does not answer with multipart/related.")
    pieces = (b"\r\n" + response.content).split(b"\r\n--" + boundary.encode())
    # before the first boundary, and from the last one, is nothing
    return [piece.partition(b"\r\n\r\n")[2] for piece in pieces[1:-1]]
