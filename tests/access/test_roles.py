import pytest

from cxr_core.access import Role, role_of
from cxr_core.settings import Settings


def given(claims, **settings):
    return role_of(claims, Settings(**settings)).role


def test_each_role_may_what_the_ones_below_it_may():
    assert Role.READER < Role.REVIEWER < Role.ADMIN
    assert [str(role) for role in Role] == ["reader", "reviewer", "admin"]


@pytest.mark.parametrize(
    ("value", "role"),
    [
        ("reader", Role.READER),
        ("reviewer", Role.REVIEWER),
        ("admin", Role.ADMIN),
        (["offline_access", "reviewer", "reader"], Role.REVIEWER),
        ([], None),
        ("", None),
        ("Admin", None),
        ("administrator", None),
        # two roles in one word are no role of ours
        ("reader admin", None),
        (True, None),
        (3, None),
        ({"admin": True}, None),
        ([["admin"], 3, None], None),
        (None, None),
    ],
)
def test_the_claim_is_a_role_or_a_list_that_holds_one(value, role):
    assert given({"sub": "1", "roles": value}, role_claim="roles") == role


@pytest.mark.parametrize(
    ("name", "claims"),
    [
        ("realm_access.roles", {"realm_access": {"roles": ["reader"]}}),
        ("resource_access.second-read.roles", {"resource_access": {"second-read": {"roles": ["reader"]}}}),
        # a name with dots of its own, as some providers ask for, and as a client's name may be
        ("https://example.org/roles", {"https://example.org/roles": "reader"}),
        ("resource_access.second.read.roles", {"resource_access": {"second.read": {"roles": ["reader"]}}}),
    ],
)
def test_dots_lead_into_nested_claims(name, claims):
    assert given(claims, role_claim=name) == Role.READER
    assert given(claims, role_claim=f"{name}.more") is None
    assert given({"other": claims}, role_claim=name) is None


def test_a_claim_that_was_not_named_gives_nothing():
    assert given({"sub": "1", "roles": ["admin"], "role": "admin"}) is None
    assert given({"sub": "1", "roles": ["admin"]}, role_claim="role") is None


def test_lists_hold_subjects_and_verified_addresses():
    lists = {"readers": ("abc-1", "ann@example.org"), "admins": ("abc-2", "Bob@Example.org")}
    assert given({"sub": "abc-1"}, **lists) == Role.READER
    assert given({"sub": "abc-2"}, **lists) == Role.ADMIN
    assert given({"sub": "ABC-2"}, **lists) is None
    assert given({"sub": "x", "email": "bob@example.ORG", "email_verified": True}, **lists) == Role.ADMIN
    # the highest of all that is given
    assert given({"sub": "abc-1", "roles": "reviewer"}, role_claim="roles", **lists) == Role.REVIEWER
    assert given({"sub": "abc-2", "roles": "reviewer"}, role_claim="roles", **lists) == Role.ADMIN


@pytest.mark.parametrize("verified", [False, None, "true", "false", 1])
def test_an_address_that_nobody_verified_gives_nothing_and_says_so(verified):
    claims = {"sub": "x", "email": "ann@example.org", "email_verified": verified}
    grant = role_of(claims, Settings(admins=("ann@example.org",)))
    assert grant.role is None
    assert "verified" in grant.why
    del claims["email_verified"]
    assert role_of(claims, Settings(admins=("ann@example.org",))) == grant


def test_an_address_is_no_subject_and_a_subject_no_address():
    assert given({"sub": "ann@example.org"}, admins=("ann@example.org",)) is None
    assert given({"sub": "x", "email": "abc", "email_verified": True}, admins=("abc",)) is None
    assert given({}, admins=("",)) is None


def test_why_there_is_no_role_names_what_to_set():
    assert "SECOND_READ_ROLE_CLAIM" in role_of({"sub": "x"}, Settings()).why
    assert "lists" in role_of({"sub": "x"}, Settings(readers=("y",))).why


def test_lists_come_from_the_environment_with_commas_and_from_a_file_as_lists(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECOND_READ_READERS", "a, b@example.org ,,c")
    (tmp_path / "second-read.toml").write_text('admins = ["d", "e"]\nrole_claim = "realm_access.roles"\n')
    made = Settings()
    assert made.readers == ("a", "b@example.org", "c")
    assert made.admins == ("d", "e")
    assert made.role_claim == "realm_access.roles"
    assert made.reviewers == ()


@pytest.mark.parametrize(
    ("listed", "address", "same"),
    [
        ("kim@example.org", "kim@example.org", True),
        ("kim@example.org", "KIM@Example.Org", True),
        ("j\u00fcrgen@example.org", "J\u00dcRGEN@example.org", True),
        # the Kelvin sign, whose small letter is k
        ("kim@example.org", "\u212aim@example.org", False),
        ("\u212aim@example.org", "kim@example.org", False),
        ("\u212aim@example.org", "\u212aim@example.org", False),
        # the Angstrom sign, and letters that take two characters
        ("\u00e5sa@example.org", "\u212bsa@example.org", False),
        ("\u00e5sa@example.org", "a\u030asa@example.org", False),
        # long s, full-width and ligatures, which form KC takes apart
        ("sam@example.org", "\u017fam@example.org", False),
        ("ann@example.org", "\uff41nn@example.org", False),
        ("ann@example.org", "ann\uff20example.org", False),
        ("fi@example.org", "\ufb01@example.org", False),
        # case folding alone takes these for the same
        ("strasse@example.org", "stra\u00dfe@example.org", False),
        ("\u03c3@example.org", "\u03c2@example.org", False),
        # dotless and dotted i
        ("ida@example.org", "\u0131da@example.org", False),
        ("ida@example.org", "\u0130da@example.org", False),
        # a letter of another script, and characters that are not seen
        ("ann@example.org", "\u0430nn@example.org", False),
        ("ann@example.org", "ann\u200b@example.org", False),
        ("ann@example.org", "\u202eann@example.org", False),
        ("ann@example.org", "ann@example.org ", False),
        ("ann@example.org", None, False),
        ("ann@example.org", ["ann@example.org"], False),
    ],
)
def test_an_address_is_the_listed_one_character_by_character(listed, address, same):
    claims = {"sub": "x", "email": address, "email_verified": True}
    assert given(claims, admins=(listed,)) == (Role.ADMIN if same else None)


@pytest.mark.parametrize("claim", ["\uff52eader", "Reader", "reader\u200b", "\u202ereader", "admi\u0274"])
def test_a_role_and_a_subject_are_compared_as_they_are(claim):
    assert given({"sub": "1", "roles": [claim]}, role_claim="roles") is None
    assert given({"sub": claim}, readers=("reader", "admin")) is None
