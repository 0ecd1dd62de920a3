"""Received images are deleted when their days have passed, by every command of the DICOM network that may run alone."""

import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from cxr_core.access import audit
from cxr_core.cli import pacs_expiry
from cxr_core.cli.main import main
from cxr_core.cli.pacs_expiry import expiring
from cxr_core.errors import PathUnusable
from cxr_core.settings import settings
from cxr_core.store.pacs_files import instance_path, pacs_folder
from cxr_core.store.pacs_store import PacsStore
from tests.application_entities import application_entity
from tests.received import received, uid

PATIENT = "QZPLANTEDNAME"


@pytest.fixture
def store(own_folders):
    with closing(PacsStore()) as store:
        yield store


def expired(store, number):
    """Receive an image whose days have passed; return its digest."""
    sha256 = store.add_instance(received(number), "stow").instance.sha256
    ago = (datetime.now(UTC) - timedelta(days=settings().pacs_keep_days + 1)).isoformat(timespec="milliseconds")
    with store._engine.begin() as connection:
        values = {"ago": ago, "uid": uid(number)}
        connection.execute(text("UPDATE pacs_instances SET received = :ago WHERE sop_instance_uid = :uid"), values)
    return sha256


@pytest.mark.parametrize(
    ("command", "status"),
    [(["work", "--until-idle"], 0), (["fetch", "1.2.3"], 4), (["fetch", "--since", "2026-11-27"], 4)],
)
def test_a_command_deletes_what_has_expired(store, own_folders, command, status):
    with application_entity() as address:
        pass
    # which nobody answers for
    own_folders.setenv("SECOND_READ_PACS", str(address))
    settings.cache_clear()
    digest = expired(store, 1)
    store.add_instance(received(2, SOPClassUID="1.2.840.10008.5.1.4.1.1.2", Modality="CT"), "stow")
    assert main(["pacs", *command]) == status
    assert [one.sop_instance_uid for one in store.instances()] == [uid(2)]
    assert not instance_path(digest).exists()
    assert [event.images for event in audit.read()[0] if event.what == "deletion"] == [(digest,)]


def test_where_nothing_was_received_no_folder_is_made(store):
    with expiring(store):
        assert not pacs_folder().exists()


def test_what_expires_while_a_command_runs_is_deleted(store, monkeypatch, caplog):
    monkeypatch.setattr(pacs_expiry, "_SECONDS", 0.02)
    with expiring(store):
        assert "deleted" not in caplog.text
        digest = expired(store, 1)
        end = time.monotonic() + 60
        while "deleted" not in caplog.text and time.monotonic() < end:
            time.sleep(0.01)
    assert "1 received images were deleted: their days have passed" in caplog.text
    assert not instance_path(digest).exists()
    assert "expiry" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize(
    ("error", "said"), [(PathUnusable("The disk is full."), "The disk is full."), (ValueError(PATIENT), "ValueError")]
)
def test_a_failure_is_logged_and_does_not_end_the_command(store, monkeypatch, caplog, error, said):
    def fail():
        raise error

    monkeypatch.setattr(store, "delete_due", fail)
    with expiring(store):
        assert said in caplog.text
    assert PATIENT not in caplog.text
