import json
import re
import shutil

import pytest

from cxr_core.cli.inputs import collect, output_stems
from cxr_core.cli.main import app, main
from cxr_core.imaging import phantom_png
from cxr_core.model.folder import find_model
from tests.films import made_up_dataset


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


def test_calibrate_writes_the_card_anew(tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(find_model("second-read-mini"), copy)
    images, table = made_up_dataset(tmp_path / "data", patients=6, films=2, side=48)
    split = tmp_path / "split.csv"
    split.write_text("patient_id,part\n" + "".join(f"{n},{'train' if n < 3 else 'validation'}\n" for n in range(1, 7)))
    command = ["calibrate", "--model", str(copy), "--images", str(images), "--table", str(table)]
    assert main([*command, "--split", str(split), "--sampling", "enriched"]) == 0
    out = capsys.readouterr().out
    assert "on 8 films of validation patients (4 patients" in out
    assert "too few cases" in out
    assert main(["models", "verify", str(copy)]) == 0
    assert main(["models", "show", str(copy)]) == 0
    shown = capsys.readouterr().out
    assert "Calibration: No curves for 0 of 14 labels" in shown
    assert "enriched, not as they come" in shown
    assert main([*command, "--split", "none"]) == 0
    assert "on 12 films of patients new to the model (6 patients" in capsys.readouterr().out
    for options, status, words in (
        (["--sampling", "often"], 2, "accepted are consecutive, enriched, unknown"),
        (["--split", "nothing.csv"], 4, "not a CSV"),
        ([], 4, "too sure|not in it|no film"),
    ):
        assert main([*command, *options]) == status
        assert re.search(words, capsys.readouterr().err)


def test_split_then_train_then_predict(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images, table = made_up_dataset(tmp_path / "data", patients=10, films=2, side=48)
    base = ["--images", str(images), "--table", str(table)]
    assert main(["split", *base, "--out", "split.csv", "--validation-share", "0.4"]) == 0
    assert "validation: 4 patients, 8 films" in capsys.readouterr().out
    train = ["train", *base, "--split", "split.csv", "--out", "models/mine", "--init", "random"]
    assert main([*train, "--epochs", "1", "--size", "32", "--batch", "4"]) == 0
    assert "trained on 12 films" in capsys.readouterr().out
    assert (tmp_path / "runs/train/mine/checkpoint.npz").is_file()
    (tmp_path / "film.png").write_bytes(phantom_png(128, 112))
    assert main(["predict", "film.png", "--model", "models/mine", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["findings"]) == 14


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--augment", "wild"], 2, "accepted are none, mild"),
        (["--stages", "64"], 2, "SIZExEPOCHS"),
        (["--split", "nothing.csv"], 4, "not a CSV"),
        (["--init", "nothing.h5", "--split", "split.csv"], 4, "not a file"),
        (["--table", "TABLE"], 2, "give one table a folder"),
        ([], 4, "not in it"),
    ],
)
def test_a_training_that_cannot_be_honest_is_refused(tmp_path, capsys, monkeypatch, options, status, words):
    monkeypatch.chdir(tmp_path)
    images, table = made_up_dataset(tmp_path / "data", patients=4, films=1, side=48)
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
