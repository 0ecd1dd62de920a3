"""Download of one file over HTTPS, with progress, a size limit and its SHA-256; a partial file is never left behind."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from ..errors import WeightsRefused
from ..files import cannot_write, whole_file

__all__ = ["download"]

TIMEOUT_S = 30
"""Seconds that the server may be silent."""

_CHUNK = 2**18
_AGENT = "second-read (research software)"


def download(
    url: str, target: Path, *, max_bytes: int, report: Callable[[int, int | None], None] = lambda done, size: None
) -> str:
    """Download a file to ``target``.

    Args:
        url: https; http only for this machine itself.
        target: the file to write.
        max_bytes: a larger file is refused.
        report: called with the number of bytes received and, where the server states it, of all bytes.

    Returns:
        The file's SHA-256, hex.

    Raises:
        WeightsRefused: the server does not answer or answers with an error, or the file is truncated or too large.
        PathUnusable: ``target`` cannot be written.
    """
    _check_address(url)
    with _writing(target), whole_file(target) as file:

        def write(chunk: bytes) -> None:
            # a full disk is not a broken connection
            with _writing(target):
                file.write(chunk)

        return _fetch(url, write, max_bytes, report)


@contextlib.contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise cannot_write(f"Download to {target.name}", error) from error


def _fetch(url: str, write: Callable[[bytes], None], max_bytes: int, report: Callable[[int, int | None], None]) -> str:
    request = urllib.request.Request(url, headers={"User-Agent": _AGENT})  # noqa: S310
    digest, done, size = hashlib.sha256(), 0, None
    try:
        with urllib.request.build_opener(_Redirects).open(request, timeout=TIMEOUT_S) as answer:
            length = answer.headers.get("Content-Length", "")
            size = int(length) if length.isdecimal() else None
            while chunk := answer.read(_CHUNK):
                done += len(chunk)
                if done > max_bytes:
                    raise WeightsRefused(
                        f"Download of {url}: more than {max_bytes / 1e6:.0f} MB. It is not the expected file."
                    )
                digest.update(chunk)
                write(chunk)
                report(done, size)
    except urllib.error.HTTPError as error:
        error.close()
        raise WeightsRefused(
            f"Download of {url}: the server answers {error.code}. Get the file elsewhere and give it with --file FILE."
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise WeightsRefused(
            f"Download of {url}: no answer, or the connection broke off. Is there a network here? Else get the file "
            "elsewhere and give it with --file FILE."
        ) from error
    if size is not None and done != size:
        raise WeightsRefused(f"Download of {url}: truncated, {done:,} of {size:,} bytes arrived. Try again.")
    return digest.hexdigest()


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to an address that may be downloaded from."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        try:
            _check_address(newurl)
        except WeightsRefused:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_address(url: str) -> None:
    """Raise WeightsRefused for an unencrypted connection: without a known hash a file could be replaced on the way."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost")):
        raise WeightsRefused(f"Download of {url[:200]}: only https is accepted.")
