import pytest

from cxr_core.errors import WrongArguments
from cxr_core.pacs.receiver import parse_listen
from cxr_core.pacs.senders import is_known, is_known_address, parse_senders

SENDERS = parse_senders(["CT1@10.1.2.3", "ROOM 3@10.1.0.0/16", "ARCHIVE@fd00::/8"])


@pytest.mark.parametrize(
    ("title", "address", "known"),
    [
        ("CT1", "10.1.2.3", True), ("CT1 ", "10.1.2.3", True), ("CT1", "10.1.2.4", False), ("ROOM 3", "10.1.2.4", True),
        ("ROOM 3", "10.2.0.1", False), ("ROOM", "10.1.2.4", False), ("ct1", "10.1.2.3", False), ("", "10.1.2.3", False),
        ("ARCHIVE", "fd00::7", True), ("ARCHIVE", "fe80::7%eth0", False), ("CT1", "::ffff:10.1.2.3", True),
    ],
)  # fmt: skip
def test_an_entity_is_known_by_title_and_address(title, address, known):
    assert is_known(SENDERS, title, address) == known


def test_an_address_is_known_where_anybody_may_send_from_it():
    assert is_known_address(SENDERS, "10.1.9.9")
    assert not is_known_address(SENDERS, "127.0.0.1")


@pytest.mark.parametrize(
    "text", ["CT1", "CT1@", "@10.1.2.3", "CT1@pacs.example.org", "CT1@10.1.2.3/8", "A" * 17 + "@::1"]
)
def test_a_sender_that_cannot_be_used_is_named_by_its_place(text):
    with pytest.raises(WrongArguments, match="entry 2 cannot be used"):
        parse_senders(["CT1@10.1.2.3", text])


def test_somebody_must_be_named():
    with pytest.raises(WrongArguments, match="set SECOND_READ_PACS_SENDERS"):
        parse_senders([])


def test_an_address_to_listen_on():
    assert parse_listen("127.0.0.1:11112") == ("127.0.0.1", 11112)
    assert parse_listen("[::1]:0") == ("::1", 0)
    for text in ("11112", "127.0.0.1", "127.0.0.1:99999", "localhost:104", ""):
        with pytest.raises(WrongArguments, match="SECOND_READ_PACS_LISTEN"):
            parse_listen(text)
