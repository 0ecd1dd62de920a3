"""What the server says to a real browser: the policy breaks no page, and nobody else may frame one."""

import http.client
import re

import pytest

from cxr_core.imaging import phantom_dicom
from cxr_core.store import RunStore
from cxr_core.ui.guard import PAGES
from tests.browser import browsing, open_front_page, running, serving, upload, wait_until_drawn
from tests.processes import free_port
from tests.runs import made_up, made_up_boxes, record_of

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    store = RunStore(folder=folder)
    predictions = made_up(400, readers=5)
    store.add(record_of(predictions), predictions, made_up_boxes(predictions))
    store.close()
    with serving(SECOND_READ_RUNS=str(folder)) as served:
        yield served


def watched(page) -> tuple[list[str], list[str]]:
    """Return what the browser will say of the policy, and the addresses that it will ask, as they come."""
    violations, asked = [], []
    page.on(
        "console",
        lambda message: (
            violations.append(message.text)
            if re.search("content.security|refused to|violates", message.text, re.IGNORECASE)
            else None
        ),
    )
    page.on("request", lambda request: asked.append(request.url))
    return violations, asked


@pytest.mark.parametrize("screen", PAGES, ids=lambda screen: screen.stem)
def test_no_page_breaks_the_policy_or_asks_another_origin(chromium, address, screen):
    with browsing(chromium) as page:
        violations, asked = watched(page)
        page.goto(f"{address}/{screen.stem}")
        page.wait_for_selector(".sr-notice")
        if screen.stem in ("evaluation", "admin", "subgroups", "readers", "localisation", "training_data"):
            page.wait_for_selector(".js-plotly-plot .main-svg")
        wait_until_drawn(page)
        assert violations == []
        assert [url for url in asked if not url.startswith((address, "data:", f"blob:{address}"))] == []


def test_an_image_is_read_and_shown_under_the_policy(chromium, address):
    with browsing(chromium) as page:
        violations, _ = watched(page)
        open_front_page(page, address)
        upload(page, ("a.dcm", phantom_dicom()))
        page.wait_for_selector("canvas.radiograph[data-label]")
        page.wait_for_timeout(1000)
        assert violations == []


def test_the_watch_sees_a_violation(chromium, address):
    with browsing(chromium) as page:
        violations, _ = watched(page)
        page.goto(address)
        page.wait_for_selector(".sr-notice")
        page.evaluate("() => { try { eval('1') } catch (e) { } }")
        with page.expect_event("console", lambda message: message.text in violations):
            page.evaluate("() => fetch('https://192.0.2.1/').catch(() => 0)")
        assert len(violations) >= 1


def test_another_origin_cannot_frame_a_page(chromium, address, tmp_path):
    (tmp_path / "index.html").write_text(f'<title>other</title><iframe src="{address}"></iframe>')
    with free_port() as port:
        other = f"http://127.0.0.1:{port}"
        command = ["http.server", str(port), "--bind", "127.0.0.1", "--directory", str(tmp_path)]
        with running(command, other, "/", b"other"), browsing(chromium) as page:
            with page.expect_event("console", lambda message: "frame-ancestors" in message.text):
                page.goto(other)
            assert all(frame.url == other + "/" or not frame.url.startswith(address) for frame in page.frames)


def ask(address: str, path: str, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=20)
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    answer.body = answer.read()
    connection.close()
    return answer


@pytest.mark.parametrize("path", ["/", "/model", "/_stcore/health", "/_stcore/host-config", "/no/such", "/media/x.png"])
def test_every_answer_has_the_headers(address, path):
    answer = ask(address, path)
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert "unsafe-eval" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Strict-Transport-Security"] is None
    assert "Secure" not in (answer.headers["Set-Cookie"] or "")


def test_behind_https_the_browser_is_told_to_stay_there_and_cookies_are_for_it_alone(address):
    answer = ask(address, "/_stcore/health", X_Forwarded_Proto="https", X_Forwarded_For="192.0.2.1")
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
    assert answer.headers["Set-Cookie"].endswith("; Secure")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:1", 200),
        ("LOCALHOST", 200),
        ("second-read.example.org", 421),
        ("127.0.0.1.example.org", 421),
        ("user@localhost", 421),
        ("localhost/x", 421),
        ("", 421),
    ],
)
def test_a_host_that_is_not_allowed_is_told_nothing(address, host, status):
    answer = ask(address, "/_stcore/health", Host=host)
    assert answer.status == status
    assert (answer.body == b"ok") == (status == 200)
    assert "frame-ancestors" in answer.headers["Content-Security-Policy"]


def test_no_origin_may_speak_to_the_page_and_metrics_are_for_this_machine(address):
    assert b'"allowedOrigins":[]' in ask(address, "/_stcore/host-config").body
    assert ask(address, "/_stcore/metrics").status == 200
    assert ask(address, "/_stcore/metrics", Via="1.1 a").status == 404
