"""The page Operations: state, models, server and audit trail, for administrators alone."""

import csv
import io
import shutil
from datetime import UTC, datetime, timedelta

import pytest

from cxr_core.access import LOCAL, Role, Visitor, audit
from cxr_core.errors import PathUnusable
from cxr_core.model.folder import find_model
from cxr_core.operations.model_verification import model_verification
from cxr_core.settings import settings
from cxr_core.store.last_backup import note_backup
from cxr_core.ui import operations
from tests.app.conftest import last
from tests.app.test_pacs import text_of

ANN = Visitor("signed_in", "subject-ann", "https://id.example.org", "Ann", Role.READER)
BOB = Visitor("signed_in", "subject-bob", "https://id.example.org", "Bob", Role.ADMIN)
DIGEST = "ab" * 32


@pytest.fixture
def opened(app_of, own_folders):
    """Opens the page for a person."""
    settings.cache_clear()
    model_verification.cache_clear()
    yield lambda who="admin": app_of(who, page="operations").run()
    model_verification.cache_clear()


def tile(app, name) -> tuple[str, str]:
    import re

    found = re.search(rf"<dt>{name}</dt><dd><b>([^<]*)</b><span>([^<]*)</span>", text_of(app))
    return found.groups()


def rows(app) -> list[str]:
    """Return the rows of the table of events, as HTML."""
    tables = [element.proto.body for element in app.main.get("html") if "Table: time, user" in element.proto.body]
    return tables[0].split("<tr>")[2:] if tables else []


def test_a_new_program_says_what_is_not_there_yet(opened):
    app = opened("local")
    assert not app.exception
    text = text_of(app)
    assert tile(app, "Readiness") == ("ready", "store, folders, model, queue")
    assert tile(app, "Last backup") == ("not known", "second-read backup FILE.zip makes one")
    assert tile(app, "Images in the queue")[0] == "0"
    assert "No event yet" in text
    for sentence in ("This server", "second-read-mini", "verified", "local single-user mode", "Versions"):
        assert sentence in text


def test_a_check_that_fails_is_named_with_its_reason(opened, own_folders, monkeypatch):
    def failing():
        raise PathUnusable("SECOND_READ_HOME: cannot be written: the disk quota is exceeded.")

    monkeypatch.setattr(operations, "readiness_checks", lambda: {"model": lambda: None, "folders": failing})
    app = opened()
    assert tile(app, "Readiness") == ("not ready", "folders")
    assert "the disk quota is exceeded" in text_of(app)


def test_a_changed_model_is_not_verified(opened, tmp_path):
    copy = tmp_path / "home" / "models" / "mine"
    shutil.copytree(find_model("second-read-mini"), copy)
    assert text_of(opened()).count(">verified<") == 2
    (copy / "model.keras").write_bytes(b"other")
    text = text_of(opened())
    assert text.count(">verified<") == 1
    assert "model.keras was changed" in text


def test_the_last_backup_is_shown(opened):
    note_backup(12, 34_000_000)
    time, beside = tile(opened(), "Last backup")
    assert time.startswith(f"{datetime.now(UTC):%Y-%m-%d}")
    assert beside == "12 files, 34 MB"


def test_events_are_filtered_by_event_user_outcome_and_time(opened):
    audit.record(ANN, "export", "findings-csv", images=[DIGEST])
    audit.record(ANN, "refusal", "evaluation")
    audit.record(BOB, "model-import", "x", model=DIGEST)
    app = opened()
    assert not app.exception
    shown = rows(app)
    # the administrator's own sign-in is the newest
    assert [next(w for w in ("sign-in", "model-import", "refusal", "export") if w in row) for row in shown] == [
        "sign-in", "model-import", "refusal", "export",
    ]  # fmt: skip
    assert DIGEST[:12] in shown[-1]
    app.selectbox(key="audit-what").set_value("export").run()
    assert len(rows(app)) == 1
    app.selectbox(key="audit-what").set_value("all").run()
    app.text_input(key="audit-who").set_value("SUBJECT-A").run()
    assert len(rows(app)) == 2
    app.selectbox(key="audit-outcome").set_value("refused").run()
    assert ["refusal" in row for row in rows(app)] == [True]
    app.text_input(key="audit-who").set_value("nobody").run()
    assert rows(app) == []
    assert "No event matches these filters." in text_of(app)
    app.text_input(key="audit-who").set_value("").run()
    app.selectbox(key="audit-outcome").set_value("all").run()
    # three days ago, all of it
    now = datetime.now(UTC)
    ago = now - timedelta(days=3)
    audit.path().write_text(audit.path().read_text().replace(f'"when": "{now:%Y-%m-%d}', f'"when": "{ago:%Y-%m-%d}'))
    assert len(rows(app.run())) == 4
    app.selectbox(key="audit-period").set_value("last 24 hours").run()
    assert not app.exception
    assert rows(app) == []
    app.selectbox(key="audit-period").set_value("all").run()
    assert len(rows(app)) == 4


def test_more_events_than_fit_are_counted_and_exported(opened, offered):
    for number in range(60):
        audit.record(ANN, "export", f"=file {number}")
    app = opened()
    assert len(rows(app)) == 50
    assert "The newest 50 events." in text_of(app)
    data = last(offered)["audit-trail"]()
    exported = list(csv.DictReader(io.StringIO(data.decode())))
    # all that match, and the export itself
    assert len(exported) == 62
    assert (exported[0]["what"], exported[0]["detail"]) == ("export", "audit-trail")
    # no spreadsheet takes a cell for a formula
    assert exported[-1]["detail"] == "'=file 0"


def test_an_export_needs_the_role_and_the_trail(opened, offered, monkeypatch):
    audit.record(LOCAL, "backup")
    opened()
    make = last(offered)["audit-trail"]
    monkeypatch.setattr(audit, "record", lambda *_, **__: (_ for _ in ()).throw(PathUnusable("no trail")))
    with pytest.raises(PathUnusable):
        make()


def test_an_event_of_a_hostile_name_and_time_is_shown_as_text(opened):
    hostile = Visitor("signed_in", "<script>alert(1)</script>\u202e", "x", role=Role.READER)
    audit.record(hostile, "export", "<b>x</b>")
    app = opened()
    assert not app.exception
    assert "<script>" not in "".join(rows(app))
    assert "&lt;script&gt;" in "".join(rows(app))
    assert "\u202e" not in "".join(rows(app))


def test_a_trail_that_cannot_be_read_is_said(opened, tmp_path):
    audit.path().parent.mkdir(parents=True, exist_ok=True)
    audit.path().mkdir()
    app = opened("local")
    assert not app.exception
    assert "The audit trail cannot be shown" in text_of(app)
