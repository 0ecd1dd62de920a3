"""OHIF, a viewer of DICOMweb archives, as its package on npm has it: fetched once, and served on loopback for tests.

    python -m tests.ohif    # fetches the package (50 MB) into build/ohif; .ci/run does this

Viewer and archive are one origin here: requests below ``/dicom-web`` go on to an Orthanc, with its credentials.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx

from tests.orthanc import Orthanc

__all__ = ["FOLDER", "fetch", "lacking", "viewer"]

VERSION = "3.13.2"
SHA512 = (
    "5997719a9986eeba85816f5924b71b82bdd70ad2e2d4a0cd3e831a798e4f3dee"
    "a3e06e1f8c48e393271933a0ba664d85f3b04ac457e9abe8dde715d907d13c10"
)
"""Of the package, as it was looked at."""

FOLDER = Path(__file__).resolve().parents[1] / "build" / "ohif" / VERSION

_BUILT = "package/dist/"
_LEFT_OUT = ("ort/", "dicom-microscopy-viewer/")
"""Networks in the browser and microscopy, 150 of its 213 MB; no radiograph needs them."""


def lacking() -> str | None:
    """Return what is to be done before OHIF can be served, or None."""
    return None if (FOLDER / "index.html").is_file() else "OHIF was not fetched (python -m tests.ohif)"


def fetch() -> None:
    """Fetch the package by npm, check it, and put its built viewer into :data:`FOLDER`; nothing of it is executed.

    ValueError where the package is another one than that of :data:`SHA512`.
    """
    if lacking() is None:
        return
    FOLDER.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER.parent) as folder:
        command = ["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", folder]
        subprocess.run([*command, f"@ohif/app@{VERSION}"], check=True, stdout=subprocess.DEVNULL)
        (package,) = Path(folder).glob("*.tgz")
        data = package.read_bytes()
        if hashlib.sha512(data).hexdigest() != SHA512:
            raise ValueError(f"@ohif/app {VERSION} is another package than the one that was looked at")
        built = Path(folder) / _BUILT
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            archive.extractall(folder, [member for member in archive if _is_needed(member)], filter="data")
        shutil.rmtree(FOLDER, ignore_errors=True)
        built.rename(FOLDER)


def _is_needed(member: tarfile.TarInfo) -> bool:
    inner = member.name.removeprefix(_BUILT)
    return inner != member.name and not inner.startswith(_LEFT_OUT) and not inner.endswith(".map")


@contextlib.contextmanager
def viewer(orthanc: Orthanc) -> Iterator[str]:
    """Serve the viewer on loopback, for what an Orthanc holds, until the end of the block; gives its address."""
    with httpx.Client(auth=orthanc.auth, timeout=60, trust_env=False) as archive:
        handler = functools.partial(_Handler, orthanc.url, archive, directory=str(FOLDER))
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


class _Handler(SimpleHTTPRequestHandler):
    """The files of the viewer, its configuration, and what the archive answers."""

    protocol_version = "HTTP/1.1"

    def __init__(self, archive_url: str, archive: httpx.Client, *arguments: object, **options: object) -> None:
        self._archive_url, self._archive = archive_url, archive
        super().__init__(*arguments, **options)

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/dicom-web/"):
            # the archive names itself by this host in the addresses that it gives
            headers = {name: self.headers[name] for name in ("Accept", "Host") if name in self.headers}
            answer = self._archive.get(self._archive_url + self.path, headers=headers)
            self._send(answer.status_code, answer.headers.get("Content-Type", ""), answer.content)
        elif path == "/app-config.js":
            self._send(200, "text/javascript", f"window.config = {json.dumps(_configuration())}".encode())
        else:
            if not Path(self.translate_path(path)).is_file():
                # a page of the viewer, which finds its way by itself
                self.path = "/index.html"
            super().do_GET()

    def _send(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def _configuration() -> dict[str, object]:
    """Return the configuration of the viewer: its defaults, and one archive."""
    root = "/dicom-web"
    archive = {
        "friendlyName": "Orthanc",
        "name": "orthanc",
        "qidoRoot": root,
        "wadoRoot": root,
        "qidoSupportsIncludeField": False,
        "imageRendering": "wadors",
        "thumbnailRendering": "wadors",
        "enableStudyLazyLoad": True,
        "supportsFuzzyMatching": False,
        "supportsWildcard": True,
        "omitQuotationForMultipartRequest": True,
        "bulkDataURI": {"enabled": True},
    }
    return {
        "routerBasename": "/",
        "extensions": [],
        "modes": [],
        "customizationService": {},
        "showStudyList": True,
        "maxNumberOfWebWorkers": 2,
        "showLoadingIndicator": True,
        "investigationalUseDialog": {"option": "never"},
        "defaultDataSourceName": "orthanc",
        "dataSources": [
            {
                "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
                "sourceName": "orthanc",
                "configuration": archive,
            }
        ],
    }


if __name__ == "__main__":
    fetch()
