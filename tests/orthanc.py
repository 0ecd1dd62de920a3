"""A real Orthanc with DICOMweb, for tests and benchmarks: on loopback, in a folder of its own, with its REST counts.

Orthanc listens on all addresses, whatever ``RemoteAccessAllowed`` says; a library of a few lines that is loaded into
it, compiled here, makes that 127.0.0.1. Strangers are refused: a test names the AE titles that may talk to it.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from tests.processes import held_port

__all__ = ["Orthanc", "lacking", "orthanc_server"]

PLUGINS = Path("/usr/share/orthanc/plugins")
LOOPBACK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

int bind(int number, const struct sockaddr *address, socklen_t size) {
  int (*real)(int, const struct sockaddr *, socklen_t) =
      (int (*)(int, const struct sockaddr *, socklen_t))dlsym(RTLD_NEXT, "bind");
  struct sockaddr_in loopback;
  if (address->sa_family == AF_INET) {
    memcpy(&loopback, address, sizeof loopback);
    loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return real(number, (const struct sockaddr *)&loopback, sizeof loopback);
  }
  return real(number, address, size);
}
"""
START_SECONDS = 60


def lacking() -> str | None:
    """Return what an Orthanc for tests needs and this machine has not, or None."""
    if shutil.which("Orthanc") is None or not _dicom_web():
        return "Orthanc with its DICOMweb plugin is not installed (Debian: orthanc, orthanc-dicomweb)"
    if shutil.which("cc") is None:
        return "no C compiler is installed, with which Orthanc is made to listen on loopback alone"
    return None


def _dicom_web() -> list[str]:
    """Return the file of the DICOMweb plugin, of which there is one at most."""
    return sorted(str(path) for path in PLUGINS.glob("libOrthancDicomWeb.so*"))[:1]


class Orthanc:
    """One Orthanc: where it is, whom it knows, what it holds, and its REST interface.

    Attributes:
        url: address of the REST interface; DICOMweb is at ``dicom_web``. Both want ``auth``.
        aet, host, port: where it is found by DIMSE.
    """

    aet, host, auth = "ORTHANC", "127.0.0.1", ("tests", "of second read")

    def __init__(self, folder: Path, **options: object) -> None:
        self.folder, self.options = folder, options
        self._held = [held_port(), held_port()]
        self.port, http_port = (held.getsockname()[1] for held in self._held)
        self.url = f"http://{self.host}:{http_port}"
        self.dicom_web = f"{self.url}/dicom-web"
        self.rest = httpx.Client(base_url=self.url, auth=self.auth, timeout=60, trust_env=False)
        self._process: subprocess.Popen | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._library = self.loopback_library(folder)
        (folder / "orthanc.json").write_text(json.dumps(self._configuration(http_port)))

    @staticmethod
    def loopback_library(folder: Path) -> Path:
        """Make the library with which a program listens on 127.0.0.1 alone (``LD_PRELOAD``)."""
        source, library = folder / "loopback.c", folder / "loopback.so"
        source.write_text(LOOPBACK)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        return library

    def _configuration(self, http_port: int) -> dict[str, object]:
        return {
            "Name": "tests",
            "StorageDirectory": str(self.folder / "storage"),
            "IndexDirectory": str(self.folder / "storage"),
            "Plugins": _dicom_web(),
            "HttpPort": http_port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": True,
            "RegisteredUsers": {self.auth[0]: self.auth[1]},
            "DicomAet": self.aet,
            "DicomPort": self.port,
            "DicomCheckCalledAet": True,
            "DicomCheckModalityHost": True,
            "DicomModalitiesInDatabase": True,
            **{f"DicomAlwaysAllow{service}": False for service in ("Echo", "Find", "Get", "Move", "Store")},
            "DicomScuTimeout": 10,
            "DicomAssociationCloseDelay": 0,
            "StableAge": 1,
            "SaveJobs": False,
            "OverwriteInstances": False,
            **self.options,
        }

    @property
    def running(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def process_id(self) -> int:
        """The id of its process; RuntimeError where it does not run."""
        if self._process is None:
            raise RuntimeError("Orthanc does not run")
        return self._process.pid

    def start(self) -> None:
        """Start it, and wait until it answers; RuntimeError with its log where it does not."""
        with open(self.folder / "orthanc.log", "ab") as log:
            self._process = subprocess.Popen(
                ["Orthanc", str(self.folder / "orthanc.json")],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={"LD_PRELOAD": str(self._library), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            )
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.running:
            with contextlib.suppress(httpx.HTTPError):
                if self.rest.get("/system").is_success and self._listens():
                    return
            time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"Orthanc did not start:\n{(self.folder / 'orthanc.log').read_text()[-3000:]}")

    def _listens(self) -> bool:
        try:
            socket.create_connection((self.host, self.port), timeout=5).close()
        except OSError:
            return False
        return True

    def stop(self, kill: bool = False) -> None:
        """Stop it (or kill it, as a crash would); what it holds stays in its folder, and its ports stay its own."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def close(self) -> None:
        """End it without waiting, and release its ports."""
        self.stop(kill=True)
        self.rest.close()
        for held in self._held:
            held.close()

    def get(self, path: str, **parameters: object) -> object:
        """Return the JSON of an address of the REST interface."""
        # an empty dict would remove a query from the path
        return self.rest.get(path, params=parameters or None).raise_for_status().json()

    def counts(self) -> dict[str, int]:
        """Return how many patients, studies, series and instances it holds."""
        numbers = self.get("/statistics")
        return {name: numbers[f"Count{name.capitalize()}"] for name in ("patients", "studies", "series", "instances")}

    def uids(self) -> set[str]:
        """Return the SOP Instance UIDs of what it holds."""
        return {one["MainDicomTags"]["SOPInstanceUID"] for one in self.get("/instances", expand="")}

    def store(self, data: bytes) -> str:
        """Store an instance by the REST interface; return Orthanc's id of it."""
        return self.rest.post("/instances", content=data).raise_for_status().json()["ID"]

    def file(self, sop_instance_uid: str) -> bytes:
        """Return an instance as it is stored."""
        identifiers = self.rest.post("/tools/lookup", content=sop_instance_uid).raise_for_status().json()
        (path,) = (one["Path"] for one in identifiers if one["Type"] == "Instance")
        return self.rest.get(f"{path}/file").raise_for_status().content

    def know(self, aet: str, port: int, host: str = "127.0.0.1", **rights: bool) -> None:
        """Register an AE title with all rights, or with ``AllowStore=False`` and the like, until :meth:`empty`."""
        body = {"AET": aet, "Host": host, "Port": port, **rights}
        self.rest.put(f"/modalities/{aet}", json=body).raise_for_status()

    def empty(self) -> None:
        """Delete everything that it holds, the list of changes, and the AE titles that it knows."""
        for path in ("/patients", "/modalities"):
            for name in self.get(path):
                self.rest.delete(f"{path}/{name}").raise_for_status()
        self.rest.delete("/changes").raise_for_status()


@contextlib.contextmanager
def orthanc_server(folder: Path | None = None, **options: object) -> Iterator[Orthanc]:
    """Run an Orthanc, with options of its configuration file, until the end of the block."""
    with contextlib.ExitStack() as end:
        if folder is None:
            folder = Path(end.enter_context(tempfile.TemporaryDirectory(prefix="orthanc-")))
        server = Orthanc(folder, **options)
        end.callback(server.close)
        server.start()
        yield server
