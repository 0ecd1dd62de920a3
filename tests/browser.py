"""The real app in a real browser: a server on a free port, and what the tests ask of its page."""

from __future__ import annotations

import base64
import contextlib
import io
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

PROJECT = Path(__file__).resolve().parent.parent


@contextlib.contextmanager
def serving(*options: str, **environment: str) -> Iterator[str]:
    """Serve the app with options of Streamlit until the end of the block; gives its address."""
    port = free_port()
    command = ["streamlit", "run", "app.py", "--server.port", str(port), *options]
    # the status alone is no sign of health
    with running(command, f"http://127.0.0.1:{port}", "/_stcore/health", b"ok", **environment) as address:
        yield address


def free_port() -> int:
    """Return a port that nobody listens to."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextlib.contextmanager
def running(module: list[str], address: str, path: str, sign: bytes, **environment: str) -> Iterator[str]:
    """Run a module of Python that serves an address, from when its path answers with the sign on."""
    server = subprocess.Popen(
        [sys.executable, "-m", *module],
        cwd=PROJECT,
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(f"{address}{path}", sign, server)
        yield address
    finally:
        server.terminate()
        server.wait(20)


def _wait_for(url: str, sign: bytes, server: subprocess.Popen) -> None:
    for _ in range(240):
        if server.poll() is not None:
            raise RuntimeError("the server ended before it answered")
        with contextlib.suppress(OSError):
            if sign in urllib.request.urlopen(url, timeout=2).read():
                return
        time.sleep(0.25)
    raise RuntimeError("the server did not answer within a minute")


@contextlib.contextmanager
def browsing(chromium: str, width: int = 1440, height: int = 900):
    """Open a browser page; it fails the block where the page throws an error."""
    from playwright.sync_api import sync_playwright

    errors: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        try:
            yield page
        finally:
            browser.close()
    assert not errors, errors


def upload(page, *files: tuple[str, bytes]) -> None:
    """Drop files into the chute."""
    payload = [{"name": name, "mimeType": "application/octet-stream", "buffer": data} for name, data in files]
    page.locator("input[type=file]").first.set_input_files(payload)


def open_front_page(page, address: str) -> None:
    """Open the app and wait for its chute."""
    page.goto(address)
    page.wait_for_selector("text=A second opinion on a chest X-ray")


def viewer_state(page) -> dict[str, str]:
    """Return what the viewer says is on its canvas."""
    return page.locator("canvas.film").evaluate("canvas => ({...canvas.dataset})")


def canvas_pixels(page) -> np.ndarray:
    """Return the canvas as it is drawn: (rows, columns, 3) uint8."""
    url = page.locator("canvas.film").evaluate("canvas => canvas.toDataURL('image/png')")
    with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as image:
        return np.asarray(image.convert("RGB"))


def map_switched(page, on: bool) -> None:
    """Switch the chosen finding's map on or off, whatever it was."""
    page.wait_for_selector("canvas.film[data-label]:not([data-label=''])")
    wanted = "on" if on else "off"
    if viewer_state(page)["map"] != wanted:
        page.locator('[data-do="map"]').click()
    page.wait_for_selector(f'canvas.film[data-map="{wanted}"]')
