"""Sign-in against a provider on this machine, with the real app in Chromium: in, refused, out, and too late."""

import contextlib
import hashlib
import json
import os
from types import SimpleNamespace

import httpx
import pytest

from cxr_core.imaging import phantom_png
from cxr_core.ui.guard import PAGES
from tests.browser import browsing, running, serving, upload
from tests.processes import free_port

pytestmark = pytest.mark.e2e

PEOPLE = {
    "subject-reader": {"name": "Ann Reader", "email": "ann@example.org", "rights": {"second-read": ["reader"]}},
    "subject-lead": {"name": "Lea Lead", "email": "lea@example.org", "rights": {"second-read": ["reviewer"]}},
    "subject-admin": {"name": "Bob Admin", "email": "bob@example.org", "email_verified": True},
    "subject-nobody": {"name": "Eve Nobody", "email": "eve@example.org", "rights": {"elsewhere": ["admin"]}},
}
TITLES = [screen.title for screen in PAGES]
OFFERED = [screen.title for screen in PAGES if not screen.of_store]
"""To an administrator, where nothing is stored."""
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
    claims = [json.dumps({"sub": subject} | more) for subject, more in PEOPLE.items()]
    with free_port() as port:
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
    with provider(lifetime=3600) as port, provider(lifetime=-60) as late, free_port() as silent:
        secrets = (SECRETS + SILENT).format(cookie=os.urandom(24).hex(), port=port, late=late, silent=silent)
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
    with browsing(chromium) as page:
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
    page.wait_for_selector("text=Sign in to continue.")


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
        browser.wait_for_selector("text=Sign in to continue.")
        assert offered(browser) == []
        assert browser.locator("input[type=file]").count() == 0
        assert "Model facts" not in browser.content()
    assert told == []


def test_a_provider_that_does_not_answer_is_named_and_not_offered(guarded, browser):
    browser.goto(guarded.address)
    browser.wait_for_selector("text=The sign-in provider (silent) does not respond. Try again in a minute")
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
    browser.wait_for_selector("text=Model facts")
    assert browser.locator("text=Import a model").count() == 0
    assert {"Second opinion", "Model"} == set(told)
    browser.goto(f"{guarded.address}/evaluation")
    browser.wait_for_selector("text=This page needs the role reviewer; your role is reader.")
    browser.get_by_role("button", name="Ann Reader · reader").click()
    browser.wait_for_selector("text=Signed in until")
    sign_out(browser, guarded.address)
    browser.goto(f"{guarded.address}/model")
    browser.wait_for_selector("text=Sign in to continue.")
    assert {what for what, _ in events(guarded, "subject-reader")} == {"sign-in", "refusal", "sign-out"}
    trail = guarded.trail.read_text()
    assert "Ann" not in trail
    assert "example.org" not in trail


def test_after_sign_out_by_the_button_the_token_of_the_tab_and_its_cookie_open_nothing(guarded, browser):
    data = phantom_png(64, 64)
    sign_in(browser, guarded.address, "subject-reader")
    browser.wait_for_selector("text=A second opinion on a chest X-ray")
    with browser.expect_request("**/worklist/images") as sent:
        upload(browser, ("a.png", data))
    image = hashlib.sha256(data).hexdigest()
    browser.wait_for_selector(f'canvas.radiograph[data-sha="{image}"]')
    cookies = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in browser.context.cookies())
    headers = {"Cookie": cookies, "X-Second-Read-Token": sent.value.headers["x-second-read-token"]}

    def codes():
        with httpx.Client(base_url=guarded.address, headers=headers, timeout=30) as client:
            answers = [client.get(f"/worklist{path}") for path in ("", f"/images/{image}", f"/images/{image}/pixels")]
            answers.append(client.post("/worklist/images", content=data, headers={"Origin": guarded.address}))
            return [answer.status_code for answer in answers]

    assert codes() == [200] * 4
    browser.get_by_role("button", name="Ann Reader · reader").click()
    browser.wait_for_selector("text=Signed in until")
    sign_out(browser, guarded.address)
    assert codes() == [403] * 4


def test_an_administrator_of_the_list_is_led_to_the_address_and_offered_the_import(guarded, browser):
    browser.goto(f"{guarded.address}/evaluation?label=Effusion")
    browser.get_by_role("button", name="Sign in", exact=True).click()
    browser.wait_for_url("http://127.0.0.1:*/oauth2/authorize**")
    browser.get_by_role("button", name="subject-admin").click()
    # the address that was asked for, which the page completes
    browser.wait_for_url(f"{guarded.address}/evaluation?**label=Effusion**")
    browser.wait_for_selector("text=Signed in: Bob Admin, role admin")
    assert offered(browser) == OFFERED
    browser.goto(f"{guarded.address}/model")
    browser.wait_for_selector("text=Import a model")


@pytest.mark.slow
def test_a_person_without_a_role_is_refused_and_can_leave(guarded, browser):
    sign_in(browser, guarded.address, "subject-nobody")
    browser.wait_for_selector("text=You are signed in as Eve Nobody. You have no role on this server.")
    assert browser.locator("input[type=file]").count() == 0
    browser.goto(f"{guarded.address}/model")
    browser.wait_for_selector("text=You have no role on this server.")
    assert offered(browser) == []
    sign_out(browser, guarded.address)
    assert events(guarded, "subject-nobody")[0] == ("refusal", "")


@pytest.mark.slow
def test_a_token_that_has_ended_leads_back_to_sign_in(guarded, browser):
    sign_in(browser, guarded.address, "subject-admin", button="Sign in with late")
    browser.wait_for_selector("text=Sign in again")
    browser.wait_for_selector("text=Your sign-in has expired")
    assert browser.locator("input[type=file]").count() == 0
    sign_in(browser, guarded.address, "subject-admin")
    browser.wait_for_selector("text=Signed in: Bob Admin, role admin")


@pytest.mark.slow
def test_two_people_at_once_have_their_own_worklists_and_a_sign_out_releases_that_of_one(guarded, browser):
    data = phantom_png(64, 66)
    image = hashlib.sha256(data).hexdigest()
    on_screen = f'canvas.radiograph[data-sha="{image}"]'
    contexts = [browser.context.browser.new_context() for _ in range(2)]
    ann, bob = (context.new_page() for context in contexts)

    def codes(cookies_of, token):
        """What the routes answer to the cookies of one page and a token."""
        cookies = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in cookies_of.context.cookies())
        headers = {"Cookie": cookies, "X-Second-Read-Token": token}
        with httpx.Client(base_url=guarded.address, headers=headers, timeout=30) as client:
            paths = ("", f"/images/{image}", f"/images/{image}/pixels")
            return [client.get(f"/worklist{path}").status_code for path in paths]

    def token_of(page):
        with page.expect_request("**/worklist") as sent:
            page.reload()
        return sent.value.headers["x-second-read-token"]

    try:
        for page, subject in ((ann, "subject-reader"), (bob, "subject-admin")):
            page.set_default_timeout(60_000)
            sign_in(page, guarded.address, subject)
            page.wait_for_selector("text=A second opinion on a chest X-ray")
        upload(ann, ("a.png", data))
        ann.wait_for_selector(on_screen)
        # a reload and a second tab of the same person have it; the other person, who may see more pages, does not
        of_ann, of_bob = token_of(ann), token_of(bob)
        ann.wait_for_selector(on_screen)
        second = contexts[0].new_page()
        second.goto(guarded.address)
        second.wait_for_selector(on_screen)
        bob.wait_for_selector("text=A second opinion on a chest X-ray")
        assert codes(ann, of_ann) == [200] * 3
        assert codes(bob, of_bob) == [200, 404, 404]
        assert codes(bob, of_ann) == codes(ann, of_bob) == [403] * 3
        ann.get_by_role("button", name="Ann Reader · reader").click()
        ann.wait_for_selector("text=Signed in until")
        sign_out(ann, guarded.address)
        assert codes(ann, of_ann) in ([401] * 3, [403] * 3)
        sign_in(ann, guarded.address, "subject-reader")
        ann.wait_for_selector("text=A second opinion on a chest X-ray")
    finally:
        for context in contexts:
            context.close()
