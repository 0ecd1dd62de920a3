"""Sign-in against a provider on this machine, with the real app in Chromium: in, refused, out, and too late."""

import contextlib
import json
import os
import re
from types import SimpleNamespace

import pytest

from cxr_core.ui.guard import PAGES
from tests.browser import browsing, free_port, running, serving

pytestmark = pytest.mark.e2e

PEOPLE = {
    "subject-reader": {"name": "Ann Reader", "email": "ann@example.org", "rights": {"second-read": ["reader"]}},
    "subject-admin": {"name": "Bob Admin", "email": "bob@example.org", "email_verified": True},
    "subject-nobody": {"name": "Eve Nobody", "email": "eve@example.org", "rights": {"elsewhere": ["admin"]}},
}
TITLES = [screen.title for screen in PAGES]
SECRETS = """
[auth]
redirect_uri = "http://127.0.0.1:{{port}}/oauth2callback"
cookie_secret = "{cookie}"
client_id = "second-read"
client_secret = "of the tests"
server_metadata_url = "http://127.0.0.1:{port}/.well-known/openid-configuration"

[auth.late]
client_id = "second-read"
client_secret = "of the tests"
server_metadata_url = "http://127.0.0.1:{late}/.well-known/openid-configuration"
"""

SILENT = """
[auth.silent]
client_id = "second-read"
client_secret = "of the tests"
server_metadata_url = "http://127.0.0.1:{silent}/.well-known/openid-configuration"
"""


@contextlib.contextmanager
def provider(*, lifetime: int):
    """An OpenID Connect provider with these people; gives its port."""
    port = free_port()
    claims = [json.dumps({"sub": subject} | more) for subject, more in PEOPLE.items()]
    command = ["oidc_provider_mock", "--port", str(port), "--token-max-age", str(lifetime)]
    command += [part for one in claims for part in ("--user-claims", one)]
    with running(command, f"http://127.0.0.1:{port}", "/.well-known/openid-configuration", b"issuer"):
        yield port


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """The app with sign-in; one of its providers gives tokens that ended a minute ago, and one does not answer.

    (Authlib allows for two minutes between clocks, and lets those in.)
    """
    folder = tmp_path_factory.mktemp("sign-in")
    with provider(lifetime=3600) as port, provider(lifetime=-60) as late:
        secrets = (SECRETS + SILENT).format(cookie=os.urandom(24).hex(), port=port, late=late, silent=free_port())
        (folder / "secrets.toml").write_text(secrets)
        with serving(
            "--secrets.files",
            str(folder / "secrets.toml"),
            SECOND_READ_ROLE_CLAIM="rights.second-read",
            SECOND_READ_ADMINS="bob@example.org",
            SECOND_READ_AUDIT=str(folder / "audit.jsonl"),
        ) as address:
            yield SimpleNamespace(address=address, trail=folder / "audit.jsonl")


@pytest.fixture
def browser(guarded, chromium):
    """A browser of its own, without anything from elsewhere that the provider's pages would like to have."""
    with browsing(chromium) as page:
        page.route(re.compile(r"^https?://(?!127\.0\.0\.1)"), lambda route: route.abort())
        yield page


def sign_in(page, address, subject, button="Sign in"):
    page.goto(address)
    page.get_by_role("button", name=button, exact=True).click()
    page.wait_for_url("http://127.0.0.1:*/oauth2/authorize**")
    page.get_by_role("button", name=subject).click()
    page.wait_for_url(f"{address}/**")


def sign_out(page, address):
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="End session").click()
    page.wait_for_url(f"{address}/**")
    page.wait_for_selector("text=Sign in to go on.")


def offered(page) -> list[str]:
    """Pages that the navigation offers."""
    return [title for title in TITLES if page.get_by_role("link", name=title).count()]


def events(guarded, subject):
    lines = [json.loads(line) for line in guarded.trail.read_text().splitlines()]
    return [(line["what"], line["role"]) for line in lines if line["who"] == subject]


def told_of(browser) -> list[str]:
    """Titles of pages that come to the browser from now on, whatever it shows of them."""
    told = []

    def note(frame):
        data = frame if isinstance(frame, bytes) else frame.encode()
        told.extend(title for title in TITLES if title.encode() in data)

    browser.on("websocket", lambda socket: socket.on("framereceived", note))
    return told


def test_nobody_sees_the_door_alone_at_every_address(guarded, browser):
    told = told_of(browser)
    # first, so that the process has not run its navigation yet
    for path in ("model", "second_opinion", "", "no_such_page"):
        browser.goto(f"{guarded.address}/{path}")
        browser.wait_for_selector("text=Sign in to go on.")
        assert offered(browser) == []
        assert browser.locator("input[type=file]").count() == 0
        assert "What it is" not in browser.content()
    assert told == []


def test_a_provider_that_does_not_answer_is_named_and_not_offered(guarded, browser):
    browser.goto(guarded.address)
    browser.wait_for_selector("text=The sign-in provider (silent) does not answer. Try again in a minute")
    # drawn after the words
    browser.get_by_role("button", name="Sign in with late").wait_for()
    assert browser.get_by_role("button", name="Sign in with silent").count() == 0


def test_a_reader_signs_in_reads_and_signs_out(guarded, browser):
    told = told_of(browser)
    sign_in(browser, guarded.address, "subject-reader")
    browser.wait_for_selector("text=A second opinion on a chest X-ray")
    browser.wait_for_selector("text=Signed in: Ann Reader, role reader")
    assert offered(browser) == ["Second opinion", "Model"]
    browser.goto(f"{guarded.address}/model")
    browser.wait_for_selector("text=What it is")
    assert browser.locator("text=Import a model").count() == 0
    assert {"Second opinion", "Model"} == set(told)
    browser.goto(f"{guarded.address}/evaluation")
    browser.wait_for_selector("text=It needs the role reviewer; you are signed in as reader.")
    browser.get_by_role("button", name="Ann Reader · reader").click()
    browser.wait_for_selector("text=Signed in until")
    sign_out(browser, guarded.address)
    browser.goto(f"{guarded.address}/model")
    browser.wait_for_selector("text=Sign in to go on.")
    assert {what for what, _ in events(guarded, "subject-reader")} == {"sign-in", "refusal", "sign-out"}
    trail = guarded.trail.read_text()
    assert "Ann" not in trail
    assert "example.org" not in trail


def test_an_administrator_of_the_list_is_offered_the_import(guarded, browser):
    sign_in(browser, guarded.address, "subject-admin")
    browser.wait_for_selector("text=Signed in: Bob Admin, role admin")
    assert offered(browser) == TITLES
    browser.goto(f"{guarded.address}/model")
    browser.wait_for_selector("text=Import a model")


def test_a_person_without_a_role_is_refused_and_can_leave(guarded, browser):
    sign_in(browser, guarded.address, "subject-nobody")
    browser.wait_for_selector("text=You are signed in as Eve Nobody. You have no role on this server.")
    assert browser.locator("input[type=file]").count() == 0
    browser.goto(f"{guarded.address}/model")
    browser.wait_for_selector("text=You have no role on this server.")
    assert offered(browser) == []
    sign_out(browser, guarded.address)
    assert events(guarded, "subject-nobody")[0] == ("refusal", "")


def test_a_token_that_has_ended_leads_back_to_sign_in(guarded, browser):
    sign_in(browser, guarded.address, "subject-admin", button="Sign in with late")
    browser.wait_for_selector("text=Sign in again")
    browser.wait_for_selector("text=Your sign-in has ended")
    assert browser.locator("input[type=file]").count() == 0
    sign_in(browser, guarded.address, "subject-admin")
    browser.wait_for_selector("text=Signed in: Bob Admin, role admin")
