"""Whose worklist it is: the tabs of a person share one, others have theirs, and how long each stays in memory."""

import asyncio
import gc
import weakref

import pytest

from benchmarks.soak.server import served
from cxr_core.imaging import phantom_dicom, phantom_png, read_radiograph
from cxr_core.settings import settings
from cxr_core.ui import reading_jobs, worklists
from cxr_core.ui.opinions import reveal, set_read_first
from cxr_core.ui.reading_messages import worklist_body
from cxr_core.ui.server.browser_cookie import BROWSER_COOKIE
from cxr_core.ui.shared_worklist import SharedWorklist
from cxr_core.ui.worklist import Worklist
from cxr_core.ui.worklists import WorklistOwner, release_idle, release_worklist
from tests.protocol import Reader


class Sessions:
    """Sessions of Streamlit: connected, or closed and still there to be restored."""

    def __init__(self, monkeypatch):
        self.connected, self.restorable, self.now = set(), set(), 1000.0
        monkeypatch.setattr(worklists, "is_connected", lambda session: session in self.connected)
        monkeypatch.setattr(worklists, "session_exists", lambda session: session in self.connected | self.restorable)
        monkeypatch.setattr(worklists.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(worklists, "_OWNERS", {})

    def tab(self, session: str, person: str = "anna") -> Worklist:
        """Open a tab of a person."""
        owner = worklists._OWNERS.setdefault(person, WorklistOwner(person))
        images = Worklist(owner.shared)
        self.connected.add(session)
        owner.enter(images, session)
        return images

    def close(self, session: str, *, lasting: bool = True) -> None:
        self.connected.discard(session)
        (self.restorable.discard if lasting else self.restorable.add)(session)


@pytest.fixture
def sessions(monkeypatch):
    yield Sessions(monkeypatch)
    monkeypatch.undo()
    settings.cache_clear()


def limit(monkeypatch, **values):
    for name, value in values.items():
        monkeypatch.setenv(f"SECOND_READ_{name.upper()}", str(value))
    settings.cache_clear()


def add(images: Worklist, *contents: bytes) -> tuple[str, ...]:
    return images.add([(str(n), data) for n, data in enumerate(contents)], max_images=99).added


def test_tabs_of_a_person_share_images_and_settings_and_each_chooses_for_itself(sessions, predictor):
    one, two, other = sessions.tab("1"), sessions.tab("2"), sessions.tab("3", "bert")
    first, second = add(one, b"first", b"second")
    assert list(two.images) == [first, second]
    assert two.images[first] is one.images[first]
    assert other.images == {}
    # what was added shows in a tab that showed nothing, and nowhere else
    assert (one.chosen, two.chosen) == (first, first)
    two.choose(second)
    assert (one.chosen, two.chosen) == (first, second)
    one.apply_settings(predictor.card, "default", None)
    set_read_first(one, True)
    assert two.read_first
    # a reload finds what was chosen last
    assert sessions.tab("4").chosen == second


def test_a_removal_in_one_tab_moves_the_others_on_and_an_undo_brings_them_back(sessions):
    one, two = sessions.tab("1"), sessions.tab("2")
    a, b, c = add(one, b"a", b"b", b"c")
    two.choose(b)
    one.remove(b)
    assert (one.chosen, two.chosen) == (a, c)
    two.undo_removal()
    assert (one.chosen, two.chosen) == (a, b)
    one.remove(a, b, c)
    assert (one.chosen, two.chosen) == (None, None)
    one.undo_removal()
    assert (one.chosen, two.chosen) == (a, a)


def test_a_tab_is_told_what_another_has_changed_and_not_what_it_did_itself(sessions):
    one, two = sessions.tab("1"), sessions.tab("2")
    notices = []
    two.listeners.add(lambda: notices.append(two.is_outdated()))

    def reveal_hidden():
        one.read_first = True
        reveal(one, one.images[digest])

    def run(tab):
        # a script run of the tab
        worklists._OWNERS["anna"].enter(tab, "1" if tab is one else "2")

    digest = add(one, b"a")[0]
    one.images[digest].status = "read"
    assert notices == [True]
    assert b'"outdated": true' in worklist_body(two)[0]
    assert b'"outdated": false' in worklist_body(one)[0]
    run(two)
    assert not two.is_outdated()
    # a further image needs no script run: the strip follows the routes
    add(one, b"b")
    assert not two.is_outdated()
    for change in (
        lambda: set_read_first(one, True),
        reveal_hidden,
        lambda: one.remove(digest),
        one.undo_removal,
    ):
        change()
        assert (one.is_outdated(), two.is_outdated()) == (False, True)
        # its own change does not hide from it what the other has changed before
        set_read_first(two, not two.read_first)
        assert (one.is_outdated(), two.is_outdated()) == (True, True)
        run(one)
        run(two)


def test_a_sign_out_releases_the_worklist_also_from_a_tab_that_never_showed_it(sessions, monkeypatch):
    one, other = sessions.tab("1"), sessions.tab("2", "bert")
    add(one, b"a")
    add(other, b"b")
    # the session state of this tab knows of no worklist
    monkeypatch.setattr(worklists, "reader_name", lambda: "anna")
    release_worklist()
    assert one.images == {}
    assert other.images


def test_each_tab_has_room_for_its_pixels_and_all_are_unloaded_when_the_last_tab_has_gone(sessions):
    tabs = [sessions.tab(str(number)) for number in range(3)]
    contents = [phantom_png(32, 32 + number) for number in range(5)]
    digests = add(tabs[0], *contents)
    for digest, data in zip(digests, contents, strict=True):
        tabs[0].mark_viewed(tabs[0].images[digest], read_radiograph(data))

    def decoded():
        return [digest for digest in digests if tabs[0].images[digest].radiograph is not None]

    # two more than those of one tab: else three tabs would have each other's image decoded again and again
    assert decoded() == list(digests[1:])
    for session in "012":
        sessions.close(session)
    release_idle()
    assert decoded() == []
    assert [tabs[0].images[digest].data for digest in digests] == contents


def test_a_worklist_without_a_tab_is_released_after_its_minutes_and_one_with_a_tab_stays(sessions, monkeypatch):
    limit(monkeypatch, session_minutes=30)
    anna, bert = sessions.tab("1"), sessions.tab("2", "bert")
    for images in (anna, bert):
        add(images, b"image")
    image = next(iter(anna.images.values()))
    anna.operating_point = "youden"
    sessions.close("1", lasting=False)
    release_idle()
    sessions.now += 29 * 60
    assert release_idle() == 0
    # opened again: the time begins anew
    again = sessions.tab("3")
    assert list(again.images) == [image.digest]
    sessions.now += 60 * 60
    assert release_idle() == 0
    for session in "13":
        sessions.close(session)
    release_idle()
    sessions.now += 29 * 60
    assert release_idle() == 0
    sessions.now += 61
    assert release_idle() == 1
    assert (anna.images, image.data, anna.operating_point) == ({}, None, "default")
    assert len(bert.images) == 1
    assert sessions.tab("4").images == {}


def test_those_that_were_left_longest_ago_give_way_where_there_are_too_many(sessions, monkeypatch):
    limit(monkeypatch, idle_mb=1, max_sessions=3)
    people = ["anna", "bert", "carl", "dora"]
    tabs = {name: sessions.tab(name, name) for name in people}
    for name in people:
        add(tabs[name], name.encode() * 100_000)
    assert release_idle() == 0
    for name in people:
        sessions.close(name)
        sessions.now += 1
        release_idle()
    # each has 0.4 MB
    assert [name for name in people if tabs[name].images] == ["carl", "dora"]
    for name in ("e", "f", "g"):
        tabs[name] = sessions.tab(name, name)
        add(tabs[name], b"a")
        sessions.close(name)
        sessions.now += 1
        release_idle()
    assert [name for name in tabs if tabs[name].images] == ["e", "f", "g"]


def test_a_released_worklist_leaves_nothing_in_memory(sessions, monkeypatch):
    limit(monkeypatch, session_minutes=0)
    images = sessions.tab("1")
    add(images, b"image")
    images.remove(*images.images)
    add(images, b"another")
    held = [weakref.ref(image) for image in (*images.images.values(), *images.removal.entries())]
    sessions.close("1")
    release_idle()
    sessions.now += 1
    assert release_idle() == 1
    del images
    gc.collect()
    assert [reference() for reference in held] == [None, None]


def test_one_tab_that_is_closed_leaves_the_queue_to_the_other(sessions, predictor, monkeypatch):
    images, _ = sessions.tab("1"), sessions.tab("2")
    owner = worklists._OWNERS["anna"]
    reader = owner.reader(images, predictor)
    assert owner.reader(Worklist(owner.shared), predictor) is reader
    paused = []
    monkeypatch.setattr(reading_jobs.WorklistReader, "pause", lambda self: paused.append(self))
    sessions.close("1", lasting=False)
    owner.pause(images)
    assert paused == []
    sessions.close("2", lasting=False)
    owner.pause(images)
    assert paused == [reader]


def test_a_tab_without_a_cookie_has_a_worklist_of_its_own_that_ends_with_it():
    owner = WorklistOwner(None)
    images = Worklist(owner.shared)
    owner.enter(images, "1")
    add(images, b"image")
    owner.leave(images)
    assert images.images == SharedWorklist().images == {}


async def cookie_of(address: str) -> dict[str, str]:
    """The cookie of a new browser."""
    async with Reader(address) as visitor:
        page = await visitor._http.get("/", headers={"Accept": "text/html"})
    return {BROWSER_COOKIE: page.cookies[BROWSER_COOKIE]}


async def listed(reader: Reader, count: int, tag: str = "") -> set[str]:
    """The ids of a worklist, as the browser follows it, once there are so many."""
    async with asyncio.timeout(60):
        while True:
            response = await reader.request("GET", "", headers={"If-None-Match": tag})
            tag = response.headers["ETag"]
            if response.status_code == 200 and len(response.json()["versions"]) == count:
                return set(response.json()["versions"])


@pytest.mark.slow
def test_reload_second_tab_and_another_browser():
    data = phantom_dicom(256, 224)

    async def browse(address: str) -> None:
        mine, other = await cookie_of(address), await cookie_of(address)
        async with Reader(address, mine) as reader:
            image = await reader.read("a.dcm", data)
            digest = image["id"]
            lost = reader.token
            # a second tab has it, and sees what the first one does, without a reload
            async with Reader(address, mine) as second:
                assert (await second.image(digest))["findings"]["rows"]
                known = await second.request("GET", "")
                assert known.json()["chosen"] == digest
                following = asyncio.create_task(listed(second, 2, known.headers["ETag"]))
                added = await reader.add("b.dcm", phantom_dicom(256, 226))
                assert await following == {digest, *added["added"]}
                # a browser that is another has neither, whatever it asks for
                async with Reader(address, other) as stranger:
                    assert (await stranger.request("GET", "")).json()["versions"] == {}
                    for path in (f"/images/{digest}", f"/images/{digest}/pixels"):
                        assert (await stranger.request("GET", path)).status_code == 404
                        taken = {"X-Second-Read-Token": reader.token}
                        assert (await stranger.request("GET", path, headers=taken)).status_code == 403
                    assert (await stranger.request("GET", "", headers=taken)).status_code == 403
        # reloaded, or connected again after the connection was lost
        async with Reader(address, mine) as again:
            assert again.token != lost
            assert set((await again.request("GET", "")).json()["versions"]) == {digest, *added["added"]}
            assert (await again.request("GET", "", headers={"X-Second-Read-Token": lost})).status_code == 403
            assert await again.pixels(digest)

    with served() as server:
        asyncio.run(browse(server.address))


@pytest.mark.slow
def test_a_worklist_that_nobody_shows_is_released():
    async def browse(address: str) -> None:
        mine = await cookie_of(address)
        async with Reader(address, mine) as reader:
            digest = (await reader.read("a.dcm", phantom_dicom(256, 224)))["id"]
        async with Reader(address, mine) as reader:
            assert (await reader.request("GET", f"/images/{digest}")).status_code == 200
            # connected, however long
            await asyncio.sleep(5)
            assert (await reader.request("GET", f"/images/{digest}")).status_code == 200
        # a busy machine notices later that nobody is connected; whoever looks has the time begin anew
        for seconds in (6, 15, 40):
            await asyncio.sleep(seconds)
            async with Reader(address, mine) as reader:
                if (await reader.request("GET", f"/images/{digest}")).status_code == 404:
                    return
        raise AssertionError("it is still there")

    options = {"SECOND_READ_SESSION_MINUTES": "0.05"}
    with served("--server.disconnectedSessionTTL", "1", **options) as server:
        asyncio.run(browse(server.address))
