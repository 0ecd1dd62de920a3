"""Names and study attributes beside an image: back as they were, or named as damage."""

from datetime import date, time

import pytest

from cxr_core.errors import StoreDamaged
from cxr_core.store.identities import decode_identity, encode_identity
from cxr_core.studies import Patient, StudyHeader


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"reading": {}, "class_maps": null}'])
def test_what_is_no_identity_is_named_as_damage(text):
    with pytest.raises(StoreDamaged):
        decode_identity(text)


def test_an_identity_comes_back_as_it_was():
    header = StudyHeader(
        "1.2.3", "1.2.3.4", "PA", Patient("Schön, Anna", "17", "Ward", date(1950, 2, 3), "F"), date(2026, 11, 24),
        time(8, 30, 5), "A-1", "Chest",
    )  # fmt: skip
    assert decode_identity(encode_identity("a.dcm", "folder/a.dcm", header)) == ("a.dcm", "folder/a.dcm", header)
    assert decode_identity(encode_identity("a.png", "a.png", None)) == ("a.png", "a.png", None)
