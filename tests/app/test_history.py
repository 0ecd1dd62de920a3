"""The page History: who sees which reads, filters in the address, a read as it was shown, and two side by side."""

import csv
import io
import json
import logging
import re
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text as sql

from cxr_core import __version__
from cxr_core.access import LOCAL, audit
from cxr_core.cli.main import main
from cxr_core.errors import CxrError
from cxr_core.imaging import Quality, phantom_dicom
from cxr_core.labels import display_name
from cxr_core.model.formatting import format_prevalence
from cxr_core.reading import read_image
from cxr_core.settings import settings
from cxr_core.store.database import transaction
from cxr_core.store.image_files import image_path
from cxr_core.store.reads import ReadStore
from cxr_core.ui import downloads, history_list, stored_worklist
from cxr_core.ui.history_scope import reader_keys
from cxr_core.ui.read_store import _opened
from tests.app.conftest import person
from tests.app.test_dicom_downloads import of_dicom, unzipped
from tests.app.test_downloads import drop
from tests.app.test_pages import component_data
from tests.dicom_results import parsed
from tests.reads import OPTIONS, made_up_reading

ANN, BOB = "https://id.example.org|subject-1", "https://id.example.org|subject-2"
NAME, PATIENT_ID, ACCESSION = "Quendelzahn", "QZ-4711", "QZACC9"
GONE = "ab" * 32
LEAD = person("reviewer", sub="subject-2")


@pytest.fixture
def use(app_of, monkeypatch, tmp_path):
    """Set settings and return what opens the page for a person; reads are stored."""

    def set_up(identity: str = "store", keep: str = "store"):
        for name, value in {"HOME": str(tmp_path / "home"), "KEEP": keep, "IDENTITY": identity}.items():
            monkeypatch.setenv(f"SECOND_READ_{name}", value)
        settings.cache_clear()
        _opened.cache_clear()

        def opened(who="reader", **address: str):
            app = app_of(who, page="history")
            for name, value in address.items():
                app.query_params[name.rstrip("_")] = value
            return app.run()

        return opened

    yield set_up
    _opened.cache_clear()


@pytest.fixture
def dicom() -> bytes:
    return phantom_dicom(
        256, 224, PatientName=f"{NAME}^Xaver", PatientID=PATIENT_ID, StudyDate="20261120", AccessionNumber=ACCESSION
    )


@pytest.fixture
def add(dicom, predictor):
    """Store a read: of the real model, or a made-up one of a model that is not installed."""

    readings = {}

    def stored(reader=ANN, data=dicom, *, gone=False, revealed=True, seed=0, card=True, **changes) -> str:
        from cxr_core.studies import read_study_header

        with closing(ReadStore()) as store:
            image = store.add_image(reader, data, name="qzfile.dcm", header=read_study_header(data))
            if not gone:
                reading = readings.setdefault(data, None) or read_image(data, predictor)[1]
                readings[data], options = reading, stored_worklist.ReadOptions()
                model = predictor.card
            else:
                fields = {"sha256": image.digest, "model_id": "model-that-left", "model_sha256": GONE}
                reading, options = made_up_reading(seed, **fields | changes), OPTIONS
                model = replace(predictor.card, id="model-that-left", version="7", weights_sha256=GONE)
            return store.save_read(
                image, reading, options, model.version, revealed=revealed, card=model if card else None
            )

    return stored


@pytest.fixture
def tables(monkeypatch) -> list:
    """What the buttons for the table would make, the last one last."""
    return _made(monkeypatch, "reads-csv")


@pytest.fixture
def reports(monkeypatch) -> list:
    """What the buttons for the report of a read would make, the last one last."""
    return _made(monkeypatch, "report-pdf")


def _made(monkeypatch, kind) -> list:
    made, audited = [], downloads.audited

    def spy(make, detail, **details):
        wrapped = audited(make, detail, **details)
        if detail == kind:
            made.append(wrapped)
        return wrapped

    monkeypatch.setattr(downloads, "audited", spy)
    return made


def page_html(app) -> str:
    return "\n".join(element.proto.body for element in app.main.get("html"))


def asked(app, name: str) -> str:
    """Return a part of the address; the driver has what a test set in a list, and what the page wrote without."""
    value = app.query_params[name]
    return value if isinstance(value, str) else value[0]


def rows(app) -> list[dict]:
    data = component_data(app, "second_read_history")
    return [] if data is None else data["rows"]


def findings(app) -> dict | None:
    data = component_data(app, "second_read_history_findings")
    return None if data is None else data["content"]


def everything(app) -> str:
    return repr(app.main) + page_html(app) + "".join(e.proto.json for e in app.main if e.type == "bidi_component")


def test_a_reader_sees_own_reads_and_a_lead_those_of_all(use, add):
    opened = use()
    mine, other = add(), add(BOB, gone=True)
    app = opened("reader")
    assert not app.exception
    assert [row["id"] for row in rows(app)] == [mine]
    assert "1 your reads" in page_html(app)
    assert rows(app)[0]["patient"] == f"{NAME}, Xaver"
    assert not component_data(app, "second_read_history")["withReader"]
    # the address cannot widen it
    assert [row["id"] for row in rows(opened("reader", reader="x"))] == [mine]
    for lead in ("reviewer", "admin"):
        app = opened(lead)
        assert {row["id"] for row in rows(app)} == {mine, other}
        titles = {row["id"]: row["reader"] for row in rows(app)}
        assert titles[mine].endswith("(you)")
        assert "subject" not in everything(app)


def test_readers_have_names_where_a_setting_allows_it_and_never_in_the_address(use, add, monkeypatch):
    monkeypatch.setenv("SECOND_READ_READER_NAMES", "lead")
    opened = use()
    add(gone=True)
    other = add(BOB, gone=True, seed=1)
    app = opened("reviewer")
    assert {row["reader"] for row in rows(app)} == {"subject-1 (you)", "subject-2"}
    app.selectbox(key="history-reader").set_value(reader_keys([BOB])[BOB]).run()
    assert [row["id"] for row in rows(app)] == [other]
    assert "subject" not in repr(dict(app.query_params))


@pytest.mark.parametrize("who", ["nobody", "expired", "no_role"])
def test_who_has_no_role_sees_nothing_of_a_read(use, add, who):
    opened = use()
    app = opened(who, read=add())
    assert not app.exception
    assert NAME not in everything(app)
    assert rows(app) == []
    assert findings(app) is None


def test_a_read_of_another_person_is_answered_as_one_that_does_not_exist(use, add):
    opened = use()
    other = add(BOB, gone=True)
    with closing(ReadStore()) as store:
        study = store.read(other).summary.study
    answers = []
    for address in ({"read": other}, {"read": "0" * 20}, {"read": other[:8]}, {"study": study}, {"study": "0" * 20},
                    {"read": other, "with_": other}):  # fmt: skip
        app = opened("reader", **address)
        assert not app.exception
        answers.append(page_html(app))
    assert "No such read or study" in answers[0]
    assert len(set(answers)) == 1
    assert findings(opened("reviewer", read=other)) is not None
    assert [row["id"] for row in rows(opened("reviewer", study=study))] == [other]


def test_the_filters_are_in_the_address_and_the_search_is_not(use, add):
    opened = use()
    real, gone = add(), add(gone=True)
    app = opened("reader", model="model-that-left", state="above")
    assert [row["id"] for row in rows(app)] == [gone]
    assert app.selectbox(key="history-model").value == "model-that-left"
    app.selectbox(key="history-model").set_value("second-read-mini").run()
    assert asked(app, "model") == "second-read-mini"
    app.selectbox(key="history-state").set_value("").run()
    assert "state" not in app.query_params
    assert [row["id"] for row in rows(app)] == [real]
    app.button(key="history-reset").click().run()
    assert not app.query_params
    assert len(rows(app)) == 2
    for words, count in ((NAME.lower(), 2), (PATIENT_ID[3:], 2), (ACCESSION, 2), ("nobody", 0)):
        app.text_input(key="history-search").set_value(words).run()
        assert len(rows(app)) == count
        assert not app.query_params
    assert "No read matches" in page_html(app)
    assert rows(opened("reader", until="2020-01-01")) == []
    assert len(rows(opened("reader", since="2020-01-01"))) == 2
    app = opened("reader", label="Nonsense", since="later")
    assert "names a since and a label that no read here has" in page_html(app)
    assert len(rows(app)) == 2


def test_many_reads_are_shown_in_pages(use, add, monkeypatch):
    opened = use()
    monkeypatch.setattr(history_list, "ROWS_PER_PAGE", 2)
    ids = [add(gone=True, seed=seed) for seed in range(5)]
    app = opened("reader")
    assert [row["id"] for row in rows(app)] == ids[:2:-1]
    app.button(key="history-Older").click().run()
    app.button(key="history-Older").click().run()
    assert [row["id"] for row in rows(app)] == ids[:1]
    assert asked(app, "page") == "3"
    assert app.button(key="history-Older").disabled
    assert [row["id"] for row in rows(opened("reader", page="99"))] == ids[:1]


def test_a_read_is_opened_as_it_was_shown_by_a_model_that_is_gone(use, add, dicom):
    opened = use()
    read = add(gone=True)
    with closing(ReadStore()) as store:
        reading = store.read(read).reading
        store.add_opinion(read, ANN, "Mass", "absent", "a shadow of the nipple")
        store.add_opinion(read, ANN, "Mass", "present")
    app = opened("reader", read=read)
    assert not app.exception
    shown = findings(app)
    ranked = reading.ranked()
    assert [row["label"] for row in shown["rows"]] == [finding.label for finding in ranked]
    assert [row["state"] for row in shown["rows"]] == [finding.state for finding in ranked]
    assert [row["threshold"] for row in shown["rows"]] == ["" if f.threshold is None else "0.200" for f in ranked]
    assert shown["warnings"] == list(reading.quality.reasons)
    assert shown["notes"] == list(reading.quality.notes)
    opinion = next(row for row in shown["rows"] if row["label"] == "Mass")
    assert opinion["opinion"] == "absent → present"
    assert "a shadow of the nipple" in opinion["opinions"][0]
    text = page_html(app)
    assert "Model no longer installed." in text
    assert "model-that-left version 7" in text
    assert f"{NAME}, Xaver" in text
    assert f"Assumed prevalence</td><td>{format_prevalence(reading.prevalence)}" in text
    # what the browser fetches: the stored maps on the scale of the card of then
    reader = app.session_state["history_reader"]
    (image,) = reader.images.images.values()
    assert image.reading.findings == reading.findings
    assert (image.reading.class_maps == reading.class_maps).all()
    assert (image.quarter_turns, image.mirrored, image.voi_scale) == (1, True, "data")
    assert image.file() == dicom
    assert reader.predictor.card.version == "7"


def test_a_read_without_a_stored_card_is_shown_without_maps(use, add):
    opened = use()
    app = opened("reader", read=add(gone=True, card=False))
    assert not app.exception
    assert len(findings(app)["rows"]) == 14
    assert not findings(app)["hasMaps"]
    assert "without heat maps" in page_html(app)
    (image,) = app.session_state["history_reader"].images.images.values()
    assert image.status == "refused"


def test_an_image_that_was_refused_is_shown_with_the_reasons(use, add):
    opened = use()
    refused = Quality("refused", ("The image is no chest radiograph.",), None, 0, ())
    read = add(gone=True, findings=(), placement=None, quality=refused, flagged=None)
    assert [(row["above"], row["quality"]) for row in rows(opened("reader"))] == [("not read", "refused")]
    app = opened("reader", read=read)
    assert not app.exception
    assert findings(app)["rows"] == []
    assert findings(app)["warnings"] == ["The image is no chest radiograph."]
    assert findings(app)["summary"] == "This image was not read"


def test_findings_that_the_reader_has_not_asked_for_stay_hidden(use, add):
    opened = use()
    hidden, shown = add(BOB, revealed=False), add(gone=True)
    bob = person("reader", sub="subject-2")
    app = opened(bob)
    assert [(row["id"], row["kind"]) for row in rows(app)] == [(hidden, "hidden")]
    assert not any(display_name(label) in rows(app)[0]["above"] for label in ("Mass", "Effusion"))
    # a choice by label or state would tell
    assert rows(opened(bob, state="not_evaluated")) == []
    app = opened(bob, read=hidden)
    assert findings(app)["rows"] == []
    assert "Findings not shown yet." in page_html(app)
    images = app.session_state["history_reader"].images
    (image,) = images.images.values()
    assert images.is_hidden(image)
    assert {row["id"] for row in rows(opened("reviewer", state="not_evaluated"))} == {hidden, shown}
    assert len(findings(opened("reviewer", read=hidden))["rows"]) == 14


def test_two_reads_of_one_image_are_compared_with_what_differs_first(use, add):
    opened = use()
    one = add(gone=True, seed=1)
    other = add(gone=True, seed=2, operating_point="youden")
    app = opened("reader", read=one)
    box = app.selectbox(key="history-compare")
    assert [option for option in box.options if "youden" in option]
    box.set_value(other).run()
    assert (asked(app, "read"), asked(app, "with")) == (one, other)
    text = page_html(app)
    with closing(ReadStore()) as store:
        first, second = (store.read(read).reading for read in (one, other))
    changed = [f.label for f in first.findings if f.state != second.finding(f.label).state]
    assert changed
    assert f"{len(changed)} of 14 labels have another state" in text
    places = {f.label: text.index(f">{display_name(f.label)}<") for f in first.findings}
    others = [place for label, place in places.items() if label not in changed]
    assert max(places[label] for label in changed) < min(others)
    stranger = add(BOB, gone=True)
    assert "No such read or study" in page_html(opened("reader", read=one, with_=stranger))


def test_a_read_whose_file_is_gone_shows_nothing(use, add):
    opened = use()
    read = add(gone=True)
    with closing(ReadStore()) as store:
        summary = store.read(read).summary
    image_path(summary.study, summary.image).unlink()
    app = opened("reader", read=read)
    assert not app.exception
    assert findings(app) is None
    assert "The image is gone" in page_html(app)
    assert NAME not in everything(app)


def test_a_deleted_read_is_gone_from_table_and_address(use, add):
    opened = use()
    read = add(gone=True)
    with closing(ReadStore()) as store:
        store.delete_study(LOCAL, store.read(read).summary.study)
    assert "No read of yours is stored yet" in page_html(opened("reader"))
    assert "No such read or study" in page_html(opened("reader", read=read))


@pytest.mark.parametrize("identity", ["off", "screen", "store"])
def test_patients_are_where_the_setting_says_and_nowhere_else(use, add, identity, caplog, trail, tables):
    opened = use(identity)
    with caplog.at_level(logging.DEBUG):
        read = add(gone=True)
        listed, own, lead = opened("reader"), opened("reader", read=read), opened(LEAD, read=read)
        opened(LEAD)
        texts = [tables[0](), tables[-1]()]
    for app in (listed, own, lead):
        assert not app.exception
        assert NAME not in repr(dict(app.query_params))
    assert (NAME in everything(listed)) == (identity == "store")
    assert (NAME in everything(own)) == (identity != "off")
    # the header of the file is for the reader's eyes alone, unless it is stored
    assert (NAME in everything(lead)) == (identity == "store")
    for text in texts:
        assert [part in text for part in (NAME, PATIENT_ID, ACCESSION)] == [identity == "store"] * 3
        assert "qzfile" not in text
    assert trail.is_file()
    for secret in (NAME, PATIENT_ID, ACCESSION, "qzfile"):
        assert secret not in caplog.text
        assert secret not in trail.read_text()


@pytest.mark.parametrize("identity", ["off", "screen", "store"])
def test_the_report_of_a_read_names_the_patient_to_those_whom_the_page_names(use, add, printed, reports, identity):
    opened = use(identity)
    read = add()
    for who, named in (("reader", identity != "off"), (LEAD, identity == "store")):
        app = opened(who, read=read)
        assert not app.exception
        text = "\n".join(printed(reports[-1]()))
        assert (NAME in everything(app)) == named
        assert [part in text for part in (NAME, PATIENT_ID, ACCESSION, "2026-11-20")] == [named] * 4
        assert ("qzfile" in text) == (identity == "store")


def test_the_report_of_a_read_states_when_it_was_read_and_when_it_was_made(use, add, printed, reports):
    opened = use()
    read = add()
    with closing(ReadStore()) as store, transaction(store._engine, writing=True) as connection:
        connection.execute(sql("UPDATE reads SET created = '2025-03-01T10:30:00.000+00:00'"))
    opened("reader", read=read)
    before = datetime.now(UTC)
    page = printed(reports[-1]())[0]
    zone = r" (\d{4}-\d\d-\d\d \d\d:\d\d) UTC([+-]\d\d:\d\d)"
    times = re.search(rf"Read on{zone}. Made by Second Read {__version__} on{zone}", page).groups()
    was_read, made = (datetime.fromisoformat("".join(times[n : n + 2])) for n in (0, 2))
    assert was_read == datetime(2025, 3, 1, 10, 30, tzinfo=UTC)
    assert timedelta(minutes=-1) <= made - before <= timedelta(minutes=2)


def test_reading_page_history_and_command_give_the_same_files_of_a_stored_read(
    use, app_of, offered, tmp_path, dicom
):  # fmt: skip
    opened = use("screen")
    app = drop(app_of("reader").run(), ("qzfile.dcm", dicom))
    assert not app.exception
    from_page = unzipped(of_dicom(offered)["dicom-all"]())
    with closing(ReadStore()) as store:
        (read,) = [summary.id for summary in store.list_reads()]
        store.add_opinion(read, ANN, "Mass", "present")
    del offered[:]
    opened("reader", read=read)
    from_history = unzipped(of_dicom(offered)["dicom-all"]())
    # the opinion makes other results of it
    assert parsed(from_page["sr.dcm"]).SOPInstanceUID != parsed(from_history["sr.dcm"]).SOPInstanceUID
    app.session_state["worklist"].keeper.refresh()
    del offered[:]
    app.run()
    assert unzipped(of_dicom(offered)["dicom-all"]()) == from_history
    assert main(["reads", "export", read, str(tmp_path / "out"), "--sr", "--sc", "--dicom-pdf", "--gsps", "--seg"]) == 0
    written = {path.name.removeprefix(f"{read}."): path.read_bytes() for path in (tmp_path / "out").glob("*.dcm")}
    assert written == from_history


@pytest.mark.parametrize("identity", ["off", "screen", "store"])
def test_results_of_a_stored_read_are_for_those_who_see_whose_it_is(use, add, offered, identity):
    opened = use(identity)
    read = add()
    for who, named in (("reader", identity != "off"), (LEAD, identity == "store")):
        del offered[:]
        app = opened(who, read=read)
        assert not app.exception
        assert bool(of_dicom(offered)) == named
        if named:
            assert parsed(of_dicom(offered)["dicom-sr"]()).PatientID == PATIENT_ID
        else:
            line = "SECOND_READ_IDENTITY=off" if identity == "off" else "which you do not see here"
            assert line in page_html(app)


def test_results_of_a_read_that_was_deleted_meanwhile_are_refused(use, add, offered):
    opened = use()
    opened("reader", read=add())
    make = of_dicom(offered)["dicom-sr"]
    with closing(ReadStore()) as store:
        store.delete_study(LOCAL, store.list_reads()[0].study)
    with pytest.raises(CxrError, match="gone from the store"):
        make()


def test_the_table_can_be_downloaded_and_the_trail_says_so(use, add, trail, tables):
    opened = use()
    read, hidden = add(gone=True), add(data=phantom_dicom(128, 128, PatientName="Other^A"), revealed=False)
    opened("reader")
    lines = {line["read"]: line for line in csv.DictReader(io.StringIO(tables[-1]()))}
    assert set(lines) == {read, hidden}
    assert lines[read]["patient"] == f"{NAME}, Xaver"
    assert lines[read]["above"]
    assert lines[hidden]["above"] == ""
    event = audit.read()[0][-1]
    assert (event.what, event.detail, len(event.images)) == ("export", "reads-csv", 2)
    assert lines[read]["image"] in event.images


def test_open_in_the_worklist_is_offered_for_own_reads_alone(use, add):
    opened = use()
    mine, other = add(), add(BOB)
    app = opened("reviewer", read=other)
    assert "history-open" not in {button.key for button in app.button}
    assert "Read of another reader." in page_html(app)
    app = opened("reader", read=mine)
    app.button(key="history-open").click().run()
    assert not app.exception
    (image,) = app.session_state["worklist"].images.values()
    assert app.session_state["worklist"].chosen == image.digest
    assert component_data(app, "second_read_findings") is not None
    with closing(ReadStore()) as store:
        study = store.read(mine).summary.study
    assert f"http://127.0.0.1:8501/history?study={study}" in {code.value for code in app.code}


def test_without_a_store_the_page_says_how_to_set_it_and_the_navigation_has_it_not(use, monkeypatch):
    opened = use(keep="session")
    app = opened("reader")
    assert not app.exception
    assert "Reads are not stored on this server" in page_html(app)
    assert any("SECOND_READ_KEEP=store" in code.value for code in app.code)


def test_the_address_of_a_read_holds_its_id_alone(use, add):
    opened = use()
    read = add(gone=True)
    app = opened("reader", read=read)
    assert f"http://127.0.0.1:8501/history?read={read}" in {code.value for code in app.code}
    data = json.dumps(component_data(app, "second_read_history_findings"))
    assert NAME not in data
