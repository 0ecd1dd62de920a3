"""How the cost of ``predict FOLDER --archive DIR`` grows with images and cores.

    python -m benchmarks.growth                    # everything that is missing; goes on where it was cut
    python -m benchmarks.growth --counts 1 10 100  # a part of it
    python -m benchmarks.growth --precision int8   # at INT8, with the graph that models quantise has made

Each cell, so many images on so many cores, is a command of its own, and is kept in ``runs/growth/cells.json`` when it
is done. The table between the marks of docs/scale.md and docs/growth.svg are drawn from all cells that are there; those
at INT8 have a file and a table of their own, and no figure.
Images are those of nih_384 where the folder of real X-rays is (``SECOND_READ_SHARED`` or ``shared/`` beside the
project), else drawn; each is written under its own name and with its own bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from benchmarks.ablations import PROJECT, SHARED, fill_table
from benchmarks.soak.archive import megabytes
from cxr_core.displays.marks import BLUE, ORANGE, Axis, Chart, Dots, Line, Panel
from cxr_core.displays.matplotlib_charts import as_svg
from cxr_core.errors import ModelUnusable
from cxr_core.formatting import duration
from cxr_core.imaging import phantom
from cxr_core.model import open_model
from cxr_core.model.precision import PRECISIONS, at_int8
from cxr_core.settings import settings

START, END = "<!-- growth: made by python -m benchmarks.growth -->", "<!-- end of growth -->"
INT8_START = "<!-- growth at INT8: made by python -m benchmarks.growth --precision int8 -->"
INT8_END = "<!-- end of growth at INT8 -->"
COUNTS = (1, 10, 100, 1000, 10000)
CORES = tuple(range(1, min(2, os.cpu_count() or 1) + 1))
REPEATED, REPEATS = 100, 3
"""Cells of up to so many images are run so often, and their median is taken: starting up is most of them."""
FIGURE = "![Seconds and peak memory by number of images, a line for each number of cores](growth.svg)"
PHANTOMS = 16
SIDE = 384
COLOURS = (BLUE, ORANGE)


@dataclass(frozen=True)
class Cell:
    """One measurement.

    Attributes:
        count, cores: of images, and of cores that the command and its processes may use.
        seconds: from the start of the command to its end, median of ``runs``.
        megabytes: peak memory of all its processes, what they share counted once (PSS), 10^6 bytes, of the largest run.
        runs: how often it was run.
        load: of the machine before, in running processes.
        images: where they come from.
    """

    count: int
    cores: int
    seconds: float
    megabytes: float
    runs: int
    load: float
    images: str


def main(arguments: list[str] | None = None) -> int:
    """Run the cells that are missing, then write table and figure."""
    options = _options(arguments)
    if options.precision == "int8" and (reason := _no_int8()):
        print(f"Nothing is measured at INT8. {reason}")
        return 0
    cells_file = options.work / ("cells.json" if options.precision == "float32" else "cells-int8.json")
    cells = read_cells(cells_file)
    todo = [(n, c) for n in sorted(options.counts) for c in options.cores if options.again or (n, c) not in cells]
    for number, (count, cores) in enumerate(todo, start=1):
        expected = expected_seconds(cells.values(), count, cores)
        words = f"some {duration(expected)}" if expected else "not known how long"
        print(f"{number} of {len(todo)}: {count:,} images, cores: {cores}, {words}", flush=True)
        cells[count, cores] = cell = _measured(options.work / "images", count, cores, options.precision)
        write_cells(cells_file, cells.values())
        print(f"  {cell.seconds:.1f} s, {1000 * cell.seconds / count:.0f} ms an image, {cell.megabytes:.0f} MB")
    done = list(cells.values())
    if done and options.precision == "int8" and not options.print:
        fill_table(options.document, table_of(done, figure=False), INT8_START, INT8_END)
    elif done and not options.print:
        fill_table(options.document, table_of(done), START, END)
        options.document.with_name("growth.svg").write_bytes(as_svg(chart_of(done)))
    return 0


def _no_int8() -> str:
    """Return why the model of the settings cannot be read at INT8; empty where it can."""
    try:
        at_int8(open_model(settings().model))
    except ModelUnusable as refused:
        return str(refused)
    return ""


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS, metavar="N")
    parser.add_argument("--cores", type=int, nargs="+", default=CORES, metavar="N")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    parser.add_argument("--again", action="store_true", help="measure these cells also where they are done")
    parser.add_argument("--print", action="store_true", help="leave the document as it is")
    parser.add_argument("--work", type=Path, default=PROJECT / "runs" / "growth")
    parser.add_argument("--document", type=Path, default=PROJECT / "docs" / "scale.md")
    return parser.parse_args(arguments)


def read_cells(path: Path) -> dict[tuple[int, int], Cell]:
    """Return the cells that are done, by count and cores."""
    if not path.is_file():
        return {}
    cells = [Cell(**fields) for fields in json.loads(path.read_text())]
    return {(cell.count, cell.cores): cell for cell in cells}


def write_cells(path: Path, cells: Iterable[Cell]) -> None:
    """Keep the cells; a cut leaves those from before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    rows = [asdict(cell) for cell in sorted(cells, key=lambda cell: (cell.count, cell.cores))]
    temporary.write_text(json.dumps(rows, indent=1) + "\n")
    temporary.replace(path)


def expected_seconds(cells: Iterable[Cell], count: int, cores: int) -> float | None:
    """Return how long a cell will take, by the next smaller one on as many cores; None where there is none."""
    smaller = [cell for cell in cells if cell.cores == cores and 1 < cell.count < count]
    if not smaller:
        return None
    nearest = max(smaller, key=lambda cell: cell.count)
    return nearest.seconds * count / nearest.count


def write_images(folder: Path, count: int) -> str:
    """Write so many PNG files, each of other bytes, a thousand a folder; those that are there stay. Return whose."""
    real = sorted((SHARED / "data" / "nih_384" / "images").glob("*.png"))
    sources = real or list(range(PHANTOMS))
    drawn = {}
    for number in range(count):
        path = folder / f"{number // 1000:04d}" / f"{number:07d}.png"
        if path.is_file():
            continue
        source = sources[number % len(sources)]
        if source not in drawn:
            drawn[source] = _grey(source)
        note = PngInfo()
        note.add_text("Comment", f"image {number}")
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".part")
        # a file is there whole or not at all
        drawn[source].save(temporary, "PNG", pnginfo=note)
        temporary.replace(path)
    return f"nih_384, {SIDE} x {SIDE}" if real else f"a phantom, {SIDE} x {SIDE}"


def _grey(source: Path | int) -> Image.Image:
    if isinstance(source, Path):
        return Image.open(source).convert("L")
    return Image.fromarray((phantom(SIDE, SIDE, seed=source, text=False) >> 4).astype(np.uint8))


def _measured(images: Path, count: int, cores: int, precision: str) -> Cell:
    load = os.getloadavg()[0]
    # a folder for each count: a command reads a folder whole
    source = write_images(images / str(count), count)
    runs = REPEATS if count <= REPEATED else 1
    seconds, peaks = zip(*(_run(images / str(count), cores, precision) for _ in range(runs)), strict=True)
    return Cell(count, cores, statistics.median(seconds), max(peaks), runs, load, source)


def _run(images: Path, cores: int, precision: str) -> tuple[float, float]:
    """Read the folder on so many cores; return seconds and peak memory, 10^6 bytes."""
    allowed = set(sorted(os.sched_getaffinity(0))[:cores])
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "cxr_core", "predict", str(images), "--archive", f"{out}/readings"]
        start = time.perf_counter()
        process = subprocess.Popen(
            [*command, "--workers", str(cores), "--precision", precision],
            cwd=PROJECT,
            env=os.environ | {"OMP_NUM_THREADS": str(cores)},
            preexec_fn=partial(os.sched_setaffinity, 0, allowed),
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        peak, done = 0.0, threading.Event()

        def watch() -> None:
            nonlocal peak
            while not done.wait(0.5):
                peak = max(peak, megabytes(process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        _, err = process.communicate()
        seconds = time.perf_counter() - start
        done.set()
        watcher.join()
    if process.returncode not in (0, 3):
        raise SystemExit(err)
    return seconds, peak


def table_of(cells: list[Cell], *, figure: bool = True) -> str:
    """Return the Markdown of docs/scale.md; with ``figure`` the chart follows."""
    cores = sorted({cell.cores for cell in cells})
    by = {(cell.count, cell.cores): cell for cell in cells}
    heads = [f"{what}, {_cores(c)}" for what in ("s", "ms an image", "MB") for c in cores]
    lines = [f"| images | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
    for count in sorted({*COUNTS, *(cell.count for cell in cells)}):
        row = [by.get((count, c)) for c in cores]
        values = [
            *("not measured" if cell is None else f"{cell.seconds:,.1f}" for cell in row),
            *("" if cell is None else f"{1000 * cell.seconds / count:,.0f}" for cell in row),
            *("" if cell is None else f"{cell.megabytes:,.0f}" for cell in row),
        ]
        lines.append(f"| {count:,} | {' | '.join(values)} |")
    loads = [cell.load for cell in cells]
    repeated = (
        f"up to {REPEATED} images: median of {REPEATS} runs" if any(cell.runs > 1 for cell in cells) else "one run"
    )
    images = " and ".join(sorted({cell.images for cell in cells}))
    return "\n".join(
        [
            f"PNG files of {images}; {repeated}; load of the machine before, {min(loads):.1f} to {max(loads):.1f}. "
            "From the start of the command to its end; memory is the peak of all its processes.",
            "",
            *lines,
            *(["", FIGURE] if figure else []),
        ]
    )


def chart_of(cells: list[Cell]) -> Chart:
    """Return seconds and memory by number of images."""
    images = Axis("images", log=True)
    panels = (
        Panel(images, Axis("seconds", log=True), _lines(cells, "seconds"), "a: from start to end"),
        Panel(images, Axis("peak memory, MB", low=0, high=1.2 * max(cell.megabytes for cell in cells)),
              _lines(cells, "megabytes"), "b: memory of all processes"),
    )  # fmt: skip
    description = "; ".join(
        f"{cell.count:,} images, {_cores(cell.cores)}: {cell.seconds:.0f} s, {cell.megabytes:.0f} MB" for cell in cells
    )
    return Chart(
        "What an archive costs as it grows", panels, alt=f"Two panels of lines. {description}.", columns=2, height=300
    )


def _lines(cells: list[Cell], what: str) -> tuple[Line | Dots, ...]:
    lines = []
    for cores, colour in zip(sorted({cell.cores for cell in cells}), COLOURS, strict=False):
        of_cores = sorted((cell for cell in cells if cell.cores == cores), key=lambda cell: cell.count)
        counts, values = (np.array([getattr(cell, name) for cell in of_cores], dtype=float) for name in ("count", what))
        lines += [Line(counts, values, _cores(cores), colour), Dots(counts, values, colour=colour)]
    return tuple(lines)


def _cores(cores: int) -> str:
    return f"{cores} core" if cores == 1 else f"{cores} cores"


if __name__ == "__main__":
    sys.exit(main())
