"""A reader without a browser: Streamlit's own protocol, as its page speaks it.

A page opens a WebSocket, asks for a run of the script, and gets the elements of the run one by one. Large messages are
kept by the page and only named by the server when they come again. Files go to the route of the reading page, with the
token that a component of the page has; readings and pixels come from routes, too.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from dataclasses import dataclass, field
from urllib.parse import quote

import httpx
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value
from websockets.asyncio.client import ClientConnection, connect

XSRF = "_streamlit_xsrf"
KEPT_RUNS = 2
"""So many runs long a page keeps a message that did not come again."""


def signed_in(secret: str, address: str, subject: str, **claims: object) -> dict[str, str]:
    """Return Streamlit's cookie of a person who has signed in as a reader, by the ``cookie_secret`` of the server."""
    user = {"origin": address, "is_logged_in": True, "sub": subject, "iss": "https://id.example.org"}
    user |= {"exp": time.time() + 3600, "roles": "reader"} | claims
    name = "_streamlit_user"
    return {name: create_signed_value(secret, name, json.dumps(user)).decode()}


@dataclass
class Run:
    """What one run of the script has sent so far."""

    elements: dict[tuple[int, ...], Element] = field(default_factory=dict)
    finished: bool = False

    def components(self) -> dict[str, Element]:
        """Return the page's own components by their names."""
        components = [e.bidi_component for e in self.elements.values() if e.WhichOneof("type") == "bidi_component"]
        return {component.component_name: component for component in components}

    def token(self) -> str:
        """Return the token of the tab."""
        return json.loads(self.components()["second_read_upload"].json)["token"]

    def words(self) -> str:
        """Return the text of everything that is written in HTML."""
        return "\n".join(e.html.body for e in self.elements.values() if e.WhichOneof("type") == "html")


class Reader:
    """One tab. ``async with Reader(address) as reader``.

    ``cookies`` are those of a person who has signed in; ``source`` is the address of this machine that it asks from;
    ``kept`` is the name of a cookie of the server, such as a proxy's, that the WebSocket is opened with, too;
    ``connected_by`` the id of the request that has opened it, which was sent with the id ``given``.
    """

    def __init__(
        self,
        address: str,
        cookies: dict[str, str] | None = None,
        source: str = "127.0.0.1",
        kept: str = "",
        given: str = "",
    ) -> None:
        self._address, self._cookies, self._source = address, dict(cookies or {}), source
        self._kept_cookie = kept
        self._given = {"X-Request-ID": given} if given else {}
        # one for each request: the server closes a connection that was silent for five seconds, and forty readers in
        # one process may need longer from choosing a connection to writing to it
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        transport = httpx.AsyncHTTPTransport(local_address=source, limits=limits)
        self._http = httpx.AsyncClient(
            base_url=address, timeout=120, headers={"Origin": address}, cookies=self._cookies, transport=transport
        )
        self._kept: dict[str, tuple[int, ForwardMsg]] = {}
        self._runs = 0
        self._page = ""
        self._changed = asyncio.Condition()
        self.run, self.session, self.token = Run(), "", "none"
        self.connected_by = ""

    async def __aenter__(self) -> Reader:
        await self._http.get("/_stcore/health")
        await self._http.get("/_stcore/host-config")
        token = self._http.cookies[XSRF]
        self._http.headers["X-Xsrftoken"] = token
        cookies = self._cookies | {XSRF: token}
        if self._kept_cookie:
            cookies[self._kept_cookie] = self._http.cookies[self._kept_cookie]
        self._socket: ClientConnection = await connect(
            self._address.replace("http", "ws", 1) + "/_stcore/stream",
            origin=self._address,
            subprotocols=["streamlit", token],
            additional_headers={"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
            | self._given,
            local_addr=(self._source, 0),
            max_size=None,
            compression=None,
        )
        self.connected_by = self._socket.response.headers["X-Request-ID"]
        self._listening = asyncio.create_task(self._listen())
        self._listening.add_done_callback(lambda _: setattr(self, "_telling", asyncio.create_task(self._tell())))
        await self.rerun()
        run = await self.until(lambda run: run.finished)
        # a visitor who has not signed in has none
        self.token = run.token() if "second_read_upload" in run.components() else "none"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listening.cancel()
        await self._socket.close()
        await self._http.aclose()

    async def until(self, seen, seconds: float = 300) -> Run:
        """Wait for a run of which ``seen(run)`` is true; TimeoutError where none comes."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(lambda: self._listening.done() or seen(self.run))
        if self._listening.done():
            self._listening.result()
            raise ConnectionError("the server closed the connection")
        return self.run

    async def put(self, data: bytes, session: str = "", file: str = "") -> httpx.Response:
        """Send a file for a session, by default this one, and never tell the script of it."""
        path = f"/_stcore/upload_file/{session or self.session}/{file or uuid.uuid4()}"
        return await self._http.put(path, files={"a": ("a", data, "application/octet-stream")})

    async def request(self, method: str, path: str, **options) -> httpx.Response:
        """Send a request to a route of the reading page, with the tab's token unless ``headers`` names another."""
        headers = {"X-Second-Read-Token": self.token, **options.pop("headers", {})}
        return await self._http.request(method, f"/worklist{path}", headers=headers, **options)

    async def add(self, name: str, data: bytes, upload: str = "") -> dict:
        """Send a file to the worklist, and return the answer; the script is not run."""
        headers = {"X-Second-Read-Name": quote(name)} | ({"X-Second-Read-Upload": upload} if upload else {})
        response = await self.request("POST", "/images", content=data, headers=headers)
        response.raise_for_status()
        return response.json()

    async def image(self, digest: str, seconds: float = 120) -> dict:
        """Return what is shown of an image, once it was read; ``waited`` has the texts until then."""
        waited: list[str] = []
        async with asyncio.timeout(seconds):
            while True:
                response = await self.request("GET", f"/images/{digest}")
                response.raise_for_status()
                image = response.json()
                if image["status"] != "waiting":
                    return image | {"waited": waited}
                waited.append(image["wait"])

    async def read(self, name: str, data: bytes) -> dict:
        """Send a file and return what is shown of its image."""
        return await self.image((await self.add(name, data))["shown"])

    async def pixels(self, digest: str, query: str = "") -> bytes:
        """Return the viewer's message of an image that was read."""
        while True:
            response = await self.request("GET", f"/images/{digest}/pixels{query}")
            response.raise_for_status()
            if response.status_code != 202:
                return response.content

    async def upload(self, name: str, data: bytes) -> None:
        """Drop a file, and return when the script is asked to show it."""
        await self.add(name, data)
        await self.rerun()

    async def rerun(self, change=None) -> None:
        """Ask for a run of the script; ``change(widget_states)`` sets what the reader did."""
        message = BackMsg()
        message.rerun_script.page_script_hash = self._page
        message.rerun_script.cached_message_hashes.extend(self._kept)
        message.rerun_script.widget_states.SetInParent()
        if change is not None:
            change(message.rerun_script.widget_states)
        self.run = Run()
        await self._send(message)

    async def _tell(self) -> None:
        """Wake those who wait for a run, of which none comes once the connection is closed."""
        async with self._changed:
            self._changed.notify_all()

    async def _send(self, message: BackMsg) -> None:
        await self._socket.send(message.SerializeToString())

    async def _listen(self) -> None:
        async for data in self._socket:
            message = ForwardMsg.FromString(data)
            async with self._changed:
                self._take(message)
                self._changed.notify_all()

    def _take(self, message: ForwardMsg) -> None:
        path = tuple(message.metadata.delta_path)
        if message.WhichOneof("type") == "ref_hash":
            message = self._kept[message.ref_hash][1]
            self._kept[message.hash] = self._runs, message
        elif message.metadata.cacheable:
            self._kept[message.hash] = self._runs, message
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self.run = Run()
            self.session = message.new_session.initialize.session_id or self.session
            self._page = message.new_session.page_script_hash
        elif kind == "navigation":
            self._page = message.navigation.page_script_hash
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            self.run.elements[path] = message.delta.new_element
        elif kind == "script_finished":
            self._runs += 1
            self._kept = {name: entry for name, entry in self._kept.items() if self._runs - entry[0] <= KEPT_RUNS}
            # a run that goes on as another one has not ended
            self.run.finished = message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY
