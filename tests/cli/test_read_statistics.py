"""``reads concordance`` and ``reads monitor`` on stored reads."""

import csv
import hashlib
import io
import re
from contextlib import closing

import pytest
from sklearn.metrics import cohen_kappa_score

from cxr_core.cli.main import main
from cxr_core.cli.read_statistics import reference_file
from cxr_core.errors import WrongArguments
from cxr_core.labels import NOTICE
from cxr_core.model import Finding
from cxr_core.model.card import read_card
from cxr_core.model.folder import CARD, find_model
from cxr_core.settings import settings
from cxr_core.store.reads import ReadStore
from tests.reads import OPTIONS, made_up_reading, reveal

READS = 24


@pytest.fixture
def home(own_folders, tmp_path):
    return tmp_path


@pytest.fixture
def stored(home):
    """24 reads with an opinion on Mass before reveal; every third disagrees, and every sixth changes to the model's."""
    with closing(ReadStore()) as store:
        for n in range(READS):
            state, score = ("above", 0.9) if n % 2 else ("below", 0.1)
            finding = Finding("Mass", 0.0, score, None, None, 0.5, state)
            image = store.add_image("anna" if n % 4 < 2 else "berta", f"image {n}".encode())
            reading = made_up_reading(n, findings=(finding,))
            read = store.save_read(image, reading, OPTIONS, "1", revealed=False)
            says = (n % 2 == 1) ^ (n % 3 == 0)
            store.add_opinion(read, image.reader, "Mass", "present" if says else "absent")
            store.add_seconds(read, float(n))
            reveal(store, read)
            if n % 6 == 0:
                store.add_opinion(read, image.reader, "Mass", "present" if n % 2 else "absent")
    return home


def rows_of(capsys, *arguments):
    assert main(["reads", *arguments, "--csv"]) == 0
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


def test_concordance_of_stored_opinions(stored, capsys, monkeypatch):
    rows = rows_of(capsys, "concordance")
    found = {row["number"]: row for row in rows if row["label"] == "all"}
    model = [n % 2 == 1 for n in range(READS)]
    reader = [above ^ (n % 3 == 0) for n, above in enumerate(model)]
    assert float(found["agreement"]["value"]) == pytest.approx(16 / 24)
    assert float(found["kappa"]["value"]) == pytest.approx(cohen_kappa_score(reader, model))
    assert float(found["toward"]["value"]) == pytest.approx(4 / 24)
    assert (found["agreement"]["clusters"], found["agreement"]["clustered_by"]) == ("24", "studies")
    assert found["agreement"]["notice"] == NOTICE
    assert {row["label"] for row in rows} == {"all", "Mass"}
    by_reader = {row["reader"] for row in rows_of(capsys, "concordance", "--by", "reader")}
    assert by_reader == {"all", "Reader 1", "Reader 2"}
    monkeypatch.setenv("SECOND_READ_READER_NAMES", "lead")
    settings.cache_clear()
    by_reader = {row["reader"] for row in rows_of(capsys, "concordance", "--by", "reader")}
    assert by_reader == {"all", "anna", "berta"}
    assert main(["reads", "concordance", "--by", "month"]) == 0
    text = capsys.readouterr().out
    assert "all: 24 opinions, 24 studies" in text
    assert "Intervals of 95 % by study." in text
    # 1 to 23 seconds; none is known of the first read
    assert "time per read median 12 s, quartiles 6 to 18 s; 23 reads" in text
    assert "agreement   66.7% (46.7% to 82.0%)" in text


def test_a_reference_standard_gives_accuracy_before_and_after(stored, capsys):
    digests = [hashlib.sha256(f"image {n}".encode()).hexdigest() for n in range(READS)]
    lines = [f"{digest},Mass,{n % 2}" for n, digest in enumerate(digests)]
    (stored / "truth.csv").write_text("image,label,present\n" + "\n".join(lines))
    rows = rows_of(capsys, "concordance", "--reference", str(stored / "truth.csv"))
    found = {row["number"]: row for row in rows if row["label"] == "all"}
    # of the absent ones every third was called present, and every one of these was corrected
    assert float(found["specificity_before"]["value"]) == pytest.approx(8 / 12)
    assert float(found["specificity_after"]["value"]) == 1
    assert float(found["specificity_difference"]["p_value"]) == pytest.approx(2 / 2**4)
    assert float(found["sensitivity_difference"]["value"]) == 0
    assert main(["reads", "concordance", "--reference", str(stored / "truth.csv")]) == 0
    assert "specificity 66.7% (39.1% to 86.2%) before" in capsys.readouterr().out


def test_a_reference_that_is_none_is_refused(home):
    for text in ("image,label\na,Mass\n", "image,label,present\na,Mass,yes\n", "image,label,present\na,M,1\na,M,0\n"):
        (home / "truth.csv").write_text(text)
        with pytest.raises(WrongArguments, match=r"truth\.csv, line"):
            reference_file(home / "truth.csv")


def test_nothing_is_stored(home, capsys):
    assert main(["reads", "concordance"]) == 0
    assert "There are no opinions" in capsys.readouterr().out
    assert main(["reads", "monitor"]) == 0
    assert "0 images, compared with validation patients of nih_128: 747 patients" in capsys.readouterr().out
    assert rows_of(capsys, "monitor") == rows_of(capsys, "concordance") == []


@pytest.mark.parametrize(
    "arguments",
    [("concordance", "--by", "view"), ("concordance", "--uncertain", "half"), ("monitor", "--by", "year"),
     ("monitor", "--run", "external-jsrt-version-1")],
)  # fmt: skip
def test_other_arguments_are_refused(home, capsys, arguments):
    assert main(["reads", *arguments]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_reads_over_time_and_the_alarm(home, capsys):
    card = read_card(find_model("second-read-mini") / CARD)
    with closing(ReadStore()) as store:
        for n in range(60):
            findings = tuple(Finding(label, 6.0, 0.9975, None, None, 0.5, "above") for label in card.labels)
            reading = made_up_reading(n, model_sha256=card.weights_sha256, findings=findings)
            store.save_read(store.add_image("anna", f"image {n}".encode()), reading, OPTIONS, "1", revealed=True)
    rows = {row["series"]: row for row in rows_of(capsys, "monitor")}
    assert (rows["reads"]["value"], rows["flagged"]["value"], rows["flagged"]["outside"]) == ("60.0", "1.0", "True")
    assert rows["refused"]["value"] == "0.0"
    assert main(["reads", "monitor", "--by", "day"]) == 0
    text = capsys.readouterr().out
    assert "60 images, compared with validation patients of nih_128: 747 patients." in text
    assert "Alarm " in text
    assert re.search(
        r"^score: Mass: stability index \d\.\d+, limit 0\.\d+ \(60 studies\); outside$", text, re.MULTILINE
    )
    assert "age: stability index too few (0 studies)\n" in text
    assert re.search(r"view: AP 0, PA 60; p 0\.0\d\d\n", text)
    assert "higher" in text
    assert "No alarm" not in text
