"""The routes of the reading page: what they answer, to whom, and what they refuse."""

import asyncio
import hashlib
import itertools
import json
import logging
import threading
from urllib.parse import quote

import httpx
import numpy as np
import pytest
from starlette.applications import Starlette

from cxr_core.access import LOCAL, signed_out, visitor_of
from cxr_core.imaging import phantom_dicom, phantom_png, read_radiograph
from cxr_core.labels import LABELS, display_name
from cxr_core.reading import read_image
from cxr_core.reading_queue import FairQueue
from cxr_core.settings import settings
from cxr_core.ui import reading_jobs
from cxr_core.ui.findings import findings_message
from cxr_core.ui.guard import PAGES
from cxr_core.ui.opinions import asked_findings
from cxr_core.ui.reading_jobs import WorklistReader
from cxr_core.ui.server import (
    middleware,
    page_sessions,
    reading_routes,
    uploads,
    worklist_routes,
)
from cxr_core.ui.server.page_sessions import REQUESTS_AT_ONCE, PageSession
from cxr_core.ui.server.worklist_routes import VISIBLE_HEADER
from cxr_core.ui.viewer import alt_text, encode_image
from cxr_core.ui.worklist import Worklist
from tests.app.test_pages import PROJECT

ADDRESS = "http://127.0.0.1:8501"
DICOM, PNG = phantom_dicom(256, 224), phantom_png(256, 224)
SHA = hashlib.sha256(DICOM).hexdigest()


class Server:
    """The routes with their middleware, in this process, and the tabs that are connected."""

    def __init__(self, monkeypatch, predictor):
        self.predictor, self.owners, self.person = predictor, {}, LOCAL
        monkeypatch.setattr(page_sessions, "_PAGE_SESSIONS", {})
        monkeypatch.setattr(page_sessions, "belongs_to", self.belongs_to)
        monkeypatch.setattr(page_sessions, "visitor_of_request", lambda request, own_origin: self.person)
        # what Streamlit stores
        monkeypatch.setattr(uploads, "_stored", lambda session=None: (0, 0))
        self.app = Starlette(routes=reading_routes(), middleware=middleware())

    def belongs_to(self, session, subject, local):
        return session in self.owners and (local or self.owners[session] == subject)

    def tab(self, session="tab", owner="") -> PageSession:
        """Connect a tab."""
        self.owners[session] = owner
        tab = PageSession(session, WorklistReader(Worklist(), self.predictor))
        page_sessions._PAGE_SESSIONS[tab._name] = tab
        return tab

    def client(self, tab=None, **headers) -> httpx.AsyncClient:
        token = {} if tab is None else {"X-Second-Read-Token": tab.token}
        transport = httpx.ASGITransport(self.app, client=("127.0.0.1", 1))
        return httpx.AsyncClient(transport=transport, base_url=ADDRESS, headers=token | headers, timeout=60)


@pytest.fixture
def server(monkeypatch, predictor):
    monkeypatch.chdir(PROJECT)
    queue = FairQueue(100)
    monkeypatch.setattr(reading_jobs, "shared_queue", lambda: queue)
    yield Server(monkeypatch, predictor)
    settings.cache_clear()


def answers(server, tab, conversation, **headers):
    """Run ``conversation(client)`` and return its result."""

    async def run():
        async with server.client(tab, **headers) as client:
            return await conversation(client)

    return asyncio.run(run())


async def add(client, data=DICOM, name="image.dcm", upload=""):
    headers = {"X-Second-Read-Name": quote(name)} | ({"X-Second-Read-Upload": upload} if upload else {})
    return await client.post("/worklist/images", content=data, headers=headers)


async def read(client, digest=SHA):
    while True:
        answer = (await client.get(f"/worklist/images/{digest}")).json()
        if answer["status"] != "waiting":
            return answer


def test_a_file_is_read_at_once_and_its_reading_and_pixels_are_those_of_the_page(server):
    async def conversation(client):
        added = (await add(client, name="Ordner/ß.dcm")).json()
        image = await read(client)
        full = await client.get(f"/worklist/images/{SHA}/pixels")
        reduced = await client.get(f"/worklist/images/{SHA}/pixels?reduced")
        return added, image, full, reduced, (await client.get("/worklist"))

    tab = server.tab()
    added, image, full, reduced, worklist = answers(server, tab, conversation)
    shown = added.pop("image")
    assert added == {"added": [SHA], "duplicates": 0, "skipped": 0, "reason": "", "shown": SHA}
    # whose image it is comes with the answer, whether it was read meanwhile or not
    assert {name: shown[name] for name in ("id", "name", "study")} == {
        name: image[name] for name in ("id", "name", "study")
    }
    radiograph, reading = read_image(DICOM, server.predictor)
    expected = findings_message(reading, server.predictor.card, None)
    assert image["findings"] == json.loads(json.dumps(expected))
    assert (image["rows"], image["columns"], image["name"]) == (256, 224, "ß.dcm")
    assert full.content == encode_image(radiograph, alt=alt_text(radiograph))
    # so small that it is not reduced
    assert reduced.content == full.content
    assert worklist.json()["chosen"] == SHA
    assert worklist.json()["versions"] == {SHA: image["version"]}
    for response in (full, worklist):
        assert response.headers["cache-control"] == "no-store"
    assert tab.images.images[SHA].path == "Ordner/ß.dcm"


def test_head_is_refused_and_nothing_is_read_decoded_or_sent(server, monkeypatch):
    def decoded(*_, **__):
        raise AssertionError("an image was encoded")

    async def conversation(client):
        await add(client)
        await read(client)
        monkeypatch.setattr(worklist_routes, "image_chunks", decoded)
        paths = ("/worklist", "/worklist/images", f"/worklist/images/{SHA}", f"/worklist/images/{SHA}/pixels")
        return [await client.head(path) for path in paths]

    tab = server.tab()
    responses = answers(server, tab, conversation)
    assert [response.status_code for response in responses] == [405] * 4
    # those who may not ask learn nothing else
    refused = answers(server, None, lambda client: client.head(f"/worklist/images/{SHA}/pixels"))
    assert refused.status_code == 403


def test_the_name_of_the_front_page_leads_to_its_address(server):
    async def conversation(client):
        return await client.get("/second_opinion"), await client.get("/second_opinion?embed=true")

    plain, with_query = answers(server, None, conversation)
    assert (plain.status_code, plain.headers["location"]) == (307, "./")
    assert with_query.headers["location"] == "./?embed=true"
    assert PAGES[0].stem == worklist_routes.FRONT_PAGE


def test_pixels_are_sent_while_the_image_is_read(server, monkeypatch):
    sent, read_prepared = threading.Event(), reading_jobs.read_prepared

    def once_sent(*arguments):
        assert sent.wait(60)
        return read_prepared(*arguments)

    monkeypatch.setattr(reading_jobs, "read_prepared", once_sent)

    async def conversation(client):
        await add(client)
        pixels = await client.get(f"/worklist/images/{SHA}/pixels")
        waiting = (await client.get(f"/worklist/images/{SHA}")).json()
        sent.set()
        return pixels, waiting, await read(client)

    pixels, waiting, image = answers(server, server.tab(), conversation)
    radiograph = read_radiograph(DICOM)
    assert pixels.content == encode_image(radiograph, alt=alt_text(radiograph))
    assert (waiting["status"], waiting["findings"]) == ("waiting", None)
    assert (image["status"], image["pixelsVersion"]) == ("read", waiting["pixelsVersion"])


def test_an_image_has_another_version_only_where_its_content_is_another(server):
    def of(patient, uid, date):
        elements = {"PatientID": patient, "StudyInstanceUID": uid, "SOPInstanceUID": f"{uid}.1", "StudyDate": date}
        return phantom_dicom(64, 64 + len(uid), **elements)

    current, prior, other = of("A1", "1.2", "20260102"), of("A1", "1.2.3", "20250102"), of("B2", "1.2.3.4", "20260102")

    async def conversation(client):
        seen = []
        for number, data in enumerate((PNG, phantom_png(64, 65), current, other, prior)):
            await add(client, data, upload=f"drop/{number}/5")
            await read(client, hashlib.sha256(data).hexdigest())
            seen.append((await client.get("/worklist")).json()["versions"])
        return seen

    seen = answers(server, server.tab(), conversation)
    changed = [{key for key in before if before[key] != after[key]} for before, after in itertools.pairwise(seen)]
    # the button for the prior study is new
    assert changed == [set(), set(), set(), {hashlib.sha256(current).hexdigest()}]


def test_a_large_image_has_a_reduced_one_and_is_not_compressed_on_its_way(server):
    values = np.random.default_rng(1).integers(0, 4096, (2000, 1601), dtype=np.uint16)
    data = phantom_dicom(values=values)
    digest = hashlib.sha256(data).hexdigest()

    async def conversation(client):
        await add(client, data)
        await read(client, digest)
        return [await client.get(f"/worklist/images/{digest}/pixels{query}") for query in ("?reduced", "")]

    reduced, full = answers(server, server.tab(), conversation)
    assert len(reduced.content) < len(full.content) / 3
    assert full.headers["content-encoding"] == "identity"
    assert full.content == encode_image(read_radiograph(data), alt=alt_text(read_radiograph(data)))


def test_files_of_one_upload_stand_in_its_order_and_the_first_to_come_is_chosen(server):
    files = [phantom_png(64 + n, 64) for n in range(4)]

    async def conversation(client):
        for position in (2, 0, 3, 1):
            await add(client, files[position], upload=f"drop-1/{position}/4")
        first = await client.get("/worklist")
        await add(client, PNG, upload="drop-2/0/1")
        return first, await add(client, PNG, upload="no such form")

    tab = server.tab()
    first, malformed = answers(server, tab, conversation)
    digests = [hashlib.sha256(data).hexdigest() for data in files]
    assert list(tab.images.images)[:4] == digests
    assert first.json()["chosen"] == digests[2]
    assert len({image.upload for image in list(tab.images.images.values())[:4]}) == 1
    assert tab.images.image().data == PNG
    assert malformed.status_code == 400


def test_the_worklist_is_sent_again_once_it_has_changed(server):
    async def conversation(client):
        tag = (await client.get("/worklist")).headers["etag"]
        waiting = asyncio.create_task(client.get("/worklist", headers={"If-None-Match": tag}))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        await add(client)
        return await waiting

    assert answers(server, server.tab(), conversation).json()["chosen"] == SHA


@pytest.mark.parametrize(("held", "status"), [(60.0, "read"), (0.0, "waiting")])
def test_a_worklist_that_has_changed_is_held_back_while_the_image_on_the_screen_is_read(
    server, monkeypatch, held, status
):
    monkeypatch.setattr(worklist_routes, "HELD_SECONDS", held)
    go_on, read_prepared = threading.Event(), reading_jobs.read_prepared

    def later(*arguments):
        assert go_on.wait(60)
        return read_prepared(*arguments)

    monkeypatch.setattr(reading_jobs, "read_prepared", later)
    next_change = worklist_routes._next

    async def conversation(client):
        begun = asyncio.Event()

        async def noted(*arguments):
            begun.set()
            await next_change(*arguments)

        monkeypatch.setattr(worklist_routes, "_next", noted)
        tag = (await client.get("/worklist")).headers["etag"]
        waiting = asyncio.create_task(client.get("/worklist", headers={"If-None-Match": tag}))
        await begun.wait()
        await add(client)
        if held:
            # its pixels are there long before it was read
            await client.get(f"/worklist/images/{SHA}/pixels")
            assert not waiting.done()
        else:
            await waiting
        go_on.set()
        return await waiting

    (study,) = answers(server, server.tab(), conversation).json()["studies"]
    assert [image["status"] for image in study["images"]] == [status]


def test_a_worklist_that_was_held_back_comes_after_the_answer_of_the_image(server, monkeypatch):
    monkeypatch.setattr(worklist_routes, "HELD_SECONDS", 60.0)
    held, read_prepared = threading.Event(), reading_jobs.read_prepared

    def later(*arguments):
        assert held.wait(60)
        return read_prepared(*arguments)

    monkeypatch.setattr(reading_jobs, "read_prepared", later)
    next_change, sleep = worklist_routes._next, asyncio.sleep

    async def conversation(client):
        begun, answered = asyncio.Event(), asyncio.Event()

        async def noted(changed, seconds):
            begun.set()
            if seconds > 1:
                held.set()
            await next_change(changed, seconds)

        async def until_answered(seconds, *arguments):
            if seconds == worklist_routes.AFTER_SECONDS:
                await answered.wait()
            await sleep(seconds, *arguments)

        monkeypatch.setattr(worklist_routes, "_next", noted)
        monkeypatch.setattr(asyncio, "sleep", until_answered)
        tag = (await client.get("/worklist")).headers["etag"]
        waiting = asyncio.create_task(client.get("/worklist", headers={"If-None-Match": tag}))
        await begun.wait()
        await add(client)
        image = await read(client)
        # its answer would otherwise follow in a moment, or be there
        done, _ = await asyncio.wait([waiting], timeout=0.2)
        answered.set()
        await waiting
        return image, bool(done)

    image, before = answers(server, server.tab(), conversation)
    assert image["status"] == "read"
    assert not before


def test_of_an_image_and_a_worklist_the_browser_is_told_which_is_newer(server):
    async def conversation(client):
        added = await add(client)
        worklist = await client.get("/worklist")
        return added.json()["image"], worklist.headers[worklist_routes.MOMENT_HEADER], await read(client)

    added, worklist, image = answers(server, server.tab(), conversation)
    assert added["moment"] < float(worklist) < image["moment"]


def test_an_unchanged_worklist_is_not_sent_again(server, monkeypatch):
    monkeypatch.setattr(worklist_routes, "WORKLIST_SECONDS", 0.1)

    async def conversation(client):
        tag = (await client.get("/worklist")).headers["etag"]
        return await client.get("/worklist", headers={"If-None-Match": tag})

    assert answers(server, server.tab(), conversation).status_code == 304


class Keeper:
    """Notes what the routes say that a tab shows."""

    away = frozenset()

    def __init__(self):
        self.noted = []

    def shown(self, tab, digest):
        self.noted.append((tab, digest))

    def added(self, images):
        pass

    def follow(self):
        pass


def test_a_visible_tab_that_waits_for_changes_says_twice_a_second_what_it_shows(server, monkeypatch):
    monkeypatch.setattr(worklist_routes, "WORKLIST_SECONDS", 1.2)
    tab, other = server.tab(), server.tab("other")
    other.images = Worklist(tab.images.shared)
    tab.images.keeper = keeper = Keeper()

    async def conversation(client):
        await add(client)
        await read(client)
        tag = (await client.get("/worklist")).headers["etag"]
        assert keeper.noted == []
        await client.get("/worklist", headers={"If-None-Match": tag, VISIBLE_HEADER: "1"})

    answers(server, tab, conversation)
    assert set(keeper.noted) == {(tab.images, SHA)}
    assert len(keeper.noted) >= 3
    # a tab that is hidden or shows another page sends no such header
    keeper.noted.clear()
    answers(server, other, lambda client: client.get("/worklist", headers={"If-None-Match": '"other"'}))
    assert keeper.noted == []


def test_a_tab_that_gives_up_its_request_shows_nothing_from_then_on(server):
    tab, gone = server.tab(), []
    tab.images.keeper = keeper = Keeper()

    async def conversation():
        async with server.client(tab) as client:
            await add(client)
            await read(client)
            tag = (await client.get("/worklist")).headers["etag"]
        given = {"x-second-read-token": tab.token, "host": "127.0.0.1:8501", VISIBLE_HEADER: "1", "if-none-match": tag}
        headers = [(name.lower().encode(), value.encode()) for name, value in given.items()]
        scope = {"type": "http", "method": "GET", "path": "/worklist", "raw_path": b"/worklist", "root_path": "",
                 "scheme": "http", "query_string": b"", "headers": headers, "client": ("127.0.0.1", 1),
                 "server": ("127.0.0.1", 8501), "http_version": "1.1", "asgi": {"version": "3.0"}}  # fmt: skip
        messages: asyncio.Queue = asyncio.Queue()
        messages.put_nowait({"type": "http.request", "body": b"", "more_body": False})

        async def send(message):
            gone.append(message)

        request = asyncio.create_task(server.app(scope, messages.get, send))
        await asyncio.sleep(0.2)
        assert not request.done()
        messages.put_nowait({"type": "http.disconnect"})
        # long before the wait for a change would be over
        await asyncio.wait_for(request, 5)

    asyncio.run(conversation())
    assert keeper.noted[0] == (tab.images, SHA)
    assert keeper.noted[-1] == (tab.images, None)


def test_an_image_that_waits_says_its_place_in_the_queue(server, monkeypatch):
    queue, gate, begun = FairQueue(10, at_once=1), threading.Event(), threading.Event()
    monkeypatch.setattr(reading_jobs, "shared_queue", lambda: queue)
    queue.ask("other", lambda: (begun.set(), gate.wait(60)))
    assert begun.wait(60)
    queue.ask("another", int)

    async def conversation(client):
        await add(client)
        waiting = (await client.get(f"/worklist/images/{SHA}")).json()
        pixels = await client.get(f"/worklist/images/{SHA}/pixels")
        gate.set()
        return waiting, pixels, await read(client)

    waiting, pixels, image = answers(server, server.tab(), conversation)
    assert (waiting["status"], waiting["findings"]) == ("waiting", None)
    assert waiting["wait"].startswith("In the queue: 1 image ahead, about ")
    assert pixels.status_code == 202
    assert image["status"] == "read"


def test_read_first_keeps_every_finding_on_the_server_until_the_reveal(server):
    elements = {"WindowCenter": [2048, 300], "WindowWidth": [4096, 200]}
    data = phantom_dicom(256, 224, WindowCenterWidthExplanation=["NORMAL", "HARDER"], **elements)
    digest = hashlib.sha256(data).hexdigest()
    tab = server.tab()
    tab.images.read_first = True

    async def conversation(client):
        await add(client, data)
        image = await read(client, digest)
        everything = [
            json.dumps({name: value for name, value in image.items() if name != "asked"}),
            (await client.get("/worklist")).text,
            (await client.get(f"/worklist/images/{digest}/pixels")).content[:10_000].decode("latin-1"),
        ]
        tab.images.images[digest].revealed = True
        return image, everything, await read(client, digest), (await client.get("/worklist")).text

    hidden, everything, revealed, worklist = answers(server, tab, conversation)
    reading = tab.images.images[digest].reading
    assert any("would change" in reason for reason in reading.quality.reasons), "the test needs such a warning"
    for text in everything:
        for label in LABELS:
            assert display_name(label) not in text
            assert label not in text
        assert "evaluated finding" not in text
        assert "would change" not in text
    # the labels alone, in the order of every image
    assert hidden["asked"] == asked_findings(reading)
    assert {name for entry in hidden["asked"] for name in entry} == {"label", "title", "evaluated"}
    assert hidden["findings"] is None
    assert hidden["hidden"]
    assert len(revealed["findings"]["rows"]) == 14
    assert revealed["version"] != hidden["version"]
    assert any("would change" in warning for warning in revealed["warnings"])
    assert '"above": null' not in worklist


REFUSED = {
    "no token": ({"X-Second-Read-Token": ""}, 403),
    "a wrong secret": ({"X-Second-Read-Token": "NAME.wrong"}, 403),
    "another site": ({"Sec-Fetch-Site": "cross-site"}, 403),
    "another origin": ({"Origin": "http://evil.example.org"}, 403),
    "another port of this host": ({"Origin": "http://127.0.0.1:9"}, 403),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_request_that_is_not_of_the_tab_is_refused(server, case):
    tab = server.tab()
    headers, status = REFUSED[case]
    headers = {name: value.replace("NAME", tab._name) for name, value in headers.items()}

    async def conversation(client):
        responses = []
        for path in ("", f"/images/{SHA}", f"/images/{SHA}/pixels"):
            responses.append(await client.get(f"/worklist{path}", headers=headers))
        responses.append(await client.post("/worklist/images", content=DICOM, headers=headers))
        return responses

    for response in answers(server, tab, conversation):
        assert response.status_code == status
    assert not tab.images.images


def test_the_token_ends_with_the_tab_the_sign_in_and_the_role(server, monkeypatch):
    monkeypatch.setenv("SECOND_READ_ROLE_CLAIM", "roles")
    settings.cache_clear()

    def person(subject, roles="reader"):
        return visitor_of({"sub": subject, "iss": "https://id.example.org", "roles": roles, "exp": 4e9}, settings())

    tab, other = server.tab("ann's", "ann"), server.tab("eve's", "eve")

    def codes(client_tab):
        async def conversation(client):
            return [(await client.get("/worklist")).status_code, (await add(client)).status_code]

        return answers(server, client_tab, conversation)

    server.person = person("ann")
    assert codes(tab) == [200, 200]
    # the token of another person's tab
    assert codes(other) == [403, 403]
    server.person = person("ann", roles="none")
    assert codes(tab) == [403, 403]
    server.person = signed_out()
    assert codes(tab) == [401, 401]
    server.person = person("ann")
    del server.owners["ann's"]
    assert codes(tab) == [403, 403]
    assert not other.images.images


def test_bodies_that_are_too_long_for_what_they_state_or_for_the_worklist_are_not_read(server, monkeypatch):
    monkeypatch.setenv("SECOND_READ_SESSION_MB", "1")
    settings.cache_clear()
    tab, sent = server.tab(), []

    async def endless():
        while True:
            sent.append(1)
            yield b"x" * 65536

    async def conversation(client):
        async def post(content, length):
            return await client.post("/worklist/images", content=content, headers={"Content-Length": length})

        return [
            await post(endless(), "1000"),
            await post(endless(), str(2 * 10**6)),
            await post(endless(), str(10**10)),
            await post(endless(), "many"),
        ]

    assert [response.status_code for response in answers(server, tab, conversation)] == [413, 413, 413, 400]
    assert len(sent) * 65536 < 100 * 10**6
    assert not tab.images.images


def test_a_slow_body_is_ended(server, monkeypatch):
    monkeypatch.setattr(uploads, "STALLED_SECONDS", 0.1)

    async def slow():
        yield b"x"
        await asyncio.sleep(5)

    async def conversation(client):
        return await client.post("/worklist/images", content=slow(), headers={"Content-Length": "10"})

    assert answers(server, server.tab(), conversation).status_code == 408


def test_requests_of_one_tab_at_once_are_bounded(server):
    async def conversation(client):
        tag = (await client.get("/worklist")).headers["etag"]
        known = {"If-None-Match": tag}
        tasks = [asyncio.create_task(client.get("/worklist", headers=known)) for _ in range(REQUESTS_AT_ONCE + 9)]
        await asyncio.sleep(0.5)
        await add(client)
        return [(await task).status_code for task in tasks]

    codes = answers(server, server.tab(), conversation)
    assert sorted(codes) == [200] * REQUESTS_AT_ONCE + [503] * 9


def test_many_files_at_once_are_all_read_and_each_has_its_own_answer(server):
    files = [phantom_png(64 + n, 64) for n in range(20)]

    async def conversation(client):
        added = await asyncio.gather(*(add(client, data, upload=f"u/{n}/20") for n, data in enumerate(files)))
        return [await read(client, response.json()["added"][0]) for response in added]

    images = answers(server, server.tab(), conversation)
    for data, image in zip(files, images, strict=True):
        assert image["id"] == hashlib.sha256(data).hexdigest()
        assert image["rows"] == read_radiograph(data).rows


def test_an_image_of_another_tab_does_not_exist(server):
    mine, others = server.tab("mine"), server.tab("other")

    async def conversation(client):
        await add(client)
        await read(client)

    answers(server, others, conversation)

    async def ask(client):
        return [(await client.get(f"/worklist/images/{SHA}{path}")).status_code for path in ("", "/pixels")]

    assert answers(server, mine, ask) == [404, 404]


def test_an_error_names_its_type_alone(server, monkeypatch, caplog):
    def broken(*_, **__):
        raise ZeroDivisionError("QZPLANTEDNAME")

    monkeypatch.setattr(worklist_routes, "add_files", broken)
    with caplog.at_level(logging.DEBUG):
        response = answers(server, server.tab(), lambda client: add(client, name="QZPLANTEDFILE.dcm"))
    assert response.status_code == 500
    assert "ZeroDivisionError" in response.text
    assert "ZeroDivisionError" in caplog.text
    assert "QZPLANTED" not in response.text + caplog.text
