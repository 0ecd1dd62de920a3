"""Who sees what: every page of PAGES, cold and warm, for everybody; a later page is covered by being there."""

import time
from pathlib import Path

import pytest
import streamlit

from cxr_core.access import Role, audit
from cxr_core.ui import door as way_in
from cxr_core.ui import guard as door
from cxr_core.ui import visitor
from tests.app.conftest import AUTH, PEOPLE, person

ROLES = {"local": Role.ADMIN, "reader": Role.READER, "reviewer": Role.REVIEWER, "admin": Role.ADMIN}


@pytest.fixture
def reached(monkeypatch):
    """The pages that got past their guard; there they stop, since what they draw is for other tests."""
    stems = []
    guard = door.guard

    def spy(script):
        guard(script)
        stems.append(Path(script).stem)
        streamlit.stop()

    monkeypatch.setattr(door, "guard", spy)
    return stems


@pytest.fixture
def offered(monkeypatch):
    """The titles that the navigation offers, and as ``told`` all titles, icons and addresses that it sends."""

    class Titles(list):
        told: set[str]

    titles = Titles()
    navigation = streamlit.navigation

    def spy(pages, position):
        visible = [page.title for page in pages if page.visibility == "visible"]
        titles[:] = visible if position != "hidden" else []
        titles.told = {words for page in pages for words in (page.title, page.icon, page.url_path)}
        return navigation(pages, position=position)

    monkeypatch.setattr(door.st, "navigation", spy)
    return titles


def words(app) -> str:
    return "\n".join(element.proto.body for element in app.main.get("html"))


def buttons(app) -> list[str]:
    return [button.label for button in app.button]


def nothing_but_the_door(app) -> bool:
    """Whether all that is drawn is text of the frame and the door, and its buttons."""
    kinds = {element.type for element in app.main} - {"main", "html", "button", "popover", "flex_container"}
    return not kinds and set(buttons(app)) <= {"Sign in", "Sign out"}


@pytest.mark.parametrize("who", ["local", *PEOPLE])
@pytest.mark.parametrize("screen", door.PAGES, ids=lambda screen: screen.stem)
def test_every_page_cold_is_seen_by_its_role_and_by_nobody_below(app_of, reached, offered, who, screen):
    app = app_of(who, page=screen.stem).run()
    check(app, who, screen, reached, offered)


@pytest.mark.parametrize("who", ["local", *PEOPLE])
def test_every_page_warm_is_seen_by_its_role_and_by_nobody_below(app_of, reached, offered, who):
    app = app_of(who).run()
    for screen in door.PAGES:
        reached.clear()
        # a page that a browser was not told of it can only open by its address
        seen = ROLES.get(who, 0) >= screen.role
        opened = app.switch_page(f"../../pages/{screen.stem}.py") if seen else app_of(who, page=screen.stem)
        check(opened.run(), who, screen, reached, offered)


def check(app, who, screen, reached, offered):
    assert not app.exception
    role = ROLES.get(who, 0)
    assert reached == ([screen.stem] if role >= screen.role else [])
    assert offered == [other.title for other in door.PAGES if role >= other.role]
    hidden = [other for other in door.PAGES if role < other.role]
    assert not offered.told & {words for other in hidden for words in (other.title, other.icon)}
    # the address of the one that the browser asks for, it knows
    assert not offered.told & {other.stem for other in hidden if other != screen}
    if role < screen.role:
        assert nothing_but_the_door(app)


def test_a_page_whose_role_was_lost_meanwhile_is_refused_where_one_is(app_of, reached, offered):
    app = app_of("reviewer", page="evaluation").run()
    assert reached == ["evaluation"]
    app.user["roles"] = "reader"
    app.run()
    assert reached == ["evaluation"]
    assert "It needs the role reviewer; you are signed in as reader." in words(app)
    assert offered == ["Second opinion", "Model"]
    assert audit.read()[0][-1].detail == "evaluation"


def test_every_file_in_pages_is_in_the_table_once():
    stems = [screen.stem for screen in door.PAGES]
    assert sorted(stems) == sorted(path.stem for path in (door._FOLDER).glob("*.py"))


def test_a_page_for_another_role_says_which(app_of):
    app = app_of("reader", page="evaluation").run()
    assert "Evaluation is not for your role" in words(app)
    assert "It needs the role reviewer; you are signed in as reader." in words(app)
    for _ in range(2):
        refused = [event for event in audit.read()[0] if event.what == "refusal"]
        assert [(event.who, event.role, event.detail) for event in refused] == [("subject-1", "reader", "evaluation")]
        app.run()


def test_nobody_is_asked_to_sign_in_and_leaves_no_trace(app_of):
    app = app_of("nobody").run()
    assert "Sign in to go on." in words(app)
    assert "Nobody is signed in" in words(app)
    assert buttons(app) == ["Sign in"]
    assert audit.read() == ([], 0)


def test_each_provider_has_its_button(app_of):
    common = {key: AUTH[key] for key in ("redirect_uri", "cookie_secret")}
    one = {key: AUTH[key] for key in ("client_id", "client_secret", "server_metadata_url")}
    app = app_of("nobody", auth=common | {"hospital": one, "university": one, "client_kwargs": {"prompt": "login"}})
    assert buttons(app.run()) == ["Sign in with hospital", "Sign in with university"]


def test_a_provider_that_does_not_answer_is_not_offered_until_it_does(app_of, monkeypatch):
    common = {key: AUTH[key] for key in ("redirect_uri", "cookie_secret", "client_id", "client_secret")}
    here, there = "http://127.0.0.1:9400/here", "http://127.0.0.1:9400/there"
    other = {"client_id": "second-read", "client_secret": "secret", "server_metadata_url": there}
    up, asked = {there}, []

    def answers(address):
        asked.append(address)
        return address in up

    monkeypatch.setattr(way_in, "answers", answers)
    app = app_of("nobody", auth=common | {"server_metadata_url": here, "university": other}).run()
    assert buttons(app) == ["Sign in with university", "Try again"]
    assert "The sign-in provider (of this server) does not answer. Try again in a minute" in words(app)
    app.run()
    assert sorted(asked) == [here, there]
    up.add(here)
    app.button(key="try-again").click().run()
    assert buttons(app) == ["Sign in", "Sign in with university"]
    assert "does not answer" not in words(app)


def test_a_person_without_a_role_is_told_so_and_may_sign_out(app_of):
    app = app_of("no_role").run()
    assert "You are signed in as Ann Other. You have no role on this server." in words(app)
    assert "Signed in: Ann Other, no role" in words(app)
    app.button[0].click().run()
    assert not app.exception
    assert app.user == {"is_logged_in": False}
    assert buttons(app) == ["Sign in"]
    assert [event.what for event in audit.read()[0]] == ["refusal", "sign-out"]


def test_who_is_signed_in_is_on_the_screen_and_once_in_the_trail(app_of, reached):
    app = app_of("reviewer").run()
    assert "Signed in: Ann Other, role reviewer" in words(app)
    assert "Role: reviewer" in words(app)
    (popover,) = app.get("popover")
    assert popover.proto.popover.label == "Ann Other · reviewer"
    app.run()
    events = audit.read()[0]
    assert [(event.what, event.who, event.role) for event in events] == [("sign-in", "subject-1", "reviewer")]
    assert "Ann" not in audit.path().read_text()


def test_signing_out_forgets_the_films(app_of):
    app = app_of("reader").run()
    app.session_state["worklist"].drop([("film", b"bytes")], most=1)
    next(button for button in app.button if button.label == "Sign out").click().run()
    assert not app.exception
    assert "worklist" not in app.session_state
    assert "Sign in to go on." in words(app)
    assert [event.what for event in audit.read()[0]] == ["sign-in", "sign-out"]


def test_a_sign_in_that_ends_leads_back_to_sign_in_with_words(app_of, reached):
    app = app_of(person("admin", exp=time.time() + 3600)).run()
    assert reached == ["second_opinion"]
    app.user["exp"] = time.time() - 1
    app.run()
    assert reached == ["second_opinion"]
    assert "Sign in again" in words(app)
    assert "Your sign-in has ended" in words(app)
    assert buttons(app) == ["Sign in"]
    assert audit.read()[0][-1].detail == "expired"


def test_without_sign_in_it_is_for_this_machine_and_says_so(app_of, reached):
    app = app_of("local").run()
    assert reached == ["second_opinion"]
    assert "Local single-user mode: no sign-in, this machine only, role admin" in words(app)
    assert audit.read() == ([], 0)


@pytest.mark.parametrize("address", [None, "0.0.0.0", "192.0.2.7", "::", "app.example.org"])
@pytest.mark.parametrize("page", ["second_opinion", "model"])
def test_without_sign_in_other_machines_are_shown_nothing(app_of, reached, monkeypatch, address, page):
    option = streamlit.get_option
    monkeypatch.setattr(visitor.st, "get_option", lambda name: address if name == "server.address" else option(name))
    app = app_of("local", page=page).run()
    assert reached == []
    assert nothing_but_the_door(app)
    assert "Set [auth] in .streamlit/secrets.toml" in words(app)
    assert buttons(app) == []


def test_without_sign_in_what_comes_through_a_proxy_is_shown_nothing(app_of, reached, monkeypatch):
    monkeypatch.setattr(visitor, "asked_from_here", lambda headers: False)
    app = app_of("local").run()
    assert reached == []
    assert "came from another machine" in words(app)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cookie_secret": "short"}, "auth.cookie_secret"),
        ({"cookie_secret": None}, "auth.cookie_secret"),
        ({"redirect_uri": "http://127.0.0.1:8501"}, "auth.redirect_uri"),
        ({"client_secret": ""}, "auth.client_secret must be set"),
        ({"client_id": None}, "auth.client_id must be set"),
        ({"server_metadata_url": None}, "auth.server_metadata_url must be set"),
    ],
)
def test_a_sign_in_that_is_half_set_up_lets_nobody_in(app_of, reached, change, said):
    auth = {key: value for key, value in (AUTH | change).items() if value is not None}
    app = app_of("admin", auth=auth).run()
    assert reached == []
    assert said in words(app)
    assert buttons(app) == []


@pytest.mark.parametrize("auth", [{}, "on", ["x"]])
def test_an_auth_section_of_another_kind_lets_nobody_in(app_of, reached, auth):
    app = app_of("admin", auth=auth).run()
    assert not app.exception
    assert reached == []
    assert "Sign-in is not set up" in words(app)


@pytest.mark.parametrize("content", ["[auth\n", "\udcff"])
def test_a_secrets_file_that_cannot_be_read_lets_nobody_in(app_of, reached, monkeypatch, tmp_path, content):
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
    assert "secrets file cannot be read" in words(app)


def test_a_secrets_file_that_vanishes_lets_nobody_in(app_of, reached):
    app_of("admin").run()
    app = app_of("local").run()
    assert reached == ["second_opinion"]
    assert "its settings are gone" in words(app)


def test_only_the_provider_signs_anybody_in(app_of, reached):
    """What Streamlit knows without a sign-in, such as its own default address, is no sign-in."""
    for claims in ({"email": "test@example.com"}, person("admin", is_logged_in="true"), {"sub": "x", "roles": "admin"}):
        app = app_of({"is_logged_in": False} | claims).run()
        assert "Sign in to go on." in words(app)
    assert reached == []
