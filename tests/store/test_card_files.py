from dataclasses import replace

import pytest

from cxr_core.model.card import read_card
from cxr_core.model.folder import card_of, find_model
from cxr_core.settings import settings
from cxr_core.store.card_files import cards_folder, load_card, save_card


@pytest.fixture
def card(tmp_path, monkeypatch):
    monkeypatch.setenv("SECOND_READ_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    yield read_card(find_model("second-read-mini") / "card.json")
    settings.cache_clear()


def test_a_card_is_read_back_as_it_was_and_stored_once(card):
    other = replace(card, version="of then")
    digests = [save_card(one) for one in (card, card, other, replace(card))]
    assert digests[0] == digests[1] == digests[3] != digests[2]
    assert load_card(digests[0]) == card
    assert load_card(digests[2]) == other
    assert sorted(path.stem for path in cards_folder().iterdir()) == sorted(set(digests))
    modes = {path.stat().st_mode & 0o777 for path in cards_folder().iterdir()}
    assert (modes, cards_folder().stat().st_mode & 0o777) == ({0o600}, 0o700)


def test_a_card_that_is_gone_or_changed_is_none(card):
    digest = save_card(card)
    path = cards_folder() / f"{digest}.json"
    path.write_bytes(path.read_bytes().replace(b"second-read-mini", b"another-model---", 1))
    assert load_card(digest) is None
    path.unlink()
    assert load_card(digest) is None
    assert load_card("") is None
    assert load_card("../../audit") is None
    # stored again when the next read is
    assert save_card(card) == digest
    assert load_card(digest) == card == card_of(card.weights_sha256)
