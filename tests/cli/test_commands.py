import gzip
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from cxr_core.access import audit, system_user
from cxr_core.archive import collect
from cxr_core.cli.main import app, main
from cxr_core.cli.output import output_stems
from cxr_core.datasets.splits import read_split
from cxr_core.imaging import phantom_png
from cxr_core.labels import NOTICE
from cxr_core.model.card import read_card
from cxr_core.model.folder import find_model
from cxr_core.settings import settings
from cxr_core.store import RunStore
from tests.images import made_up_dataset
from tests.runs import made_up, record_of

PROJECT = Path(__file__).resolve().parents[2]


def test_models_list_show_and_verify(capsys, tmp_path):
    assert main(["models", "list"]) == 0
    assert "second-read-mini" in capsys.readouterr().out
    assert main(["models", "show", "second-read-mini"]) == 0
    shown = capsys.readouterr().out
    for words in ("not transfer-learned", "too few cases", "95 %", "Limits:", "SHA-256"):
        assert words in shown
    assert main(["models", "show", "second-read-mini", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == "second-read-mini"
    assert main(["models", "verify"]) == 0
    capsys.readouterr()
    copy = tmp_path / "copy"
    shutil.copytree(find_model("second-read-mini"), copy)
    (copy / "model.keras").write_bytes(b"other")
    assert main(["models", "verify", str(copy)]) == 4
    assert "model.keras was changed" in capsys.readouterr().err


def test_models_sheet_is_markdown_or_csv_and_an_export_to_a_file_is_in_the_trail(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("SECOND_READ_RUNS", str(tmp_path / "runs"))
    settings.cache_clear()
    try:
        sha256 = read_card(find_model("second-read-mini") / "card.json").weights_sha256
        predictions = made_up(20)
        RunStore().add(record_of(predictions, "a-run", model_sha256=sha256), predictions)
        command = ["models", "sheet", "second-read-mini", "--run", "a-run"]
        assert main(command) == 0
        shown = capsys.readouterr().out
        for words in (NOTICE, "## TRIPOD+AI", "## CLAIM 2024", "not done", "run a-run", "## Sample size"):
            assert words in shown
        assert main([*command, "--csv"]) == 0
        assert capsys.readouterr().out.startswith("guideline,item,section,")
        before = len(audit.read()[0])
        assert main([*command, "--out", str(tmp_path / "sheet.CSV")]) == 0
        assert (tmp_path / "sheet.CSV").read_text().startswith("guideline,item,section,")
        assert [event.detail for event in audit.read()[0][before:]] == ["reporting-sheet"]
        assert main(["models", "sheet", "second-read-mini", "--run", "no-run"]) == 2
        assert "no such run. Found: a-run" in capsys.readouterr().err
    finally:
        settings.cache_clear()


@pytest.mark.parametrize(
    "command",
    [[], ["predict"], ["render"], ["train"], ["split"], ["train-gate"], ["bench"], ["models", "show"], ["calibrate"]],
)
def test_every_command_teaches(command, capsys):
    assert main([*command, "--help"]) == 0
    out = capsys.readouterr().out
    assert len(out) > 200
    assert "Usage: python -m cxr_core" in out


def test_every_command_and_option_has_its_help():
    import typer

    def walk(command):
        yield command
        for child in getattr(command, "commands", {}).values():
            yield from walk(child)

    for command in walk(typer.main.get_command(app)):
        assert command.help, command.name
        for parameter in command.params:
            assert getattr(parameter, "help", None), f"{command.name} {parameter.name}"


def test_the_examples_of_an_import_write_where_models_are_searched(capsys):
    assert main(["models", "import", "--help"]) == 0
    assert "model_weights" not in capsys.readouterr().out, "an installed package does not search that folder"


def test_calibrate_writes_the_card_anew(tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(find_model("second-read-mini"), copy)
    images, table = made_up_dataset(tmp_path / "data", patients=6, images=2, side=48)
    split = tmp_path / "split.csv"
    split.write_text("patient_id,part\n" + "".join(f"{n},{'train' if n < 3 else 'validation'}\n" for n in range(1, 7)))
    others = tmp_path / "others.csv"
    others.write_text("patient_id,part\n" + "".join(f"{n},validation\n" for n in range(101, 107)))
    command = ["calibrate", "--model", str(copy), "--images", str(images), "--table", str(table)]
    assert main([*command, "--split", str(split), "--sampling", "enriched"]) == 0
    out = capsys.readouterr().out
    assert "on 8 images of validation patients (4 patients" in out
    assert "too few cases" in out
    assert main(["models", "verify", str(copy)]) == 0
    assert main(["models", "show", str(copy)]) == 0
    shown = capsys.readouterr().out
    assert "Calibration: No curves for 0 of 14 labels" in shown
    assert ", an enriched sample" in shown
    assert main([*command, "--split", "none"]) == 0
    assert "on 12 images of patients new to the model (6 patients" in capsys.readouterr().out
    for options, status, words in (
        (["--sampling", "often"], 2, "accepted are consecutive, enriched, unknown"),
        (["--split", "nothing.csv"], 4, "not a CSV"),
        (["--split", str(others)], 4, "too sure|not in it|no image"),
    ):
        assert main([*command, *options]) == status
        assert re.search(words, capsys.readouterr().err)


def test_the_docs_name_the_splits_that_an_evaluation_takes():
    import typer

    text = (PROJECT / "docs" / "command-line.md").read_text().partition("## `python -m cxr_core evaluate ")[2]
    command = typer.main.get_command(app).get_command(None, "evaluate")
    (split,) = (parameter for parameter in command.params if parameter.name == "split")
    assert f"--split {split.metavar} " in " ".join(text.partition("\n## ")[0].split())


@pytest.mark.parametrize("name", ["train", "split"])
def test_every_option_of_a_training_stands_in_the_docs(name):
    import typer

    text = (PROJECT / "docs" / "command-line.md").read_text()
    command = typer.main.get_command(app).get_command(None, name)
    missing = [o for p in command.params for o in p.opts if o.startswith("--") and o not in text]
    assert not [option for option in missing if option not in ("--version", "--help")]


@pytest.mark.slow
def test_split_then_train_then_predict(tmp_path, capsys, monkeypatch, trail):
    monkeypatch.chdir(tmp_path)
    images, table = made_up_dataset(tmp_path / "data", patients=10, images=2, side=48)
    base = ["--images", str(images), "--table", str(table)]
    assert main(["split", *base, "--out", "split.csv", "--validation-fraction", "0.4"]) == 0
    assert "validation: 4 patients, 8 images" in capsys.readouterr().out
    train = ["train", *base, "--split", "split.csv", "--out", "models/mine", "--init", "random"]
    more = ["--head-epochs", "1", "--loss", "plain", "--augment", "flip", "--checkpoint-steps", "2"]
    assert main([*train, "--epochs", "1", "--size", "32", "--batch", "4", *more]) == 0
    assert "trained on 12 images" in capsys.readouterr().out
    work = tmp_path / "kept/train/mine"
    assert (work / "checkpoint.npz").is_file()
    assert (work / "split.csv").read_text() == (tmp_path / "split.csv").read_text()
    card = read_card(tmp_path / "models/mine/card.json")
    (event,) = audit.read()[0]
    assert (event.who, event.what, event.detail, event.model) == (system_user(), "training", "", card.weights_sha256)
    assert "mine" not in trail.read_text()
    training = card.training
    assert training.stages == "head:32x1,32x1"
    assert training.loss == "cross-entropy from logits, unweighted"
    assert training.horizontal_flip
    (tmp_path / "image.png").write_bytes(phantom_png(128, 112))
    assert main(["predict", "image.png", "--model", "models/mine", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["findings"]) == 14


def test_a_table_of_another_hospital_is_split_in_folds(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"{n}.dcm,mrn-{n // 2},{'Fluid' if n % 3 else 'Normal'}" for n in range(24)]
    Path("mine.csv").write_text("\n".join(["file,who,findings", *rows]))
    base = ["split", "--table", "mine.csv", "--columns", "image=file,patient=who,labels=findings"]
    names = ["--map-label", "Fluid=Effusion", "--map-label", "Normal=No Finding"]
    assert main([*base, *names, "--folds", "3", "--out", "folds.csv"]) == 0
    assert capsys.readouterr().out.count("validation: 4 patients, 8 images of the tables") == 3
    held = [
        {p for p, part in read_split(tmp_path / f"folds-{n}-of-3.csv").subsets.items() if part == "validation"}
        for n in (1, 2, 3)
    ]
    assert set().union(*held) == {f"mrn-{n}" for n in range(12)}
    assert main([*base, "--out", "x.csv"]) == 4
    assert "'Normal' is not one of the labels" in capsys.readouterr().err


def test_the_official_split_is_found_beside_the_table(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, table = made_up_dataset(tmp_path / "data", patients=10, images=2, side=48)
    names = [line.split(",")[0] for line in table.read_text().splitlines()[1:]]
    assert main(["split", "--table", str(table), "--official", "--out", "o.csv"]) == 4
    assert "train_val_list.txt is missing" in capsys.readouterr().err
    (table.parent / "train_val_list.txt").write_text("\n".join(names[:16]))
    (table.parent / "test_list.txt.gz").write_bytes(gzip.compress("\n".join(names[16:]).encode()))
    assert main(["split", "--table", str(table), "--official", "--out", "o.csv"]) == 0
    out = capsys.readouterr().out
    assert "test: 2 patients, 4 images" in out
    assert "validation: 1 patients, 2 images" in out
    assert main(["split", "--table", str(table), "--official", "--folds", "2", "--out", "o.csv"]) == 2


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--augment", "wild"], 2, "accepted are none, mild"),
        (["--stages", "64"], 2, "SIZExEPOCHS"),
        (["--split", "nothing.csv"], 4, "not a CSV"),
        (["--init", "nothing.h5", "--split", "split.csv"], 4, "not a file"),
        (["--table", "TABLE"], 2, "give one table per folder"),
        (["--split", "official"], 4, "train_val_list.txt is missing"),
        (["--loss", "focal"], 2, "accepted are weighted, plain"),
        (["--columns", "image=a"], 2, "patient= is missing"),
        (["--map-label", "Fluid=Effusion"], 2, "goes with --columns"),
        (["--gpus", "99", "--split", "split.csv"], 2, "99 GPUs asked for"),
        (["--resume", "--split", "split.csv"], 4, "Nothing to resume"),
        ([], 4, "not in it"),
    ],
)
def test_a_training_that_cannot_be_honest_is_refused(tmp_path, capsys, monkeypatch, options, status, words):
    monkeypatch.chdir(tmp_path)
    images, table = made_up_dataset(tmp_path / "data", patients=4, images=1, side=48)
    rows = table.read_text().splitlines()
    # patients that no split of NIH knows
    table.write_text(
        "\n".join([rows[0], *(row.replace(f",{n},", f",{n + 900000},") for n, row in enumerate(rows[1:], 1))])
    )
    (tmp_path / "split.csv").write_text(
        "patient_id,part\n" + "".join(f"{900000 + n},{'train' if n < 3 else 'validation'}\n" for n in range(1, 5))
    )
    arguments = ["train", "--images", str(images), "--table", str(table), "--out", "m", "--init", "random", *options]
    assert main([a.replace("TABLE", str(table)) for a in arguments]) == status
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1


def test_collect_sorts_and_names(tmp_path):
    for name in ("b.dcm", "a.dcm", "a.png"):
        (tmp_path / name).write_bytes(b"x")
    files = collect([tmp_path])
    assert [file.place.name for file in files] == ["a.dcm", "a.png", "b.dcm"]
    stems = output_stems(files)
    assert stems[0] is None
    assert stems[1] is None
    assert stems[2].name == "b"


def test_a_copy_across_the_split_is_refused_and_may_be_left_out(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECOND_READ_RUNS", "runs")
    settings.cache_clear()
    images, table = made_up_dataset(tmp_path / "data", patients=4, images=1, side=96)
    Path("split.csv").write_text("patient_id,part\n1,train\n2,train\n3,validation\n4,validation\n")
    with Image.open(images / "00000001_000.png") as image:
        image.resize((70, 120)).save(images / "00000003_000.png", "JPEG", quality=70)
    base = ["train", "--images", str(images), "--table", str(table), "--split", "split.csv", "--out", "m"]
    assert main([*base, "--init", "random", "--size", "32"]) == 4
    err = capsys.readouterr().err
    assert "Images cross the split: 1 (1 in train, 0 in validation)" in err
    assert "runs/train/m/duplicates.csv" in err
    # it names images and parts
    files = [path for path in Path("runs").rglob("*") if path.name != "train"]
    assert {path.stat().st_mode & 0o777 for path in files if path.is_file()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in files if path.is_dir()} == {0o700}
    settings.cache_clear()


def test_a_command_imports_what_it_needs_alone():
    code = (
        "import sys; from cxr_core.cli.main import main; status = main(['predict', '--help'])\n"
        "heavy = ('pandas', 'matplotlib', 'sqlalchemy', 'scipy.stats', 'sklearn', 'tensorflow', 'streamlit', 'ray')\n"
        "print([name for name in heavy if name in sys.modules], status)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT)
    assert answer.stdout.splitlines()[-1] == "[] 0"


def test_no_command_prints_the_help_and_a_wrong_one_names_the_right_help(capsys):
    assert main([]) == 2
    assert "predict" in capsys.readouterr().out
    assert main(["runs", "show"]) == 2
    assert capsys.readouterr().err.endswith("See: python -m cxr_core runs show --help\n")
