"""The deployment of deployment/: two processes of the app behind its Caddyfile, over one PostgreSQL and one home.

Real processes on loopback, for tests and for ``make soak``; sign-in is set up, and :class:`Person` is signed in.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from websockets.exceptions import WebSocketException

from tests.browser import PROJECT, wait_for
from tests.processes import held_port, stop
from tests.protocol import Reader, signed_in

__all__ = ["STICKY", "Deployment", "Person", "deployed", "lacking"]

CADDYFILE = PROJECT / "deployment" / "Caddyfile"
STICKY = "second-read-process"
"""Name of the cookie with which the proxy keeps a browser on one process."""

SECRET = "0123456789abcdef" * 3
SECRETS = f"""
[auth]
redirect_uri = "{{address}}/oauth2callback"
cookie_secret = "{SECRET}"
client_id = "second-read"
client_secret = "of the tests"
server_metadata_url = "http://127.0.0.1:9/.well-known/openid-configuration"
"""
FOLLOW_SECONDS = 3.0
"""After which a page that shows the worklist asks for it again."""

LOST = httpx.HTTPError, WebSocketException, ConnectionError, TimeoutError, OSError, KeyError
"""What a person without a browser sees when a process ends: no answer, a refusal, or a page without its cookies."""


def lacking() -> str | None:
    """Return what the deployment needs and this machine has not, or None."""
    return "Caddy is not installed" if shutil.which("caddy") is None else None


class Deployment:
    """Two processes of the app and the proxy.

    Attributes:
        address: of the proxy.
        folder: of their logs, and of ``home`` and the audit trail unless ``environment`` says otherwise.
    """

    def __init__(self, folder: Path, database: str, *, tls: bool = False, **environment: str) -> None:
        self.folder = folder
        self._held = [held_port() for _ in range(4)]
        *self.ports, proxy, self._redirects = (held.getsockname()[1] for held in self._held)
        self.address = f"https://localhost:{proxy}" if tls else f"http://127.0.0.1:{proxy}"
        (folder / "secrets.toml").write_text(SECRETS.format(address=self.address))
        self.environment = os.environ | {
            "SECOND_READ_HOME": str(folder / "home"),
            "SECOND_READ_RUNS": str(folder / "home" / "runs"),
            "SECOND_READ_AUDIT": str(folder / "home" / "audit.jsonl"),
            "SECOND_READ_DATABASE_URL": database,
            "SECOND_READ_KEEP": "store",
            "SECOND_READ_ROLE_CLAIM": "roles",
            **environment,
        }
        self._tls = tls
        self._apps: list[subprocess.Popen[bytes] | None] = [None, None]
        self._proxy: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start all, and return when each answers."""
        for number in range(len(self._apps)):
            self.start_app(number)
        # a test opens no port of the system's, and no authority of its own becomes one of the machine's
        text = CADDYFILE.read_text()
        assert "\tadmin off\n" in text
        options = f"\tadmin off\n\thttp_port {self._redirects}\n\tskip_install_trust\n\tdefault_bind 127.0.0.1\n"
        (self.folder / "Caddyfile").write_text(text.replace("\tadmin off\n", options))
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PUBLIC_ADDRESS": self.address,
            "APPS": " ".join(f"127.0.0.1:{port}" for port in self.ports),
            "TLS": "tls internal" if self._tls else "",
        }
        command = ["caddy", "run", "--adapter", "caddyfile", "--config", str(self.folder / "Caddyfile")]
        self._proxy = self._run(command, "proxy", environment)
        end = time.monotonic() + 60
        while not self.answers():
            if self._proxy.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the proxy does not answer:\n{self.log('proxy')}")
            time.sleep(0.1)

    def answers(self) -> bool:
        """Return whether an app answers by the proxy."""
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{self.address}/", verify=False, trust_env=False, timeout=5).status_code == 200
        return False

    def start_app(self, number: int) -> None:
        """Start a process of the app, and return when it is ready."""
        port = str(self.ports[number])
        command = [sys.executable, "-m", "cxr_core", "app", "--port", port, "--"]
        command += ["--secrets.files", str(self.folder / "secrets.toml")]
        process = self._apps[number] = self._run(command, f"app{number}", self.environment)
        wait_for(f"http://127.0.0.1:{port}/readyz", b'"ready"', process)

    def stop_app(self, number: int, *, kill: bool = False) -> None:
        """End a process of the app, by SIGTERM as a restart does, or by SIGKILL."""
        process, self._apps[number] = self._apps[number], None
        if process is not None and kill:
            process.kill()
            process.wait()
        elif process is not None:
            stop(process)

    def run(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a command of the program with the settings of the deployment; its log has its first words."""
        command = [sys.executable, "-m", "cxr_core", *arguments]
        return self._run(command, self.log_of(*arguments), self.environment | environment)

    @staticmethod
    def log_of(*arguments: str) -> str:
        """Return the name of the log of a command."""
        return "-".join(Path(argument).name for argument in arguments[:2])

    def log(self, name: str) -> str:
        """Return the end of a log."""
        return (self.folder / f"{name}.log").read_text(errors="replace")[-3000:]

    def _run(self, command: list[str], name: str, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        with open(self.folder / f"{name}.log", "ab") as log:
            return subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=log, stderr=log)

    def close(self) -> None:
        """End all processes, and release their ports."""
        for process in (self._proxy, *self._apps):
            if process is not None:
                process.kill()
                process.wait()
        for held in self._held:
            held.close()


@contextlib.contextmanager
def deployed(folder: Path, database: str, *, tls: bool = False, **environment: str) -> Iterator[Deployment]:
    """Run the deployment until the end of the block."""
    deployment = Deployment(folder, database, tls=tls, **environment)
    try:
        deployment.start()
        yield deployment
    finally:
        deployment.close()


@dataclass
class Person:
    """Somebody who reads on whatever happens: opens the page again when it is lost, and sends again what had no answer.

    Attributes:
        name: subject of the sign-in.
        sent: name of each image whose upload was answered, by its digest.
        read: label, state and value of each finding of an image, by its digest.
        gaps: when each loss began, and the seconds until the next answer.
        incomplete: how many pages were opened that did not list all of these images.
        wrong: what must not happen.
    """

    deployment: Deployment
    name: str
    sent: dict[str, str] = field(default_factory=dict)
    read: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)
    gaps: list[tuple[float, float]] = field(default_factory=list)
    incomplete: int = 0
    wrong: list[str] = field(default_factory=list)

    def tab(self) -> Reader:
        """Return a new tab, in a browser of its own."""
        cookies = signed_in(SECRET, self.deployment.address, self.name)
        return Reader(self.deployment.address, cookies, kept=STICKY)

    async def work(self, images: Callable[[int], bytes], ended: asyncio.Event, every: float = 0.0) -> None:
        """Add one image after the other until the event is set, each read before the next."""
        number, lost = 0, 0.0
        while not ended.is_set():
            try:
                async with self.tab() as reader:
                    self.incomplete += bool(await self._missing(reader))
                    while not ended.is_set():
                        began = time.monotonic()
                        await self._add(reader, images(number), f"{number}.dcm")
                        if lost:
                            self.gaps.append((lost, time.monotonic() - lost))
                        number, lost = number + 1, 0.0
                        await self._follow(reader, ended, began + every)
            except LOST:
                lost = lost or time.monotonic()
                await asyncio.sleep(0.25)

    async def _follow(self, reader: Reader, ended: asyncio.Event, until: float) -> None:
        """Ask for the worklist as a page does that is in sight, once at least, until a moment."""
        while not ended.is_set():
            await self._missing(reader)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), max(0.01, min(FOLLOW_SECONDS, until - time.monotonic())))
            if time.monotonic() >= until:
                return

    async def _add(self, reader: Reader, data: bytes, name: str) -> None:
        digest = hashlib.sha256(data).hexdigest()
        answer = await reader.add(name, data)
        if answer["shown"] != digest:
            self.wrong.append(f"{self.name}, {name}: {answer['reason']}")
            return
        self.sent[digest] = name
        self._compare(digest, await reader.image(digest))

    def _compare(self, digest: str, image: dict) -> None:
        found = [(row["label"], row["state"], row["value"]) for row in image["findings"]["rows"]]
        if self.read.setdefault(digest, found) != found:
            self.wrong.append(f"{self.name}, {self.sent[digest]}: other findings than before")

    async def _missing(self, reader: Reader) -> set[str]:
        """Return the images that were confirmed and that a new tab does not list."""
        response = await reader.request("GET", "")
        response.raise_for_status()
        return self.sent.keys() - response.json()["versions"].keys()

    async def look(self) -> None:
        """Open a new tab; every image must be listed, with the findings that were shown before."""
        async with self.tab() as reader:
            missing = await self._missing(reader)
            self.wrong += [f"{self.name}, {self.sent[digest]}: not in the worklist" for digest in missing]
            for digest in self.sent.keys() - missing:
                self._compare(digest, await reader.image(digest))
