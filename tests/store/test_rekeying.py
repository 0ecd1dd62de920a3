"""Another key for what is stored: everything is read at any moment, and where a program stops, the next one goes on."""

import base64
from contextlib import closing

import pytest
from sqlalchemy import text

from cxr_core.cli.main import main
from cxr_core.errors import PathUnusable, WrongArguments
from cxr_core.store import rekeying
from cxr_core.store.database import transaction
from cxr_core.store.image_files import image_path
from cxr_core.store.reads import ReadStore
from tests.store.test_deletion import PIXELS, stored
from tests.store.test_reads import PATIENT, everything, home, store  # noqa: F401 - fixtures
from tests.store.test_sealing import KEY

NEW, OTHER = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))


def read_all(store, images):  # noqa: F811
    """Read everything that is stored of images, which must be what was stored."""
    assert set(store.images("anna")) == set(images)
    for number, image in enumerate(images):
        assert store.load(image.study, image.digest) == PIXELS + b" %d" % number
        assert store.last_read(image).summary.header.patient.name == PATIENT
        (opinion,) = store.opinions(image.study, image.digest)
        assert opinion.comment == f"{PATIENT} has no mass"


def test_what_another_key_or_none_has_encrypted_is_encrypted_anew(store, home, url):  # noqa: F811
    home(identity="store")
    images = [stored(store, 0)]
    home(store_key=KEY)
    images += [stored(store, number) for number in (1, 2)]
    home(store_key=NEW, store_key_previous=KEY)
    read_all(store, images)
    opinions = [store.opinions(image.study, image.digest) for image in images]
    assert store.rekey() == {"reads": 3, "identities": 3, "comments": 3, "images": 3, "received": 0}
    assert [store.opinions(image.study, image.digest) for image in images] == opinions
    # with the new key alone, and nothing is left that no key or the one before has written
    home(store_key_previous=OTHER)
    read_all(store, images)
    assert store.rekey() == {"reads": 0, "identities": 0, "comments": 0, "images": 0, "received": 0}
    assert "Quendelzahn" not in everything(url)
    assert all(image_path(image.study, image.digest).read_bytes().startswith(b"second-read sealed") for image in images)
    # an opinion is still refused a change
    with pytest.raises(PathUnusable), transaction(store._engine, writing=True) as connection:
        connection.execute(text("UPDATE opinions SET opinion = 'present'"))


@pytest.mark.parametrize("calls", range(0, 12, 2))
def test_a_program_that_stops_half_way_leaves_everything_readable_and_the_rest_is_done(
    store,  # noqa: F811
    home,  # noqa: F811
    monkeypatch,
    calls,
):
    home(identity="store", store_key=KEY)
    images = [stored(store, number) for number in range(3)]
    home(store_key=NEW, store_key_previous=KEY)
    monkeypatch.setattr(rekeying, "_AT_ONCE", 1)
    remaining = calls
    originals = rekeying.reseal_text, rekeying.reseal_file

    def stopping(function):
        def call(*arguments):
            nonlocal remaining
            remaining -= 1
            if remaining < 0:
                raise KeyboardInterrupt
            return function(*arguments)

        return call

    for name, function in zip(("reseal_text", "reseal_file"), originals, strict=True):
        monkeypatch.setattr(rekeying, name, stopping(function))
    with pytest.raises(KeyboardInterrupt):
        store.rekey()
    read_all(store, images)
    for name, function in zip(("reseal_text", "reseal_file"), originals, strict=True):
        monkeypatch.setattr(rekeying, name, function)
    assert sum(store.rekey().values()) == 12 - calls
    home(store_key_previous=OTHER)
    read_all(store, images)


def test_a_wrong_key_is_one_line_and_changes_nothing(store, home, capsys, url, monkeypatch):  # noqa: F811
    with pytest.raises(WrongArguments, match="Set SECOND_READ_STORE_KEY to the new key"):
        store.rekey()
    home(identity="store", store_key=KEY)
    images = [stored(store, 0)]
    home(store_key=NEW, store_key_previous=OTHER, database_url=url)
    assert main(["reads", "rekey"]) == 4
    out, error = capsys.readouterr()
    assert out == ""
    assert error.splitlines() == [
        "Error: What is stored was changed, or encrypted with another key than that of SECOND_READ_STORE_KEY and "
        "SECOND_READ_STORE_KEY_PREVIOUS."
    ]
    home(store_key_previous=KEY)
    assert main(["reads", "rekey"]) == 0
    assert capsys.readouterr().out.startswith("reads: 1 re-encrypted; identities: 1 re-encrypted; comments: 1 ")
    home(store_key_previous=OTHER)
    with closing(ReadStore(url)) as again:
        read_all(again, images)
