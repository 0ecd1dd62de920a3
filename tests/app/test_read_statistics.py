"""The pages Concordance and Monitoring in Streamlit's test driver: the command's numbers, small ones, bad tables."""

import csv
import hashlib
import io
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from cxr_core.access import audit
from cxr_core.cli.main import main
from cxr_core.formatting import format_estimate
from cxr_core.imaging import Quality
from cxr_core.model import Finding
from cxr_core.monitoring import concordance_report
from cxr_core.settings import settings
from cxr_core.store.reads import ReadStore
from cxr_core.studies import Patient, StudyHeader
from cxr_core.ui import downloads, monitoring
from cxr_core.ui.read_store import _opened
from tests.reads import OPTIONS, made_up_reading, reveal, store_reads

PROJECT = Path(__file__).resolve().parents[2]
READS = 48
LEAD = "https://id|lead"


@pytest.fixture
def home(own_folders):
    own_folders.chdir(PROJECT)
    own_folders.setenv("SECOND_READ_KEEP", "store")
    settings.cache_clear()
    streamlit.cache_resource.clear()
    _opened.cache_clear()
    streamlit.config.set_option("client.showErrorDetails", "full")
    yield own_folders
    streamlit.cache_resource.clear()
    _opened.cache_clear()


@pytest.fixture
def made(monkeypatch):
    """What the buttons of downloads make, by their detail for the audit trail."""
    files, real = {}, downloads.audited

    def spy(make, detail, **details):
        files[detail] = real(make, detail, **details)
        return files[detail]

    monkeypatch.setattr(downloads, "audited", spy)
    return files


def add_reads(n=READS, **options):
    with closing(ReadStore()) as store:
        return store_reads(store, n, **options)


def opened(page, **choices):
    app = AppTest.from_file(str(PROJECT / "cxr_core/ui/main.py"), default_timeout=300)
    app.context = {"url": f"http://127.0.0.1:8501/{page}"}
    app.switch_page(f"../../pages/{page}.py")
    for name, value in choices.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def page_html(app) -> str:
    return "\n".join(element.proto.body for element in app.main.get("html"))


def test_without_reads_both_pages_say_why(home):
    assert "No opinions yet" in page_html(opened("concordance"))
    assert "No reads yet" in page_html(opened("monitoring"))
    assert "SECOND_READ_KEEP" not in page_html(opened("concordance"))
    home.setenv("SECOND_READ_KEEP", "session")
    settings.cache_clear()
    assert "SECOND_READ_KEEP=store" in page_html(opened("concordance"))
    assert "SECOND_READ_KEEP=store" in page_html(opened("monitoring"))
    # the title of the page is the only heading of the first level
    assert page_html(opened("concordance")).count("<h1") == page_html(opened("monitoring")).count("<h1") == 1


def test_reads_without_opinions_are_no_concordance(home):
    add_reads(4, opinions=False)
    assert "No opinions in this selection" in page_html(opened("concordance"))


def test_concordance_is_that_of_the_command(home, made, capsys):
    add_reads()
    app = opened("concordance", by="month")
    with closing(ReadStore()) as store:
        found = concordance_report(store, "month")
    shown = page_html(app)
    for group in found.groups.values():
        assert format_estimate(group.kappa) in shown
        assert format_estimate(group.model_only, percent=True) in shown
    assert (
        f"{found.groups['all'].opinions:,} opinions on {READS - 2} studies by 2 readers; intervals of 95 % by study"
        in shown
    )
    assert "Patients are not stored: intervals are by study" in shown
    assert main(["reads", "concordance", "--by", "month", "--csv"]) == 0
    assert made["concordance-csv"]() == capsys.readouterr().out
    assert audit.read()[0][-1].detail == "concordance-csv"
    assert dict(app.query_params) == {
        "period": "all", "model": "all", "by": "month", "uncertain": "excluded",
    }  # fmt: skip


def test_a_period_and_an_unknown_choice_of_the_address(home):
    add_reads()
    october = page_html(opened("concordance", period="2026-10", uncertain="half"))
    assert f"{(READS // 2) * 2} opinions" in october
    assert "not offered here (uncertain opinions). Shown: Excluded." in october


def test_readers_have_numbers_unless_names_are_allowed(home):
    add_reads()
    shown = page_html(opened("concordance", by="reader"))
    assert "Reader 1" in shown
    assert "Reader 2" in shown
    assert "reader-0" not in shown
    home.setenv("SECOND_READ_READER_NAMES", "lead")
    settings.cache_clear()
    named = page_html(opened("concordance", by="reader"))
    assert "reader-0" in named
    assert "id|" not in named


def test_small_numbers_are_not_shown(home):
    add_reads(9)
    shown = page_html(opened("concordance"))
    assert "too few cases (fewer than 10 studies" in shown
    assert "Opinions on fewer than 10 studies by 2 readers" in shown
    assert "9 studies" not in shown
    assert "%" not in "".join(part for part in shown.split("<dd>")[1:7])


def test_patients_are_named_where_they_are_stored(home, made):
    home.setenv("SECOND_READ_IDENTITY", "store")
    settings.cache_clear()
    with closing(ReadStore()) as store:
        for n in range(30):
            header = StudyHeader("", "", "PA", Patient("Quendelzahn", f"QZ-{n // 2}"))
            image = store.add_image("anna", f"image {n}".encode(), header=header)
            read = store.save_read(image, made_up_reading(n), OPTIONS, "1", revealed=False)
            store.add_opinion(read, "anna", "Mass", "present")
            reveal(store, read)
    shown = page_html(opened("concordance"))
    assert "on 15 patients by 1 reader; intervals of 95 % by patient" in shown
    assert "are not stored" not in shown
    rows = list(csv.DictReader(io.StringIO(made["concordance-csv"]())))
    assert {row["clustered_by"] for row in rows} == {"patients"}
    assert "QZ" not in shown + made["concordance-csv"]()


def test_a_reference_standard_is_compared_and_a_bad_one_is_named_in_one_line(home):
    add_reads()
    lines = [f"{hashlib.sha256(f'image {n}'.encode()).hexdigest()},Mass,{n % 2}" for n in range(READS)]
    app = opened("concordance")
    app.file_uploader(key="concordance-reference").upload(
        "truth.csv", b"image,label\nQuendelzahn,Mass\n", "text/csv"
    ).run()
    shown = page_html(app)
    assert "The table, line 1: the columns image, label and present are needed; present missing." in shown
    assert "Quendelzahn" not in shown
    app = opened("concordance")
    table = ("image,label,present\n" + "\n".join(lines)).encode()
    app.file_uploader(key="concordance-reference").upload("truth.csv", table, "text/csv").run()
    assert not app.exception
    shown = page_html(app)
    assert f"{READS - 2} opinions have an entry in the reference standard" in shown
    assert "Accuracy of the readers before and after reveal" in shown


def test_monitoring_is_that_of_the_command(home, made, capsys):
    weights = add_reads()
    app = opened("monitoring")
    shown = page_html(app)
    assert f"{READS} images, 2026-10-01 to 2026-11-" in shown
    assert "compared with validation patients of nih_128, 747 patients" in shown
    assert "modality CT" in shown
    assert "Time to answer" in shown
    assert "No alarm in" in shown or "Alarm on" in shown
    assert main(["reads", "monitor", "--csv"]) == 0
    assert made["monitoring-periods-csv"]() == capsys.readouterr().out
    rows = list(csv.DictReader(io.StringIO(made["monitoring-categories-csv"]())))
    assert [(row["kind"], row["category"], row["reads"]) for row in rows] == [("refused", "modality CT", "2")]
    event = audit.read()[0][-1]
    assert (event.detail, event.model) == ("monitoring-categories-csv", weights)
    by_day = opened("monitoring", by="day", period="2026-11")
    assert f"{READS // 2} images, 2026-11-" in page_html(by_day)


@pytest.mark.parametrize("others", [False, True])
def test_monitoring_leaves_out_what_is_hidden_from_the_viewer(home, made, monkeypatch, others):
    """Of the only image of a day, page and table would state the findings; of others' reads of it too."""
    weights = add_reads()
    findings = tuple(Finding(label, 0.0, 0.93, None, None, 0.5, "above") for label in ("Mass", "Effusion"))
    reading = made_up_reading(777, model_sha256=weights, findings=findings, quality=Quality(), distance=1.0)
    with closing(ReadStore()) as store:
        read = store.save_read(store.add_image(LEAD, b"hidden"), reading, OPTIONS, "1", revealed=False)
        if others:
            store.save_read(store.add_image("anna", b"hidden"), reading, OPTIONS, "1", revealed=True)

    def seen(viewer):
        monkeypatch.setattr(monitoring, "reader_name", lambda: viewer)
        shown = page_html(opened("monitoring", by="day"))
        days = {row["period"] for row in csv.DictReader(io.StringIO(made["monitoring-periods-csv"]()))}
        return shown, max(days) > "2026-11-27" or f"{datetime.now(UTC):%Y-%m-%d}" in days

    hidden, waits = seen(LEAD), "1 image is excluded until you have asked for its findings"
    assert (f"{READS} images" in hidden[0], waits in hidden[0], hidden[1]) == (True, True, False)
    # another reviewer, who does not read this image, and then the first one, from what is in memory
    for viewer in ("other", None):
        shown = seen(viewer)
        assert (f"{READS + 1} images" in shown[0], "excluded until" in shown[0], shown[1]) == (True, False, True)
    assert seen(LEAD) == hidden
    with closing(ReadStore()) as store:
        reveal(store, read)
    assert f"{READS + 1} images" in seen(LEAD)[0]


def test_concordance_says_how_many_images_wait_for_their_reader(home, capsys):
    weights = add_reads()
    with closing(ReadStore()) as store:
        reading = made_up_reading(777, model_sha256=weights)
        read = store.save_read(store.add_image("anna", b"hidden"), reading, OPTIONS, "1", revealed=False)
        store.add_opinion(read, "anna", "Mass", "present")
    line = "Excluded: 1 image whose findings were not shown to its reader yet."
    assert line in page_html(opened("concordance"))
    assert main(["reads", "concordance"]) == 0
    assert line in capsys.readouterr().out


def test_a_model_without_a_validation_run_has_nothing_to_compare_with(home):
    with closing(ReadStore()) as store:
        store.save_read(store.add_image("anna", b"image"), made_up_reading(1), OPTIONS, "1", revealed=True)
    assert "Nothing to compare these reads with" in page_html(opened("monitoring"))
