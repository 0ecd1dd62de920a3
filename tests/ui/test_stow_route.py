"""STOW-RS on a route of the app: who may store, what is stored, and what is refused."""

import asyncio
import logging

import httpx
import pydicom
import pytest
from pydicom.filebase import DicomBytesIO
from starlette.applications import Starlette

from cxr_core.access import audit
from cxr_core.pacs.dicomweb import multipart_body
from cxr_core.settings import settings
from cxr_core.store.pacs_store import PacsStore
from cxr_core.ui.server import middleware, stow_routes, uploads
from tests.browser import serving
from tests.received import received, result_of_ours, uid

TOKEN = "0123456789abcdef" * 2
AUTHORISED = {"Authorization": f"Bearer {TOKEN}"}
STUDIES = "/dicom-web/studies"
PATIENT = "QZPLANTEDNAME"


@pytest.fixture
def app(own_folders):
    """The routes with their middleware, where a token is set."""
    own_folders.setenv("SECOND_READ_PACS_STOW_TOKEN", TOKEN)
    settings.cache_clear()
    return Starlette(routes=stow_routes(), middleware=middleware())


def post(app, content, path=STUDIES, *, kind=None, headers=AUTHORISED) -> httpx.Response:
    """Send a body, or the files of a list."""
    if isinstance(content, list):
        kind, content = multipart_body(content)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8501", timeout=60) as client:
            return await client.post(path, content=content, headers={"Content-Type": kind or ""} | headers)

    return asyncio.run(ask())


def stored() -> dict[str, bytes]:
    store = PacsStore()
    try:
        return {each.sop_instance_uid: store.load_instance(each.sop_instance_uid) for each in store.instances()}
    finally:
        store.close()


def test_files_are_stored_as_they_are(app):
    response = post(app, [received(1), received(2)])
    assert (response.status_code, response.headers["content-type"]) == (200, "application/dicom+json")
    identifier = response.headers["x-request-id"]
    assert [item["00081155"]["Value"] for item in response.json()["00081199"]["Value"]] == [[uid(1)], [uid(2)]]
    assert stored() == {uid(1): received(1), uid(2): received(2)}
    (event,) = audit.read()[0]
    assert (event.what, event.detail, len(event.images), event.request_id) == ("reception", "stow", 2, identifier)
    assert post(app, [received(1)]).status_code == 200
    assert len(stored()) == 2


def test_what_cannot_be_stored_is_named_and_the_rest_is_stored(app):
    response = post(app, [received(1), received(1, seed=1), result_of_ours(2), b"no DICOM"])
    assert response.status_code == 202
    answer = response.json()
    assert [item["00081155"]["Value"] for item in answer["00081199"]["Value"]] == [[uid(1)], [uid(2)]]
    assert [item["00081197"]["Value"] for item in answer["00081198"]["Value"]] == [[0x0111]]
    assert [item["00081197"]["Value"] for item in answer["0008119A"]["Value"]] == [[0xC000]]
    assert post(app, [b"no DICOM"]).status_code == 409
    store = PacsStore()
    assert [each.sop_instance_uid for each in store.unplanned()] == [uid(1)]
    assert len(store.alarms()) == 1
    store.close()


def test_a_study_of_the_address_is_that_of_the_files(app):
    study = uid(1, "7")
    response = post(app, [received(1), received(2)], f"{STUDIES}/{study}")
    assert response.status_code == 202
    (failed,) = response.json()["00081198"]["Value"]
    assert (failed["00081155"]["Value"], failed["00081197"]["Value"]) == ([uid(2)], [0xA900])
    assert set(stored()) == {uid(1)}


@pytest.mark.parametrize(
    "token", [None, "", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", "Bearer ü"]
)
def test_nobody_stores_without_the_token(app, token):
    headers = {} if token is None else {"Authorization": token.encode()}
    response = post(app, [received(1)], headers=headers)
    assert response.status_code == 401
    assert TOKEN not in response.text
    assert stored() == {}


def test_where_no_token_is_set_there_is_no_such_address(app, own_folders):
    own_folders.delenv("SECOND_READ_PACS_STOW_TOKEN")
    settings.cache_clear()
    for headers in (AUTHORISED, {"Authorization": "Bearer "}, {}):
        assert post(app, [received(1)], headers=headers).status_code == 404
    assert stored() == {}


@pytest.mark.parametrize(
    "kind", ["application/dicom", "multipart/form-data; boundary=b", 'multipart/related; type="text/xml"']
)
def test_another_content_type_is_refused(app, kind):
    response = post(app, received(1), kind=kind)
    assert response.status_code == 415
    assert "application/dicom" in response.text


def test_a_body_that_is_broken_keeps_what_was_whole(app):
    kind, body = multipart_body([received(1), received(2)])
    assert post(app, body[: len(body) - 200], kind=kind).status_code == 400
    assert set(stored()) == {uid(1)}


def test_a_body_or_a_file_beyond_the_limits_is_refused(app, own_folders):
    own_folders.setenv("SECOND_READ_MAX_FILE_MB", "1")
    own_folders.setenv("SECOND_READ_UPLOADS_MB", "4")
    settings.cache_clear()
    assert post(app, [bytes(3_000_000)]).status_code == 400
    assert post(app, [bytes(900_000)] * 6).status_code == 413
    assert stored() == {}


def test_a_store_that_takes_no_more_asks_the_sender_to_come_later(app, own_folders):
    own_folders.setenv("SECOND_READ_PACS_KEEP_GB", "0.00000001")
    settings.cache_clear()
    assert post(app, [received(1)]).status_code == 503


def test_nothing_of_a_patient_is_in_a_log_or_a_response(app, caplog):
    planted = {"PatientName": PATIENT, "PatientID": PATIENT, "BodyPartExamined": PATIENT}
    broken = pydicom.dcmread(DicomBytesIO(received(2, **planted)))
    broken.add_new("StudyInstanceUID", "LO", PATIENT)
    file = DicomBytesIO()
    broken.save_as(file, enforce_file_format=True)
    with caplog.at_level(logging.DEBUG):
        response = post(app, [received(1, **planted), received(1, seed=1, **planted), file.getvalue()])
    assert response.status_code == 202
    assert "stow: stored" in caplog.text
    for text in (response.text, caplog.text, audit.path().read_text()):
        assert PATIENT not in text


@pytest.mark.slow
def test_the_app_itself_has_the_address(own_folders):
    own_folders.setenv("SECOND_READ_PACS_STOW_TOKEN", TOKEN)
    settings.cache_clear()
    kind, body = multipart_body([received(1)])
    with serving() as address:
        for headers, status in (({}, 401), (AUTHORISED, 200)):
            asked = {"Content-Type": kind} | headers
            assert httpx.post(f"{address}{STUDIES}", content=body, headers=asked, timeout=60).status_code == status
    assert stored() == {uid(1): received(1)}


def test_a_stalled_body_is_given_up(app, monkeypatch):
    monkeypatch.setattr(uploads, "STALLED_SECONDS", 0.2)
    kind, body = multipart_body([received(1)])

    async def slowly():
        yield body[:100]
        await asyncio.sleep(30)

    assert post(app, slowly(), kind=kind).status_code == 408
