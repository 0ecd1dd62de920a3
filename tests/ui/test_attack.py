"""Bounded attacks on a local server, during which a second reader must still be served.

The server has sign-in; the tests know its secret and sign the cookies of visitors. Attackers connect from 127.0.0.2 and
higher, the second reader from 127.0.0.1.
"""

import asyncio
import contextlib
import http.client
import os
import signal
import socket
import sys
import time
import uuid
from pathlib import Path

import httpx
import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value
from websockets.exceptions import ConnectionClosed, InvalidStatus

from benchmarks.soak.server import served
from cxr_core.imaging import phantom_png
from cxr_core.ui.server.connections import ANONYMOUS_MESSAGE_BYTES, MESSAGE_BYTES
from tests.protocol import Reader, Run, signed_in

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="other addresses of this machine, and /proc"),
]

SECRET = "0123456789" * 4
SESSION_SECONDS = 4
SESSIONS, SESSIONS_PER_ADDRESS, CONNECTIONS, UPLOADS_MB, UPLOAD_SECONDS = 45, 30, 200, 60, 6
ALLOWED_MB = 150
"""Permitted growth of the server's memory: the uploads, one copy of those in progress, and a margin."""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("attack")
    (folder / "secrets.toml").write_text(
        f'[auth]\nredirect_uri = "http://127.0.0.1:1/oauth2callback"\ncookie_secret = "{SECRET}"\nclient_id = "a"\n'
        'client_secret = "b"\nserver_metadata_url = "http://127.0.0.1:9/.well-known/openid-configuration"\n'
    )
    options = ("--secrets.files", str(folder / "secrets.toml"), "--server.disconnectedSessionTTL", str(SESSION_SECONDS))
    limits = {
        "ROLE_CLAIM": "roles",
        "RUNS": str(folder / "runs"),
        "MAX_SESSIONS": SESSIONS,
        "MAX_SESSIONS_PER_ADDRESS": SESSIONS_PER_ADDRESS,
        "MAX_CONNECTIONS": CONNECTIONS,
        "UPLOADS_MB": UPLOADS_MB,
        "UPLOAD_SECONDS": UPLOAD_SECONDS,
    }
    with served(*options, **{f"SECOND_READ_{name}": str(value) for name, value in limits.items()}) as server:
        # load the model and read an image before the first measurement
        asyncio.run(read_image(server.address))
        yield server


def cookies(address: str, subject: str = "ann", **claims) -> dict[str, str]:
    """Return Streamlit's cookie of a signed-in visitor."""
    return signed_in(SECRET, address, subject, **claims)


async def read_image(address: str, number: int = 0) -> None:
    """Sign in as the second reader, add an image, and wait for its findings."""
    async with Reader(address, cookies(address, "second")) as reader:
        assert (await reader.read("a.png", phantom_png(256, 224 + number)))["findings"]


def get(address: str, path: str) -> str:
    """Send a GET request on a new connection."""
    with contextlib.closing(http.client.HTTPConnection(address.removeprefix("http://"), timeout=20)) as connection:
        connection.request("GET", path)
        return connection.getresponse().read().decode()


def health(address: str) -> float:
    """Return the response time of the health check in seconds."""
    started = time.monotonic()
    assert get(address, "/_stcore/health") == "ok"
    return time.monotonic() - started


METRICS_SECONDS = 5.5
"""Streamlit caches its metrics for five seconds."""


def stored_uploads_mb(address: str) -> float:
    """Return the size of the uploads that Streamlit stores, from its metrics."""
    time.sleep(METRICS_SECONDS)
    lines = get(address, "/_stcore/metrics?families=cache_memory_bytes").splitlines()
    return sum(float(line.split()[-1]) for line in lines if "UploadedFileManager" in line) / 1e6


def until(condition, seconds: float = 60) -> bool:
    """Wait until a condition holds; return whether it does."""
    end = time.monotonic() + seconds
    while not (holds := condition()) and time.monotonic() < end:
        time.sleep(0.5)
    return holds


def raw(address: str, source: str = "127.0.0.2") -> socket.socket:
    host, port = address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=30, source_address=(source, 0))


def test_uploads_without_sign_in_are_refused(server):
    async def attack():
        for cookie in ({}, cookies(server.address, exp=1), cookies(server.address, roles="none")):
            async with Reader(server.address, cookie, "127.0.0.2") as attacker:
                answers = [await attacker.put(b"x" * 10**6) for _ in range(3)]
                assert {answer.status_code for answer in answers} <= {401, 403}
                assert "Sign in" in answers[0].text

    before = server.memory_mb()
    asyncio.run(attack())
    assert stored_uploads_mb(server.address) == 0
    assert server.memory_mb() - before < ALLOWED_MB


def test_uploads_to_another_session_are_refused(server):
    async def attack():
        async with (
            Reader(server.address, cookies(server.address, "ann")) as ann,
            Reader(server.address, cookies(server.address, "eve")) as eve,
        ):
            assert (await eve.put(b"x", ann.session)).status_code == 403
            assert (await eve.put(b"x", "no-such-session")).status_code == 403
            assert (await eve.put(b"x")).status_code == 204
            # a cookie with another signature
            eve._http.cookies.clear()
            eve._http.cookies.set("_streamlit_user", create_signed_value("f" * 40, "_streamlit_user", "{}").decode())
            assert (await eve.put(b"x")).status_code in (401, 403)

    asyncio.run(attack())


def test_a_tab_that_sends_large_or_malformed_messages_is_closed(server):
    def names(count: int) -> bytes:
        message = BackMsg()
        message.file_urls_request.file_names.extend(["a"] * count)
        return message.SerializeToString()

    async def close_code(cookie: dict, data: bytes | str) -> int:
        async with Reader(server.address, cookie, "127.0.0.2") as tab:
            tab._listening.cancel()
            await asyncio.wait([tab._listening])
            with contextlib.suppress(ConnectionClosed):
                await tab._socket.send(data)
                async with asyncio.timeout(10):
                    while True:
                        await tab._socket.recv()
            return tab._socket.close_code

    async def attack():
        ann = cookies(server.address)
        assert await close_code(ann, b"\x00" * (MESSAGE_BYTES + 1)) == 1009
        assert await close_code({}, b"\x00" * (ANONYMOUS_MESSAGE_BYTES + 1)) == 1009
        assert await close_code({}, names(1)) == 1008
        assert await close_code(ann, names(501)) == 1008
        assert await close_code(ann, b"\xff\xff") == 1008
        assert await close_code(ann, "text") == 1008

    asyncio.run(attack())


def test_many_idle_sockets_do_not_stall_other_visitors(server):
    """Tabs without sign-in from several addresses, then of a signed-in visitor."""

    async def open_tab(opened: list, source: str, cookie: dict) -> int:
        tab = Reader(server.address, cookie, source)
        # only the socket is opened
        tab.rerun = tab.until = lambda *_: asyncio.sleep(0, Run())
        try:
            await tab.__aenter__()
        except InvalidStatus as refused:
            await tab._http.aclose()
            return refused.response.status_code
        opened.append(tab)
        return 101

    async def attack():
        slowest, opened = 0.0, []
        try:
            for cookie, sources, accepted in (
                ({}, 6, SESSIONS // 3),
                (cookies(server.address), 1, SESSIONS_PER_ADDRESS),
            ):
                codes = []
                for _ in range(10):
                    tabs = (open_tab(opened, f"127.0.0.{2 + n % sources}", cookie) for n in range(15))
                    codes += await asyncio.gather(*tabs)
                    slowest = max(slowest, await asyncio.to_thread(health, server.address))
                assert codes.count(101) == accepted, codes
                assert set(codes) == {101, 403}
                await read_image(server.address, accepted)
                for tab in opened:
                    await tab.__aexit__()
                opened.clear()
        finally:
            for tab in opened:
                await tab.__aexit__()
        return slowest

    before = server.memory_mb()
    assert asyncio.run(attack()) < 5
    assert server.memory_mb() - before < ALLOWED_MB


def test_silent_connections_do_not_exclude_others_and_are_closed(server):
    connections = [raw(server.address, f"127.0.0.{2 + n % 2}") for n in range(3 * CONNECTIONS)]
    try:
        # two addresses may take all connections, one address at most half
        for connection in connections[1::2]:
            connection.close()
        time.sleep(1)
        assert health(server.address) < 5
        asyncio.run(read_image(server.address, 40))
        assert until(lambda: all(map(_closed, connections[::2])))
    finally:
        for connection in connections:
            connection.close()


def test_connections_that_waited_for_a_busy_server_are_refused_as_they_are_accepted(server):
    before = len(open_files(server))
    os.kill(server.pid, signal.SIGSTOP)
    try:
        connections = [raw(server.address, f"127.0.0.{2 + n % 2}") for n in range(4 * CONNECTIONS)]
    finally:
        os.kill(server.pid, signal.SIGCONT)
    try:
        most, deadline = 0, time.monotonic() + 60
        while sum(map(_closed, connections)) < 3 * CONNECTIONS and time.monotonic() < deadline:
            most = max(most, *(len(open_files(server)) for _ in range(20)))
        assert sum(map(_closed, connections)) >= 3 * CONNECTIONS
        assert CONNECTIONS / 2 < most - before <= CONNECTIONS + 10
    finally:
        for connection in connections:
            connection.close()
    assert health(server.address) < 5


def open_files(server) -> list[Path]:
    return list(Path(f"/proc/{server.pid}/fd").iterdir())


def _closed(connection: socket.socket) -> bool:
    connection.settimeout(0)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_routes_of_the_reading_page_serve_nobody_but_the_person_of_the_tab(server):
    async def attack():
        async with (
            Reader(server.address, cookies(server.address, "ann")) as ann,
            Reader(server.address, cookies(server.address, "eve"), "127.0.0.2") as eve,
            Reader(server.address, {}, "127.0.0.2") as stranger,
        ):
            image = await ann.read("a.png", phantom_png(256, 230))
            token, paths = ann.token, ("", f"/images/{image['id']}", f"/images/{image['id']}/pixels")

            async def codes(reader, **headers):
                headers = {"X-Second-Read-Token": token} | headers
                answers = [await reader.request("GET", path, headers=headers) for path in paths]
                answers.append(await reader.request("POST", "/images", content=b"x" * 10**6, headers=headers))
                return {answer.status_code for answer in answers}

            assert await codes(eve) == {403}
            assert await codes(stranger) == {401}
            for cookie in (cookies(server.address, "ann", exp=1), cookies(server.address, "ann", roles="none")):
                eve._http.cookies.clear()
                eve._http.cookies.update(cookie)
                assert await codes(eve) <= {401, 403}
            assert await codes(ann, **{"Sec-Fetch-Site": "cross-site"}) == {403}
            assert await codes(ann, Origin="http://127.0.0.1:1") == {403}
            assert await codes(ann, **{"X-Second-Read-Token": "none"}) == {403}
            # a browser names no origin with a GET
            del ann._http.headers["Origin"]
            assert (await ann.request("GET", "")).status_code == 200
        # once the tab is closed, its token opens nothing
        async with Reader(server.address, cookies(server.address, "ann")) as ann:
            assert await codes(ann) == {403}

    before = server.memory_mb()
    asyncio.run(attack())
    assert server.memory_mb() - before < ALLOWED_MB


def test_a_thousand_requests_at_once_are_answered_or_refused_and_others_are_served(server):
    """A third of them without a token; all on connections of their own, of which one address may have half."""

    async def attack():
        async with Reader(server.address, cookies(server.address, "many"), "127.0.0.5") as many:
            image = await many.read("a.png", phantom_png(256, 231))
            tag = (await many.request("GET", "")).headers["etag"]
            pixels = f"/images/{image['id']}/pixels"
            kinds = (("", {"If-None-Match": tag}), (pixels, {}), (pixels, {"X-Second-Read-Token": ""}))
            transport = httpx.AsyncHTTPTransport(local_address="127.0.0.5", limits=httpx.Limits(max_connections=None))
            most = 0

            async def ask(client: httpx.AsyncClient, number: int) -> int:
                path, headers = kinds[number % 3]
                try:
                    headers = {"X-Second-Read-Token": many.token} | headers
                    return (await client.get(f"/worklist{path}", headers=headers)).status_code
                except (OSError, httpx.HTTPError):
                    # more connections than one address may have
                    return 0

            async with httpx.AsyncClient(
                base_url=server.address, timeout=120, cookies=many._cookies, transport=transport
            ) as client:
                asked = [asyncio.create_task(ask(client, number)) for number in range(1000)]
                second = asyncio.create_task(asyncio.to_thread(asyncio.run, read_image(server.address, 43)))
                while not all(task.done() for task in (second, *asked)):
                    most = max(most, len(open_files(server)))
                    await asyncio.sleep(0.02)
                await second
            codes = [await task for task in asked]
            # the same tab is served again
            again = await many.pixels(image["id"])
            assert (await many.request("GET", "")).status_code == 200
            assert again[:4] == b"SRF1"
            return codes, most

    before, files = server.memory_mb(), len(open_files(server))
    codes, most = asyncio.run(attack())
    assert set(codes) <= {0, 200, 304, 403, 503}
    for code in (200, 403, 503):
        assert codes.count(code) > 0, code
    # two tabs with their event loops, and the connections of two addresses
    assert most - files < CONNECTIONS + 50
    assert server.memory_mb("VmHWM") - before < ALLOWED_MB
    assert health(server.address) < 5
    asyncio.run(read_image(server.address, 45))


def route_head(reader: Reader, address: str, length: str) -> bytes:
    cookie = "; ".join(f"{name}={value}" for name, value in cookies(address, "slow").items())
    host = address.removeprefix("http://")
    return (
        f"POST /worklist/images HTTP/1.1\r\nHost: {host}\r\nOrigin: {address}\r\nCookie: {cookie}\r\n"
        f"X-Second-Read-Token: {reader.token}\r\n{length}\r\n\r\n"
    ).encode()


def upload_head(address: str, session: str, length: str, **claims) -> bytes:
    cookie = "; ".join(f"{name}={value}" for name, value in cookies(address, "slow", **claims).items())
    host = address.removeprefix("http://")
    return (
        f"PUT /_stcore/upload_file/{session}/{uuid.uuid4()} HTTP/1.1\r\nHost: {host}\r\nOrigin: {address}\r\n"
        f"Cookie: {cookie}\r\nContent-Type: multipart/form-data; boundary=b\r\n{length}\r\n\r\n"
    ).encode()


def status_code(connection: socket.socket) -> int:
    connection.settimeout(30)
    data = b""
    with contextlib.suppress(OSError):
        while b"\r\n" not in data and (part := connection.recv(4096)):
            data += part
    return int(data.split()[1]) if data else 0


def test_slow_uploads_are_ended_and_do_not_delay_other_readers(server):
    async def attack():
        async with Reader(server.address, cookies(server.address, "slow"), "127.0.0.3") as slow:
            token = slow._http.headers["X-Xsrftoken"]
            connections = [raw(server.address, "127.0.0.3") for _ in range(12)]
            for number, connection in enumerate(connections):
                # half to Streamlit's route, half to ours
                head = upload_head(server.address, slow.session, "Content-Length: 1000000")
                head = head.replace(b"Cookie: ", f"X-Xsrftoken: {token}\r\nCookie: _streamlit_xsrf={token}; ".encode())
                connection.sendall(head if number % 2 else route_head(slow, server.address, "Content-Length: 1000000"))
                connection.sendall(b"--b\r\n")
            await read_image(server.address, 41)
            await asyncio.sleep(0)
            answers = await asyncio.gather(*(asyncio.to_thread(status_code, connection) for connection in connections))
            for connection in connections:
                connection.close()
            return answers

    started = time.monotonic()
    answers = asyncio.run(attack())
    assert set(answers) == {408}
    # eight at a time
    assert time.monotonic() - started < 2 * UPLOAD_SECONDS + 20


def test_bodies_longer_than_stated_or_permitted_are_not_read(server):
    async def session() -> tuple[Reader, str]:
        reader = await Reader(server.address, cookies(server.address, "slow"), "127.0.0.3").__aenter__()
        return reader, reader._http.headers["X-Xsrftoken"]

    def send(head: bytes, part: bytes, max_bytes: int) -> tuple[int, int]:
        connection, count = raw(server.address, "127.0.0.3"), 0
        connection.settimeout(10)
        with connection:
            with contextlib.suppress(OSError):
                connection.sendall(head)
                while count < max_bytes:
                    connection.sendall(part)
                    count += len(part)
            return status_code(connection), count

    async def attack():
        reader, token = await session()
        xsrf = f"X-Xsrftoken: {token}\r\nCookie: _streamlit_xsrf={token}; ".encode()
        # endless chunked bodies, to the upload and to a page
        part = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
        head = upload_head(server.address, reader.session, "Transfer-Encoding: chunked").replace(b"Cookie: ", xsrf)
        host = server.address.removeprefix("http://")
        results = [
            await asyncio.to_thread(send, head, part, 300 * 10**6),
            await asyncio.to_thread(
                send, route_head(reader, server.address, "Transfer-Encoding: chunked"), part, 300 * 10**6
            ),
            await asyncio.to_thread(send, route_head(reader, server.address, f"Content-Length: {10**10}"), part, 10**8),
            await asyncio.to_thread(
                send,
                f"POST /_stcore/health HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n".encode(),
                part,
                10**8,
            ),
            await asyncio.to_thread(
                send, f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {10**9}\r\n\r\n".encode(), part, 10**8
            ),
            await asyncio.to_thread(
                send,
                upload_head(server.address, reader.session, f"Content-Length: {10**10}").replace(b"Cookie: ", xsrf),
                part,
                10**8,
            ),
        ]
        await reader.__aexit__()
        return results

    before = server.memory_mb()
    for status, count in asyncio.run(attack()):
        assert status in (0, 405, 413, 503), (status, count)
        assert count < 300 * 10**6
    assert server.memory_mb("VmHWM") - before < ALLOWED_MB


def test_many_files_in_one_worklist_stay_within_its_limit_and_are_released_when_the_tab_closes(server):
    async def attack():
        async with Reader(server.address, cookies(server.address, "flood"), "127.0.0.4") as flood:

            async def add(number: int) -> int:
                # no image, so that it is given up when it was read
                data = number.to_bytes(4, "big") + b"x" * 10**7
                try:
                    return (await flood.request("POST", "/images", content=data)).status_code
                except httpx.HTTPError:
                    # refused, and closed before all of it was sent
                    return 0

            codes = await asyncio.gather(*(add(number) for number in range(30)))
            await read_image(server.address, 44)
            return codes

    before = server.memory_mb()
    assert set(asyncio.run(attack())) <= {0, 200, 413, 503}
    assert until(lambda: server.memory_mb() - before < ALLOWED_MB)
    assert server.memory_mb("VmHWM") - before < 2 * ALLOWED_MB


def test_many_uploads_stay_within_the_limit_and_are_released_when_the_tab_closes(server):
    async def attack():
        async with Reader(server.address, cookies(server.address, "flood"), "127.0.0.4") as flood:
            data, answers = b"x" * 10**7, []
            for _ in range(4):
                answers += await asyncio.gather(*(flood.put(data) for _ in range(10)))
            stored = await asyncio.to_thread(stored_uploads_mb, server.address)
            # small files of a second reader still fit
            await read_image(server.address, 42)
            return [answer.status_code for answer in answers], stored

    before, after = server.memory_mb(), []
    for _ in range(2):
        codes, stored = asyncio.run(attack())
        assert set(codes) == {204, 503}, codes
        assert 0 < stored <= UPLOADS_MB
        assert until(lambda: stored_uploads_mb(server.address) == 0)
        after.append(server.memory_mb())
    assert server.memory_mb("VmHWM") - before < ALLOWED_MB
    # memory that the allocator retains does not grow
    assert after[1] - after[0] < 30, (before, after)
