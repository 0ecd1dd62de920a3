"""An archive against the engine alone, at float32 and at INT8. Run by ``make bench``.

    python -m benchmarks.archives                    # some minutes
    python -m benchmarks.archives --images 160 --rounds 2 --print    # to try it out

The command reads a folder; counted is the time from the end of its first Parquet file to that of the last, without what
its start takes. In the same rounds the engine alone computes as many images, which lie in memory, in the fastest of its
ways. The table goes between the marks of docs/performance.md; without an INT8 graph its rows say so. Images are those
of ``python -m benchmarks.soak.archive``, PNG and DICOM in turn.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks.ablations import PROJECT, fill_table
from benchmarks.interleaved import Line, Part, markdown, run_interleaved, timed
from benchmarks.soak.archive import MIN_SHARE, PARTS, SOURCE, evenly_run_seconds, prepared_images, write_images
from cxr_core.errors import ModelUnusable
from cxr_core.model import ModelFolder, open_engine, open_model
from cxr_core.model.openvino_engine import threads
from cxr_core.model.precision import INT8_ENGINE, at_int8, int8_instructions
from cxr_core.settings import settings
from tests.archives import started

START, END = "<!-- archives: made by python -m benchmarks.archives -->", "<!-- end of archives -->"
ROUNDS, IMAGES = 5, 480
BATCHES = (1, 8)
TRIED = 64
"""Images by which the fastest way of the engine is found."""
INT8_AT_MOST = 0.5


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the table and write it into the document."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.archives", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--images", type=int, default=IMAGES, help="files of the archive")
    parser.add_argument("--document", type=Path, default=PROJECT / "docs" / "performance.md")
    parser.add_argument("--print", action="store_true", help="leave the document as it is")
    options = parser.parse_args(arguments)
    table = measured(options.rounds, options.images)
    print(table)
    if not options.print:
        fill_table(options.document, table, START, END)
    return 0


def measured(rounds: int, count: int) -> str:
    """Return the table below the conditions of measurement."""
    load = os.getloadavg()[0]
    folder = open_model(settings().model)
    folders, refusal = {"float32": folder}, ""
    try:
        folders["int8"] = at_int8(folder)
    except ModelUnusable as refused:
        refusal = str(refused)
    part = max(1, count // PARTS)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        write_images(place / "images", count)
        arrays = np.stack([image.pixels for image in prepared_images(place / "images")])
        # as many as the archive reads in the time that is counted
        arrays = arrays[np.arange(count - part) % len(arrays)]
        parts: dict[str, Part] = {}
        for precision, of_precision in folders.items():
            parts[_engine(precision)] = engine_alone(of_precision, arrays)
            parts[_archive(precision)] = _archive_read(place, precision, part)
        seconds = run_interleaved(parts, rounds, warm_up=1)
    instructions = f"; INT8 by {', '.join(int8_instructions() or ())}" if "int8" in folders else ""
    return (
        f"Medians and quartiles of the ratios within {rounds} interleaved rounds. Model {folder.card.id}, {threads()} "
        f"threads, load before {load:.1f}{instructions}; {count - part} of {count} files of {SOURCE}, PNG and DICOM in "
        f"turn.\n\n{markdown(lines(refusal), seconds)}"
    )


def lines(refusal: str = "") -> list[Line]:
    """Return the lines of the table.

    Args:
        refusal: why there is no INT8; empty where there is.
    """
    rows = [
        Line("engine alone in times of the archive", _engine("float32"), (_archive("float32"),), at_least=MIN_SHARE),
        Line("engine alone at INT8 in times of the archive at INT8", _engine("int8"), (_archive("int8"),)),
        Line("archive at INT8", _archive("int8"), (_archive("float32"),), at_most=INT8_AT_MOST),
    ]
    if not refusal:
        return rows
    return [Line(row.what, missing=refusal, at_most=row.at_most) if row.over.endswith("int8") else row for row in rows]


def engine_alone(folder: ModelFolder, arrays: np.ndarray) -> Part:
    """Return a part: the engine computes images that lie in memory, in the fastest of its ways.

    Args:
        folder: model at its precision.
        arrays: (n, size, size, 1) float32.
    """
    ways = [_way(folder, throughput=throughput, batch=batch) for throughput in (False, True) for batch in BATCHES]
    tried = arrays[:TRIED]
    for way in ways:
        # what is made at the first call is made by then
        way(tried[: max(BATCHES)])
    fastest = min(ways, key=lambda way: _seconds(way, tried))
    return timed(lambda: fastest(arrays))


def _way(folder: ModelFolder, *, throughput: bool, batch: int) -> Callable[[np.ndarray], None]:
    """Return a function that computes images: on all cores one after the other, or on each core its own."""
    engine = open_engine(folder, "openvino" if folder.int8 is None else INT8_ENGINE, throughput=throughput)

    def compute(arrays: np.ndarray) -> None:
        batches = [arrays[start : start + batch] for start in range(0, len(arrays), batch)]
        with ThreadPoolExecutor(engine.requests) as pool:
            for _ in pool.map(engine.infer, batches):
                pass

    return compute


def _seconds(way: Callable[[np.ndarray], None], arrays: np.ndarray) -> float:
    start = time.perf_counter()
    way(arrays)
    return time.perf_counter() - start


def _archive_read(place: Path, precision: str, part: int) -> Part:
    """Return a part: the command reads the archive, into a folder of its own each time."""
    numbers = itertools.count()

    def read() -> float:
        out = place / f"{precision}-{next(numbers)}"
        process = started(place / "images", out, "--precision", precision, part=part)
        _, err = process.communicate()
        if process.returncode not in (0, 3):
            raise SystemExit(err)
        return evenly_run_seconds(out)

    return read


def _engine(precision: str) -> str:
    return f"engine alone, {precision}"


def _archive(precision: str) -> str:
    return f"archive, {precision}"


if __name__ == "__main__":
    sys.exit(main())
