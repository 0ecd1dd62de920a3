"""Names of labels: what is accepted, and that each gives a heading and a file of its own."""

import doctest

import pytest

from cxr_core import labels as module
from cxr_core.errors import WrongArguments
from cxr_core.labels import LABELS, check_label_names, display_name, file_name_of, name_in_sentence, parse_labels


def test_the_labels_of_published_data_sets_are_accepted():
    names = (*LABELS, "Nodule/Mass", "Tube (ETT)", "Überblähung", "T.B.")
    assert check_label_names(names) == names
    assert parse_labels("Rib fracture, Nodule/Mass") == ("Rib fracture", "Nodule/Mass")


@pytest.mark.parametrize(
    "name", ["", " Mass", "Mass ", "1st", "_Mass", "a,b", "a\nb", "a=b", "../Mass", "M" * 61, "<b>"]
)
def test_a_name_that_cannot_be_a_heading_is_named(name):
    with pytest.raises(WrongArguments, match="a name begins with a letter") as raised:
        check_label_names(["Effusion", name])
    assert repr(name[:80]) in str(raised.value)


@pytest.mark.parametrize(
    ("names", "refused"),
    [
        (("Mass", "mass"), "mass"),
        (("Rib_fracture", "Rib fracture"), "Rib fracture"),
        (("Nodule/Mass", "Nodule-Mass"), "Nodule-Mass"),
        (("Mass", "No finding"), "No finding"),
        (("Any Finding",), "Any Finding"),
    ],
)
def test_names_that_would_be_one_heading_are_refused(names, refused):
    with pytest.raises(WrongArguments, match="each name is accepted once") as raised:
        check_label_names(names)
    assert repr(refused) in str(raised.value)


@pytest.mark.parametrize(
    ("label", "heading", "inside"),
    [
        ("Tube (ETT)", "Tube (ETT)", "tube (ETT)"),
        ("PICC line", "PICC line", "PICC line"),
        ("COVID-19", "COVID-19", "COVID-19"),
        ("CVC", "CVC", "CVC"),
        ("Low_PaO2", "Low PaO2", "low PaO2"),
        ("Kerley B Lines", "Kerley B lines", "kerley B lines"),
        ("Nodule/Mass", "Nodule/mass", "nodule/mass"),
        ("rib fracture", "Rib fracture", "rib fracture"),
        ("Überblähung Links", "Überblähung links", "überblähung links"),
    ],
)
def test_abbreviations_keep_their_capitals(label, heading, inside):
    assert (display_name(label), name_in_sentence(label)) == (heading, inside)
    # a heading can be put into a sentence as well
    assert name_in_sentence(heading) == inside


def test_the_labels_of_chestx_ray14_are_written_in_sentence_case():
    for label in LABELS:
        lower = label.replace("_", " ").lower()
        assert (display_name(label), name_in_sentence(label)) == (lower.capitalize(), lower)


def test_a_label_is_one_part_of_a_path():
    assert "/" not in file_name_of("a/b/c")


def test_the_examples_run():
    assert doctest.testmod(module).failed == 0
