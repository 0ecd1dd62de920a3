"""One file from an address, with progress, a limit and its digest; half a file is never left behind."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import WeightsRefused
from ..whole_files import cannot_write, whole_file

__all__ = ["download"]

SECONDS = 30
"""How long a server may be silent."""

_CHUNK = 2**18
_AGENT = "second-read (research software)"


def download(
    url: str, target: Path, *, most: int, report: Callable[[int, int | None], None] = lambda done, size: None
) -> str:
    """Write what an address holds to ``target``.

    Args:
        url: https; http only of this machine itself.
        target: the file to write.
        most: bytes; a larger answer is refused.
        report: called with the bytes that are here and, where the server says so, their number.

    Returns:
        The file's SHA-256, hex.

    Raises:
        WeightsRefused: no answer, another answer than the file, or one that is cut short or too large.
        PathUnusable: ``target`` cannot be written.
    """
    _check_address(url)
    with _writing(target), whole_file(target) as file:

        def write(chunk: bytes) -> None:
            # else a full disk would be taken for a connection that broke off
            with _writing(target):
                file.write(chunk)

        return _fetch(url, write, most, report)


@contextlib.contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise cannot_write(f"Download to {target.name}", error) from error


def _fetch(url: str, write: Callable[[bytes], None], most: int, report: Callable[[int, int | None], None]) -> str:
    request = urllib.request.Request(url, headers={"User-Agent": _AGENT})  # noqa: S310
    digest, done, size = hashlib.sha256(), 0, None
    try:
        with urllib.request.build_opener(_Redirects).open(request, timeout=SECONDS) as answer:
            length = answer.headers.get("Content-Length", "")
            size = int(length) if length.isdecimal() else None
            while chunk := answer.read(_CHUNK):
                done += len(chunk)
                if done > most:
                    raise WeightsRefused(f"Download of {url}: more than {most / 1e6:.0f} MB. It is not the file meant.")
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
        raise WeightsRefused(f"Download of {url}: cut short, {done:,} of {size:,} bytes came. Try again.")
    return digest.hexdigest()


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a server only to where one may be asked in the first place."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        try:
            _check_address(newurl)
        except WeightsRefused:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_address(url: str) -> None:
    """Weights whose digest nobody knows must not come over a line that anybody may write on."""
    place = urllib.parse.urlsplit(url)
    if place.scheme != "https" and not (place.scheme == "http" and place.hostname in ("127.0.0.1", "localhost")):
        raise WeightsRefused(f"Download of {url[:200]}: only https is accepted.")
