"""Where maps point beside boxes: positions, hits and overlap on drawn films, kept, printed and exported."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from cxr_core.cli.main import main
from cxr_core.errors import PathUnusable
from cxr_core.evaluation import evaluate, gather_films, scoring
from cxr_core.evaluation.boxes import ALL_BOXES, BOX_SIDE, THRESHOLDS, box_numbers, read_boxes
from cxr_core.imaging import read_radiograph
from cxr_core.model import prepare_film
from cxr_core.settings import settings
from cxr_core.store import Localisation, RunStore

HEADER = "Image Index,Finding Label,Bbox [x,y,w,h]\n"
ROWS, COLUMNS = 96, 84
CHOSEN = ("00000000_000", "00000001_000", "00000003_001", "00000004_000")
DRAWN = """00000000_000.png,Mass,0,0,1024,1024
00000000_000.png,Infiltrate,100.5,200,300,250
00000003_001.png,Effusion,700,650,200,300
00000003_001.png,Effusion,100,650,200,300
00000004_000.png,Effusion,0,0,10,10
"""


@pytest.fixture(scope="module")
def boxes_csv(tmp_path_factory):
    path = tmp_path_factory.mktemp("boxes") / "boxes.csv"
    path.write_text(HEADER + DRAWN)
    return path


@pytest.fixture(scope="module")
def films(made_up_set):
    every = gather_films([made_up_set / "images"], [made_up_set / "table.csv"])
    return every.select(np.isin(every.table.names, [f"{name}.png" for name in CHOSEN]))


@pytest.fixture(scope="module")
def found(films, boxes_csv, predictor, tmp_path_factory):
    return evaluate(predictor, films, tmp_path_factory.mktemp("work"), boxes=read_boxes(boxes_csv))


def drawn_map(predictor, made_up_set, image, label):
    """The map of one film in shares of full colour, and its grid on the film."""
    film = read_radiograph((made_up_set / "images" / image).read_bytes())
    preparation = predictor.card.input.preparation()
    reading = predictor.read(prepare_film(replace(film, override="a test"), preparation))
    cells = np.maximum(reading.class_maps[predictor.card.labels.index(label)], 0) / predictor.card.map_anchors[label]
    return cells, reading.placement.to_original(*cells.shape)


def test_nihs_layout_and_names_are_read(boxes_csv):
    boxes = read_boxes(boxes_csv)
    assert {image: sorted(of) for image, of in boxes.items()} == {
        "00000000_000.png": ["Infiltration", "Mass"],
        "00000003_001.png": ["Effusion"],
        "00000004_000.png": ["Effusion"],
    }
    assert boxes["00000000_000.png"]["Infiltration"].tolist() == [[100.5, 200, 400.5, 450]]
    assert boxes["00000003_001.png"]["Effusion"].shape == (2, 4)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image,label\na,b\n", "cannot be read"),
        ("a,b,c,d,e,f\nx,Mass,1,2,3,4\n", "columns a, b, c, d, e, f found"),
        (HEADER + "x,Fracture,1,2,3,4\n", "label 'Fracture' is not one of"),
        (HEADER + "x,Mass,1,2,0,4\n", "no area"),
        (HEADER + "x,Mass,1,much,3,4\n", "not four numbers"),
    ],
)
def test_other_tables_are_refused(text, words, tmp_path):
    (tmp_path / "b.csv").write_text(text)
    with pytest.raises(PathUnusable, match=words):
        read_boxes(tmp_path / "b.csv")


def test_the_strongest_cell_stands_where_it_is_on_the_film(found, predictor, made_up_set):
    where = found.localisation
    assert len(where) == 4
    for row in range(4):
        cells, matrix = drawn_map(predictor, made_up_set, where.images[row], where.labels[row])
        if cells.max() == 0:
            assert np.isnan(where.strongest[row]).all()
            assert not where.hits[row]
            continue
        r, c = np.unravel_index(np.argmax(cells), cells.shape)
        x, y = matrix @ [c, r, 1] + 0.5
        np.testing.assert_allclose(where.strongest[row], [x, y], rtol=0, atol=1e-3)
        in_box = [left <= x <= right and top <= y <= bottom for left, top, right, bottom in where.boxes[row]]
        assert where.hits[row] == any(in_box)
    # the whole film is a box of Mass; a corner of it is not where anything is strongest but by chance
    mass = where.labels.tolist().index("Mass")
    np.testing.assert_allclose(where.boxes[mass], [[0, 0, COLUMNS, ROWS]])
    assert where.centre_hits[mass]
    assert not where.centre_hits[where.images.tolist().index("00000004_000.png")]


def test_overlap_is_that_of_areas_on_the_film(found, predictor, made_up_set):
    where = found.localisation
    for row in range(4):
        cells, matrix = drawn_map(predictor, made_up_set, where.images[row], where.labels[row])
        # areas by counting points of the plane, beyond the film where the map reaches beyond it
        fine = np.stack(np.meshgrid(np.arange(-20, 120, 0.25), np.arange(-20, 120, 0.25)), axis=-1)
        c, r = (np.floor((fine[..., k] - 0.5 - matrix[k, 2]) / matrix[k, k] + 0.5).astype(int) for k in (0, 1))
        on_map = (c >= 0) & (r >= 0) & (c < cells.shape[1]) & (r < cells.shape[0])
        values = np.where(on_map, cells[np.clip(r, 0, len(cells) - 1), np.clip(c, 0, cells.shape[1] - 1)], -1)
        boxed = np.zeros(values.shape, dtype=bool)
        for left, top, right, bottom in where.boxes[row]:
            boxed |= (left <= fine[..., 0]) & (fine[..., 0] < right) & (top <= fine[..., 1]) & (fine[..., 1] < bottom)
        for t, threshold in enumerate(THRESHOLDS):
            marked = values >= threshold
            assert where.overlap[row, t] == pytest.approx((marked & boxed).sum() / (marked | boxed).sum(), abs=0.02)
            assert where.marked[row, t] == pytest.approx(marked.sum() / on_map.sum(), abs=0.02)


def test_a_run_that_goes_on_keeps_the_same(found, films, boxes_csv, predictor, tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "CHUNK", 3)
    for resume in (False, True):
        again = evaluate(predictor, films, tmp_path / "work", resume=resume, boxes=read_boxes(boxes_csv)).localisation
        same(again, found.localisation)


def same(one: Localisation, other: Localisation):
    for field in vars(one):
        if field == "boxes":
            assert len(one.boxes) == len(other.boxes)
            for ours, theirs in zip(one.boxes, other.boxes, strict=True):
                np.testing.assert_array_equal(ours, theirs)
        else:
            np.testing.assert_array_equal(getattr(one, field), getattr(other, field), err_msg=field)


def test_numbers_are_those_of_the_rows():
    random = np.random.default_rng(0)
    count, shape = 60, (60, len(THRESHOLDS))
    where = Localisation(
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
    numbers = box_numbers(where, 100)
    assert list(numbers) == ["Effusion", "Mass", ALL_BOXES]
    mass = where.labels == "Mass"
    assert (numbers["Mass"].boxed, numbers["Mass"].blank) == (40, 4)
    assert numbers["Mass"].hit_rate.value == pytest.approx(where.hits[mass].mean())
    assert numbers["Mass"].gain.value == pytest.approx(where.hits[mass].mean() - where.centre_hits[mass].mean())
    expected = where.overlap[mass].mean(axis=0)
    assert [overlap.value for overlap in numbers["Mass"].overlap] == pytest.approx(expected)
    assert numbers[ALL_BOXES].centre_overlap[2].value == pytest.approx(where.centre_overlap[:, 2].mean())


def test_the_command_keeps_prints_and_exports_it(made_up_set, boxes_csv, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("SECOND_READ_RUNS", str(tmp_path / "runs"))
    settings.cache_clear()
    arguments = ["--images", str(made_up_set / "images"), "--table", str(made_up_set / "table.csv"), "--keep-patients"]
    assert main(["evaluate", *arguments, "--boxes", str(boxes_csv), "--name", "boxed"]) == 0
    shown = capsys.readouterr().out
    assert "Maps and boxes" in shown
    # two patients with a box of Effusion are too few for a rate, and that is said
    assert "Effusion            too few cases; 2 films" in shown
    assert main(["runs", "export", "boxed", str(tmp_path / "out")]) == 0
    store = RunStore()
    run = store.get("boxed")
    where = run.localisation()
    store.close()
    settings.cache_clear()
    with (tmp_path / "out" / "localisation.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == where.labels.tolist()
    assert json.loads(rows[0]["boxes"]) == where.boxes[0].tolist()
    assert [float(row["overlap at 0.3"]) for row in rows] == where.overlap[:, 2].tolist()
    with (tmp_path / "out" / "metrics.csv").open() as file:
        metrics = {row["metric"] for row in csv.DictReader(file)}
    assert {"hit_rate", "centre_hit_rate", "hit_rate_gain", "overlap", "centre_overlap"} <= metrics
    (run.folder / "localisation.parquet").write_bytes(b"another")
    with pytest.raises(PathUnusable, match=r"localisation\.parquet is missing or was changed"):
        run.localisation()


def test_boxes_of_other_films_are_refused(made_up_set, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("SECOND_READ_RUNS", str(tmp_path / "runs"))
    settings.cache_clear()
    (tmp_path / "b.csv").write_text(HEADER + f"other.png,Mass,0,0,{BOX_SIDE},5\n")
    arguments = ["--images", str(made_up_set / "images"), "--table", str(made_up_set / "table.csv")]
    assert main(["evaluate", *arguments, "--boxes", str(tmp_path / "b.csv")]) == 2
    assert "none is of a film that is evaluated" in capsys.readouterr().err
    settings.cache_clear()
