"""A lead (role reviewer) signs in with the real app in Chromium: Concordance, Monitoring and History, and no more."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from contextlib import closing
from types import SimpleNamespace
from urllib.parse import urlsplit

import httpx
import pytest

from cxr_core.access import Role
from cxr_core.imaging import phantom_dicom
from cxr_core.settings import settings
from cxr_core.store.reads import ReadStore
from cxr_core.ui.guard import PAGES
from tests.browser import browsing, serving, upload
from tests.e2e.test_sign_in import SECRETS, provider
from tests.reads import store_reads

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

READS = 48
NAME, PATIENT_ID = "Quendelzahn", "QZ-4711"
OF_READER = phantom_dicom(256, 224, PatientName=f"{NAME}^Xaver", PatientID=PATIENT_ID)
OF_LEAD = phantom_dicom(224, 256, PatientName="Lindwurm^Ida", PatientID="LW-1")
GO = "path => { history.pushState({}, '', path); dispatchEvent(new PopStateEvent('popstate')) }"
FOR_LEADS = ("concordance", "monitoring")
SIGNS = {
    "concordance": f"opinions on {READS - 2} studies by 2 readers",
    "monitoring": "compared with validation patients",
    "model": "Model facts",
    "admin": "Loss contribution per label",
}
"""What stands on a page once it is drawn."""
FOR_ADMINISTRATORS = ("Import a model", "This server")
NAMES = ("Ann Reader", "subject-reader", "reader-0", "reader-1")
"""Of readers, which are called by number."""


@pytest.fixture(scope="module")
def hospital(tmp_path_factory):
    """The app with sign-in and reads of two readers in its store, whose names no lead may see."""
    folder = tmp_path_factory.mktemp("lead")
    folders = {"SECOND_READ_HOME": str(folder / "home"), "SECOND_READ_RUNS": str(folder / "runs")}
    stored = folders | {"SECOND_READ_KEEP": "store", "SECOND_READ_IDENTITY": "screen"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in stored.items():
            patch.setenv(name, value)
        settings.cache_clear()
        with closing(ReadStore()) as store:
            store_reads(store, READS)
    settings.cache_clear()
    with provider(lifetime=3600) as port:
        secrets = SECRETS.format(cookie=os.urandom(24).hex(), port=port, late=port)
        (folder / "secrets.toml").write_text(secrets)
        roles = {"SECOND_READ_ROLE_CLAIM": "rights.second-read", "SECOND_READ_ADMINS": "bob@example.org"}
        roles |= {"SECOND_READ_AUDIT": str(folder / "audit.jsonl")}
        with serving("--secrets.files", str(folder / "secrets.toml"), **stored, **roles) as address:
            yield SimpleNamespace(address=address, trail=folder / "audit.jsonl")


class Person:
    """A page of somebody in a browser of its own, and what it receives."""

    def __init__(self, page, address):
        self.page, self.address, self._finished, self._frames = page, address, [], []
        page.set_default_timeout(60_000)
        page.on("requestfinished", lambda request: self._finished.append(request))
        page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: self._frames.append(frame)))

    def received(self) -> str:
        """Return frames since the last call, and answers to the page that is open: of the app, without its program."""
        from playwright.sync_api import Error

        parts, self._frames = [one if isinstance(one, bytes) else one.encode() for one in self._frames], []
        finished, self._finished = self._finished, []
        for request in finished:
            own = request.url.startswith(self.address) and not urlsplit(request.url).path.endswith((".js", ".css"))
            response = request.response() if own else None
            if response is not None and response.status == 200:
                # a page that was left took its answers with it
                with contextlib.suppress(Error):
                    parts.append(response.body())
        return b"\n".join(parts).decode("latin-1")

    def arrive(self, path: str, subject: str) -> None:
        """Open an address that asks for sign-in, and be led back to it."""
        self.page.goto(f"{self.address}/{path}")
        self.page.get_by_role("button", name="Sign in", exact=True).click()
        self.page.wait_for_url("http://127.0.0.1:*/oauth2/authorize**")
        self.page.get_by_role("button", name=subject).click()
        self.page.wait_for_url(f"{self.address}/**")

    def read(self, data: bytes) -> str:
        """Have an image read on the front page; return its digest."""
        image = hashlib.sha256(data).hexdigest()
        self.page.goto(self.address)
        self.page.wait_for_selector("text=A second opinion on a chest X-ray")
        upload(self.page, ("a.dcm", data))
        self.page.wait_for_selector(f'canvas.radiograph[data-sha="{image}"]')
        self.page.wait_for_selector(".findings .row")
        return image

    def see(self, words: str) -> None:
        """Wait until the page has words, and all that follows them."""
        self.page.wait_for_selector(f"text={words}")
        self.page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")

    def follow(self, title: str) -> None:
        """Go to a page by the navigation."""
        self.page.get_by_role("link", name=title, exact=True).click()
        self.page.wait_for_function("title => document.title.endsWith(title)", arg=f"{title} · Second Read")

    def offered(self) -> list[str]:
        """Return the pages that the navigation offers."""
        return [one.title for one in PAGES if self.page.get_by_role("link", name=one.title, exact=True).count()]

    def beside(self, address: str) -> tuple[Person, str]:
        """Open an address with an image in a further tab; return the tab and its token."""
        tab = Person(self.page.context.new_page(), self.address)
        with tab.page.expect_request("**/worklist/images/*") as sent:
            tab.page.goto(address)
        return tab, sent.value.headers["x-second-read-token"]

    def answers(self, image: str, token: str) -> list[int]:
        """Return what the routes answer to the cookies of this browser: worklist, image, pixels, an opinion, reveal."""
        cookies = "; ".join(f"{one['name']}={one['value']}" for one in self.page.context.cookies())
        headers = {"Cookie": cookies, "X-Second-Read-Token": token, "Origin": self.address}
        opinion = json.dumps({"label": "Mass", "opinion": "present", "comment": ""})
        of_image = f"/worklist/images/{image}"
        with httpx.Client(base_url=self.address, headers=headers, timeout=30) as client:
            got = [client.get(path) for path in ("/worklist", of_image, f"{of_image}/pixels")]
            got += [client.post(f"{of_image}/opinions", content=opinion), client.post(f"{of_image}/reveal")]
        return [answer.status_code for answer in got]


@pytest.fixture
def people(hospital, chromium):
    """What opens a browser for one more person; nobody is signed in."""
    with browsing(chromium) as page, contextlib.ExitStack() as end:

        def one_more() -> Person:
            context = page.context.browser.new_context(viewport={"width": 1440, "height": 900})
            end.callback(context.close)
            return Person(context.new_page(), hospital.address)

        yield one_more


def test_a_lead_sees_the_statistics_and_every_page_cold_and_warm_and_nothing_of_an_administrator(hospital, people):
    # cold: the first page of this browser, led to from sign-in; then by address, each with a session of its own
    lead, every = people(), [one.title for one in PAGES if one.role <= Role.REVIEWER]
    lead.arrive("concordance", "subject-lead")
    for stem, sign in SIGNS.items():
        if stem != "concordance":
            lead.page.goto(f"{hospital.address}/{stem}")
        lead.see(sign)
        lead.see("Signed in: Lea Lead, role reviewer")
        assert lead.offered() == every
    # warm: by the navigation, in one session
    signs = {one.title: sign for one in PAGES for stem, sign in SIGNS.items() if one.stem == stem}
    for title, sign in signs.items():
        lead.follow(title)
        lead.see(sign)
    lead.page.goto(f"{hospital.address}/concordance?by=reader")
    lead.see("Reader 1")
    received = lead.received()
    assert {title for title in every if title in received} == set(every)
    assert "Reader 2" in received
    assert [words for words in (*FOR_ADMINISTRATORS, *NAMES) if words in received] == []
    events = [json.loads(line) for line in hospital.trail.read_text().splitlines()]
    assert {(one["what"], one["role"]) for one in events if one["who"] == "subject-lead"} == {("sign-in", "reviewer")}
    # the same search finds what an administrator sees
    administrator = people()
    administrator.arrive("model", "subject-admin")
    administrator.see("Model facts")
    administrator.follow("Admin")
    administrator.see(SIGNS["admin"])
    administrator.follow("Operations")
    administrator.see("This server")
    received = administrator.received()
    assert [words for words in FOR_ADMINISTRATORS if words not in received] == []


def test_a_reader_is_refused_what_the_lead_sees_cold_and_warm(hospital, people):
    reader = people()
    refused = "text=This page needs the role reviewer; your role is reader."
    reader.arrive("concordance?by=reader", "subject-reader")
    reader.page.wait_for_selector(refused)
    reader.page.goto(f"{hospital.address}/monitoring")
    reader.page.wait_for_selector(refused)
    # warm: in the session of a page that is allowed, where the browser knows no other than the front page
    reader.page.goto(f"{hospital.address}/model")
    reader.page.wait_for_selector("text=Model facts")
    reader.follow("History")
    assert reader.offered() == ["Second opinion", "Model", "History"]
    for stem in FOR_LEADS:
        reader.page.evaluate(GO, f"/{stem}")
        reader.page.wait_for_selector("text=A second opinion on a chest X-ray")
        reader.follow("History")
    received = reader.received()
    secret = (*(SIGNS[stem] for stem in FOR_LEADS), "Reader 1", *NAMES[2:])
    assert [words for words in secret if words in received] == []


def test_a_lead_has_a_history_of_the_own_and_sees_reads_of_others_without_their_patients(hospital, people):
    reader, lead = people(), people()
    reader.arrive("", "subject-reader")
    of_reader = reader.read(OF_READER)
    _, token_of_reader = reader.beside(hospital.address)
    reader.follow("History")
    reader.page.locator(".reads tbody tr").first.wait_for()
    assert reader.page.locator(".reads tbody tr").count() == 1
    reader.page.locator(".reads tbody tr").click()
    reader.page.wait_for_selector(f".sr-whose:has-text('{NAME}, Xaver')")
    address = reader.page.url

    lead.arrive("history", "subject-lead")
    lead.page.wait_for_selector(f"text={READS + 1} reads of all readers")
    of_lead = lead.read(OF_LEAD)
    _, token_of_lead = lead.beside(hospital.address)
    lead.received()
    # warm: by the navigation; the own read stands first, and it alone is the lead's
    lead.follow("History")
    lead.page.wait_for_selector(f"text={READS + 2} reads of all readers")
    lead.page.locator(".reads tbody tr").first.wait_for()
    assert lead.page.locator(".reads td.reader", has_text="(you)").count() == 1
    lead.page.locator(".reads tbody tr").first.click()
    lead.page.wait_for_selector(f'canvas.radiograph[data-sha="{of_lead}"]')
    assert lead.page.get_by_role("button", name="Open in the worklist").count() == 1
    own = lead.page.url
    # of another reader: warm by the table, cold by its address
    lead.page.get_by_role("button", name="All reads").click()
    lead.page.locator(".reads tbody tr").nth(1).click()
    cold, token_of_history = lead.beside(address)
    for one in (lead, cold):
        one.see("Read of another reader.")
        one.page.wait_for_selector(f'canvas.radiograph[data-sha="{of_reader}"]')
        assert one.page.url == address
        assert one.page.get_by_role("button", name="Open in the worklist").count() == 0
        received = one.received()
        assert of_reader in received
        assert [words for words in (NAME, PATIENT_ID, *NAMES) if words in received] == []

    # the routes: each token for its own browser and what it opened; a stored read is not changed from History
    assert lead.answers(of_lead, token_of_lead)[:3] == [200] * 3
    assert lead.answers(of_reader, token_of_lead) == [200, 404, 404, 404, 404]
    assert lead.answers(of_reader, token_of_history) == [200, 200, 200, 403, 403]
    assert lead.answers(of_lead, token_of_history)[1:] == [404, 404, 403, 403]
    for token in (token_of_lead, token_of_history):
        assert reader.answers(of_lead, token) == [403] * 5
    assert reader.answers(of_lead, token_of_reader) == [200, 404, 404, 404, 404]
    assert lead.answers(of_reader, token_of_reader) == [403] * 5
    # the read of the lead is none to the reader: warm, in the session that shows the own one, and cold
    for opened in (lambda: reader.page.evaluate(GO, own), lambda: reader.page.goto(own)):
        opened()
        reader.page.wait_for_selector("text=No such read or study")
    assert "Lindwurm" not in reader.received()
