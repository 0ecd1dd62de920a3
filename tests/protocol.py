"""A reader without a browser: Streamlit's own protocol, as its page speaks it.

A page opens a WebSocket, asks for a run of the script, and gets the elements of the run one by one. A file is uploaded
in three steps: ask for an address over the socket, PUT the bytes there, ask for a run with the uploader's new state.
Large messages are kept by the page and only named by the server when they come again.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field

import httpx
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Common_pb2 import FileURLs
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

XSRF = "_streamlit_xsrf"
KEPT_RUNS = 2
"""So many runs long a page keeps a message that did not come again."""


@dataclass
class Run:
    """What one run of the script has sent so far."""

    elements: dict[tuple[int, ...], Element] = field(default_factory=dict)
    finished: bool = False

    def components(self) -> dict[str, Element]:
        """Return the page's own components by their names."""
        found = [e.bidi_component for e in self.elements.values() if e.WhichOneof("type") == "bidi_component"]
        return {component.component_name: component for component in found}

    def uploader(self) -> str:
        """Return the id of the first uploader."""
        return next(e.file_uploader.id for e in self.elements.values() if e.WhichOneof("type") == "file_uploader")

    def words(self) -> str:
        """Return the text of everything that is written in HTML."""
        return "\n".join(e.html.body for e in self.elements.values() if e.WhichOneof("type") == "html")


class Reader:
    """One tab. ``async with Reader(address) as reader``.

    ``cookies`` are those of a person who has signed in; ``source`` is the address of this machine that it asks from.
    """

    def __init__(self, address: str, cookies: dict[str, str] | None = None, source: str = "127.0.0.1") -> None:
        self._address, self._cookies, self._source = address, dict(cookies or {}), source
        transport = httpx.AsyncHTTPTransport(local_address=source)
        self._http = httpx.AsyncClient(
            base_url=address, timeout=120, headers={"Origin": address}, cookies=self._cookies, transport=transport
        )
        self._kept: dict[str, tuple[int, ForwardMsg]] = {}
        self._runs = 0
        self._page = ""
        self._urls: dict[str, asyncio.Future[FileURLs]] = {}
        self._changed = asyncio.Condition()
        self.run, self.session = Run(), ""

    async def __aenter__(self) -> Reader:
        await self._http.get("/_stcore/health")
        await self._http.get("/_stcore/host-config")
        token = self._http.cookies[XSRF]
        self._http.headers["X-Xsrftoken"] = token
        self._socket: ClientConnection = await connect(
            self._address.replace("http", "ws", 1) + "/_stcore/stream",
            origin=self._address,
            subprotocols=["streamlit", token],
            additional_headers={"Cookie": "; ".join(f"{k}={v}" for k, v in [(XSRF, token), *self._cookies.items()])},
            local_addr=(self._source, 0),
            max_size=None,
            compression=None,
        )
        self._listening = asyncio.create_task(self._listen())
        await self.rerun()
        await self.until(lambda run: run.finished)
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

    async def upload(self, name: str, data: bytes) -> None:
        """Drop a file, and return when the script is asked to take it."""
        uploader = self.run.uploader()
        ask = BackMsg()
        ask.file_urls_request.request_id = str(uuid.uuid4())
        ask.file_urls_request.file_names.append(name)
        ask.file_urls_request.session_id = self.session
        answer = self._urls[ask.file_urls_request.request_id] = asyncio.get_running_loop().create_future()
        await self._send(ask)
        urls = await answer
        put = await self._http.put(urls.upload_url, files={name: (name, data, "application/octet-stream")})
        put.raise_for_status()

        def dropped(states) -> None:
            state = states.widgets.add(id=uploader)
            state.file_uploader_state_value.uploaded_file_info.add(
                name=name, size=len(data), file_id=urls.file_id, file_urls=urls
            )

        await self.rerun(dropped)

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
            self._kept = {name: kept for name, kept in self._kept.items() if self._runs - kept[0] <= KEPT_RUNS}
            # a run that goes on as another one has not ended
            self.run.finished = message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY
        elif kind == "file_urls_response":
            response = message.file_urls_response
            self._urls.pop(response.response_id).set_result(response.file_urls[0])
