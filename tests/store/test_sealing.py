import base64

import pytest

from cxr_core.errors import PathUnusable, WrongArguments
from cxr_core.settings import settings
from cxr_core.store.sealing import open_bytes, open_text, seal_bytes, seal_text

KEY = base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def key(monkeypatch):
    """Set the key of the store, as often as a test likes."""

    def use(text: str | None) -> None:
        monkeypatch.setenv("SECOND_READ_STORE_KEY", text) if text else monkeypatch.delenv("SECOND_READ_STORE_KEY")
        settings.cache_clear()

    yield use
    monkeypatch.undo()
    settings.cache_clear()


def test_what_is_sealed_is_opened_and_nothing_of_it_is_seen(key):
    key(KEY)
    sealed, text = seal_bytes(b"pixels of a chest", "image"), seal_text("Schön, Anna", "comment")
    assert b"pixels" not in sealed
    assert text.isascii()
    assert "Anna" not in text
    assert (open_bytes(sealed, "image"), open_text(text, "comment")) == (b"pixels of a chest", "Schön, Anna")
    # a nonce of its own for each
    assert seal_bytes(b"pixels of a chest", "image") != sealed


def test_without_a_key_it_stays_as_it_is_and_is_read_when_one_is_set(key):
    assert seal_bytes(b"pixels", "image") == b"pixels"
    assert seal_text("text", "comment") == "text"
    key(KEY)
    assert (open_bytes(b"pixels", "image"), open_text("text", "comment")) == (b"pixels", "text")


@pytest.mark.parametrize("change", ["purpose", "another key", "a byte", "a byte of the mark", "the end", "no base64"])
def test_what_was_changed_or_belongs_elsewhere_is_refused(key, change):
    key(KEY)
    text, purpose = seal_text("secret", "image one"), "image one"
    if change == "purpose":
        purpose = "image two"
    elif change == "another key":
        key(base64.b64encode(bytes(32)).decode())
    elif change.startswith("a byte"):
        # not the last, where some bits of the base64 say nothing
        place = 20 if change == "a byte of the mark" else len(text) - 8
        text = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
    elif change == "the end":
        text = text[:20]
    else:
        text = text[:-1] + "!"
    with pytest.raises(PathUnusable, match="was changed, or encrypted with another key"):
        open_text(text, purpose)


def test_without_the_key_it_is_named(key):
    key(KEY)
    sealed = seal_bytes(b"pixels", "image")
    key(None)
    with pytest.raises(PathUnusable, match="Set SECOND_READ_STORE_KEY"):
        open_bytes(sealed, "image")


@pytest.mark.parametrize("text", ["short", "QZSECRET" * 8, base64.b64encode(bytes(31)).decode()])
def test_a_key_of_another_length_is_refused_and_not_quoted(key, text):
    key(text)
    with pytest.raises(WrongArguments, match=r"SECOND_READ_STORE_KEY: .*32 random bytes in base64") as error:
        settings()
    assert text not in str(error.value)
    key(KEY.replace("+", "-").replace("/", "_"))
    assert settings().store_key == bytes(range(32))
    assert "store_key" not in repr(settings())
