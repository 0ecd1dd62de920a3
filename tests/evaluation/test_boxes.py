"""Localisation against boxes: positions, hits and overlap; stored, printed and exported."""

import csv
import json
import shutil
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from cxr_core.cli.main import main
from cxr_core.datasets.table import read_table
from cxr_core.errors import PathUnusable
from cxr_core.evaluation import evaluate, gather_images, scoring, summary_of
from cxr_core.evaluation.box_sources import BOX_SIDE
from cxr_core.evaluation.box_tables import read_boxes
from cxr_core.evaluation.boxes import ALL_BOXES, THRESHOLDS, box_numbers
from cxr_core.imaging import read_radiograph
from cxr_core.metrics import BootstrapOptions, holm, paired_difference
from cxr_core.model import open_model, prepare_input
from cxr_core.model.localisation import AVERAGE, CENTRE, UNIFORM
from cxr_core.settings import settings
from cxr_core.store import Localisation, RunStore
from cxr_core.store.predictions import read_localisation, write_localisation
from tests.runs import made_up, made_up_boxes

HEADER = "Image Index,Finding Label,Bbox [x,y,w,h]\n"
ROWS, COLUMNS = 96, 84
CHOSEN = ("00000000_000", "00000001_000", "00000003_001", "00000004_000")
BOXES = """00000000_000.png,Mass,0,0,1024,1024
00000000_000.png,Infiltrate,100.5,200,300,250
00000003_001.png,Effusion,700,650,200,300
00000003_001.png,Effusion,100,650,200,300
00000004_000.png,Effusion,0,0,10,10
"""


@pytest.fixture(scope="module")
def boxes_csv(tmp_path_factory):
    path = tmp_path_factory.mktemp("boxes") / "boxes.csv"
    path.write_text(HEADER + BOXES)
    return path


@pytest.fixture(scope="module")
def images(made_up_set):
    images = gather_images([made_up_set / "images"], [made_up_set / "table.csv"])
    return images.select(np.isin(images.table.names, [f"{name}.png" for name in CHOSEN]))


@pytest.fixture(scope="module")
def evaluated(images, boxes_csv, predictor, tmp_path_factory):
    return evaluate(predictor, images, tmp_path_factory.mktemp("work"), boxes=read_boxes(boxes_csv))


def map_on_image(predictor, made_up_set, image, label):
    """Return the map of an image as fractions of full colour, and the matrix from its cells to the image."""
    radiograph = read_radiograph((made_up_set / "images" / image).read_bytes())
    preparation = predictor.card.input.preparation()
    reading = predictor.read(prepare_input(replace(radiograph, override="a test"), preparation))
    cells = np.maximum(reading.class_maps[predictor.card.labels.index(label)], 0) / predictor.card.map_anchors[label]
    return cells, reading.placement.to_original(*cells.shape)


def test_nih_layout_and_label_names_are_read(boxes_csv):
    boxes = read_boxes(boxes_csv).by_image
    assert {image: sorted(by_label) for image, by_label in boxes.items()} == {
        "00000000_000.png": ["Infiltration", "Mass"],
        "00000003_001.png": ["Effusion"],
        "00000004_000.png": ["Effusion"],
    }
    assert boxes["00000000_000.png"]["Infiltration"].tolist() == [[100.5, 200, 400.5, 450]]
    assert boxes["00000003_001.png"]["Effusion"].shape == (2, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,label\na,b\n", "cannot be read"),
        ("a,b,c,d,e,f\nx,Mass,1,2,3,4\n", "columns a, b, c, d, e, f found"),
        (HEADER + "x,Fracture,1,2,3,4\n", "label 'Fracture' is not one of"),
        (HEADER + "x,Mass,1,2,0,4\n", "no area"),
        (HEADER + "x,Mass,1,much,3,4\n", "not four numbers"),
    ],
)
def test_other_tables_are_refused(text, message, tmp_path):
    (tmp_path / "b.csv").write_text(text)
    with pytest.raises(PathUnusable, match=message):
        read_boxes(tmp_path / "b.csv")


def test_coordinates_and_hits_of_the_strongest_cell(evaluated, predictor, made_up_set):
    rows = evaluated.localisation
    assert len(rows) == 4
    for row in range(4):
        cells, matrix = map_on_image(predictor, made_up_set, rows.images[row], rows.labels[row])
        if cells.max() == 0:
            assert np.isnan(rows.strongest[row]).all()
            assert not rows.hits[row]
            continue
        r, c = np.unravel_index(np.argmax(cells), cells.shape)
        x, y = matrix @ [c, r, 1] + 0.5
        np.testing.assert_allclose(rows.strongest[row], [x, y], rtol=0, atol=1e-3)
        in_box = [left <= x <= right and top <= y <= bottom for left, top, right, bottom in rows.boxes[row]]
        assert rows.hits[row] == any(in_box)
    # the box of Mass is the whole image, one of Effusion a corner
    mass = rows.labels.tolist().index("Mass")
    np.testing.assert_allclose(rows.boxes[mass], [[0, 0, COLUMNS, ROWS]])
    assert rows.centre_hits[mass]
    assert not rows.centre_hits[rows.images.tolist().index("00000004_000.png")]


def test_overlap_equals_that_of_areas_on_the_image(evaluated, predictor, made_up_set):
    rows = evaluated.localisation
    for row in range(4):
        cells, matrix = map_on_image(predictor, made_up_set, rows.images[row], rows.labels[row])
        # areas by counting points, also outside the image, because the map may extend beyond it
        fine = np.stack(np.meshgrid(np.arange(-20, 120, 0.25), np.arange(-20, 120, 0.25)), axis=-1)
        c, r = (np.floor((fine[..., k] - 0.5 - matrix[k, 2]) / matrix[k, k] + 0.5).astype(int) for k in (0, 1))
        on_map = (c >= 0) & (r >= 0) & (c < cells.shape[1]) & (r < cells.shape[0])
        values = np.where(on_map, cells[np.clip(r, 0, len(cells) - 1), np.clip(c, 0, cells.shape[1] - 1)], -1)
        boxed = np.zeros(values.shape, dtype=bool)
        for left, top, right, bottom in rows.boxes[row]:
            boxed |= (left <= fine[..., 0]) & (fine[..., 0] < right) & (top <= fine[..., 1]) & (fine[..., 1] < bottom)
        for t, threshold in enumerate(THRESHOLDS):
            marked = values >= threshold
            assert rows.overlap[row, t] == pytest.approx((marked & boxed).sum() / (marked | boxed).sum(), abs=0.02)
            assert rows.marked[row, t] == pytest.approx(marked.sum() / on_map.sum(), abs=0.02)


def test_average_map_is_that_of_the_other_patients(evaluated, predictor, made_up_set):
    rows = evaluated.localisation
    effusion = np.flatnonzero(rows.labels == "Effusion")
    assert len(set(rows.patients[effusion].tolist())) == 2
    one, other = (map_on_image(predictor, made_up_set, rows.images[row], "Effusion") for row in effusion)
    for row, (cells, matrix), (average, _) in zip(effusion, (one, other), (other, one), strict=True):
        r, c = np.unravel_index(np.argmax(average), average.shape)
        x, y = matrix @ [c, r, 1] + 0.5
        in_box = [left <= x <= right and top <= y <= bottom for left, top, right, bottom in rows.boxes[row]]
        assert rows.average_hits[row] == (average.max() > 0 and any(in_box))
        # no cell of the map, none of the average map
        assert (rows.average_overlap[row][rows.marked[row] == 0] == 0).all()
        assert rows.area[row] == pytest.approx(covered_by(rows.boxes[row], matrix, cells.shape).mean(), abs=0.01)
        for number, values in ((rows.inside[row], cells), (rows.average_inside[row], average)):
            covered = covered_by(rows.boxes[row], matrix, values.shape)
            assert number == pytest.approx((values * covered).sum() / max(values.sum(), 1e-9), abs=0.01)
    # the boxes of Mass and Infiltration are of one patient alone
    alone = ~np.isin(rows.labels, ["Effusion"])
    assert np.isnan(rows.average_hits[alone]).all()
    assert np.isnan(rows.average_overlap[alone]).all()


def covered_by(boxes, matrix, shape):
    """Return the proportion of each cell in the boxes, by counting 20 x 20 points a cell."""
    rows, columns = (np.arange(0.025, n, 0.05) - 0.5 for n in shape)
    x, y = (matrix[k, k] * steps + matrix[k, 2] + 0.5 for k, steps in ((0, columns), (1, rows)))
    inside = np.zeros((len(y), len(x)), dtype=bool)
    for left, top, right, bottom in boxes:
        inside |= ((top <= y) & (y < bottom))[:, None] & ((left <= x) & (x < right))
    return inside.reshape(shape[0], 20, shape[1], 20).mean(axis=(1, 3))


def test_numbers_of_the_baselines_equal_those_of_the_rows(tmp_path):
    rows = made_up_boxes(made_up(200, per_patient=1))
    numbers = box_numbers(rows, BootstrapOptions(100))
    for label in ("Effusion", "Cardiomegaly", "Mass", ALL_BOXES):
        chosen = rows.labels == label if label != ALL_BOXES else np.ones(len(rows), dtype=bool)
        result = numbers[label].localisation
        assert result.boxes == sum(len(boxes) for boxes, one in zip(rows.boxes, chosen, strict=True) if one)
        assert result.patients == len(set(rows.patients[chosen].tolist()))
        for baseline, hits in ((CENTRE, rows.centre_hits), (AVERAGE, rows.average_hits)):
            measured = result.hit_rate.baselines[baseline]
            assert measured.value.value == pytest.approx(hits[chosen].mean())
            assert measured.difference.value == pytest.approx(rows.hits[chosen].mean() - hits[chosen].mean())
        # the threshold of an image is the best of the images of all other patients
        best = [
            np.argmax(rows.overlap[chosen & (rows.patients != patient)].mean(axis=0))
            for patient in rows.patients[chosen]
        ]
        expected = rows.overlap[chosen][np.arange(len(best)), best].mean()
        assert result.mean_overlap.value.value == pytest.approx(expected)
        assert result.inside.baselines[UNIFORM].value.value == pytest.approx(rows.area[chosen].mean())
    labels = ["Cardiomegaly", "Effusion", "Mass", "Nodule"]
    raw = [
        paired_difference(
            rows.hits[rows.labels == x], rows.centre_hits[rows.labels == x], rows.patients[rows.labels == x]
        ).p_value
        for x in labels
    ]
    adjusted = [numbers[label].localisation.hit_rate.baselines[CENTRE].p_value for label in labels]
    assert adjusted == list(holm(raw))
    assert adjusted[3] is None


def test_rows_of_an_earlier_version_are_read_and_have_one_baseline(tmp_path):
    later = ("average_hits", "average_overlap", "inside", "average_inside", "area")
    rows = made_up_boxes(made_up(200, per_patient=1))
    earlier = replace(rows, source="", **dict.fromkeys(later))
    write_localisation(earlier, tmp_path / "old.parquet")
    written = pq.read_table(tmp_path / "old.parquet")
    assert not {"average_hit", "average_overlap", "inside", "average_inside", "area"} & set(written.column_names)
    # as the version before wrote it: without the source
    metadata = {key: value for key, value in written.schema.metadata.items() if key != b"source"}
    pq.write_table(written.replace_schema_metadata(metadata), tmp_path / "old.parquet")
    assert_equal(read_localisation(tmp_path / "old.parquet"), earlier)
    numbers = box_numbers(earlier, BootstrapOptions(100))["Effusion"]
    assert list(numbers.localisation.hit_rate.baselines) == [CENTRE]
    assert (numbers.localisation.inside, numbers.average_overlap) == (None, ())
    write_localisation(rows, tmp_path / "new.parquet")
    assert_equal(read_localisation(tmp_path / "new.parquet"), rows)


def test_a_resumed_run_has_the_same_localisation(evaluated, images, boxes_csv, predictor, tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "CHUNK", 3)
    for resume in (False, True):
        again = evaluate(predictor, images, tmp_path / "work", resume=resume, boxes=read_boxes(boxes_csv)).localisation
        assert_equal(again, evaluated.localisation)


def assert_equal(one: Localisation, other: Localisation):
    for field in vars(one):
        if field == "source":
            assert one.source == other.source
        elif getattr(one, field) is None:
            assert getattr(other, field) is None
        elif field == "boxes":
            assert len(one.boxes) == len(other.boxes)
            for first, second in zip(one.boxes, other.boxes, strict=True):
                np.testing.assert_array_equal(first, second)
        else:
            np.testing.assert_array_equal(getattr(one, field), getattr(other, field), err_msg=field)


def test_metrics_equal_those_of_the_rows():
    random = np.random.default_rng(0)
    count, shape = 60, (60, len(THRESHOLDS))
    rows = Localisation(
        images=np.arange(count).astype(str),
        patients=np.arange(count).astype(str),
        labels=np.where(np.arange(count) < 40, "Mass", "Effusion"),
        boxes=(np.array([[0.0, 0, 1, 1]]),) * count,
        strongest=np.where(np.arange(count)[:, None] % 10 == 0, np.nan, 1.0) * np.ones((1, 2)),
        hits=random.random(count) < 0.5,
        centre_hits=random.random(count) < 0.3,
        thresholds=np.array(THRESHOLDS),
        overlap=random.random(shape),
        centre_overlap=random.random(shape),
        marked=random.random(shape),
    )
    numbers = box_numbers(rows, BootstrapOptions(100))
    assert list(numbers) == ["Effusion", "Mass", ALL_BOXES]
    mass = rows.labels == "Mass"
    assert (numbers["Mass"].boxed, numbers["Mass"].localisation.blank_maps) == (40, 4)
    assert numbers["Mass"].hit_rate.value == pytest.approx(rows.hits[mass].mean())
    gain = numbers["Mass"].localisation.hit_rate.baselines[CENTRE].difference
    assert gain.value == pytest.approx(rows.hits[mass].mean() - rows.centre_hits[mass].mean())
    expected = rows.overlap[mass].mean(axis=0)
    assert [overlap.value for overlap in numbers["Mass"].overlap] == pytest.approx(expected)
    assert numbers[ALL_BOXES].centre_overlap[2].value == pytest.approx(rows.centre_overlap[:, 2].mean())


def test_localisation_is_stored_printed_and_exported(
    made_up_set, boxes_csv, figures_as_text, monkeypatch, tmp_path, capsys
):
    monkeypatch.setenv("SECOND_READ_RUNS", str(tmp_path / "runs"))
    settings.cache_clear()
    arguments = ["--images", str(made_up_set / "images"), "--table", str(made_up_set / "table.csv"), "--keep-patients"]
    assert main(["evaluate", *arguments, "--boxes", str(boxes_csv), "--name", "boxed"]) == 0
    shown = capsys.readouterr().out
    assert "Pointing game (hit rate)" in shown
    # only two patients have a box of Effusion
    assert "Effusion            too few cases" in shown
    assert main(["runs", "export", "boxed", str(tmp_path / "out")]) == 0
    store = RunStore()
    run = store.get("boxed")
    localisation = run.localisation()
    store.close()
    settings.cache_clear()
    with (tmp_path / "out" / "localisation.csv").open() as file:
        exported = list(csv.DictReader(file))
    assert [row["label"] for row in exported] == localisation.labels.tolist()
    assert json.loads(exported[0]["boxes"]) == localisation.boxes[0].tolist()
    assert [float(row["overlap at 0.3"]) for row in exported] == localisation.overlap[:, 2].tolist()
    with (tmp_path / "out" / "metrics.csv").open() as file:
        metrics = {row["metric"] for row in csv.DictReader(file)}
    assert {"hit_rate", "centre_hit_rate", "hit_rate_gain", "overlap", "centre_overlap"} <= metrics
    assert {"average_hit_rate", "hit_rate_gain_p", "hit_rate_gain_average_p", "mean_overlap", "inside"} <= metrics
    assert [row["box_source"] for row in exported] == ["NIH layout"] * 4
    assert [float(row["inside"]) for row in exported] == localisation.inside.tolist()
    (run.folder / "localisation.parquet").write_bytes(b"another")
    with pytest.raises(PathUnusable, match=r"localisation\.parquet is missing or was changed"):
        run.localisation()


def test_boxes_of_other_images_are_refused(made_up_set, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("SECOND_READ_RUNS", str(tmp_path / "runs"))
    settings.cache_clear()
    (tmp_path / "b.csv").write_text(HEADER + f"other.png,Mass,0,0,{BOX_SIDE},5\n")
    arguments = ["--images", str(made_up_set / "images"), "--table", str(made_up_set / "table.csv")]
    assert main(["evaluate", *arguments, "--boxes", str(tmp_path / "b.csv")]) == 2
    assert "none belongs to an evaluated image" in capsys.readouterr().err
    settings.cache_clear()


def test_only_boxed_images_of_held_out_patients_and_each_name_once(made_up_set, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("SECOND_READ_RUNS", str(tmp_path / "runs"))
    settings.cache_clear()
    patients = read_table(made_up_set / "table.csv", made_up_set / "images").patients
    (tmp_path / "split.csv").write_text(
        "patient_id,part\n" + "".join(f"{p},{'train' if p == 3 else 'validation'}\n" for p in sorted(set(patients)))
    )
    (tmp_path / "boxes.csv").write_text(HEADER + BOXES)
    folder = ["--images", str(made_up_set / "images"), "--table", str(made_up_set / "table.csv")]
    chosen = ["--split", str(tmp_path / "split.csv"), "--part", "held-out", "--boxes", str(tmp_path / "boxes.csv")]
    twice = [*folder, *folder, *chosen, "--boxed-only", "--keep-image-names", "--name", "twice"]
    assert main(["evaluate", *twice]) == 0
    shown = capsys.readouterr().out
    assert "only images with boxes or masks" in shown
    assert "Maps are compared with bounding boxes of a label, in the layout of NIH's" in shown
    store = RunStore()
    run = store.get("twice")
    # 00000003_001 has a box too, but its patient is in train
    assert run.predictions().images.tolist() == ["00000000_000.png", "00000004_000.png"]
    assert (run.record.part, run.record.images) == ("held-out", 2)
    assert run.record.selection in summary_of(run).notes
    store.close()
    for options, message in (
        (["--boxed-only"], "give the --boxes or --masks"),
        (["--masks", str(tmp_path), "--boxes", str(tmp_path / "boxes.csv")], "a run has one of them"),
        (["--masks", str(tmp_path), "--region", "lung"], "accepted are heart, chest"),
    ):
        assert main(["evaluate", *folder, *options]) == 2
        assert message in capsys.readouterr().err
    settings.cache_clear()


def test_masks_are_compared_with_the_map_of_cardiomegaly(made_up_set, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("SECOND_READ_RUNS", str(tmp_path / "runs"))
    settings.cache_clear()
    for part, (left, right) in {"heart": (40, 90), "left_lung": (20, 40), "right_lung": (70, 100)}.items():
        (tmp_path / "masks" / part).mkdir(parents=True)
        mask = np.zeros((128, 128), dtype=np.uint8)
        mask[64:96, left:right] = 255
        Image.fromarray(mask).save(tmp_path / "masks" / part / "00000001_000.png")
    folder = ["--images", str(made_up_set / "images"), "--table", str(made_up_set / "table.csv"), "--boxed-only"]
    assert main(["evaluate", *folder, "--masks", str(tmp_path / "masks"), "--name", "hearts"]) == 0
    assert "masks of the heart where the cardiothoracic ratio is over 0.5" in capsys.readouterr().out
    store = RunStore()
    rows = store.get("hearts").localisation()
    store.close()
    settings.cache_clear()
    assert (rows.source, rows.labels.tolist()) == ("heart masks", ["Cardiomegaly"])
    # kept is the box around the mask
    expected = np.array([[40 / 128 * COLUMNS, 64 / 128 * ROWS, 90 / 128 * COLUMNS, 96 / 128 * ROWS]])
    np.testing.assert_allclose(rows.boxes[0], expected)


def leaves(value, path="") -> dict[str, object]:
    """Return what is in dataclasses, mappings and sequences, by the path to it."""
    if is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    elif isinstance(value, tuple | list):
        value = dict(enumerate(value))
    if not isinstance(value, Mapping):
        return {path: value}
    return {place: leaf for name in value for place, leaf in leaves(value[name], f"{path}/{name}").items()}


def test_the_command_writes_the_section_of_the_card(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("SECOND_READ_RUNS", str(tmp_path / "runs"))
    settings.cache_clear()
    copy = shutil.copytree(open_model("second-read-mini").path, tmp_path / "copy")
    before = open_model(str(copy)).card
    assert main(["models", "localisation", str(copy), "--run", "nih-boxes-held-out-patients"]) == 0
    written = capsys.readouterr().out
    card = open_model(str(copy)).card
    expected = tuple(table for table in before.localisation if table.source == "NIH layout")
    # the last digit of a sum depends on the processor
    assert leaves(card.localisation) == {
        place: pytest.approx(leaf, rel=1e-12, abs=0) if isinstance(leaf, float) else leaf
        for place, leaf in leaves(expected).items()
    }
    assert replace(card, localisation=()) == replace(before, localisation=())
    assert "Pneumonia: 17 images, 16 patients, 17 boxes" in written
    assert main(["models", "show", str(copy)]) == 0
    assert written.rstrip() in capsys.readouterr().out
    assert main(["models", "localisation", str(copy), "--run", "validation-patients-of-nih-128"]) == 2
    settings.cache_clear()
