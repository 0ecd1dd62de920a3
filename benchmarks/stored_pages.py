"""First and second view of History, Concordance and Monitoring over a made-up store of 20,000 reads.

    python -m benchmarks.stored_pages                # a minute or two, most of it for making the store
    python -m benchmarks.stored_pages --reads 2000

Through Streamlit's own test driver, as :mod:`benchmarks.pages`; the browser adds the drawing. Eight readers, twelve
weeks, one image in ten read by two of them, a first opinion of every evaluated label and a later one of some; no
identity. Rows are written as the store writes them, without image files.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import streamlit
from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from benchmarks.pages import PROJECT, clock
from cxr_core.model import ModelCard
from cxr_core.model.card import read_card
from cxr_core.model.folder import CARD, find_model
from cxr_core.settings import settings
from cxr_core.store.database import transaction
from cxr_core.store.read_record import ReadOptions, encode_read
from cxr_core.store.reads import ReadStore
from tests.reads import made_up_reading

READS, READERS, WEEKS = 20_000, 8, 12
VIEWS = (
    ("history", {}),
    ("concordance", {"by": "label"}),
    ("concordance", {"by": "reader"}),
    ("concordance", {"by": "month"}),
    ("monitoring", {"by": "week"}),
)
OPINIONS = np.array(["absent", "present"])

_INSERT = {
    "studies": "(:study, :reader, :created)",
    "images": "(:study, :image, :created, 0, 1000, 0, NULL)",
    "reads": "(:read, :study, :image, :reader, 0, :created, :created, :seconds, :model, :weights, 'default', 'ok', "
    ":record, 2.0)",
    "read_findings": "(:read, :label, :score, NULL, :threshold, :state)",
    "opinions": "(:study, :image, :label, :reader, :number, :read, :opinion, :revealed, NULL, :created)",
}
_COLUMNS = {
    "images": "(study, digest, created, position, bytes, deleted, identity)",
    "reads": "(id, study, image, reader, number, created, revealed, seconds, model_id, model_sha256, operating_point, "
    "quality, record, answer_seconds)",
}


def main(arguments: list[str] | None = None) -> int:
    """Print the table; status 1 where a page raises."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reads", type=int, default=READS)
    count = parser.parse_args(arguments).reads
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        for name in ("home", "runs", "audit"):
            os.environ[f"SECOND_READ_{name.upper()}"] = str(Path(folder) / name)
        # nothing of the store is as old as that: deletion would run beside the pages
        os.environ |= {"SECOND_READ_KEEP": "store", "SECOND_READ_KEEP_DAYS": "3650"}
        os.environ.pop("SECOND_READ_DATABASE_URL", None)
        os.chdir(PROJECT)
        settings.cache_clear()
        streamlit.config.set_option("client.showErrorDetails", "full")
        seconds, _ = clock(lambda: make_store(count))
        print(f"{count:,} reads, made in {seconds:.0f} s; load before {os.getloadavg()[0]:.1f}\n")
        print("| page | first view, s (of the processor) | second | figures |\n|---|---|---|---|")
        app = AppTest.from_file(str(PROJECT / "cxr_core/ui/main.py"), default_timeout=600)
        app.run()
        for page, choices in VIEWS:
            for name in list(app.query_params):
                del app.query_params[name]
            for name, value in choices.items():
                app.query_params[name] = value
            first, again = (clock(lambda page=page: app.switch_page(f"../../pages/{page}.py").run()) for _ in range(2))
            title = ", ".join((page, *(f"{name} {value}" for name, value in choices.items())))
            figures = len(app.main.get("plotly_chart"))
            timings = " | ".join(f"{seconds:.1f} ({processor:.1f})" for seconds, processor in (first, again))
            print(f"| {title} | {timings} | {figures} |", flush=True)
            if app.exception:
                print(f"\n{page} raised {app.exception[0].message}")
                failed.append(page)
    return int(bool(failed))


def make_store(count: int) -> None:
    """Write the reads and opinions; the same ones for the same number."""
    card = read_card(find_model(settings().model) / CARD)
    with closing(ReadStore()) as store, transaction(store._engine, writing=True) as connection:
        for name, rows in rows_of(card, count).items():
            for start in range(0, len(rows), 10_000):
                query = f"INSERT INTO {name} {_COLUMNS.get(name, '')} VALUES {_INSERT[name]}"
                connection.execute(text(query), rows[start : start + 10_000])


def rows_of(card: ModelCard, count: int) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each table, in the order in which they are inserted."""
    random = np.random.default_rng(0)
    points = card.operating_points["default"].thresholds
    thresholds = {label: point.value for label, point in points.items() if point.value is not None}
    begin = datetime(2026, 9, 1, 8, tzinfo=UTC)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in _INSERT}
    template = record_template(card)
    for number in range(count):
        # every tenth image is that of the read before, by another reader
        image = hashlib.sha256(f"image {number - (number % 10 == 9)}".encode()).hexdigest()
        created = begin + timedelta(weeks=WEEKS * number / count)
        key = {
            "study": f"{number:020x}", "image": image, "reader": f"https://id|reader-{number % READERS}",
            "created": created.isoformat(timespec="milliseconds"), "read": f"{count + number:020x}",
        }  # fmt: skip
        scores = random.beta(4, 4, len(card.labels))
        findings = [
            {
                "label": label, "score": float(score), "threshold": thresholds.get(label),
                "state": "not_evaluated" if label not in thresholds
                else "above" if score >= thresholds[label] else "below",
            }
            for label, score in zip(card.labels, scores, strict=True)
        ]  # fmt: skip
        rows["studies"].append(key)
        rows["images"].append(key)
        seconds = float(random.gamma(4, 15))
        read = {"seconds": seconds, "model": card.id, "weights": card.weights_sha256}
        rows["reads"].append(key | read | {"record": record_of(template, findings)})
        rows["read_findings"] += [key | finding for finding in findings]
        rows["opinions"] += [key | opinion for opinion in opinions_of(findings, random)]
    return rows


def record_template(card: ModelCard) -> dict[str, Any]:
    """Return a stored reading of the model, as JSON has it."""
    maps = np.random.default_rng(0).normal(size=(len(card.labels), 7, 7)).astype(np.float32)
    reading = made_up_reading(0, model_id=card.id, model_sha256=card.weights_sha256, class_maps=maps)
    findings = tuple(replace(reading.findings[0], label=label) for label in card.labels)
    record: dict[str, Any] = json.loads(encode_read(replace(reading, findings=findings), ReadOptions(), card.version))
    return record


def record_of(template: dict[str, Any], findings: list[dict[str, Any]]) -> str:
    """Return the record of a read with these findings."""
    reading = template["reading"]
    stated = [known | finding for known, finding in zip(reading["findings"], findings, strict=True)]
    return json.dumps(template | {"reading": reading | {"findings": stated}})


def opinions_of(findings: list[dict[str, Any]], random: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Yield a first opinion of each evaluated label, in one of five another one than the model's, and later ones."""
    for finding in findings:
        if finding["state"] == "not_evaluated":
            continue
        above = finding["state"] == "above"
        agrees, follows = random.random(2) < (0.8, 0.1)
        opinion = {"label": finding["label"], "number": 0, "revealed": 0, "opinion": OPINIONS[int(above == agrees)]}
        yield opinion
        if follows and not agrees:
            yield opinion | {"number": 1, "revealed": 1, "opinion": OPINIONS[int(above)]}


if __name__ == "__main__":
    sys.exit(main())
