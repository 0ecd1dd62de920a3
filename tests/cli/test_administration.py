"""The commands that stand in the audit trail, and the one that shows it."""

import io

import pytest

from cxr_core.access import LOCAL, Role, Visitor, audit, on_behalf_of, system_user
from cxr_core.cli import import_model as module
from cxr_core.cli.main import main
from cxr_core.imaging import phantom_dicom
from cxr_core.logs import within_request
from cxr_core.model import shared_predictor
from cxr_core.model.card import read_card
from cxr_core.model.folder import CARD, find_model
from cxr_core.settings import settings
from cxr_core.store import RunStore
from cxr_core.ui.import_panel import ImportJob
from tests.runs import made_up, record_of


def test_it_prints_one_line_an_event(trail, capsys):
    assert main(["audit"]) == 0
    assert "No event in" in capsys.readouterr().out
    audit.record(Visitor("signed_in", "s-1\x1b[2J", "https://id", "Ann", Role.REVIEWER), "sign-in")
    audit.record(LOCAL, "export", "findings-csv", images=["a" * 64], model="b" * 64)
    with within_request("5f0c" * 8):
        audit.record(LOCAL, "export", "run", run="a-run")
    assert main(["audit"]) == 0
    first, second, third = capsys.readouterr().out.splitlines()
    assert first.split("  ")[1:] == ["s-1?[2J", "reviewer", "sign-in"]
    assert second.endswith(f"{system_user()}  admin  export findings-csv  image {'a' * 12}, model {'b' * 12}")
    assert third.endswith(f"{system_user()}  admin  export run  run a-run, request {'5f0c' * 8}")


def test_it_leaves_out_what_was_before_and_counts_what_it_cannot_read(trail, capsys):
    audit.record(LOCAL, "export")
    with trail.open("a") as file:
        file.write("not a line of ours\n")
    assert main(["audit", "--since", "2999-01-01"]) == 0
    out = capsys.readouterr()
    assert "No event since 2999-01-01" in out.out
    assert "1 line" in out.err
    assert main(["audit", "--since", "yesterday"]) == 2
    assert "2026-11-24" in capsys.readouterr().err


def test_a_trail_that_cannot_be_read_is_one_line(trail, capsys):
    trail.mkdir(parents=True)
    assert main(["audit"]) == 4
    assert capsys.readouterr().err.startswith("Error: The audit trail cannot be read.")


@pytest.fixture
def stored(monkeypatch, tmp_path):
    monkeypatch.setenv("SECOND_READ_RUNS", str(tmp_path / "runs"))
    settings.cache_clear()
    predictions = made_up(labels=("Effusion", "Mass"))
    store = RunStore()
    yield store.add(record_of(predictions, "a-run"), predictions)
    store.close()


def test_an_export_is_in_the_trail_before_a_file_is_written(trail, stored, figures_as_text, tmp_path, capsys):
    assert main(["runs", "export", "a-run", str(tmp_path / "out")]) == 0
    (event,) = audit.read()[0]
    assert (event.who, event.what, event.detail, event.run) == (system_user(), "export", "run", "a-run")
    trail.unlink()
    trail.mkdir()
    capsys.readouterr()
    assert main(["runs", "export", "a-run", str(tmp_path / "other")]) == 4
    assert "SECOND_READ_AUDIT" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_images_that_are_read_anyway_are_named_by_digest(trail, tmp_path, capsys):
    (tmp_path / "Smith.dcm").write_bytes(phantom_dicom(256, 224, Modality="CT"))
    (tmp_path / "plain.dcm").write_bytes(phantom_dicom(256, 224))
    assert main(["predict", str(tmp_path), "--csv", "--read-anyway", "wrong tag"]) in (0, 3)
    (event,) = audit.read()[0]
    assert event.what == "override"
    assert len(event.images[0]) == 64
    assert event.model == shared_predictor().card.weights_sha256
    assert "Smith" not in trail.read_text()


class Copying:
    """Stands where TensorFlow would be imported: makes a model folder of a card alone."""

    def import_keras(self, file, labels, size, imported, folder, **options):
        folder.mkdir(parents=True)
        (folder / CARD).write_bytes((find_model("second-read-mini") / CARD).read_bytes())
        return read_card(folder / CARD)


@pytest.fixture
def importing(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "_importing", Copying)
    (tmp_path / "Weights of Smith.h5").write_bytes(b"x")
    return ["models", "import", f"keras:{tmp_path / 'Weights of Smith.h5'}", "--out", str(tmp_path / "made")]


def test_an_import_is_an_event_of_whoever_asked_for_it(trail, importing, tmp_path, monkeypatch):
    admin = Visitor("signed_in", "s-2", "https://id.example.org", "Bob", Role.ADMIN)
    monkeypatch.setattr("sys.stdin", io.StringIO(on_behalf_of(admin) + "\n"))
    assert main([*importing, "--for-visitor"]) == 0
    (event,) = audit.read()[0]
    assert (event.what, event.who, event.issuer, event.role) == ("model-import", "s-2", admin.issuer, "admin")
    assert event.model == read_card(tmp_path / "made" / CARD).weights_sha256
    assert "Smith" not in trail.read_text()


def test_no_model_is_made_without_its_line(trail, importing, tmp_path, monkeypatch, capsys):
    audit.record(LOCAL, "export")
    # the disk fills up between the look at the beginning and the end
    monkeypatch.setattr("cxr_core.access.audit.os.fsync", _full)
    assert main(importing) == 4
    assert "SECOND_READ_AUDIT" in capsys.readouterr().err
    assert not (tmp_path / "made").exists()
    trail.unlink()
    trail.mkdir()
    monkeypatch.setattr(module, "_importing", None)
    assert main(importing) == 4


def test_a_training_is_refused_before_it_begins_where_it_could_not_be_noted(trail, tmp_path, capsys):
    trail.mkdir(parents=True)
    command = [
        "train",
        "--images",
        str(tmp_path),
        "--table",
        str(tmp_path / "none.csv"),
        "--out",
        str(tmp_path / "made"),
    ]
    assert main(command) == 4
    assert "SECOND_READ_AUDIT" in capsys.readouterr().err
    assert not (tmp_path / "made").exists()


def _full(file):
    raise OSError(28, "no space")


@pytest.mark.parametrize(("sealed", "words"), [(True, "Source 'nothing'"), (False, "was not written by this app")])
def test_the_pages_import_hands_over_who_asks(trail, monkeypatch, sealed, words):
    admin = Visitor("signed_in", "s-2", "https://id.example.org", "Bob", Role.ADMIN)
    line = on_behalf_of(admin)
    monkeypatch.setattr("cxr_core.ui.import_panel.on_behalf_of", lambda visitor: line if sealed else line.upper())
    # a visitor of the environment is none
    monkeypatch.setenv("SECOND_READ_ASKED_BY", '["mallory", "", "admin"]')
    state = ImportJob(["nothing"], requested_by=admin).wait(120)
    assert not state.running
    assert words in state.error
