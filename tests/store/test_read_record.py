import json
from dataclasses import fields, replace

import numpy as np
import pytest

from cxr_core.errors import StoreDamaged
from cxr_core.imaging import phantom_dicom
from cxr_core.reading import read_image
from cxr_core.store.read_record import (
    ReadOptions,
    decode_read,
    encode_read,
    is_same_read,
)
from tests.reads import OPTIONS, made_up_reading


def equal(one, other) -> bool:
    """Whether two readings are the same in every field."""
    return all(np.array_equal(getattr(one, f.name), getattr(other, f.name)) for f in fields(one)) and (
        one.class_maps.dtype == other.class_maps.dtype
    )


@pytest.mark.parametrize("checked", [True, False])
def test_a_reading_comes_back_as_it_was(checked):
    reading = made_up_reading(checked=checked)
    encoded = encode_read(reading, OPTIONS, "3", 17, "ab" * 32)
    decoded, options, model_version, program_version, pixels, card = decode_read(encoded)
    assert equal(decoded, reading)
    assert (options, model_version, pixels, card) == (OPTIONS, "3", 17, "ab" * 32)
    assert program_version


def test_a_reading_of_the_model_comes_back_as_it_was(predictor):
    _, reading = read_image(phantom_dicom(256, 224), predictor, stability=True, read_anyway="asked")
    assert equal(decode_read(encode_read(reading, ReadOptions("asked"), "1"))[0], reading)


@pytest.mark.parametrize(
    "change",
    [
        {"operating_point": "screening"},
        {"prevalence": None},
        {"model_sha256": "cd" * 32},
        {"findings": made_up_reading(1).findings},
        {"class_maps": made_up_reading(1).class_maps},
    ],
)
def test_what_shows_something_else_is_another_read(change):
    reading = made_up_reading()
    stored = encode_read(reading, OPTIONS, "3")
    assert not is_same_read(stored, encode_read(replace(reading, **change), OPTIONS, "3"))


def test_a_read_of_an_earlier_version_has_no_card_and_is_the_same_read():
    record = json.loads(encode_read(made_up_reading(), OPTIONS, "3", 17))
    del record["card"]
    assert decode_read(json.dumps(record))[5] == ""
    assert is_same_read(json.dumps(record), encode_read(made_up_reading(), OPTIONS, "3", 17, "ab" * 32))


def test_small_changes_that_were_tried_since_make_no_other_read():
    stored = encode_read(made_up_reading(), OPTIONS, "3")
    checked = replace(made_up_reading(), under_changes=made_up_reading(checked=True).under_changes)
    assert is_same_read(stored, encode_read(checked, OPTIONS, "3"))
    assert not is_same_read(stored, encode_read(made_up_reading(), ReadOptions(), "3"))
    assert not is_same_read(stored, encode_read(made_up_reading(), OPTIONS, "4"))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"reading": {}, "class_maps": null}'])
def test_what_is_no_read_is_named_as_damage(text):
    with pytest.raises(StoreDamaged):
        decode_read(text)
