"""What a DICOMweb service may answer to a search or a retrieval, besides what Orthanc does."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from cxr_core.errors import PacsRefused, PacsUnavailable
from cxr_core.pacs.source import RemoteImage
from cxr_core.pacs.web_source import WebSource
from cxr_core.settings import settings
from tests.pacs.test_dicomweb import service
from tests.received import received, uid

MORE = {"Warning": '299 pacs: "There are more answers"'}


def study(number, **elements):
    return {"0020000D": {"vr": "UI", "Value": [uid(number, "7")]}, **elements}


def parameters(request):
    return parse_qs(urlsplit(request.path).query)


def uids(studies):
    return [one.uid for one in studies]


def test_a_service_with_a_limit_of_its_own_is_asked_for_the_rest():
    def answer(request):
        first = int(parameters(request).get("offset", ["0"])[0])
        return 200, MORE if first < 4 else {}, json.dumps([study(n) for n in range(first, min(5, first + 2))]).encode()

    with service(answer) as address:
        assert uids(WebSource(address, None).studies({})) == [uid(number, "7") for number in range(5)]


def test_a_service_that_ignores_the_offset_is_not_asked_for_ever():
    with service(lambda request: (200, MORE, json.dumps([study(1), study(2)]).encode())) as address:
        assert len(WebSource(address, None).studies({})) == 2


def test_no_content_is_no_study():
    with service(lambda request: (204, {}, b"")) as address:
        assert WebSource(address, None).studies({}) == []


@pytest.mark.parametrize("body", [b"<html>", b'{"a": 1}', b'["QZ"]', b"[[]]", b"\xff"])
def test_what_is_no_dicom_json_is_no_answer(body):
    with service(lambda request: (200, {}, body)) as address, pytest.raises(PacsUnavailable) as raised:
        WebSource(address, None).studies({})
    assert "does not answer a search with DICOM JSON" in str(raised.value)


def test_a_study_whose_uid_is_none_is_left_out_and_broken_values_are_empty():
    broken = {
        "00100020": {"vr": "LO", "Value": ["A", "B"]}, "00080020": {"vr": "DA", "Value": ["20261399"]},
        "00201208": {"vr": "IS", "Value": ["many"]}, "00100030": {"vr": "DA", "Value": [{"a": 1}]},
    }  # fmt: skip
    evil = {"0020000D": {"vr": "UI", "Value": ["1.2/../../instances"]}}
    with service(lambda request: (200, {}, json.dumps([evil, study(1, **broken), study(1)]).encode())) as address:
        (found,) = WebSource(address, None).studies({})
    assert (found.uid, found.header.study_date, found.instances) == (uid(1, "7"), None, None)
    # two IDs are none
    assert "A" not in (found.header.patient.patient_id, found.header.patient.known_id)


def retrieve(address, *numbers):
    kept = []
    images = [RemoteImage(uid(1, "7"), uid(1, "8"), uid(number), "") for number in numbers]
    WebSource(address, None).retrieve(images, kept.append)
    return kept


def multipart(*files):
    parts = b"".join(b"--x\r\nContent-Type: application/dicom\r\n\r\n" + file + b"\r\n" for file in files)
    return {"Content-Type": 'multipart/related; type="application/dicom"; boundary=x'}, parts + b"--x--\r\n"


def test_the_transfer_syntax_is_asked_for_as_it_is_stored():
    accepted = []

    def answer(request):
        accepted.append(request.headers["Accept"])
        assert request.path.endswith(f"/studies/{uid(1, '7')}/series/{uid(1, '8')}/instances/{uid(1)}")
        return 200, *multipart(received(1))

    with service(answer) as address:
        assert retrieve(address, 1) == [received(1)]
    assert accepted == ['multipart/related; type="application/dicom"; transfer-syntax=*']


@pytest.mark.parametrize("files", [(), (b"a", b"b")])
def test_another_number_of_files_is_no_answer(files):
    with service(lambda request: (200, *multipart(*files))) as address, pytest.raises(PacsUnavailable):
        retrieve(address, 1)


def test_a_body_that_never_ends_is_given_up_at_the_limit(own_folders):
    own_folders.setenv("SECOND_READ_MAX_FILE_MB", "1")
    settings.cache_clear()
    headers, body = multipart(bytes(3_000_000))

    def answer(request):
        return (200, headers, body) if request.path.endswith(uid(1)) else (200, *multipart(received(2)))

    with service(answer) as address:
        assert retrieve(address, 1, 2) == [received(2)]


@pytest.mark.parametrize(("status", "error"), [(404, PacsUnavailable), (503, PacsUnavailable), (406, PacsRefused)])
def test_a_status_tells_whether_to_ask_again(status, error):
    with service(lambda request: (status, {}, b"QZFAMILY")) as address, pytest.raises(error) as raised:
        retrieve(address, 1)
    assert "QZ" not in str(raised.value)
    assert str(status) in str(raised.value)
