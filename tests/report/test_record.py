import csv
import dataclasses
import io
import json

import pytest

from cxr_core.estimate import Counts, Estimate
from cxr_core.imaging import phantom_dicom
from cxr_core.labels import LABELS, NOTICE
from cxr_core.model.card import OperatingPoint
from cxr_core.model.findings import flag_rate
from cxr_core.reading import read_image
from cxr_core.report import CSV_COLUMNS, reading_json, readings_csv, refusal_json


@pytest.fixture(scope="module")
def reading(predictor):
    return read_image(phantom_dicom(256, 224), predictor)[1]


def test_json_is_the_contract(reading, predictor):
    record = json.loads(reading_json("a.dcm", reading))
    assert list(record) == [
        "schema", "notice", "file", "sha256", "operating_point", "model", "engine", "image", "quality", "findings",
        "small_changes", "assumed_prevalence", "flagged_without_findings",
    ]  # fmt: skip
    assert record["schema"] == 2
    assert record["notice"] == NOTICE
    assert record["model"] == {"id": "second-read-mini", "sha256": predictor.card.weights_sha256}
    assert record["image"]["transforms"][-2] == "polarity: MONOCHROME2"
    assert record["image"]["transforms"][-1].startswith("model input: grey from the 1st")
    assert [finding["label"] for finding in record["findings"]] == list(LABELS)
    for finding in record["findings"]:
        assert list(finding) == [
            "label", "score", "probability", "interval", "threshold", "state", "reason", "stability",
        ]  # fmt: skip
        assert (finding["probability"] is None) == (finding["interval"] is None)
        assert (
            (finding["threshold"] is None) == (finding["state"] == "not_evaluated") == (finding["reason"] is not None)
        )


def test_a_probability_stands_with_its_interval_its_assumption_and_the_share_flagged(calibrated_models):
    from cxr_core.model import Predictor, open_model
    from cxr_core.model.predictor import open_engine

    folder = open_model(str(calibrated_models / "enriched"))
    predictor, given = Predictor(folder, open_engine(folder, "openvino")), {"Effusion": 0.02}
    _, shifted = read_image(phantom_dicom(256, 224), predictor, prevalence=given)
    record = json.loads(reading_json("a", shifted))
    assert record["assumed_prevalence"] == given
    share = folder.card.operating_points["default"].flagged_without_findings
    assert record["flagged_without_findings"] == {
        "rate": share.value,
        "interval": [share.low, share.high],
        "images": share.counts.images,
        "method": "cross-validated",
        "view": None,
    }
    rows = {row["label"]: row for row in csv.DictReader(io.StringIO(readings_csv([("a", shifted)])))}
    for finding in record["findings"]:
        row = rows[finding["label"]]
        assert (finding["probability"] is not None) == (finding["label"] == "Effusion")
        assert row["assumed_prevalence"] == ("0.02" if finding["label"] == "Effusion" else "")
        assert float(row["flagged_without_findings"]) == share.value
        if finding["probability"] is not None:
            low, high = finding["interval"]
            assert low < finding["probability"] < high
            assert [float(row["interval_low"]), float(row["interval_high"])] == [low, high]
            assert float(row["probability"]) == finding["probability"]


def test_a_refusal_has_the_same_keys(reading):
    line = refusal_json(
        "b", "0" * 64, "why", model_id="m", model_sha256="1", engine="openvino", operating_point="default"
    )
    refused = json.loads(line)
    assert list(refused) == list(json.loads(reading_json("a", reading)))
    assert refused["findings"] == []
    assert refused["quality"] == {"status": "refused", "reasons": ["why"], "notes": [], "override": None}


def test_the_rate_flagged_has_that_of_the_images_own_view(reading):
    rates = {"view: PA": Estimate(0.05, 0.04, 0.07, Counts(5, 95, 5, 80)), "view: AP": Estimate(0.26, 0.1, 0.5)}
    point = OperatingPoint(
        "default", "", "", {}, flagged_without_findings=Estimate(0.1), flagged_by_group=rates, held_out="5 folds"
    )
    assert reading.image.view == "PA"
    flagged = flag_rate(point, reading.image.view)
    record = json.loads(reading_json("a", dataclasses.replace(reading, flagged=flagged)))["flagged_without_findings"]
    assert record["view"] == {"name": "PA", "rate": 0.05, "interval": [0.04, 0.07], "images": 100}
    assert (record["rate"], record["method"]) == (0.1, "cross-validated")


def test_csv_holds_the_same_numbers(reading):
    rows = list(csv.DictReader(io.StringIO(readings_csv([("a.dcm", reading)]))))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert [row["label"] for row in rows] == list(LABELS)
    for row, finding in zip(rows, reading.findings, strict=True):
        assert float(row["score"]) == finding.score
        assert row["notice"] == NOTICE
        assert row["reason"] == (finding.reason or "")


@pytest.mark.parametrize("name", ["=cmd()", "+1", "-1", "@x", "\tx"])
def test_a_name_is_no_formula(reading, name):
    row = next(csv.DictReader(io.StringIO(readings_csv([(name, reading)]))))
    assert row["file"] == "'" + name
