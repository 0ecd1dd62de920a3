"""A run stores image names only on request; comparison and source files work without them."""

import hashlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cxr_core.cli.main import main
from cxr_core.displays import FailuresDisplay
from cxr_core.evaluation import compare_runs
from cxr_core.evaluation.images import (
    digest_key,
    find_source_images,
    image_digest,
    same_images,
    stored_name,
    with_digests,
)
from cxr_core.evaluation.outcomes import outcome_of
from cxr_core.store import RunStore
from tests.runs import made_up, made_up_boxes, record_of


@pytest.fixture
def store(runs):
    store = RunStore(embedded=runs / "none")
    yield store
    store.close()


def add(store, predictions, name, *, names, localisation=None, **record):
    """Store a run as ``evaluate`` does."""
    new = record_of(predictions, name, image_names_kept=names, **record)
    if not names:
        predictions, localisation = with_digests(predictions, localisation, digest_key(store.folder))
    return store.add(new, predictions, localisation)


def contains(folder, name: str) -> bool:
    """Return whether any file below a folder contains these bytes; Parquet columns are decompressed."""
    for path in (path for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes()
        if path.suffix == ".parquet":
            data += pd.read_parquet(path).to_csv().encode()
        if name.encode() in data or name in str(path):
            return True
    return False


@pytest.fixture
def command(made_up_set, tmp_path):
    """Arguments of ``evaluate`` with boxes on images whose names contain a patient, and the folder of images."""
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


def test_an_evaluation_stores_names_only_on_request(command, runs, figures_as_text, tmp_path, capsys):
    arguments, images = command
    assert main([*arguments, "--name", "hidden"]) == 0
    assert main(["runs", "export", "hidden", str(tmp_path / "out")]) == 0
    out = capsys.readouterr()
    assert "QZSMITH" not in out.out + out.err
    for folder in (runs, tmp_path / "out"):
        assert not contains(folder, "QZSMITH"), folder
        assert not contains(folder, "QZWARD"), folder
    # a stored name is detected
    assert main([*arguments, "--name", "named", "--keep-image-names"]) == 0
    assert contains(runs / "named", "QZSMITH")
    store = RunStore()
    hidden, named = store.get("hidden"), store.get("named")
    store.close()
    assert (hidden.record.image_names_kept, named.record.image_names_kept) == (False, True)
    # recognised as the same images although their names are stored differently
    assert (named.record.data_sha256, named.record.evaluated_before) == (hidden.record.data_sha256, 1)
    localisation = hidden.localisation()
    assert set(localisation.images) <= set(hidden.predictions().images)
    # files are found by the digests of their names, and verified by their bytes
    predictions = hidden.predictions()
    files = find_source_images(predictions.images.tolist(), predictions.sha256.tolist(), images, stored_name(hidden))
    assert [hashlib.sha256(file.data).hexdigest() for file in files] == predictions.sha256.tolist()


def test_an_import_stores_names_only_on_request(runs, tmp_path, capsys):
    frame = pd.DataFrame({"image": [f"QZSMITH{i}.png" for i in range(40)], "patient": range(40)})
    frame["score: Mass"], frame["truth: Mass"] = np.linspace(0, 1, 40), np.arange(40) % 2
    frame.to_csv(tmp_path / "t.csv", index=False)
    assert main(["runs", "import", str(tmp_path / "t.csv"), "--name", "hidden"]) == 0
    assert not contains(runs, "QZSMITH")
    assert main(["runs", "import", str(tmp_path / "t.csv"), "--name", "named", "--keep-image-names"]) == 0
    assert contains(runs / "named", "QZSMITH")
    capsys.readouterr()
    # without SHA-256 they are matched by the digests of the names
    assert main(["runs", "compare", "hidden", "named"]) == 0
    assert "on the same 40 images" in capsys.readouterr().out


@pytest.mark.parametrize(("one_names", "two_names"), [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("digests", [True, False])
def test_two_runs_are_compared_with_and_without_stored_names(store, one_names, two_names, digests):
    first = made_up(60)
    second = replace(
        first,
        images=first.images[::-1],
        sha256=first.sha256[::-1],
        scores=first.scores[::-1] * 0.5,
        references={name: truth[::-1] for name, truth in first.references.items()},
    )
    if not digests:
        first, second = (replace(p, sha256=np.full(60, "", dtype="U64")) for p in (first, second))
    one, two = add(store, first, "one", names=one_names), add(store, second, "two", names=two_names)
    rows, others = same_images(one, two)
    assert len(rows) == 60
    assert (first.images[rows] == second.images[others]).all()
    assert compare_runs(one, two).images == 60


def test_runs_of_two_installations_are_matched_by_sha256(store, tmp_path):
    predictions = made_up(60)
    elsewhere = RunStore(folder=tmp_path / "elsewhere", embedded=tmp_path / "none")
    theirs = add(elsewhere, predictions, "theirs", names=False)
    elsewhere.close()
    ours = add(store, predictions, "ours", names=False)
    assert not set(ours.predictions().images) & set(theirs.predictions().images)
    assert len(same_images(ours, theirs)[0]) == 60


def test_image_digests_are_stable_and_depend_on_the_key(store):
    predictions = made_up(4)
    key = digest_key(store.folder)
    assert image_digest("7", key) != with_digests(replace(predictions, images=np.array(list("7890"))), None, b"k")[0]
    run = add(store, predictions, "a-run", names=False, localisation=made_up_boxes(predictions, boxed=3))
    assert run.predictions().images.tolist() == [image_digest(name, key) for name in predictions.images.tolist()]
    assert digest_key(store.folder) == key


def test_without_the_key_a_few_files_are_identified_by_sha256(store, tmp_path, monkeypatch):
    images = tmp_path / "images" / "below"
    images.mkdir(parents=True)
    contents = [f"bytes {i}".encode() for i in range(4)]
    for number, data in enumerate(contents):
        (images / f"another-name-{number}.png").write_bytes(data)
    sha256 = [hashlib.sha256(data).hexdigest() for data in contents[:3]] + ["f" * 64]
    run = add(store, made_up(4), "a-run", names=False)
    (store.folder / "patients.key").unlink()
    assert stored_name(run) is None
    files = find_source_images(run.predictions().images.tolist(), sha256, tmp_path / "images", stored_name(run))
    assert [file.data for file in files] == [*contents[:3], None]
    monkeypatch.setattr("cxr_core.evaluation.images.MAX_BY_CONTENT", 3)
    files = find_source_images(run.predictions().images.tolist(), sha256, tmp_path / "images", stored_name(run))
    assert [file.data for file in files] == [None] * 4
    assert "key of the run's image names is missing" in files[0].reason
    assert not (store.folder / "patients.key").exists()


def test_failures_are_listed_by_digest_if_names_are_not_stored(store):
    predictions = made_up(60)
    run = add(store, predictions, "a-run", names=False)
    images = run.predictions()
    outcome = outcome_of(images, "Effusion")
    display = FailuresDisplay.of(outcome, images, max_images=3, names=True, names_stored=False)
    assert "file" not in display.table().columns
    unknown = replace(images, sha256=np.full(len(images), "", dtype="U64"))
    table = FailuresDisplay.of(outcome, unknown, max_images=3, names=True, names_stored=False).table()
    assert set(table["image"]) <= {image[:12] for image in images.images}
    named = replace(predictions, sha256=unknown.sha256)
    assert set(FailuresDisplay.of(outcome, named, max_images=3).table()["image"]) == {""}
