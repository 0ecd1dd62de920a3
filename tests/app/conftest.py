"""Signed-in visitors in Streamlit's test driver."""

import inspect
import time
from pathlib import Path

import pytest
import streamlit
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.testing.v1 import AppTest

from cxr_core.settings import settings
from cxr_core.ui import serving_model, sign_in, visitor, worklists

PROJECT = Path(__file__).resolve().parents[2]
AUTH = {
    "redirect_uri": "http://127.0.0.1:8501/oauth2callback",
    "cookie_secret": "0123456789" * 4,
    "client_id": "second-read",
    "client_secret": "secret",
    "server_metadata_url": "http://127.0.0.1:9400/.well-known/openid-configuration",
}


def person(roles=None, **claims):
    """Return the claims of a signed-in visitor, as Streamlit has them."""
    return {
        "is_logged_in": True,
        "sub": "subject-1",
        "iss": "https://id.example.org",
        "name": "Ann Other",
        "exp": time.time() + 3600,
        "roles": roles,
    } | claims


PEOPLE = {
    "nobody": {"is_logged_in": False},
    "expired": person("admin", exp=time.time() - 1),
    "no_role": person(),
    "reader": person("reader"),
    "reviewer": person(["other", "reviewer"]),
    "admin": person("admin"),
}


@pytest.fixture
def app_of(monkeypatch, trail):
    """Open the app for one of :data:`PEOPLE` or for other claims, on a server with sign-in; for ``local`` without.

    ``page`` is the page that the browser requests first.
    """
    monkeypatch.chdir(PROJECT)
    monkeypatch.setenv("SECOND_READ_ROLE_CLAIM", "roles")
    settings.cache_clear()
    streamlit.config.set_option("client.showErrorDetails", "full")
    # there is no provider at this address
    monkeypatch.setattr(sign_in, "provider_responds", lambda address: True)
    # the worklists of another server
    monkeypatch.setattr(worklists, "_OWNERS", {})
    # an event of the server, once per process
    monkeypatch.setattr(serving_model, "_record_serving", lambda *which: True)
    streamlit.cache_data.clear()

    def open_app(who, auth=AUTH, page: str = "") -> AppTest:
        app = AppTest.from_file(str(PROJECT / "cxr_core/ui/main.py"), default_timeout=300)
        app.context = {"url": f"http://127.0.0.1:8501/{page}"}
        if page:
            app.switch_page(f"../../pages/{page}.py")
        if who != "local":
            app.secrets["auth"] = auth
            app.user = dict(PEOPLE[who] if isinstance(who, str) else who)
        return app

    yield open_app
    visitor._SIGN_IN_SEEN.clear()
    settings.cache_clear()


@pytest.fixture
def offered(monkeypatch):
    """The functions that make the downloads of the page."""
    makes = []
    add = MediaFileManager.add_deferred

    def spy(self, make, *args, **options):
        makes.append(make)
        return add(self, make, *args, **options)

    monkeypatch.setattr(MediaFileManager, "add_deferred", spy)
    return makes


def last(offered):
    """The downloads of the last script run, by the kind that the audit trail names."""
    kinds = {}
    for make in reversed(offered):
        detail = inspect.getclosurevars(make).nonlocals["detail"]
        if detail in kinds:
            break
        kinds[detail] = make
    return kinds
