import time

import pytest

from cxr_core.access import LOCAL, Role, closed, is_local_request, signed_out, visitor_of
from cxr_core.settings import Settings

SETTINGS = Settings(role_claim="roles")


def claims(**more):
    return {"sub": "s-1", "iss": "https://id.example.org", "exp": time.time() + 600, "roles": "reviewer"} | more


def test_a_person_has_a_role_until_the_token_ends():
    person = visitor_of(claims(name="Ann"), SETTINGS)
    assert (person.standing, person.subject, person.issuer) == ("signed_in", "s-1", "https://id.example.org")
    assert (person.name, person.role) == ("Ann", Role.REVIEWER)
    assert [person.may(role) for role in Role] == [True, True, False]


@pytest.mark.parametrize(
    "more",
    [
        {"exp": time.time() - 1},
        {"exp": 0},
        {"exp": None},
        {"exp": "9999999999"},
        {"exp": True},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"exp": 1e300},
        {"sub": ""},
        {"sub": None},
        {"sub": 7},
    ],
)
def test_a_token_that_has_ended_or_is_not_whole_gives_nothing(more):
    person = visitor_of(claims(roles="admin") | more, SETTINGS)
    assert person.standing == "expired"
    assert not any(person.may(role) for role in Role)


def test_who_was_let_in_may_nothing_once_the_token_ends(monkeypatch):
    person = visitor_of(claims(), SETTINGS)
    assert person.may(Role.READER)
    monkeypatch.setattr("cxr_core.access.visitor.time.time", lambda now=person.until: now)
    assert not person.may(Role.READER)


def test_without_a_role_there_is_a_name_and_a_reason():
    person = visitor_of(claims(roles=[], email="ann@example.org"), SETTINGS)
    assert (person.standing, person.role, person.name) == ("no_role", None, "ann@example.org")
    assert person.why
    assert not person.may(Role.READER)


def test_a_name_is_not_in_what_a_log_would_print():
    assert "Ann" not in repr(visitor_of(claims(name="Ann"), SETTINGS))


def test_whoever_sits_at_the_machine_may_everything_and_nobody_nothing():
    assert all(LOCAL.may(role) for role in Role)
    for nobody in (signed_out(), closed("because")):
        assert not any(nobody.may(role) for role in Role)


@pytest.mark.parametrize(
    ("headers", "here"),
    [
        ({}, True),
        ({"Host": "localhost:8501", "Origin": "http://localhost:8501"}, True),
        ({"Host": "127.0.0.1:8501"}, True),
        ({"Host": "[::1]:8501", "Origin": "http://[::1]:8501"}, True),
        ({"Host": "second-read.example.org"}, False),
        # a proxy that writes the host anew still passes on what the browser opened
        ({"Host": "127.0.0.1:8501", "Origin": "https://second-read.example.org"}, False),
        ({"Host": "localhost:8501", "Origin": "null"}, False),
        ({"Host": "localhost:8501", "X-Forwarded-For": "192.0.2.1"}, False),
        ({"Host": "localhost:8501", "Forwarded": "for=192.0.2.1"}, False),
        ({"Host": "localhost.example.org"}, False),
        # what Chromium and Firefox send with the handshake of a WebSocket
        (
            {
                "Host": "localhost:8501",
                "Origin": "http://localhost:8501",
                "Connection": "Upgrade",
                "Upgrade": "websocket",
                "Pragma": "no-cache",
                "Cache-Control": "no-cache",
                "User-Agent": "Mozilla/5.0",
                "Accept": "*/*",
                "Accept-Language": "en",
                "Accept-Encoding": "gzip, deflate, br, zstd",
                "Cookie": "_streamlit_xsrf=1",
                "DNT": "1",
                "Sec-GPC": "1",
                "Sec-Fetch-Mode": "websocket",
                "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "0",
                "Sec-WebSocket-Extensions": "permessage-deflate",
                "Sec-WebSocket-Protocol": "streamlit",
                "X-Xsrftoken": "1",
                "X-Requested-With": "XMLHttpRequest",
            },
            True,
        ),
        ({"Host": "[bad"}, False),
    ],
)
def test_a_request_through_a_proxy_is_not_from_here(headers, here):
    assert is_local_request(headers) == here


@pytest.mark.parametrize(
    "name",
    [
        "Via",
        "Forwarded",
        "X-Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded-Port",
        "X-Forwarded-Server",
        "X-Forwarded-Prefix",
        "X-Forwarded-User",
        "x_forwarded_for",
        "Forwarded-For",
        "X-Real-IP",
        "X-Client-IP",
        "X-Cluster-Client-IP",
        "True-Client-IP",
        "CF-Connecting-IP",
        "CF-Ray",
        "CF-Visitor",
        "CDN-Loop",
        "X-Original-URL",
        "X-Original-Host",
        "X-Original-Forwarded-For",
        "X-Envoy-External-Address",
        "X-Envoy-Original-Path",
        "X-Amzn-Trace-Id",
        "X-ARR-SSL",
        "X-Azure-ClientIP",
        "X-AppEngine-Remote-Addr",
        "Fly-Client-IP",
        "Fastly-Client-IP",
        "Remote-User",
        "Proxy-Client-IP",
        "X-ProxyUser-Ip",
        "X-Vercel-Forwarded-For",
        "X-BlueCoat-Via",
        "X-Nginx-Proxy",
        "Front-End-Https",
        "X-Client-Port",
        "X-Host",
        "Tailscale-User-Login",
        "X-Other-Client-IP",
        "x_other_forwarded_by",
    ],
)
@pytest.mark.parametrize("value", ["127.0.0.1", ""])
def test_any_header_by_which_a_proxy_speaks_is_a_sign_of_it(name, value):
    assert not is_local_request({"Host": "localhost:8501", name: value})
    assert not is_local_request({"Host": "localhost:8501", name.upper(): value})
