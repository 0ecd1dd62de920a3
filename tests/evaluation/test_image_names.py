"""A run keeps no image name unless asked, and everything that goes by names works without them."""

import hashlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cxr_core.cli.main import main
from cxr_core.displays import FailuresDisplay
from cxr_core.displays.outcome import outcome_of
from cxr_core.evaluation import compare_runs
from cxr_core.evaluation.image_names import digest_key, image_digest, named_by, same_images, without_names
from cxr_core.evaluation.originals import find_originals
from cxr_core.settings import settings
from cxr_core.store import RunStore
from tests.runs import made_up, made_up_boxes, record_of


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("SECOND_READ_RUNS", str(tmp_path / "runs"))
    settings.cache_clear()
    yield tmp_path / "runs"
    settings.cache_clear()


@pytest.fixture
def store(runs):
    store = RunStore(embedded=runs / "none")
    yield store
    store.close()


def add(store, predictions, name, *, kept, localisation=None, **record):
    """Store a run as ``evaluate`` does."""
    made = record_of(predictions, name, image_names_kept=kept, **record)
    if not kept:
        predictions, localisation = without_names(predictions, localisation, digest_key(store.folder))
    return store.add(made, predictions, localisation)


def holds(folder, name: str) -> bool:
    """Whether any file below a folder has these bytes; Parquet columns are unpacked."""
    for path in (path for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes()
        if path.suffix == ".parquet":
            data += pd.read_parquet(path).to_csv().encode()
        if name.encode() in data or name in str(path):
            return True
    return False


@pytest.fixture
def command(made_up_set, tmp_path):
    """``evaluate`` on images whose names hold a patient, with boxes, and its folder."""
    images = tmp_path / "images" / "QZWARD"
    images.mkdir(parents=True)
    table = pd.read_csv(made_up_set / "table.csv").head(6)
    for name in table["Image Index"]:
        (images / f"QZSMITH-{name}").write_bytes((made_up_set / "images" / name).read_bytes())
    table["Image Index"] = "QZSMITH-" + table["Image Index"]
    table.to_csv(tmp_path / "t.csv", index=False)
    boxes = tmp_path / "boxes.csv"
    boxes.write_text(f"Image Index,Finding Label,x,y,w,h\n{table['Image Index'][0]},Effusion,100,100,300,300\n")
    arguments = ["evaluate", "--images", str(images.parent), "--table", str(tmp_path / "t.csv"), "--boxes", str(boxes)]
    return arguments, images.parent


def test_an_evaluation_keeps_names_only_when_it_is_asked_to(command, runs, tmp_path, capsys):
    arguments, images = command
    assert main([*arguments, "--name", "hidden"]) == 0
    assert main(["runs", "export", "hidden", str(tmp_path / "out")]) == 0
    out = capsys.readouterr()
    assert "QZSMITH" not in out.out + out.err
    for folder in (runs, tmp_path / "out"):
        assert not holds(folder, "QZSMITH"), folder
        assert not holds(folder, "QZWARD"), folder
    # the search itself finds a name that is kept
    assert main([*arguments, "--name", "named", "--keep-image-names"]) == 0
    assert holds(runs / "named", "QZSMITH")
    store = RunStore()
    hidden, named = store.get("hidden"), store.get("named")
    store.close()
    assert (hidden.record.image_names_kept, named.record.image_names_kept) == (False, True)
    # the same images, evaluated once before, whatever is kept of their names
    assert (named.record.data_sha256, named.record.evaluated_before) == (hidden.record.data_sha256, 1)
    localisation = hidden.localisation()
    assert set(localisation.images) <= set(hidden.predictions().images)
    # the files are found by the digests of their names, and proved by their bytes
    predictions = hidden.predictions()
    found = find_originals(predictions.images.tolist(), predictions.sha256.tolist(), images, named_by(hidden))
    assert [hashlib.sha256(one.data).hexdigest() for one in found] == predictions.sha256.tolist()


def test_an_import_keeps_names_only_when_it_is_asked_to(runs, tmp_path, capsys):
    frame = pd.DataFrame({"image": [f"QZSMITH{i}.png" for i in range(40)], "patient": range(40)})
    frame["score: Mass"], frame["truth: Mass"] = np.linspace(0, 1, 40), np.arange(40) % 2
    frame.to_csv(tmp_path / "t.csv", index=False)
    assert main(["runs", "import", str(tmp_path / "t.csv"), "--name", "hidden"]) == 0
    assert not holds(runs, "QZSMITH")
    assert main(["runs", "import", str(tmp_path / "t.csv"), "--name", "named", "--keep-image-names"]) == 0
    assert holds(runs / "named", "QZSMITH")
    capsys.readouterr()
    # neither has a file's SHA-256: they are the same images by the digests of the names
    assert main(["runs", "compare", "hidden", "named"]) == 0
    assert "on the same 40 films" in capsys.readouterr().out


@pytest.mark.parametrize(("one_kept", "two_kept"), [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("digests", [True, False])
def test_two_runs_are_compared_whatever_they_keep_of_names(store, one_kept, two_kept, digests):
    ours = made_up(60)
    theirs = made_up(60)
    turned = np.arange(60)[::-1]
    theirs = replace(
        theirs,
        images=theirs.images[turned],
        sha256=theirs.sha256[turned],
        scores=theirs.scores[turned] * 0.5,
        references={name: said[turned] for name, said in theirs.references.items()},
    )
    if not digests:
        ours, theirs = (replace(p, sha256=np.full(60, "", dtype="U64")) for p in (ours, theirs))
    one, two = add(store, ours, "one", kept=one_kept), add(store, theirs, "two", kept=two_kept)
    rows, others = same_images(one, two)
    assert len(rows) == 60
    assert (ours.images[rows] == theirs.images[others]).all()
    assert compare_runs(one, two).films == 60


def test_runs_of_two_installations_are_compared_by_the_digests_of_their_files(store, tmp_path):
    predictions = made_up(60)
    elsewhere = RunStore(folder=tmp_path / "elsewhere", embedded=tmp_path / "none")
    theirs = add(elsewhere, predictions, "theirs", kept=False)
    elsewhere.close()
    ours = add(store, predictions, "ours", kept=False)
    assert not set(ours.predictions().images) & set(theirs.predictions().images)
    assert len(same_images(ours, theirs)[0]) == 60


def test_what_is_the_same_for_every_image_is_no_patient(store):
    predictions = made_up(4)
    key = digest_key(store.folder)
    assert image_digest("7", key) != without_names(replace(predictions, images=np.array(list("7890"))), None, b"k")[0]
    run = add(store, predictions, "a-run", kept=False, localisation=made_up_boxes(predictions, boxed=3))
    assert run.predictions().images.tolist() == [image_digest(name, key) for name in predictions.images.tolist()]
    assert digest_key(store.folder) == key


def test_without_the_key_a_file_is_told_by_its_bytes_where_there_are_few(store, tmp_path, monkeypatch):
    images = tmp_path / "images" / "below"
    images.mkdir(parents=True)
    files = [f"bytes {i}".encode() for i in range(4)]
    for number, data in enumerate(files):
        (images / f"another-name-{number}.png").write_bytes(data)
    sha256 = [hashlib.sha256(data).hexdigest() for data in files[:3]] + ["f" * 64]
    run = add(store, made_up(4), "a-run", kept=False)
    (store.folder / "patients.key").unlink()
    assert named_by(run) is None
    found = find_originals(run.predictions().images.tolist(), sha256, tmp_path / "images", named_by(run))
    assert [one.data for one in found] == [*files[:3], None]
    monkeypatch.setattr("cxr_core.evaluation.originals.MOST_BY_CONTENT", 3)
    found = find_originals(run.predictions().images.tolist(), sha256, tmp_path / "images", named_by(run))
    assert [one.data for one in found] == [None] * 4
    assert "key of the run's image names is not here" in found[0].reason
    assert not (store.folder / "patients.key").exists()


def test_the_worst_images_are_told_by_digests_and_never_by_a_name(store):
    predictions = made_up(60)
    run = add(store, predictions, "a-run", kept=False)
    films = run.predictions()
    outcome = outcome_of(films, "Effusion")
    display = FailuresDisplay.of(outcome, films, most=3, names=True, names_kept=False)
    assert "image" not in display.table().columns
    unknown = replace(films, sha256=np.full(len(films), "", dtype="U64"))
    table = FailuresDisplay.of(outcome, unknown, most=3, names=True, names_kept=False).table()
    assert set(table["film"]) <= {image[:12] for image in films.images}
    kept = replace(predictions, sha256=unknown.sha256)
    assert set(FailuresDisplay.of(outcome, kept, most=3).table()["film"]) == {""}
