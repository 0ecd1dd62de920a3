"""A download from a server on this machine: whole, truncated, too large, another answer, none."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cxr_core.errors import PathUnusable, WeightsRefused
from cxr_core.pretrained.download import download

CONTENT = bytes(range(256)) * 4000


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/missing":
            self.send_error(404)
            return
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "http://example.invalid/file")
            self.end_headers()
            return
        self.send_response(200)
        if self.path != "/nolength":
            self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[: len(CONTENT) // 2] if self.path == "/cut" else CONTENT)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_whole_file_with_progress_and_digest(server, tmp_path):
    reported = []
    digest = download(f"{server}/a.pt", tmp_path / "a.pt", max_bytes=10**7, report=lambda *at: reported.append(at))
    assert (tmp_path / "a.pt").read_bytes() == CONTENT
    assert digest == hashlib.sha256(CONTENT).hexdigest()
    assert reported[-1] == (len(CONTENT), len(CONTENT))
    assert len(reported) >= 4
    assert [done for done, _ in reported] == sorted({done for done, _ in reported})


def test_a_server_that_does_not_say_how_much(server, tmp_path):
    reported = []
    download(f"{server}/nolength", tmp_path / "a.pt", max_bytes=10**7, report=lambda *at: reported.append(at))
    assert reported[-1] == (len(CONTENT), None)


@pytest.mark.parametrize(
    ("path", "max_bytes", "words"),
    [
        ("/cut", 10**7, r"truncated|broke off"),
        ("/a.pt", 10**5, "more than 0 MB"),
        ("/missing", 10**7, "answers 404"),
        ("/away", 10**7, "only https"),
    ],
)
def test_what_is_no_whole_file_leaves_nothing(server, tmp_path, path, max_bytes, words):
    with pytest.raises(WeightsRefused, match=words) as refusal:
        download(server + path, tmp_path / "a.pt", max_bytes=max_bytes)
    assert "\n" not in str(refusal.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "url", ["http://example.org/a.pt", "file:///etc/passwd", "ftp://127.0.0.1/a", "https:/a b", "nothing"]
)
def test_only_https_is_asked(tmp_path, url):
    with pytest.raises(WeightsRefused):
        download(url, tmp_path / "a.pt", max_bytes=10)
    assert not list(tmp_path.iterdir())


def test_no_network_is_one_line_that_says_what_to_do(tmp_path, server):
    with pytest.raises(WeightsRefused, match="--file FILE") as refusal:
        download("http://127.0.0.1:9/a.pt", tmp_path / "a.pt", max_bytes=10)
    assert "\n" not in str(refusal.value)


def test_a_place_that_cannot_be_written(tmp_path, server):
    with pytest.raises(PathUnusable, match="cannot be written"):
        download(f"{server}/a.pt", tmp_path / "no" / "a.pt", max_bytes=10)
