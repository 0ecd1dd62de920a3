"""The tables of the DICOM conformance statement, docs/conformance.md, against the code."""

import re

import pytest
from pydicom.datadict import dictionary_description
from pydicom.uid import UID

from cxr_core.pacs import destinations, dicomweb
from cxr_core.pacs.acceptor import MOST_WAITING, REQUEST_SECONDS
from cxr_core.pacs.association import application_entity, pynetdicom
from cxr_core.pacs.dimse_source import _REFUSALS, _RETURNED, FIND, GET, MOVE
from cxr_core.pacs.receiver import _PDU_BYTES, VERIFICATION
from cxr_core.pacs.reception import STATUS
from tests.conftest import PROJECT

TEXT = (PROJECT / "docs" / "conformance.md").read_text()


def section(title):
    """The text of a section, without those of its own level that follow."""
    level = title.split()[0]
    return TEXT.split(f"\n{title}\n")[1].split(f"\n{level} ")[0]


def rows(title, table=0):
    """The cells of each row of a table of a section."""
    tables = re.findall(r"(?:^\|.*\n)+", section(title), re.M)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in tables[table].splitlines()[2:]]


def test_every_status_that_the_receiver_answers_with_is_listed():
    listed = {int(row[0], 16) for row in rows("#### 4.1.3 Status of C-STORE")}
    assert listed == set(STATUS.values())


def test_the_association_policies_are_those_of_the_receiver():
    policies = dict(rows("#### 4.1.2 Association policies"))
    assert policies["maximum PDU received"] == f"{_PDU_BYTES:,} bytes"
    assert policies["implementation class UID"] == pynetdicom().PYNETDICOM_IMPLEMENTATION_UID
    assert policies["implementation version name"] == pynetdicom().PYNETDICOM_IMPLEMENTATION_VERSION
    assert policies["time limits"].startswith(f"{application_entity().dimse_timeout:.0f} s")
    assert f"; {REQUEST_SECONDS} s for TLS and A-ASSOCIATE-RQ" in policies["time limits"]
    assert policies["connections at once without an association"].startswith(f"{MOST_WAITING};")
    assert rows("#### 4.1.1 SOP classes")[0][1] == VERIFICATION


@pytest.mark.parametrize("title", ["### 4.2 FETCH", "### 4.3 WORKER", "#### 4.1.1 SOP classes"])
def test_every_sop_class_has_its_name_and_uid(title):
    named = [row for row in rows(title) if UID(row[1]).is_valid]
    assert named
    for name, uid, _ in named:
        assert UID(uid).name.replace(" SOP Class", "") == name


def test_fetch_uses_the_models_that_are_listed():
    assert {row[1] for row in rows("### 4.2 FETCH") if row[1]} == {FIND, MOVE, GET}


def test_the_return_keys_of_each_level_are_those_of_the_queries():
    for level, _, keys in rows("### 4.2 FETCH", 1):
        listed = {name.strip() for name in keys.split(",")}
        expected = {dictionary_description(keyword) for keyword in _RETURNED[level]}
        # what is matched is returned as well
        assert listed <= expected, level
        assert expected - listed <= {"Study Instance UID", "Series Instance UID", "Modalities in Study"}, level


def test_the_refusals_are_listed():
    listed = next(row[0] for row in rows("### 4.2 FETCH", 2) if "refused" in row[2])
    assert {int(code, 16) for code in listed.split(", ")} == set(_REFUSALS)


def test_the_worker_sends_the_classes_that_are_listed():
    from cxr_core.report.dicom.objects import KINDS

    listed = {row[1] for row in rows("### 4.3 WORKER") if row[2] == "yes"} - {VERIFICATION}
    classes = {
        "sr": "1.2.840.10008.5.1.4.1.1.88.34", "sc": "1.2.840.10008.5.1.4.1.1.7",
        "pdf": "1.2.840.10008.5.1.4.1.1.104.1", "gsps": "1.2.840.10008.5.1.4.1.1.11.1",
        "seg": "1.2.840.10008.5.1.4.1.1.66.4",
    }  # fmt: skip
    # the classes of each kind are held by tests/report/dicom
    assert set(KINDS) == set(classes)
    assert listed == set(classes.values())


def test_the_statuses_after_which_the_worker_goes_on_or_waits_are_listed():
    text = section("### 4.3 WORKER").replace("JPEG 2000", "")
    known = {f"{code:04X}" for code in (0, *destinations._WARNINGS, *destinations._LATER, dicomweb.DUPLICATE)}
    assert set(re.findall(r"\b[0-9A-F]{4}\b", text)) == known
    web = " ".join(section("### 4.4 DICOMweb").split())
    assert f"Status {', '.join(map(str, dicomweb._LATER))} and 5xx are repeated later" in web


def test_instances_are_asked_for_as_the_statement_says():
    assert f"`, `Accept: {dicomweb.AS_STORED['Accept']}`" in section("### 4.4 DICOMweb")
