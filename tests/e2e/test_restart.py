"""A restart of the server under an open page, in Chromium: what the reader does meanwhile is done, or it is named."""

import contextlib
import hashlib
import os
import sqlite3
import subprocess
import sys

import pytest
from playwright.sync_api import expect

from cxr_core.imaging import phantom_dicom, phantom_png
from cxr_core.store.database import DATABASE
from tests.bombs import endless_tiff
from tests.browser import PROJECT, browsing, open_front_page, upload, wait_for
from tests.processes import held_port

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ENTRY = '.worklist [data-kind="entry"]'
READ = f'{ENTRY}[data-status="read"]'


class Server:
    """A process of the app that ends and starts at one address, over one folder."""

    def __init__(self, folder, **settings: str) -> None:
        self._held = held_port()
        self.port = self._held.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        named = {"HOME": str(folder / "home"), "RUNS": str(folder / "home" / "runs"), "STOP_SECONDS": "5"} | settings
        self._database = folder / "home" / "runs" / DATABASE
        self._environment = os.environ | {f"SECOND_READ_{name}": value for name, value in named.items()}
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        """Start the process, and return when it can read."""
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(self.port)]
        nowhere = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen(command, cwd=PROJECT, env=self._environment, **nowhere)
        wait_for(f"{self.address}/readyz", b'"ready"', self._process)

    def ask_to_stop(self) -> None:
        """Begin a graceful stop."""
        self._process.terminate()

    def stop(self) -> None:
        """Stop the process, and return when it has ended."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(120)

    def hold_removals(self) -> None:
        """Keep what was removed as it is, however slow the machine: by its mark in the store it is never too old."""
        with contextlib.closing(sqlite3.connect(self._database)) as database, database:
            changed = database.execute("UPDATE images SET removed = '9999' WHERE removed IS NOT NULL").rowcount
        assert changed

    def close(self) -> None:
        """End the process, and release the port."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._held.close()


@contextlib.contextmanager
def restartable(folder, **settings: str):
    server = Server(folder, **settings)
    try:
        server.start()
        yield server
    finally:
        server.close()


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def images(count: int) -> list[tuple[str, bytes]]:
    """Return so many images, each a study of its own."""
    return [
        (f"{number}.dcm", phantom_dicom(256, 224 + number, StudyInstanceUID=f"1.2.826.0.1.{number}"))
        for number in range(count)
    ]


def entry(page, digest: str):
    return page.locator(f'{ENTRY}[data-id="{digest}"]')


def choose(page, digest: str) -> None:
    entry(page, digest).click()
    page.wait_for_selector(f'canvas.radiograph[data-sha="{digest}"]')


def opened(page, files) -> list[str]:
    """Add files to the empty page, and return their ids once all are read."""
    upload(page, *files)
    expect(page.locator(READ)).to_have_count(len(files), timeout=120_000)
    choose(page, sha(files[0][1]))
    page.wait_for_selector(".st-key-of-image[data-follows]")
    return [sha(data) for _, data in files]


def connected(page) -> None:
    """Wait until the page has the session of a process that answers, and nothing is left to send."""
    page.wait_for_function(
        "old => { const { connection, uploads } = secondRead;"
        "  return connection.token !== old && !connection.trouble && !uploads.open; }",
        arg=page.evaluate("window.tokenBefore"),
        timeout=120_000,
    )


def note_token(page) -> None:
    page.wait_for_function("() => window.secondRead?.connection.token")
    page.evaluate("() => { window.tokenBefore = secondRead.connection.token; }")


def stop(server: Server, page) -> None:
    """Stop the process, and close the dialog in which Streamlit says so after some seconds: it takes the keys."""
    server.stop()
    page.get_by_role("dialog", name="Connection error").get_by_role("button", name="Close").click()
    page.wait_for_selector("[role=dialog]", state="detached")


def trouble(page) -> None:
    """Wait until the page says that the server does not answer."""
    page.wait_for_selector(".upload .status >> text=The server does not answer. Trying again.")


def stored(page) -> dict[str, list[str]]:
    """Reload the page, and return what it has then: of each image that is listed the opinions."""
    page.reload()
    page.wait_for_function("() => window.secondRead?.worklist?.versions")
    return page.evaluate(
        """async () => {
          const found = {};
          for (const id of Object.keys(secondRead.worklist.versions)) {
            const image = await (await secondRead.request(`/images/${id}`)).json();
            found[id] = Object.values(image.opinions).flat().map((given) => given.opinion);
          }
          return found;
        }"""
    )


def test_what_the_reader_does_during_a_restart_reaches_the_next_process(chromium, tmp_path):
    files = images(4)
    added = ("later.png", phantom_png(200, 190))
    with restartable(tmp_path, KEEP="store") as server, browsing(chromium) as page:
        open_front_page(page, server.address)
        first, second, third, fourth = opened(page, files)
        note_token(page)
        page.locator("canvas.radiograph").hover()
        page.keyboard.press("i")
        page.wait_for_selector('canvas.radiograph[data-invert="on"]')
        stop(server, page)
        # an opinion, then a removal, then another image, and a file
        page.locator(".findings .row").first.click()
        page.keyboard.press("y")
        trouble(page)
        entry(page, fourth).focus()
        page.keyboard.press("Delete")
        entry(page, fourth).wait_for(state="detached")
        entry(page, second).click()
        upload(page, added)
        server.start()
        connected(page)
        entry(page, sha(added[1])).wait_for()
        expect(page.locator(ENTRY)).to_have_count(4)
        assert page.locator(".upload .problems").is_hidden()
        # what is of the browser alone is as it was
        choose(page, first)
        page.wait_for_selector('canvas.radiograph[data-invert="on"]')
        page.wait_for_selector('.findings [aria-pressed="true"].present')
        assert stored(page) == {first: ["present"], second: [], third: [], sha(added[1]): []}


def test_undo_and_clear_during_a_restart_reach_the_next_process(chromium, tmp_path):
    files = images(3)
    with restartable(tmp_path, KEEP="store") as server, browsing(chromium) as page:
        open_front_page(page, server.address)
        first, second, third = opened(page, files)
        note_token(page)
        entry(page, third).focus()
        page.keyboard.press("Delete")
        page.wait_for_function("id => secondRead.worklist.removed.includes(id)", arg=third)
        server.stop()
        server.hold_removals()
        page.locator(".worklist .undo >> text=Undo").click()
        trouble(page)
        server.start()
        connected(page)
        entry(page, third).wait_for()
        assert set(stored(page)) == {first, second, third}
        note_token(page)
        server.stop()
        page.locator(".worklist >> text=Clear worklist").click()
        page.locator(".worklist .danger").click()
        server.start()
        connected(page)
        page.wait_for_selector("text=A second opinion on a chest X-ray")
        assert stored(page) == {}


def test_an_undo_reaches_the_next_process_also_after_its_worklist_has_come(chromium, tmp_path):
    with restartable(tmp_path, KEEP="store") as server, browsing(chromium) as page:
        open_front_page(page, server.address)
        first, second = opened(page, images(2))
        note_token(page)
        entry(page, second).focus()
        page.keyboard.press("Delete")
        page.wait_for_function("id => secondRead.worklist.removed.includes(id)", arg=second)
        server.stop()
        server.hold_removals()
        # as between two attempts, which are up to five seconds apart
        page.route("**/worklist/removals", lambda route: route.abort())
        page.locator(".worklist .undo >> text=Undo").click()
        trouble(page)
        server.start()
        page.wait_for_function(
            "old => secondRead.connection.token !== old && secondRead.worklist.moment > -Infinity",
            arg=page.evaluate("window.tokenBefore"),
            timeout=120_000,
        )
        page.unroute("**/worklist/removals")
        connected(page)
        entry(page, second).wait_for()
        assert set(stored(page)) == {first, second}


def test_a_removal_of_before_a_restart_can_be_undone_after_it(chromium, tmp_path):
    with restartable(tmp_path, KEEP="store") as server, browsing(chromium) as page:
        open_front_page(page, server.address)
        first, second = opened(page, images(2))
        for removed in ({second}, {first, second}):
            note_token(page)
            for digest in removed:
                entry(page, digest).focus()
                page.keyboard.press("Delete")
            page.wait_for_function(
                "ids => ids.every((id) => secondRead.worklist.removed.includes(id))", arg=sorted(removed)
            )
            server.stop()
            server.hold_removals()
            server.start()
            connected(page)
            if removed == {second}:
                page.wait_for_selector(".worklist .undo >> text=Removed 1 image")
                page.locator(".worklist .undo button").click()
            else:
                page.locator("button", has_text="Undo: bring 2 removed images back").click()
            for digest in (first, second):
                entry(page, digest).wait_for()
            assert set(stored(page)) == {first, second}


def test_a_comment_without_an_opinion_is_kept_by_the_next_process(chromium, tmp_path):
    with restartable(tmp_path, KEEP="store") as server, browsing(chromium) as page:
        open_front_page(page, server.address)
        (only,) = opened(page, images(1))
        page.locator(".findings .row").first.click()
        page.keyboard.press("t")
        page.wait_for_selector(".comment:focus")
        with page.expect_response("**/comments"):
            page.keyboard.insert_text("small, apical")
        note_token(page)
        server.stop()
        server.start()
        connected(page)
        page.wait_for_function(
            """async (id) => {
              const image = await (await secondRead.request(`/images/${id}`)).json();
              return Object.values(image.comments).includes("small, apical");
            }""",
            arg=only,
        )
        expect(page.locator(".comment")).to_have_value("small, apical", timeout=60_000)


def test_findings_that_are_asked_for_during_a_restart_are_shown_by_the_next_process(chromium, tmp_path):
    with restartable(tmp_path, KEEP="store", READ_FIRST="on") as server, browsing(chromium) as page:
        open_front_page(page, server.address)
        upload(page, *images(1))
        page.wait_for_selector(".panel .ask")
        # read and stored, so that the next process has it
        expect(page.locator(READ)).to_have_count(1, timeout=120_000)
        note_token(page)
        stop(server, page)
        # an opinion before the findings are shown stays one of before
        page.locator(".panel .ask").first.click()
        page.keyboard.press("e")
        page.keyboard.press("s")
        trouble(page)
        server.start()
        connected(page)
        page.wait_for_selector(".findings .row")
        given = page.evaluate("() => Object.values(secondRead.images.get(secondRead.current).opinions).flat()")
        assert [(one["opinion"], one["shown"]) for one in given] == [("absent", False)]


def test_files_that_are_added_during_a_graceful_stop_are_added_by_the_next_process(chromium, tmp_path):
    with (
        restartable(tmp_path, KEEP="store", DECODE_SECONDS="15", STOP_SECONDS="60") as server,
        browsing(chromium) as page,
    ):
        open_front_page(page, server.address)
        note_token(page)
        # is decoded for as long as the server may stop
        upload(page, ("endless.tif", endless_tiff()))
        page.wait_for_selector(f'{ENTRY}[data-status="waiting"]')
        server.ask_to_stop()
        files = images(3)
        upload(page, *files)
        page.wait_for_selector(".upload .status >> text=The server is busy. Trying again.")
        server.stop()
        server.start()
        connected(page)
        expect(page.locator(READ)).to_have_count(3, timeout=120_000)
        assert page.locator(".upload .problems").is_hidden()
        assert {sha(data) for _, data in files} <= set(stored(page))


def test_a_page_says_that_its_worklist_ended_with_the_server(chromium, tmp_path):
    with restartable(tmp_path) as server, browsing(chromium) as page:
        open_front_page(page, server.address)
        opened(page, images(2))
        note_token(page)
        server.stop()
        page.locator(".findings .row").first.click()
        page.keyboard.press("y")
        trouble(page)
        server.start()
        page.wait_for_selector("text=Not stored: This page has lost its connection to the server")
