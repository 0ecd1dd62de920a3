"""Requests to a DICOMweb service that this file serves; tests/orthanc.py has a real one."""

import base64
import json
import logging
import threading
from contextlib import contextmanager
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from cxr_core.errors import PacsRefused, PacsUnavailable, WrongArguments
from cxr_core.pacs.addresses import WebAddress
from cxr_core.pacs.association import tls_context
from cxr_core.pacs.dicomweb import checked, echo, multipart_body, parts_of, retrieve, store, web_client
from cxr_core.settings import settings


@contextmanager
def service(answer, tls=None):
    """A service on loopback; ``answer`` gets each request's handler and returns (status, headers, body)."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, headers, body = answer(self)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield WebAddress(f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}/dicom-web")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_echo_searches_below_the_root_and_knows_a_wrong_password():
    expected = "Basic " + base64.b64encode("läser:a:b".encode()).decode()

    def answer(request):
        assert request.path == "/dicom-web/studies?limit=1"
        return (200 if request.headers["Authorization"] == expected else 401), {}, b"[]"

    with service(answer) as address:
        echo(address, "läser:a:b")
        for wrong in (None, "läser:planted"):
            with pytest.raises(PacsUnavailable, match="SECOND_READ_PACS_CREDENTIALS") as raised:
                echo(address, wrong)
            assert "planted" not in str(raised.value)


def test_a_token_is_sent_as_it_is():
    with service(
        lambda request: (204 if request.headers["Authorization"] == "Bearer abc" else 401, {}, b"")
    ) as address:
        echo(address, "Bearer abc")


@pytest.mark.parametrize("credentials", ["planted", ":planted", "Bearer ", "Bearer ä"])
def test_credentials_that_are_none_are_refused_and_not_repeated(credentials):
    with pytest.raises(WrongArguments) as raised, web_client(WebAddress("http://127.0.0.1:9"), credentials):
        pass
    assert "planted" not in str(raised.value)


@pytest.mark.parametrize(
    ("status", "error"),
    [(500, PacsUnavailable), (503, PacsUnavailable), (429, PacsUnavailable), (404, PacsUnavailable),
     (302, PacsUnavailable), (409, PacsRefused), (400, PacsRefused), (415, PacsRefused)],
)  # fmt: skip
def test_what_may_change_is_asked_again_and_what_may_not_is_not(status, error):
    headers = {"Location": "http://127.0.0.1:9/"} if status == 302 else {}
    with service(lambda _: (status, headers, b"planted")) as address, pytest.raises(error, match=str(status)) as raised:
        echo(address)
    assert "planted" not in str(raised.value)


def test_nobody_there_is_one_line():
    with service(lambda _: (200, {}, b"")) as address:
        pass
    with pytest.raises(PacsUnavailable, match="cannot be reached"):
        echo(address)


def test_no_proxy_of_the_environment_is_used(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    with service(lambda _: (200, {}, b"[]")) as address:
        echo(address)


def test_no_address_is_logged(caplog):
    with service(lambda _: (200, {}, b"[]")) as address, caplog.at_level(logging.DEBUG):
        logging.getLogger().setLevel(logging.DEBUG)
        with web_client(address) as client:
            client.get("studies", params={"PatientName": "planted"})
    assert "planted" not in caplog.text


def test_tls_needs_the_authority(own_folders, certificates):
    for name, file in (("CERTIFICATE", "certificate"), ("KEY", "key")):
        own_folders.setenv(f"SECOND_READ_PACS_TLS_{name}", str(certificates / f"{file}.pem"))
    settings.cache_clear()
    with service(lambda _: (200, {}, b"[]"), tls_context(server=True)) as address:
        with pytest.raises(PacsUnavailable):
            echo(address)
        own_folders.setenv("SECOND_READ_PACS_TLS_CA", str(certificates / "ca.pem"))
        settings.cache_clear()
        echo(address)


FILES = [b"DICM one", b"", b"\r\n--other\r\n\r\n" * 3, bytes(range(256)) * 9]


def test_a_body_of_files_has_the_parts_of_rfc_2046():
    """The second witness is Python's parser of mail."""
    content_type, body = multipart_body(FILES)
    mail = message_from_bytes(f"Content-Type: {content_type}\r\nMIME-Version: 1.0\r\n\r\n".encode() + body)
    parts = mail.get_payload()
    assert len(parts) == len(FILES)
    assert {part.get_content_type() for part in parts} == {"application/dicom"}
    response = httpx.Response(
        200, headers={"Content-Type": content_type}, content=body, request=httpx.Request("GET", "http://pacs/")
    )
    assert parts_of(checked(response, WebAddress("http://pacs"))) == FILES


def test_an_answer_that_is_not_multipart_is_named():
    response = httpx.Response(200, json=["planted"], request=httpx.Request("GET", "http://pacs/"))
    with pytest.raises(PacsUnavailable, match="multipart") as raised:
        parts_of(response)
    assert "planted" not in str(raised.value)


def failed(reason):
    """The answer to a store that fails for a reason (PS3.18 I.2)."""
    return json.dumps({"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [reason]}}]}}).encode()


@pytest.mark.parametrize(
    ("status", "body", "comes"),
    [
        (200, b"{}", 0),
        (200, b"<html>", 0),
        (202, failed(0xA700), 0xA700),
        (202, failed(0xC000), 0xC000),
        (409, failed(0x0111), 0x0111),
        (409, failed(0xA700), PacsRefused),
        (409, b"<html>planted", PacsRefused),
        (400, failed(0x0111), PacsRefused),
        (503, failed(0x0111), PacsUnavailable),
    ],
)
def test_the_answer_to_a_store(status, body, comes):
    with service(lambda _: (status, {}, body)) as address, web_client(address) as client:
        if isinstance(comes, int):
            assert store(client, address, "1.2", b"DICM") == comes
        else:
            with pytest.raises(comes, match=str(status)) as raised:
                store(client, address, "1.2", b"DICM")
            assert "planted" not in str(raised.value)


def test_an_instance_that_is_not_there_is_none():
    with service(lambda _: (404, {}, b"")) as address, web_client(address) as client:
        assert retrieve(client, address, "1.2", "1.3", "1.4") is None
