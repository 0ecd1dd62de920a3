"""The results of the doctor: each check on a program that is well, and on one that is broken on purpose."""

import json
import shutil
import time
from contextlib import closing

import numpy as np

from cxr_core.access import LOCAL, audit
from cxr_core.errors import PathUnusable
from cxr_core.imaging.frame_decoding import TRANSFER_SYNTAXES
from cxr_core.model.folder import find_model
from cxr_core.operations import data_checks, decoder_checks, installation_checks
from cxr_core.operations.data_checks import (
    check_audit_trail,
    check_database,
    check_folders,
    check_other_models,
    check_reading,
    check_serving_model,
    check_settings,
    check_space,
)
from cxr_core.operations.decoder_checks import check_decoders
from cxr_core.operations.doctor import CheckResult, diagnose, report, worst
from cxr_core.operations.installation_checks import (
    check_clock,
    check_engine,
    check_extras,
    check_fonts,
    check_packages,
    check_python,
)
from cxr_core.operations.network_checks import check_pacs, check_receiver
from cxr_core.pacs.addresses import DimseAddress
from cxr_core.settings import settings
from cxr_core.store import RunStore
from cxr_core.store.backup_members import database_url
from cxr_core.store.database import sqlite_file
from tests.application_entities import application_entity

SECRET = "qz-planted-secret-of-32-characters"


def states(check) -> dict[str, str]:
    """Return the state of each result by its name, as :func:`diagnose` sees them."""
    return {result.name: result.state for _, result in diagnose({"area": check})}


def only(check) -> CheckResult:
    ((_, result),) = diagnose({"area": check})
    return result


def test_an_error_is_a_failed_check_with_what_to_do_and_ends_no_other_area():
    def refused():
        yield CheckResult("first", "ok", "fine")
        raise PathUnusable("It is full. Free disk space.")

    def broken():
        raise ZeroDivisionError(SECRET)

    made = list(diagnose({"a": refused, "b": broken, "c": lambda: [CheckResult("last", "warning", "old")]}))
    assert [(area, result.state) for area, result in made] == [
        ("a", "ok"), ("a", "failed"), ("b", "failed"), ("c", "warning"),
    ]  # fmt: skip
    assert (made[1][1].text, made[1][1].action) == ("It is full", "Free disk space.")
    assert SECRET not in repr(made)
    assert report(made)["state"] == worst(result for _, result in made) == "failed"
    assert worst([]) == "ok"
    assert json.loads(json.dumps(report(made)))["checks"][0] == {
        "area": "a", "name": "first", "state": "ok", "text": "fine", "action": "",
    }  # fmt: skip


def test_this_installation_is_well():
    for check in (check_python, check_packages, check_extras, check_engine, check_fonts):
        assert set(states(check).values()) == {"ok"}, check


def test_another_python_and_missing_and_other_packages_are_found(monkeypatch):
    monkeypatch.setattr(installation_checks, "SUPPORTED", ((3, 90), (3, 91)))
    assert only(check_python).state == "failed"
    version = installation_checks._version
    others = {"numpy": "1.0", "pydicom": None}
    monkeypatch.setattr(installation_checks, "_version", lambda name: others.get(name, version(name)))
    results = {result.state: result.text for _, result in diagnose({"area": check_packages})}
    assert results["failed"] == "not installed: pydicom"
    assert results["warning"].startswith("other releases: numpy 1.0 (")


def test_an_extra_is_missing_only_where_the_settings_need_it(own_folders, monkeypatch):
    monkeypatch.setattr(installation_checks, "_version", lambda name: None)
    assert set(states(check_extras).values()) == {"ok"}
    own_folders.setenv("SECOND_READ_PACS", "ARCHIVE@127.0.0.1:104")
    own_folders.setenv("SECOND_READ_DATABASE_URL", f"postgresql://reader:{SECRET}@127.0.0.1/x")
    settings.cache_clear()
    assert states(check_extras) == {
        "Extra pacs": "failed",
        "Extra postgres": "failed",
        "Extra ray": "ok",
        "Extra int8": "ok",
    }


def test_a_clock_that_is_behind_is_found(own_folders, monkeypatch):
    assert only(check_clock).state == "ok"
    audit.record(LOCAL, "backup")
    assert only(check_clock).state == "ok"
    text = audit.path().read_text()
    audit.path().write_text(text.replace('"when": "20', '"when": "21'))
    assert only(check_clock).state == "warning"
    monkeypatch.setattr(installation_checks, "_FIRST_YEAR", 9999)
    assert only(check_clock).state == "failed"


def test_every_transfer_syntax_and_format_is_decoded():
    made = states(check_decoders)
    assert len(made) == len(TRANSFER_SYNTAXES) + 4
    assert set(made.values()) == {"ok"}
    assert set(decoder_checks.samples()) == set(TRANSFER_SYNTAXES)


def test_no_sample_names_anybody():
    for data in decoder_checks.samples().values():
        assert b"Phantom" not in data
        assert len(data) < 4000


def test_a_decoder_that_is_missing_or_decodes_other_pixels_is_found(monkeypatch):
    samples = dict(decoder_checks.samples())
    broken, wrong = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.70"
    samples[broken] = samples[broken][:-200]
    samples[wrong] = samples["1.2.840.10008.1.2.4.50"]
    monkeypatch.setattr(decoder_checks, "samples", lambda: samples)
    failed = [name for name, state in states(check_decoders).items() if state == "failed"]
    assert len(failed) == 2, failed


def test_a_lossless_decoder_must_give_every_pixel(monkeypatch):
    target = decoder_checks.target
    monkeypatch.setattr(decoder_checks, "target", lambda bits: target(bits) + np.eye(32, dtype=np.uint16))
    made = states(check_decoders)
    assert made["RLE Lossless"] == "failed"
    # the mean error of one level in 32 is within the loss of the format
    assert made["JPEG Baseline (Process 1)"] == "ok"


def test_settings_are_listed_without_secrets_and_persons(own_folders):
    for name, value in (
        ("PACS_CREDENTIALS", SECRET), ("PACS_STOW_TOKEN", SECRET), ("PACS", "ARCHIVE@127.0.0.1:104"),
        ("ADMINS", "ann@example.org,bob@example.org"), ("DATABASE_URL", f"postgresql://r:{SECRET}@db/x"),
        ("PACS_SENDER", SECRET),
    ):  # fmt: skip
        own_folders.setenv(f"SECOND_READ_{name}", value)
    settings.cache_clear()
    made = [result for _, result in diagnose({"area": check_settings})]
    shown = {result.name: result.text for result in made if result.state == "ok"}
    assert shown["SECOND_READ_PACS"] == "ARCHIVE@127.0.0.1:104"
    assert shown["SECOND_READ_ADMINS"] == "2 persons"
    for name in ("PACS_CREDENTIALS", "PACS_STOW_TOKEN", "DATABASE_URL"):
        assert shown[f"SECOND_READ_{name}"] == "set, not shown"
    (warning,) = [result for result in made if result.state == "warning"]
    assert "SECOND_READ_PACS_SENDER," in warning.text
    assert SECRET not in repr(made)
    assert "ann@" not in repr(made)


def test_folders_are_written_to_and_little_space_is_said(own_folders, tmp_path, monkeypatch):
    assert states(check_folders) == {"SECOND_READ_HOME": "ok", "SECOND_READ_RUNS": "ok"}
    for free, state in ((10**10, "ok"), (10**9, "warning"), (10**7, "failed"), (None, "ok")):
        monkeypatch.setattr(data_checks, "free_bytes", lambda folder, free=free: free)
        assert set(states(check_space).values()) == {state}
    (tmp_path / "home").write_text("")
    # the other folder is checked all the same
    assert states(check_folders) == {"SECOND_READ_HOME": "failed", "SECOND_READ_RUNS": "ok"}


def test_the_database_is_opened_as_it_is(own_folders):
    assert only(check_database).text == "SQLite, made when it is first needed"
    with closing(RunStore()):
        assert (only(check_database).state, only(check_database).text[:6]) == ("ok", "sqlite")
    sqlite_file(database_url()).write_bytes(b"no database" * 1000)
    assert only(check_database).state == "failed"
    own_folders.setenv("SECOND_READ_DATABASE_URL", f"postgresql://reader:{SECRET}@127.0.0.1:1/none")
    settings.cache_clear()
    result = only(check_database)
    assert result.state == "failed"
    assert SECRET not in repr(result)


def test_migrations_that_are_pending_are_said_and_not_made(own_folders):
    from sqlalchemy import text

    from cxr_core.store.database import open_database

    RunStore().close()
    engine = open_database(database_url())
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM migrations WHERE name = 'removals'"))
    for _ in range(2):
        assert only(check_database).state == "warning"
    engine.dispose()


def test_the_clock_of_a_database_server_is_compared(monkeypatch):
    class When:
        def timestamp(self):
            return time.time() + 300

    assert 299 < data_checks._clock_difference(When()) < 301


def test_a_broken_chain_of_the_audit_trail_is_found(own_folders):
    assert only(check_audit_trail).text == "begins with the first event"
    for _ in range(3):
        audit.record(LOCAL, "backup")
    assert only(check_audit_trail).text == "3 events, the chain is unbroken"
    lines = audit.path().read_text().splitlines(keepends=True)
    audit.path().write_text("".join(lines[::2]))
    result = only(check_audit_trail)
    assert (result.state, result.text) == ("failed", "2 events; the chain is broken: 1 problem")


def test_the_serving_model_is_verified_wherever_it_is(own_folders, tmp_path):
    assert states(check_serving_model) == {"Model second-read-mini, which serves": "ok"}
    assert states(check_other_models) == {}
    copy = tmp_path / "home" / "models" / "mine"
    shutil.copytree(find_model("second-read-mini"), copy)
    (copy / "model.keras").write_bytes(b"other")
    assert states(check_other_models) == {"Model mine": "failed"}
    assert states(check_serving_model) == {"Model second-read-mini, which serves": "ok"}
    own_folders.setenv("SECOND_READ_MODEL", "none-such")
    settings.cache_clear()
    assert states(check_serving_model) == {"Model none-such, which serves": "failed"}
    assert only(check_reading).state == "failed"


def test_the_phantom_is_read(own_folders):
    assert only(check_reading).state == "ok"


def test_a_pacs_is_asked_and_one_that_does_not_answer_is_named(own_folders):
    assert only(check_pacs).text == "none is set"
    with application_entity() as entity:
        assert isinstance(entity, DimseAddress)
        own_folders.setenv("SECOND_READ_PACS", str(entity))
        settings.cache_clear()
        assert states(check_pacs) == {"PACS pacs": "ok"}
    own_folders.setenv("SECOND_READ_PACS", "ARCHIVE@127.0.0.1:1")
    settings.cache_clear()
    assert states(check_pacs) == {"PACS pacs": "failed"}


def test_the_settings_of_the_receiver_are_checked_without_listening(own_folders, tmp_path):
    assert only(check_receiver).state == "ok"
    own_folders.setenv("SECOND_READ_PACS_LISTEN", "127.0.0.1:11112")
    settings.cache_clear()
    assert only(check_receiver).state == "failed"
    own_folders.setenv("SECOND_READ_PACS_SENDERS", "CT1@127.0.0.1")
    settings.cache_clear()
    assert only(check_receiver).text == "SECONDREAD on 127.0.0.1:11112, 1 known senders"
    own_folders.setenv("SECOND_READ_PACS_RECEIVE_TLS", "true")
    own_folders.setenv("SECOND_READ_PACS_TLS_CERTIFICATE", str(tmp_path / "none.pem"))
    settings.cache_clear()
    assert only(check_receiver).state == "failed"
