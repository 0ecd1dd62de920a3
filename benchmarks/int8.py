"""INT8 against float32: the network, one read, and an archive. Run by ``make bench``.

    python -m cxr_core models quantise second-read-mini --images DIR --table CSV    # once: the graph that is measured
    python -m benchmarks.int8

Each part runs in turn with its counterpart. The table goes between the marks of docs/performance.md; without the graph,
or on a processor that gains nothing from INT8, its rows say so. Images of the archive are those of ``make growth``.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import os
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.ablations import PROJECT, fill_table
from benchmarks.growth import write_images
from benchmarks.interleaved import Line, Part, markdown, run_interleaved, timed
from benchmarks.single_read import images
from cxr_core.cli.archive import ReadingOptions, read_archive
from cxr_core.errors import ModelUnusable
from cxr_core.imaging import read_radiograph
from cxr_core.model import Predictor, open_engine, open_model, prepare_input
from cxr_core.model.openvino_engine import threads
from cxr_core.model.precision import INT8_ENGINE, at_int8, int8_instructions
from cxr_core.reading import read_image
from cxr_core.settings import settings

START, END = "<!-- INT8: made by python -m benchmarks.int8 -->", "<!-- end of INT8 -->"
ROUNDS, ARCHIVE_ROUNDS = 15, 5
ARCHIVE_IMAGES = 400
ENGINES = {"float32": "openvino", "INT8": INT8_ENGINE}


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the table and write it into the document."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.int8", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--archive-rounds", type=int, default=ARCHIVE_ROUNDS)
    parser.add_argument("--images", type=int, default=ARCHIVE_IMAGES, help="images of the archive")
    parser.add_argument("--document", type=Path, default=PROJECT / "docs" / "performance.md")
    parser.add_argument("--print", action="store_true", help="leave the document as it is")
    options = parser.parse_args(arguments)
    table = measured(options.rounds, options.archive_rounds, options.images)
    print(table)
    if not options.print:
        fill_table(options.document, table, START, END)
    return 0


def measured(rounds: int, archive_rounds: int, count: int) -> str:
    """Return the table below the conditions of measurement."""
    model, load = settings().model, os.getloadavg()[0]
    folder = open_model(model)
    lines = lines_of(folder.card.input.size, count)
    try:
        folders = {"float32": folder, "INT8": at_int8(folder)}
    except ModelUnusable as refused:
        return markdown([Line(line.what, missing=str(refused), at_most=line.at_most) for line in lines], {})
    single: dict[str, Part] = {}
    network, picture, archive = (line.over.rpartition(" at ")[0] for line in lines)
    for precision, engine in ENGINES.items():
        predictor = Predictor(folders[precision], open_engine(folders[precision], engine))
        image = prepare_input(read_radiograph(images()["PNG"]), predictor.card.input.preparation())
        single[f"{network} at {precision}"] = timed(partial(predictor.engine.infer, image.pixels[None]))
        single[f"{picture} at {precision}"] = timed(partial(read_image, images()["PNG"], predictor))
    seconds = run_interleaved(single, rounds)
    with tempfile.TemporaryDirectory() as name:
        source = write_images(Path(name) / "images", count)
        archives = {
            f"{archive} at {precision}": timed(partial(_read, Path(name), engine, itertools.count()))
            for precision, engine in ENGINES.items()
        }
        seconds |= run_interleaved(archives, archive_rounds, warm_up=1)
    instructions = ", ".join(int8_instructions() or ())
    return (
        f"Medians and quartiles of the ratios within {rounds} interleaved rounds, {archive_rounds} of the archive. "
        f"Model {folder.card.id}, {threads()} threads, load before {load:.1f}; {instructions}; archive of "
        f"{count} PNG files of {source}, as `predict --archive` reads it, without the start of the command.\n\n"
        f"{markdown(lines, seconds)}"
    )


def lines_of(size: int, count: int) -> list[Line]:
    """Return the lines of the table: INT8 over float32."""
    parts = {
        f"network at {size} x {size}": 0.5,
        "PNG of 1024 x 1024, bytes to findings and maps": None,
        f"archive of {count} images": 0.5,
    }
    return [
        Line(f"{part} at INT8", f"{part} at INT8", (f"{part} at float32",), at_most=aim) for part, aim in parts.items()
    ]


def _read(place: Path, engine: str, number: itertools.count) -> None:
    """Read the archive into a folder of its own."""
    out = place / f"{engine}-{next(number)}"
    options = ReadingOptions("default", None, None, upright=False)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        status = read_archive([place / "images"], out, None, engine, options, resume=False, workers=None, on=None)
    if status not in (0, 3):
        raise SystemExit(f"The archive was not read: status {status}")


if __name__ == "__main__":
    sys.exit(main())
