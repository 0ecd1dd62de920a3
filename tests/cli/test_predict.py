"""The command to its contract: JSON, exit statuses, one line an error, results beside refusals."""

import csv
import hashlib
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from cxr_core.cli.main import main
from cxr_core.imaging import phantom, phantom_dicom, phantom_png, read_radiograph, render8
from cxr_core.labels import LABELS, NOTICE
from cxr_core.settings import settings


@pytest.fixture
def study(tmp_path):
    """Two images and one of each kind that is refused."""
    folder = tmp_path / "study"
    (folder / "sub").mkdir(parents=True)
    (folder / "image.dcm").write_bytes(phantom_dicom(256, 224))
    (folder / "sub" / "image.png").write_bytes(phantom_png(256, 224))
    (folder / "text.dcm").write_text("Patient: Secret Name")
    (folder / "empty").write_bytes(b"")
    (folder / "cut.dcm").write_bytes(phantom_dicom(256, 224)[:40000])
    (folder / "ct.dcm").write_bytes(phantom_dicom(256, 224, Modality="CT", PatientName="Secret^Name"))
    (folder / ".hidden").write_text("not read")
    return folder


def test_refusals_are_one_line_each_and_the_others_are_done(study, capsys):
    assert main(["predict", str(study), "--json"]) == 3
    out, err = capsys.readouterr()
    records = {record["file"].rsplit("study/", 1)[1]: record for record in map(json.loads, out.splitlines())}
    assert set(records) == {"image.dcm", "sub/image.png", "text.dcm", "empty", "cut.dcm", "ct.dcm"}
    for name, record in records.items():
        read = name in ("image.dcm", "sub/image.png")
        assert len(record["findings"]) == (14 if read else 0), name
        assert (record["quality"]["status"] == "refused") == (not read)
    lines = err.splitlines()
    assert len(lines) == 4
    for name, words in (("text.dcm", "it is text"), ("empty", "no bytes"), ("cut.dcm", "truncated"), ("ct.dcm", "CT")):
        assert any(name in line and words in line for line in lines), name
    assert "Secret" not in out + err


def test_all_good_is_zero(study, capsys):
    assert main(["predict", str(study / "image.dcm"), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert [finding["label"] for finding in record["findings"]] == list(LABELS)
    assert record["file"] == str(study / "image.dcm")


def test_read_anyway_reads_and_says_why(study, capsys):
    assert main(["predict", str(study / "ct.dcm"), "--json", "--read-anyway", "wrong tag"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["quality"]["override"] == "wrong tag"
    assert len(record["findings"]) == 14


@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_upright_turns_a_turned_image_back_and_names_the_turn(tmp_path, capsys, quarter):
    upright, turned = phantom(256, 224), tmp_path / "turned.dcm"
    turned.write_bytes(phantom_dicom(values=np.ascontiguousarray(np.rot90(upright, quarter))))
    assert main(["predict", str(turned), "--json"]) == 3
    refused = json.loads(capsys.readouterr().out)
    assert refused["findings"] == []
    assert main(["predict", str(turned), "--json", "--upright"]) == 0
    read = json.loads(capsys.readouterr().out)
    assert (read["image"]["rows"], read["image"]["columns"]) == (256, 224)
    assert (
        f"turned by the option upright, as the gate recognised it: {90 * quarter} degrees clockwise"
        in read["image"]["transforms"]
    )
    (tmp_path / "image.dcm").write_bytes(phantom_dicom(values=upright))
    assert main(["predict", str(tmp_path / "image.dcm"), "--json"]) == 0
    assert read["findings"] == json.loads(capsys.readouterr().out)["findings"]


def test_a_mirrored_image_is_read_the_right_way_round_when_asked_only(tmp_path, capsys):
    right, mirrored = phantom(256, 224, text=False), tmp_path / "mirrored.dcm"
    stored = np.ascontiguousarray(right[:, ::-1])
    mirrored.write_bytes(phantom_dicom(values=stored, PatientOrientation=["R", "F"]))
    (tmp_path / "right.dcm").write_bytes(phantom_dicom(values=right))
    records = {}
    for name, options in (("as filed", []), ("followed", ["--follow-orientation"])):
        assert main(["predict", str(mirrored), "--json", *options]) == 0
        records[name] = json.loads(capsys.readouterr().out)
    assert main(["predict", str(tmp_path / "right.dcm"), "--json"]) == 0
    expected = json.loads(capsys.readouterr().out)
    assert records["followed"]["findings"] == expected["findings"] != records["as filed"]["findings"]
    assert any("mirrored" in reason for reason in records["as filed"]["quality"]["reasons"])
    assert not any("mirrored" in reason for reason in records["followed"]["quality"]["reasons"])
    assert (
        "mirrored by the option follow-orientation, as the header says: left and right exchanged"
        in records["followed"]["image"]["transforms"]
    )
    assert not any("mirrored" in words for words in records["as filed"]["image"]["transforms"])


def test_a_table_is_scaled_by_its_own_maximum_when_asked_only(tmp_path, capsys):
    item = Dataset()
    item.LUTDescriptor = [4096, 0, 16]
    item["LUTDescriptor"].VR = "US"
    item.add_new("LUTData", "OW", np.arange(4096).astype("<u2").tobytes())
    data = phantom_dicom(256, 224, VOILUTSequence=[item], WindowCenter=None, WindowWidth=None)
    (tmp_path / "dark.dcm").write_bytes(data)
    assert main(["predict", str(tmp_path / "dark.dcm"), "--json"]) == 3
    assert "reaches 4095" in capsys.readouterr().out
    assert main(["predict", str(tmp_path / "dark.dcm"), "--json", "--voi-scale", "data"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert "VOI: table of 4096 entries, 16 bits, scaled by its own maximum 4095" in record["image"]["transforms"]
    assert main(["predict", str(tmp_path / "dark.dcm"), "--voi-scale", "own"]) == 2


def test_upright_leaves_other_images_as_they_are(tmp_path, capsys):
    image = phantom(256, 224)
    pictures = {"upright": image, "mirrored": image[:, ::-1], "inverted": 4095 - image}
    for name, values in pictures.items():
        (tmp_path / f"{name}.dcm").write_bytes(phantom_dicom(values=np.ascontiguousarray(values)))
        (tmp_path / f"{name}.png").write_bytes(png(values >> 4))
    main(["predict", str(tmp_path), "--json", "--upright"])
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(records) == 6
    assert "turned" not in str([record["image"]["transforms"] for record in records])


def png(grey):
    file = io.BytesIO()
    Image.fromarray(grey.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["predict", "nothing-here.dcm"], 3, "nothing-here.dcm: No such file or folder"),
        (["render", "nothing-here.dcm", "out.png"], 3, "No such file or folder"),
        (["predict", "IMAGE", "--model", "none"], 4, "no such model"),
        (["predict", "IMAGE", "--operating-point", "none"], 2, "no operating point"),
        (["predict", "IMAGE", "--json", "--csv"], 2, "not both"),
        (["predict", "IMAGE", "--model", "ENRICHED", "--prevalence", "often"], 2, "a rate such as 0.02"),
        (["predict", "IMAGE", "--model", "ENRICHED", "--prevalence", "Effusion=0.1=2"], 2, "LABEL=RATE"),
        (["predict", "IMAGE", "--model", "ENRICHED", "--prevalence", "1.5"], 2, "between 0 and 1"),
        (["predict", "IMAGE", "--model", "ENRICHED", "--prevalence", "Fracture=0.1"], 2, "Accepted: Atelectasis"),
        (["predict", "IMAGE", "--model", "ENRICHED", "--prevalence", "Hernia=0.1"], 2, "too few cases"),
        (["calibrate", "--model", "none", "--images", "x", "--table", "IMAGE"], 4, "cannot be read as CSV"),
        (["calibrate", "--model", "none", "--images", "x", "--table", "nope.csv"], 4, "nope.csv: no such file"),
        (["predict", "IMAGE", "--sheet", "x", "--table", "nope.csv"], 4, "nope.csv: no such file"),
        (["predict", "IMAGE", "--nonsense"], 2, "No such option"),
        (["predict"], 2, "Missing argument"),
        (["predict", "IMAGE", "--engine", "onnx"], 2, "Accepted: openvino, tensorflow"),
        (["predict", "IMAGE", "--out", "IMAGE/x.json"], 4, "cannot be"),
        (["nonsense"], 2, "No such command"),
        (["models", "show", "none"], 4, "no such model"),
        (["render", "IMAGE", "IMAGE/x.png"], 4, "cannot be"),
    ],
)
def test_exit_statuses_and_one_line(study, capsys, calibrated_models, arguments, status, words):
    names = {"IMAGE": str(study / "image.dcm"), "ENRICHED": str(calibrated_models / "enriched")}
    for name, path in names.items():
        arguments = [argument.replace(name, path) for argument in arguments]
    assert main(arguments) == status
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1


def test_files_keep_their_place_and_equal_names_get_a_digest(study, tmp_path, capsys):
    (study / "image.png").write_bytes(phantom_png(200, 200))
    out = tmp_path / "maps"
    sheets = tmp_path / "sheets"
    assert main(["predict", str(study), "--heatmaps", str(out), "--sheet", str(sheets)]) == 3
    capsys.readouterr()
    assert (out / "sub" / "image.npz").is_file()
    assert (sheets / "sub" / "image.png").is_file()
    digest = read_radiograph((study / "image.dcm").read_bytes()).sha256[:12]
    assert (out / f"image-{digest}.npz").is_file()
    assert len(list(out.glob("image-*.npz"))) == 2
    assert len(list(out.glob(f"image-{digest}_*.png"))) == 14
    with np.load(out / "sub" / "image.npz") as file:
        assert set(file.files) >= {"maps", "labels", "to_original"}


@pytest.mark.parametrize("identity", ["screen", "off"])
def test_a_report_names_its_patient_where_the_settings_allow_it(
    study, tmp_path, capsys, monkeypatch, printed, identity
):
    monkeypatch.setenv("SECOND_READ_IDENTITY", identity)
    settings.cache_clear()
    try:
        (study / "image.dcm").write_bytes(phantom_dicom(256, 224, PatientName="Secret^Name", PatientID="77"))
        assert main(["predict", str(study), "--pdf", str(tmp_path / "reports")]) == 3
    finally:
        settings.cache_clear()
    out, err = capsys.readouterr()
    files = sorted(path.relative_to(tmp_path / "reports") for path in (tmp_path / "reports").rglob("*.pdf"))
    assert files == [Path("image.pdf"), Path("sub/image.pdf")]
    texts = [" ".join(printed((tmp_path / "reports" / file).read_bytes())) for file in files]
    assert all(NOTICE in text for text in texts)
    assert ["Secret, Name" in text for text in texts] == [identity == "screen", False]
    assert ["image.png" in text for text in texts] == [False, identity == "screen"]
    assert "Secret" not in out + err
    # a file that names a patient is its owner's alone
    private = (tmp_path / "reports" / "image.pdf").stat().st_mode & 0o077 == 0
    assert private or identity == "off"


def test_a_name_that_is_no_utf8_and_a_file_that_cannot_be_opened_stop_nothing(study, tmp_path, capsys):
    import os

    folder = tmp_path / "odd"
    folder.mkdir()
    with open(os.fsencode(folder) + b"/f\xff.png", "wb") as file:
        file.write(phantom_png(64, 64))
    (folder / "good.png").write_bytes(phantom_png(64, 64))
    out = tmp_path / "out.jsonl"
    assert main(["predict", str(folder), "--json", "--out", str(out)]) == 0
    names = [json.loads(line)["file"].rsplit("/", 1)[1] for line in out.read_text().splitlines()]
    assert sorted(names) == ["f\\xff.png", "good.png"]
    assert main(["predict", "a" * 300]) == 3
    assert main(["models", "show", "a" * 300]) == 4
    capsys.readouterr()


def test_what_was_read_before_a_cut_is_kept(study, tmp_path, monkeypatch, capsys):
    from cxr_core.cli import predict as module

    real, calls = module.read_image, []

    def cut(*args, **options):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*args, **options)

    monkeypatch.setattr(module, "read_image", cut)
    out = tmp_path / "out.jsonl"
    assert main(["predict", str(study), "--json", "--out", str(out)]) == 130
    capsys.readouterr()
    assert len((tmp_path / "out.jsonl.part").read_text().splitlines()) == 2
    assert not out.exists()
    monkeypatch.setattr(module, "read_image", real)
    assert main(["predict", str(study / "image.dcm"), "--json", "--out", str(out)]) == 0
    assert [path.name for path in tmp_path.glob("out.*")] == ["out.jsonl"]


def test_a_zip_of_a_study(study, tmp_path, capsys):
    import zipfile

    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        archive.write(study / "image.dcm", "x/image.dcm")
        archive.write(study / "text.dcm", "x/text.dcm")
    assert main(["predict", str(tmp_path / "study.zip"), "--json"]) == 3
    files = [json.loads(line)["file"] for line in capsys.readouterr().out.splitlines()]
    assert files == [str(tmp_path / "study.zip" / name) for name in ("image.dcm", "text.dcm")]


def test_a_path_that_is_not_there_is_refused_and_the_rest_is_read(study, tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    paths = [tmp_path / "gone.dcm", study / "image.dcm", tmp_path / "pipe", tmp_path / "link", study / "image.dcm"]
    assert main(["predict", *map(str, paths), "--json"]) == 3
    out, err = capsys.readouterr()
    records = [json.loads(line) for line in out.splitlines()]
    assert [record["file"] for record in records] == list(map(str, paths))
    assert [bool(record["findings"]) for record in records] == [False, True, False, False, True]
    assert len(err.splitlines()) == 3


def test_what_was_never_opened_has_no_digest_and_an_empty_file_has_its_own(tmp_path, capsys):
    (tmp_path / "empty.dcm").write_bytes(b"")
    paths = [str(tmp_path / "nope.dcm"), str(tmp_path / "empty.dcm")]
    assert main(["predict", *paths, "--json"]) == 3
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    digests = {Path(line["file"]).name: line["sha256"] for line in printed}
    assert digests == {"nope.dcm": None, "empty.dcm": hashlib.sha256(b"").hexdigest()}
    assert main(["predict", paths[0], "--csv"]) == 3
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row["sha256"] == ""


def test_render_of_an_archive_says_which_images_there_are(study, tmp_path, capsys):
    import zipfile

    with zipfile.ZipFile(tmp_path / "one.zip", "w") as archive:
        archive.write(study / "image.dcm", "a/image.dcm")
        archive.writestr("DICOMDIR", b"x")
        archive.writestr("readme.txt", b"read me")
        archive.writestr("autorun.inf", b"[autorun]")
    assert main(["render", str(tmp_path / "one.zip"), str(tmp_path / "o.png")]) == 0
    capsys.readouterr()
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for number in range(12):
            archive.write(study / "image.dcm", f"a/image{number}.dcm")
    assert main(["render", str(tmp_path / "many.zip"), str(tmp_path / "p.png")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "holds 12 images (many/image0.dcm, many/image1.dcm," in line
    assert line.endswith("many/image9.dcm, ...): give one of them as a file.")
    assert not (tmp_path / "p.png").exists()
    with zipfile.ZipFile(tmp_path / "equal.zip", "w") as archive:
        for folder in "ab":
            archive.write(study / "image.dcm", f"{folder}/image.dcm")
    assert main(["render", str(tmp_path / "equal.zip"), str(tmp_path / "p.png")]) == 2
    assert "holds 2 images (equal/image.dcm, equal/image.dcm (2))" in capsys.readouterr().err


def test_csv_to_a_file(study, tmp_path, capsys):
    assert main(["predict", str(study / "image.dcm"), "--csv", "--out", str(tmp_path / "o" / "out.csv")]) == 0
    assert capsys.readouterr().out == ""
    assert len((tmp_path / "o" / "out.csv").read_text().splitlines()) == 15


def test_a_prevalence_shifts_probabilities_and_is_written_down(study, calibrated_models, capsys):
    image, model = str(study / "image.dcm"), str(calibrated_models / "enriched")

    def read(*options):
        assert main(["predict", image, "--model", model, "--json", *options]) == 0
        return json.loads(capsys.readouterr().out)

    plain = read()
    assert plain["assumed_prevalence"] is None
    assert {f["probability"] for f in plain["findings"]} == {None}
    assert {f["state"] for f in plain["findings"]} <= {"above", "below", "not_evaluated"}
    one = read("--prevalence", "Effusion=0.02, Mass=0.5", "--operating-point", "sensitivity-0.90")
    assert one["assumed_prevalence"] == {"Effusion": 0.02, "Mass": 0.5}
    assert one["operating_point"] == "sensitivity-0.90"
    assert {f["label"] for f in one["findings"] if f["probability"] is not None} == {"Effusion", "Mass"}
    every = read("--prevalence", "0.02")
    assert len(every["assumed_prevalence"]) == 12
    for finding in every["findings"]:
        evaluated = finding["label"] not in ("Hernia", "Pneumonia")
        assert (finding["probability"] is not None) == evaluated
        assert (finding["state"] == "not_evaluated") == (not evaluated)
    assert main(["predict", image, "--model", model, "--prevalence", "0.02"]) == 0
    words = capsys.readouterr().out
    assert "Assumption: probabilities, intervals and thresholds are shifted" in words
    assert "of images without findings (cross-validated; " in words
    assert "of 12 evaluated findings" in words
    assert "probability 0." in words


def test_a_refused_file_stands_under_the_same_terms(study, calibrated_models, capsys):
    model = str(calibrated_models / "enriched")
    assert main(["predict", str(study / "text.dcm"), "--model", model, "--json", "--prevalence", "Mass=0.1"]) == 3
    record = json.loads(capsys.readouterr().out)
    assert record["assumed_prevalence"] == {"Mass": 0.1}
    assert record["flagged_without_findings"]["images"] > 0


def test_words_for_a_person(study, capsys):
    assert main(["predict", str(study / "image.dcm")]) == 0
    out = capsys.readouterr().out
    assert "Do not use for patient care" in out
    assert re.search(r"Hernia +not evaluated: too few cases \(4 positive, 744 negative patients; 30 of each", out)


def test_render_writes_what_the_viewer_shows(study, tmp_path, capsys):
    assert main(["render", str(study / "image.dcm"), str(tmp_path / "o.png")]) == 0
    shown = np.asarray(Image.open(tmp_path / "o.png"))
    np.testing.assert_array_equal(shown, render8(read_radiograph((study / "image.dcm").read_bytes())))


def test_neither_predict_nor_the_app_imports_tensorflow(study):
    code = (
        "import sys; from cxr_core.cli.main import main; s = main(['predict', sys.argv[1], '--json']);"
        "bad = {'tensorflow', 'keras', 'streamlit'} & set(sys.modules); sys.exit(f'imported {bad}' if bad else s)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(study / "image.dcm")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["findings"]) == 14


@pytest.mark.needs_shared
def test_the_real_file_prints_the_contract(shared, capsys):
    assert main(["predict", str(shared / "dicom" / "rsna_cr_pa_jpeg_baseline.dcm"), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["image"] == {
        "kind": "dicom",
        "rows": 1024,
        "columns": 1024,
        "transforms": [
            "modality LUT: identity",
            "no VOI: full range of 8 bits",
            "polarity: MONOCHROME2",
            "model input: grey from the 1st to the 98.5th percentile of the middle of the image stretched to black and "
            "white",
        ],
    }
    assert len(record["findings"]) == 14


def test_a_traceback_never_reaches_a_user(study):
    done = subprocess.run(
        [sys.executable, "-m", "cxr_core", "predict", str(study), "--json"], capture_output=True, text=True
    )
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert all(json.loads(line) for line in io.StringIO(done.stdout))
