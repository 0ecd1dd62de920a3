"""Labels are data: a fifteenth label, and a model of eighteen, go all the way without a change of the program."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from cxr_core.cli.main import main
from cxr_core.imaging import phantom_png
from cxr_core.labels import LABELS
from cxr_core.model.card import read_card
from cxr_core.report.sheet import sheet_png
from cxr_core.settings import settings
from cxr_core.store import RunStore
from cxr_core.ui.file_intake import add_files
from tests.images import made_up_dataset
from tests.networks import small_backbone

PROJECT = Path(__file__).resolve().parents[1]
FIFTEEN = (*LABELS, "Fracture")
TABLE = [
    "--columns",
    "image=file,patient=mrn,labels=findings,age=years,sex=sex,view=view",
    "--labels",
    ",".join(FIFTEEN),
    "--map-label",
    "Rib fracture=Fracture",
]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Images whose table is a user's own: every second patient has a fracture, which its table calls otherwise."""
    home = tmp_path_factory.mktemp("home")
    _, table = made_up_dataset(home / "data", patients=90, images=1, side=48)
    with table.open() as file:
        rows = list(csv.DictReader(file))
    with (home / "mine.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "mrn", "findings", "years", "sex", "view"])
        for row in rows:
            patient = int(row["Patient ID"])
            findings = row["Finding Labels"] if patient % 2 else f"{row['Finding Labels']}|Rib fracture"
            writer.writerow(
                [row["Image Index"], f"p{patient}", findings, row["Patient Age"], row["Patient Gender"], "PA"]
            )
    return home


@pytest.fixture
def workplace(home, monkeypatch):
    """The program with this home, and no run of the project's own."""
    from cxr_core.model import predictor

    monkeypatch.chdir(home)
    monkeypatch.setenv("SECOND_READ_HOME", str(home))
    monkeypatch.setenv("SECOND_READ_RUNS", str(home / "runs"))
    monkeypatch.setenv("SECOND_READ_AUDIT", str(home / "audit" / "audit.jsonl"))
    monkeypatch.setattr("cxr_core.store.runs.EMBEDDED", home / "none")
    monkeypatch.setattr(RunStore.__init__, "__defaults__", (None, None, home / "none"))

    def forget():
        settings.cache_clear()
        predictor._load.cache_clear()
        streamlit.cache_resource.clear()

    forget()
    yield home
    forget()


@pytest.fixture
def pages(workplace, monkeypatch):
    """Open the app in Streamlit's test driver, with one of the models of this home serving."""

    def open_app(model):
        # a server that does not read the project's .streamlit/config.toml, which binds it to 127.0.0.1, shows no page
        monkeypatch.chdir(PROJECT)
        streamlit.config.get_config_options(force_reparse=True)
        monkeypatch.setenv("SECOND_READ_MODEL", model)
        settings.cache_clear()
        streamlit.cache_resource.clear()
        return AppTest.from_file(str(PROJECT / "cxr_core/ui/main.py"), default_timeout=300)

    return open_app


def html_of(app) -> str:
    return "\n".join(element.proto.body for element in app.main.get("html"))


def test_a_fifteenth_label_from_the_table_to_the_pages(workplace, pages, figures_as_text, monkeypatch, capsys):
    import keras

    monkeypatch.setattr(keras.applications, "DenseNet121", small_backbone)
    data = ["--table", "mine.csv", "--images", "data/images", *TABLE]
    assert main(["split", *data, "--validation-fraction", "0.8", "--out", "split.csv"]) == 0
    options = ["--init", "random", "--size", "64", "--epochs", "1", "--batch", "8", "--augment", "none"]
    assert main(["train", *data, "--split", "split.csv", *options, "--out", "models/fifteen"]) == 0
    card = read_card(Path("models/fifteen/card.json"))
    assert card.labels == FIFTEEN
    assert list(card.training.balance) == list(FIFTEEN)
    assert "fractures" not in ", ".join(card.not_looked_for[1:])
    assert card.not_looked_for[0] == "bone lesions other than fractures"
    validation = card.counts["validation"]["Fracture"]
    assert validation.positive_patients >= 30
    assert validation.negative_patients >= 30
    assert card.metrics[0].per_label["Fracture"].value is not None
    assert "15 logits" in card.architecture.name
    assert "ChestX-ray14" not in card.title

    capsys.readouterr()
    calibrate = ["calibrate", *data, "--split", "split.csv", "--model", "models/fifteen", "--sampling", "consecutive"]
    assert main(calibrate) == 0
    assert "Fracture" in capsys.readouterr().out
    curve = read_card(Path("models/fifteen/card.json")).calibration.per_label["Fracture"]
    assert (curve.counts, "no reference" in (curve.reason or "")) == (validation, False)

    evaluate = ["--split", "split.csv", "--part", "validation", "--name", "fifteen", "--keep-image-names"]
    assert main(["evaluate", *data, "--model", "models/fifteen", *evaluate]) == 0
    assert "Fracture" in capsys.readouterr().out
    store = RunStore()
    (run,) = store.list()
    predictions = run.predictions()
    store.close()
    assert tuple(predictions.labels) == FIFTEEN
    (answers,) = predictions.references.values()
    truth = [int(patient.endswith(tuple("02468"))) for patient in (name[:8] for name in predictions.images)]
    np.testing.assert_array_equal(answers[:, 14], truth)

    assert main(["runs", "export", "fifteen", "exported"]) == 0
    assert "Fracture" in Path("exported/metrics.csv").read_text()
    Path("image.png").write_bytes(phantom_png(128, 112))
    capsys.readouterr()
    Path("reference.csv").write_text("Image Index,Finding Labels\nimage.png,Fracture|Effusion|Rib notching\n")
    references = []

    def watched_sheet(*arguments, reference, **options):
        references.append(reference)
        return sheet_png(*arguments, reference=reference, **options)

    monkeypatch.setattr("cxr_core.report.sheet.sheet_png", watched_sheet)
    outputs = ["--heatmaps", "maps", "--sheet", "sheets", "--table", "reference.csv"]
    assert main(["predict", "image.png", "--model", "models/fifteen", "--json", *outputs]) == 0
    labels_read = [finding["label"] for finding in json.loads(capsys.readouterr().out)["findings"]]
    assert labels_read == list(FIFTEEN)
    assert (workplace / "maps" / "image_Fracture.png").is_file()
    assert (workplace / "sheets" / "image.png").is_file()
    assert references == [{"Effusion": True, "Fracture": True, "Rib notching": True}]

    image = Path("image.png").read_bytes()
    app = pages("fifteen")
    app.switch_page("../../pages/evaluation.py").run()
    assert not app.exception
    named = [chart for chart in app.main.get("plotly_chart") if "Fracture" in chart.proto.spec]
    assert len(named) == 2, "the AUCs, and its own among the ROC curves"
    label = app.selectbox(key=f"label-{run.record.id}-{run.record.references[0]}")
    assert f"Fracture ({sum(truth)})" in label.options
    label.set_value("Fracture").run()
    assert not app.exception
    for figure in ("ROC curve", "Confusion matrix", "Precision-recall curve", "Calibration", "Net benefit"):
        assert f">{figure}, Fracture" in html_of(app)

    app = pages("fifteen")
    app.switch_page("../../pages/second_opinion.py").run()
    assert "For each of 15 findings" in html_of(app)
    add_files(app.session_state["worklist"], [("image.png", image)])
    app.run()
    assert not app.exception
    (message,) = [
        json.loads(component.proto.json)
        for component in app.main.get("bidi_component")
        if component.proto.component_name == "second_read_findings"
    ]
    findings = message["content"]["findings"]
    assert sorted(row["label"] for row in findings["rows"]) == sorted(FIFTEEN)
    assert findings["maps"]["Fracture"]["title"] == "Fracture"


@pytest.mark.slow  # the import takes half a minute, once
def test_a_model_of_eighteen_labels_is_evaluated_on_those_that_the_table_states(workplace, imported, capsys):
    """Fracture and Lung Opacity have a column, Mass has not: what is not stated is not a no."""
    model = shutil.copytree(imported, workplace / "models" / "eighteen")
    with (workplace / "mine.csv").open() as file:
        rows = list(csv.DictReader(file))[:24]
    with (workplace / "opacities.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "mrn", "fx", "opacity", "effusion"])
        for number, row in enumerate(rows):
            labels = row["findings"]
            writer.writerow(
                [row["file"], row["mrn"], int("fracture" in labels), number % 3 == 0, int("Effusion" in labels)]
            )
    columns = "image=file,patient=mrn,Fracture=fx,Lung Opacity=opacity,Effusion=effusion"
    data = ["--table", "opacities.csv", "--images", "data/images", "--columns", columns]
    assert main(["evaluate", *data, "--model", str(model), "--name", "eighteen", "--keep-image-names"]) == 0
    printed = capsys.readouterr().out
    assert "Lung opacity" in printed
    store = RunStore()
    run = store.get("eighteen")
    predictions = run.predictions()
    store.close()
    labels = predictions.labels.tolist()
    assert len(labels) == 18
    (answers,) = predictions.references.values()
    np.testing.assert_array_equal(answers[:, labels.index("Lung Opacity")], [n % 3 == 0 for n in range(24)])
    stated = {label for c, label in enumerate(labels) if (answers[:, c] >= 0).any()}
    assert stated == {"Fracture", "Lung Opacity", "Effusion"}
