"""A provider answers where its metadata can be had and name where to sign in; else the log has a word of it."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from cxr_core.access import provider_responds
from tests.processes import free_port

METADATA = b'{"authorization_endpoint": "http://127.0.0.1/authorize"}'
ANSWERS = {
    "/good": (200, METADATA),
    "/moved": (302, b""),
    "/error": (500, METADATA),
    "/none": (404, b""),
    "/page": (200, b"<html>sign in to the network</html>"),
    "/list": (200, b"[]"),
    "/empty": (200, b"{}"),
}


@pytest.fixture(scope="module")
def server():
    class Provider(BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = ANSWERS[self.path]
            self.send_response(status)
            self.send_header("Location", "/good")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Provider) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()


@pytest.mark.parametrize("path", ANSWERS)
def test_only_metadata_are_an_answer(server, path):
    assert provider_responds(f"{server}{path}") == (path in ("/good", "/moved"))


@pytest.mark.parametrize("address", ["", "no address", "ftp://127.0.0.1/x", "http://[", "http://127.0.0.1:{port}/x"])
def test_where_nobody_is_there_is_no_answer_and_a_warning_without_the_address(address, caplog):
    with free_port() as port:
        assert provider_responds(address.format(port=port), seconds=1) is False
    assert "returns no usable metadata" in caplog.text
    assert "127.0.0.1" not in caplog.text
