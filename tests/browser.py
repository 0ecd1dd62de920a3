"""The real app in a real browser: a server on a free port, and what the tests ask of its page."""

from __future__ import annotations

import base64
import contextlib
import io
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from tests.processes import free_port, stop

PROJECT = Path(__file__).resolve().parent.parent


@contextlib.contextmanager
def serving(*options: str, **environment: str) -> Iterator[str]:
    """Serve the app with options of Streamlit until the end of the block; gives its address."""
    with free_port() as port:
        command = ["streamlit", "run", "app.py", "--server.port", str(port), *options]
        # the status alone is no sign of health
        with running(command, f"http://127.0.0.1:{port}", "/_stcore/health", b"ok", **environment) as address:
            yield address


@contextlib.contextmanager
def running(module: list[str], address: str, path: str, sign: bytes, **environment: str) -> Iterator[str]:
    """Run a module of Python that serves an address, from when its path answers with the sign on."""
    server = subprocess.Popen(
        [sys.executable, "-m", *module],
        cwd=PROJECT,
        # shorter than the wait below: a test may leave images in the queue
        env=os.environ | {"SECOND_READ_STOP_SECONDS": "5"} | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(f"{address}{path}", sign, server)
        yield address
    finally:
        stop(server)


def wait_for(url: str, sign: bytes, server: subprocess.Popen) -> None:
    """Wait until an address answers with the sign; RuntimeError where the server ends, or takes five minutes."""
    until = time.monotonic() + 300
    while time.monotonic() < until:
        if server.poll() is not None:
            raise RuntimeError("the server ended before it answered")
        with contextlib.suppress(OSError):
            if sign in urllib.request.urlopen(url, timeout=2).read():
                return
        time.sleep(0.25)
    raise RuntimeError("the server did not answer within five minutes")


# pages of a sign-in provider would like to have fonts from elsewhere
_NO_OTHER_MACHINE = "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
# pages of Chromium's own, made ahead for the list below its address bar: two fifths of what its start takes of the
# processors
_PAGES_OF_ITS_OWN = "WebUIOmniboxPopup,WebUIOmniboxFullPopup,WebUIOmniboxAimPopup,PreloadTopChromeWebUI"
# the last such argument alone counts: those of Playwright (disabledFeatures of its chromiumSwitches.ts) come with it
_WITHOUT = (
    "AvoidUnnecessaryBeforeUnloadCheckSync,DestroyProfileOnBrowserClose,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,"
    "LensOverlay,MediaRouter,PaintHolding,ThirdPartyStoragePartitioning,AvoidCorsURLLoaderRestartOnRedirect,"
    f"OptimizationHints,NetworkTimeServiceQuerying,AimEnabled,PreconnectToSearch,{_PAGES_OF_ITS_OWN}"
)
_shared: dict = {}
"""Within :func:`sharing_a_browser`: what closes it, its Chromium, and its page where nobody is on it."""


@contextlib.contextmanager
def sharing_a_browser() -> Iterator[None]:
    """Let the blocks of :func:`browsing` within this one follow each other in one tab of one Chromium.

    To start Chromium and to compile the app's scripts takes longer than most tests. The tab forgets everything else
    from one block to the next. From the first block on Playwright's event loop is that of this thread, where no other
    can run.
    """
    with contextlib.ExitStack() as end:
        _shared["end"] = end
        try:
            yield
        finally:
            _shared.clear()


@contextlib.contextmanager
def browsing(chromium: str, width: int = 1440, height: int = 900, **options: bool):
    """Open a browser page, with options of Playwright; it fails the block where the page throws an error."""
    errors: list[str] = []

    def note(error):
        errors.append(str(error))

    from playwright.sync_api import expect

    with _tab(chromium, options) as page:
        page.set_viewport_size({"width": width, "height": height})
        page.set_default_timeout(60_000)
        # the same for what is expected of the page, else 5 s
        expect.set_options(timeout=60_000)
        page.on("pageerror", note)
        try:
            yield page
        finally:
            page.remove_listener("pageerror", note)
    assert not errors, errors


@contextlib.contextmanager
def _tab(chromium: str, options: dict[str, bool]) -> Iterator:
    """Give the shared page, or one in a context of its own where nothing is shared or options ask for it."""
    if "end" not in _shared:
        with _launched(chromium) as browser:
            yield browser.new_page(**options)
        return
    if "browser" not in _shared:
        _shared["browser"] = _shared["end"].enter_context(_launched(chromium))
    page = None if options else _shared.pop("page", None)
    page = page or _shared["browser"].new_page(**options)
    try:
        yield page
    finally:
        if options or "page" in _shared or not _emptied(page):
            page.context.close()
        else:
            _shared["page"] = page


@contextlib.contextmanager
def _launched(chromium: str) -> Iterator:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                f"--host-resolver-rules={_NO_OTHER_MACHINE}",
                f"--disable-features={_WITHOUT}",
            ],
        )
        try:
            yield browser
        finally:
            browser.close()


def _emptied(page) -> bool:
    """Make the page as new, apart from its cache; False where it does not answer."""
    from playwright.sync_api import Error

    clear = "() => { try { localStorage.clear(); sessionStorage.clear() } catch { } return true }"
    try:
        page.wait_for_function(clear, timeout=20_000)
        page.unroute_all(behavior="ignoreErrors")
        page.goto("about:blank", timeout=20_000)
        page.mouse.move(0, 0)
        page.context.clear_cookies()
    except Error:
        return False
    return True


def upload(page, *files: tuple[str, bytes]) -> None:
    """Upload files in the upload panel, once its code has taken it over."""
    payload = [{"name": name, "mimeType": "application/octet-stream", "buffer": data} for name, data in files]
    page.locator(".upload[data-mode] input[type=file]").first.set_input_files(payload)


@contextlib.contextmanager
def answered_dialogs(page, payload: list[dict]) -> Iterator[list]:
    """Answer each file dialog with files, and give the dialogs that were opened.

    From before the key is pressed: ``expect_file_chooser`` does not wait until the browser passes dialogs on, and
    misses one in twenty on a busy machine.
    """
    dialogs: list = []

    def answer(dialog) -> None:
        dialogs.append(dialog)
        dialog.set_files(payload)

    page.on("filechooser", answer)
    try:
        yield dialogs
    finally:
        page.remove_listener("filechooser", answer)


def open_front_page(page, address: str) -> None:
    """Open the app and wait for its upload panel."""
    page.goto(address)
    page.wait_for_selector("text=A second opinion on a chest X-ray")


_DRAWN = """() => document.querySelector('[data-test-script-state="notRunning"]') && !document.querySelector(
  '[data-stale=true], [data-testid=stSkeleton], [data-testid=stProgress], [data-testid=stSpinner]')"""


def wait_until_drawn(page) -> None:
    """Wait until the script of the page has ended and all that it wrote is drawn, however long a figure takes it."""
    page.wait_for_function(_DRAWN)
    # the script may begin again for what the browser has told it of what was drawn
    page.wait_for_timeout(700)
    page.wait_for_function(_DRAWN)


_WIDER = """() => {
  const scrollers = [document.documentElement, document.querySelector('[data-testid="stMain"]')].filter(Boolean);
  return scrollers.filter((node) => node.scrollWidth > node.clientWidth)
    .map((node) => `${node.dataset.testid ?? node.tagName}: ${node.scrollWidth} of ${node.clientWidth} pixels`);
}"""


def scrolls_sideways(page) -> list[str]:
    """Return which parts of a page are wider than their place, so that the page scrolls sideways: none should be.

    The element that scrolls is Streamlit's, within a document that never does.
    """
    return page.evaluate(_WIDER)


def viewer_state(page) -> dict[str, str]:
    """Return what the viewer says is on its canvas."""
    return page.locator("canvas.radiograph").evaluate("canvas => ({...canvas.dataset})")


def canvas_pixels(page) -> np.ndarray:
    """Return the canvas as it is drawn: (rows, columns, 3) uint8."""
    return _state_and_pixels(page)[1]


def _state_and_pixels(page) -> tuple[dict[str, str], np.ndarray]:
    """Return what the viewer says is on its canvas, and the canvas, of one moment."""
    canvas = page.locator("canvas.radiograph")
    state, url = canvas.evaluate("canvas => [{...canvas.dataset}, canvas.toDataURL('image/png')]")
    with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as image:
        return state, np.asarray(image.convert("RGB"))


def image_pixels(page, rows: int, columns: int) -> np.ndarray:
    """Return the part of the canvas that an image of so many rows and columns has, where it is in sight as a whole.

    What is turned or mirrored is compared in it: the canvas may be one pixel wider on one side of the image.
    """
    state, canvas = _state_and_pixels(page)
    left, top = (int(part) for part in state["at"].split(","))
    width, height = (round(float(state["zoom"]) * side) for side in (columns, rows))
    assert 0 <= left <= left + width <= canvas.shape[1]
    assert 0 <= top <= top + height <= canvas.shape[0]
    return canvas[top : top + height, left : left + width]


def map_switched(page, on: bool) -> None:
    """Switch the chosen finding's map on or off, whatever it was."""
    page.wait_for_selector("canvas.radiograph[data-label]:not([data-label=''])")
    # what is above the image has moved it down by now
    page.wait_for_selector(".study-header[data-id]:not([data-id=''])")
    wanted = "on" if on else "off"
    if viewer_state(page)["map"] != wanted:
        page.locator(f'[data-style="{"colour" if on else "off"}"]').click()
    page.wait_for_selector(f'canvas.radiograph[data-map="{wanted}"]')


def drop(page, selector: str, *files: tuple[str, bytes]) -> bool:
    """Drop files on an element, as from a file manager; return whether the page kept the browser from opening them.

    Before the first code of the page is there nothing keeps it from that, so it is waited for.
    """
    page.wait_for_function("() => window.secondRead?.acceptsDrops")
    contents = [(name, base64.b64encode(data).decode()) for name, data in files]
    return page.locator(selector).first.evaluate(
        """(place, files) => {
          const transfer = new DataTransfer();
          for (const [name, data] of files) {
            transfer.items.add(new File([Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))], name));
          }
          const options = { dataTransfer: transfer, bubbles: true, composed: true, cancelable: true };
          place.dispatchEvent(new DragEvent("dragover", options));
          return !place.dispatchEvent(new DragEvent("drop", options));
        }""",
        contents,
    )
