"""Access to every page of PAGES, cold and warm, for every kind of visitor."""

import time
from pathlib import Path

import pytest
import streamlit

from cxr_core.access import Role, audit
from cxr_core.settings import settings
from cxr_core.ui import guard as guard_module
from cxr_core.ui import sign_in, visitor
from tests.app.conftest import AUTH, PEOPLE, person

ROLES = {"local": Role.ADMIN, "reader": Role.READER, "reviewer": Role.REVIEWER, "admin": Role.ADMIN}


@pytest.fixture
def reached(monkeypatch):
    """The pages that passed their guard; they stop there."""
    stems = []
    guard = guard_module.guard

    def spy(script):
        guard(script)
        stems.append(Path(script).stem)
        streamlit.stop()

    monkeypatch.setattr(guard_module, "guard", spy)
    return stems


@pytest.fixture
def offered(monkeypatch):
    """The titles in the navigation, and as ``sent`` all titles, icons and addresses that the browser receives."""

    class Titles(list):
        sent: set[str]

    titles = Titles()
    navigation = streamlit.navigation

    def spy(pages, position):
        visible = [page.title for page in pages if page.visibility == "visible"]
        titles[:] = visible if position != "hidden" else []
        titles.sent = {text for page in pages for text in (page.title, page.icon, page.url_path)}
        return navigation(pages, position=position)

    monkeypatch.setattr(guard_module.st, "navigation", spy)
    return titles


def page_html(app) -> str:
    return "\n".join(element.proto.body for element in app.main.get("html"))


def buttons(app) -> list[str]:
    return [button.label for button in app.button]


def shows_only_the_refusal(app) -> bool:
    """Return whether the page shows only its frame and the sign-in or refusal."""
    kinds = {element.type for element in app.main} - {"main", "html", "button", "popover", "flex_container"}
    return not kinds and set(buttons(app)) <= {"Sign in", "Sign out"}


@pytest.mark.parametrize("who", ["local", *PEOPLE])
@pytest.mark.parametrize("screen", guard_module.PAGES, ids=lambda screen: screen.stem)
def test_access_to_every_page_cold(app_of, reached, offered, who, screen):
    app = app_of(who, page=screen.stem).run()
    check(app, who, screen, reached, offered)


@pytest.mark.parametrize("who", ["local", *PEOPLE])
def test_access_to_every_page_warm(app_of, reached, offered, who, monkeypatch):
    assert not all(screen.is_offered() for screen in guard_module.PAGES)
    monkeypatch.setenv("SECOND_READ_KEEP", "store")
    settings.cache_clear()
    assert all(screen.is_offered() for screen in guard_module.PAGES)
    app = app_of(who).run()
    for screen in guard_module.PAGES:
        reached.clear()
        # a browser opens a page that the navigation did not send by its address only
        permitted = ROLES.get(who, 0) >= screen.role and screen.is_offered()
        opened = app.switch_page(f"../../pages/{screen.stem}.py") if permitted else app_of(who, page=screen.stem)
        check(opened.run(), who, screen, reached, offered)


def check(app, who, screen, reached, offered):
    assert not app.exception
    role = ROLES.get(who, 0)
    assert reached == ([screen.stem] if role >= screen.role else [])
    assert offered == [other.title for other in guard_module.PAGES if role >= other.role and other.is_offered()]
    hidden = [other for other in guard_module.PAGES if role < other.role]
    assert not offered.sent & {text for other in hidden for text in (other.title, other.icon)}
    # the browser already has the address that it requests
    assert not offered.sent & {other.stem for other in hidden if other != screen}
    if role < screen.role:
        assert shows_only_the_refusal(app)


def test_an_open_page_is_refused_after_the_role_was_lost(app_of, reached, offered):
    app = app_of("reviewer", page="evaluation").run()
    assert reached == ["evaluation"]
    app.user["roles"] = "reader"
    app.run()
    assert reached == ["evaluation"]
    assert "This page needs the role reviewer; your role is reader." in page_html(app)
    assert offered == ["Second opinion", "Model"]
    assert audit.read()[0][-1].detail == "evaluation"


def test_every_script_in_pages_is_listed_once():
    stems = [screen.stem for screen in guard_module.PAGES]
    assert sorted(stems) == sorted(path.stem for path in (guard_module._FOLDER).glob("*.py"))


def test_a_refusal_states_the_required_role_and_is_recorded_once(app_of):
    app = app_of("reader", page="evaluation").run()
    assert "You do not have access to Evaluation" in page_html(app)
    assert "This page needs the role reviewer; your role is reader." in page_html(app)
    for _ in range(2):
        refused = [event for event in audit.read()[0] if event.what == "refusal"]
        assert [(event.who, event.role, event.detail) for event in refused] == [("subject-1", "reader", "evaluation")]
        app.run()


def test_a_visitor_without_sign_in_is_asked_to_sign_in_and_not_recorded(app_of):
    app = app_of("nobody").run()
    assert "Sign in to continue." in page_html(app)
    assert "Not signed in" in page_html(app)
    assert buttons(app) == ["Sign in"]
    assert audit.read() == ([], 0)


def test_each_provider_has_its_button(app_of):
    common = {key: AUTH[key] for key in ("redirect_uri", "cookie_secret")}
    one = {key: AUTH[key] for key in ("client_id", "client_secret", "server_metadata_url")}
    app = app_of("nobody", auth=common | {"hospital": one, "university": one, "client_kwargs": {"prompt": "login"}})
    assert buttons(app.run()) == ["Sign in with hospital", "Sign in with university"]


def test_an_unreachable_provider_is_offered_once_it_responds(app_of, monkeypatch):
    common = {key: AUTH[key] for key in ("redirect_uri", "cookie_secret", "client_id", "client_secret")}
    here, there = "http://127.0.0.1:9400/here", "http://127.0.0.1:9400/there"
    other = {"client_id": "second-read", "client_secret": "secret", "server_metadata_url": there}
    reachable, requested = {there}, []

    def answers(address):
        requested.append(address)
        return address in reachable

    monkeypatch.setattr(sign_in, "provider_responds", answers)
    app = app_of("nobody", auth=common | {"server_metadata_url": here, "university": other}).run()
    assert buttons(app) == ["Sign in with university", "Retry"]
    assert "The sign-in provider (default) does not respond. Try again in a minute" in page_html(app)
    app.run()
    assert sorted(requested) == [here, there]
    reachable.add(here)
    app.button(key="retry").click().run()
    assert buttons(app) == ["Sign in", "Sign in with university"]
    assert "does not respond" not in page_html(app)


def test_a_visitor_without_a_role_sees_the_reason_and_can_sign_out(app_of):
    app = app_of("no_role").run()
    assert "You are signed in as Ann Other. You have no role on this server." in page_html(app)
    assert "Signed in: Ann Other, no role" in page_html(app)
    app.button[0].click().run()
    assert not app.exception
    assert app.user == {"is_logged_in": False}
    assert buttons(app) == ["Sign in"]
    assert [event.what for event in audit.read()[0]] == ["refusal", "sign-out"]


def test_the_signed_in_visitor_is_shown_and_recorded_once(app_of, reached):
    app = app_of("reviewer").run()
    assert "Signed in: Ann Other, role reviewer" in page_html(app)
    assert "Role: reviewer" in page_html(app)
    (popover,) = app.get("popover")
    assert popover.proto.popover.label == "Ann Other · reviewer"
    app.run()
    events = audit.read()[0]
    assert [(event.what, event.who, event.role) for event in events] == [("sign-in", "subject-1", "reviewer")]
    assert "Ann" not in audit.path().read_text()


def test_signing_out_clears_the_worklist(app_of):
    app = app_of("reader").run()
    app.session_state["worklist"].add([("image", b"bytes")], max_images=1)
    next(button for button in app.button if button.label == "Sign out").click().run()
    assert not app.exception
    assert "worklist" not in app.session_state
    assert "Sign in to continue." in page_html(app)
    assert [event.what for event in audit.read()[0]] == ["sign-in", "sign-out"]


def test_an_expired_sign_in_is_explained(app_of, reached):
    app = app_of(person("admin", exp=time.time() + 3600)).run()
    assert reached == ["second_opinion"]
    app.user["exp"] = time.time() - 1
    app.run()
    assert reached == ["second_opinion"]
    assert "Sign in again" in page_html(app)
    assert "Your sign-in has expired" in page_html(app)
    assert buttons(app) == ["Sign in"]
    assert audit.read()[0][-1].detail == "expired"


def test_local_mode_is_stated(app_of, reached):
    app = app_of("local").run()
    assert reached == ["second_opinion"]
    assert "Local single-user mode: no sign-in, this machine only, role admin" in page_html(app)
    assert audit.read() == ([], 0)


@pytest.mark.parametrize("address", [None, "0.0.0.0", "192.0.2.7", "::", "app.example.org"])
@pytest.mark.parametrize("page", ["second_opinion", "model"])
def test_without_sign_in_other_machines_are_refused(app_of, reached, monkeypatch, address, page):
    option = streamlit.get_option
    monkeypatch.setattr(visitor.st, "get_option", lambda name: address if name == "server.address" else option(name))
    app = app_of("local", page=page).run()
    assert reached == []
    assert shows_only_the_refusal(app)
    assert "Set [auth] in .streamlit/secrets.toml" in page_html(app)
    assert buttons(app) == []


def test_without_sign_in_a_request_through_a_proxy_is_refused(app_of, reached, monkeypatch):
    monkeypatch.setattr(visitor, "is_local_request", lambda headers: False)
    app = app_of("local").run()
    assert reached == []
    assert "came from another machine" in page_html(app)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cookie_secret": "short"}, "auth.cookie_secret"),
        ({"cookie_secret": None}, "auth.cookie_secret"),
        ({"redirect_uri": "http://127.0.0.1:8501"}, "auth.redirect_uri"),
        ({"client_secret": ""}, "auth.client_secret must be set"),
        ({"client_id": None}, "auth.client_id must be set"),
        ({"server_metadata_url": None}, "auth.server_metadata_url must be set"),
    ],
)
def test_incomplete_sign_in_settings_close_the_app(app_of, reached, change, message):
    auth = {key: value for key, value in (AUTH | change).items() if value is not None}
    app = app_of("admin", auth=auth).run()
    assert reached == []
    assert message in page_html(app)
    assert buttons(app) == []


@pytest.mark.parametrize("auth", [{}, "on", ["x"]])
def test_an_invalid_auth_section_closes_the_app(app_of, reached, auth):
    app = app_of("admin", auth=auth).run()
    assert not app.exception
    assert reached == []
    assert "Sign-in is not set up" in page_html(app)


@pytest.mark.parametrize("content", ["[auth\n", "\udcff"])
def test_an_unreadable_secrets_file_closes_the_app(app_of, reached, monkeypatch, tmp_path, content):
    file = tmp_path / "secrets.toml"
    file.write_bytes(content.encode("utf-8", "surrogateescape"))
    streamlit.secrets._reset()
    before = streamlit.get_option("secrets.files")
    streamlit.config.set_option("secrets.files", [str(file)])
    try:
        app = app_of("local").run()
    finally:
        streamlit.config.set_option("secrets.files", before)
    assert not app.exception
    assert reached == []
    assert "secrets file cannot be read" in page_html(app)


def test_a_deleted_secrets_file_closes_the_app(app_of, reached):
    app_of("admin").run()
    app = app_of("local").run()
    assert reached == ["second_opinion"]
    assert "settings were deleted" in page_html(app)


def test_claims_without_a_sign_in_are_ignored(app_of, reached):
    """Streamlit has a default e-mail address without a sign-in."""
    for claims in ({"email": "test@example.com"}, person("admin", is_logged_in="true"), {"sub": "x", "roles": "admin"}):
        app = app_of({"is_logged_in": False} | claims).run()
        assert "Sign in to continue." in page_html(app)
    assert reached == []
