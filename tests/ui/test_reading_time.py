"""For how long an image was on the screen: counted in visible tabs of the reading page, and nowhere else."""

import asyncio
import gc

import pytest

from benchmarks.soak.server import served
from cxr_core.errors import PathUnusable
from cxr_core.imaging import phantom_dicom
from cxr_core.settings import settings
from cxr_core.store.reads import ReadStore
from cxr_core.ui import reading_time
from cxr_core.ui.reading_time import ADDED_SECONDS, LONGEST_STEP_SECONDS, ReadingTime
from cxr_core.ui.server.browser_cookie import BROWSER_COOKIE
from cxr_core.ui.server.worklist_routes import VISIBLE_HEADER
from cxr_core.ui.worklist import Worklist
from tests.protocol import Reader


class Clock:
    """A clock that the test sets, with the times that were added of images that have a reading."""

    def __init__(self, monkeypatch):
        self.now, self.added, self.reads = 1000.0, {}, {"a": "read of a", "b": "read of b"}
        self.fails = False
        monkeypatch.setattr(reading_time.time, "monotonic", lambda: self.now)
        self.time = ReadingTime(self.reads.get, self.add, self)

    def submit(self, write, *arguments):
        """Stand for the thread that writes."""
        write(*arguments)

    def add(self, read, seconds):
        if self.fails:
            raise PathUnusable("a.dcm of Quendelzahn")
        image = read.removeprefix("read of ")
        self.added[image] = self.added.get(image, 0.0) + seconds

    def show(self, seconds, **tabs):
        """Have each tab note its image twice a second for so many seconds."""
        for _ in range(round(2 * seconds)):
            for tab, image in tabs.items():
                self.time.note(TABS[tab], image)
            self.now += 0.5
        for tab, image in tabs.items():
            self.time.note(TABS[tab], image)


TABS = {"one": Worklist(), "two": Worklist()}


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def test_the_time_of_each_image_is_that_for_which_its_tab_showed_it(clock):
    clock.show(60, one="a")
    clock.show(7, one="b")
    clock.show(20, one="a")
    clock.time.note(TABS["one"], None)
    assert clock.added == pytest.approx({"a": 80, "b": 7})


def test_a_tab_that_is_hidden_takes_no_time_from_another(clock):
    clock.time.note(TABS["two"], "b")
    clock.time.note(TABS["two"], None)
    clock.show(60, one="a")
    clock.time.stop()
    assert clock.added == pytest.approx({"a": 60})


def test_the_last_minutes_before_a_tab_closes_are_added(clock):
    clock.show(300, one="a")
    assert 300 - ADDED_SECONDS <= clock.added["a"] <= 300
    clock.time.note(TABS["one"], None)
    assert clock.added == {"a": 300}
    clock.now += 1000
    clock.time.stop()
    assert clock.added == {"a": 300}


def test_a_worklist_that_is_released_adds_what_is_left(clock):
    clock.show(3, one="a", two="b")
    assert clock.added == {}
    clock.time.stop()
    assert clock.added == {"a": 3, "b": 3}


def test_an_image_in_two_visible_tabs_has_the_time_once(clock):
    clock.show(20, one="a", two="a")
    clock.show(5, one="b", two="a")
    clock.show(5, one="b", two="b")
    clock.time.stop()
    assert clock.added == pytest.approx({"a": 25, "b": 10})


def test_a_gap_in_which_a_tab_said_nothing_does_not_count(clock):
    clock.show(4, one="a")
    clock.now += LONGEST_STEP_SECONDS + 0.1
    clock.show(2, one="a")
    clock.now += LONGEST_STEP_SECONDS - 0.1
    clock.show(0, one="a")
    clock.time.stop()
    assert clock.added == pytest.approx({"a": 4 + 2 + LONGEST_STEP_SECONDS - 0.1})


def test_the_time_before_the_reading_is_added_once_there_is_one(clock):
    clock.show(12, one="c")
    clock.show(1, one="a")
    assert "c" not in clock.added
    clock.reads["c"] = "read of c"
    clock.show(1, one="c")
    clock.time.stop()
    assert clock.added == {"a": 1, "c": 13}


def test_a_time_that_cannot_be_stored_is_logged_without_its_message(clock, caplog):
    clock.fails = True
    clock.show(3, one="a")
    clock.time.stop()
    assert [record.getMessage() for record in caplog.records] == [
        "The time of a read could not be stored: PathUnusable"
    ]


def test_a_tab_that_has_ended_is_not_kept(clock):
    tab = Worklist()
    clock.time.note(tab, "a")
    del tab
    # a tab and its worklist refer to each other
    gc.collect()
    assert len(clock.time._shown) == 0


@pytest.mark.slow
def test_a_request_that_a_browser_gives_up_ends_the_time_at_once(tmp_path, monkeypatch):
    folders = {f"SECOND_READ_{name.upper()}": str(tmp_path / name) for name in ("home", "runs")}
    environment = {**folders, "SECOND_READ_AUDIT": str(tmp_path / "audit.jsonl"), "SECOND_READ_KEEP": "store"}

    async def look(address: str) -> float:
        """Wait for changes for two seconds with the page in sight, give the request up, and return the time stored."""
        async with Reader(address) as first:
            page = await first._http.get("/", headers={"Accept": "text/html"})
        async with Reader(address, {BROWSER_COOKIE: page.cookies[BROWSER_COOKIE]}) as reader:
            await reader.read("a.dcm", phantom_dicom(256, 224))
            while True:
                # the small changes of the image are read meanwhile
                tag = (await reader.request("GET", "")).headers["etag"]
                known = {"If-None-Match": tag, VISIBLE_HEADER: "1"}
                try:
                    await asyncio.wait_for(reader.request("GET", "", headers=known), 2)
                except TimeoutError:
                    break
            store = ReadStore()
            # a request that goes on would end after ten seconds
            for _ in range(50):
                if seconds := max(read.seconds for read in store.list_reads()):
                    break
                await asyncio.sleep(0.1)
            store.close()
        return seconds

    with served(**environment) as server:
        for name, value in folders.items():
            monkeypatch.setenv(name, value)
        settings.cache_clear()
        seconds = asyncio.run(look(server.address))
    settings.cache_clear()
    assert seconds > 1
