"""An archive through the command: throughput, memory, two kills. Run by ``make soak``; ``--counts 40 80`` tries it out.

Images are those of nih_384 where the folder of real X-rays is (``SECOND_READ_SHARED`` or ``shared/`` beside the
project), else drawn; each is shifted by some rows, so that none has the bytes of another; every second one is a DICOM.
The figures of docs/scale.md are printed by this.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from PIL import Image

from cxr_core.imaging import phantom, phantom_dicom, read_radiograph
from cxr_core.model import ModelInput, open_model, prepare_input, shared_predictor
from cxr_core.model.predictor import open_engine
from tests.archives import kill_group, started, table, wait_for_parts

PROJECT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("SECOND_READ_SHARED", PROJECT.parent / "shared")) / "data"
MIN_SHARE = 0.9
"""Of the engine's own best, which no decoding competes with."""
MAX_GROWTH = 1.1
PARTS = 16
"""Parts of a run: enough to see when it began to run evenly, and to kill it between two."""
SECONDS = 20
TABLES = ("findings", "refused")


def main() -> int:
    """Print the figures; status 1 where one is not reached."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--counts", nargs=2, type=int, default=[1000, 4000], metavar="N")
    arguments.add_argument("--folder", type=Path, help="where images and results are written for a while")
    given = arguments.parse_args()
    few, many = sorted(given.counts)
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        for count in (few, many):
            write_images(folder / f"images {count}", count)
        prepared = prepared_images(folder / f"images {few}")
        before = engine_best(prepared)
        runs = {count: measured(folder / f"images {count}", folder / f"out {count}", count) for count in (few, many)}
        best = (before + engine_best(prepared)) / 2
        kills = killed_twice(folder / f"images {many}", folder / "killed", many)
        whole, resumed = ([table(folder / out, name) for name in TABLES] for out in (f"out {many}", "killed"))
        same = all(ours.equals(theirs) for ours, theirs in zip(resumed, whole, strict=True))
        stored = sum(path.stat().st_size for path in (folder / f"out {many}").rglob("*.parquet")) / many
    share = runs[many].rate / best
    growth = runs[many].megabytes / runs[few].megabytes
    print(f"{os.cpu_count()} cores, load before {os.getloadavg()[2]:.1f}; images of {SOURCE}")
    print(f"engine alone, its best on arrays in memory: {best:.2f} images a second")
    for count, run in runs.items():
        print(
            f"{count} files: {run.rate:.2f} a second, {run.rate / best:.2f} of that; {run.cpu:.0f} ms of processor "
            f"a file; all processes together at most {run.megabytes:.0f} MB"
        )
    print(f"share of the engine's best: {share:.2f} (at least {MIN_SHARE})")
    print(f"memory of {many} against {few} files: {growth:.2f} times (at most {MAX_GROWTH})")
    print(f"killed after {' and '.join(map(str, kills))} parts, and resumed: {'equal' if same else 'DIFFERENT'} rows")
    print(f"results: {stored:.0f} bytes a file")
    print_sizes(runs[many].cpu / 1000, stored)
    return int(share < MIN_SHARE or growth > MAX_GROWTH or not same)


SOURCE = "nih_384" if (SHARED / "nih_384").is_dir() else "a phantom"


def write_images(folder: Path, count: int) -> None:
    """Write so many images, PNG and DICOM in turn, a hundred a folder."""
    sources = sorted((SHARED / "nih_384" / "images").glob("*.png")) if SOURCE == "nih_384" else [None]
    for number, source in enumerate(islice(cycle(sources), count)):
        grey = (
            (phantom(384, 384) >> 4).astype(np.uint8) if source is None else np.asarray(Image.open(source).convert("L"))
        )
        # what is shifted in is the row at the edge: no seam
        shift = number // len(sources) % 16
        grey = np.concatenate([np.repeat(grey[:1], shift, axis=0), grey[: len(grey) - shift]])
        path = folder / f"{number // 100:04d}" / f"{number:07d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if number % 2:
            path.with_suffix(".dcm").write_bytes(phantom_dicom(values=grey.astype(np.uint16) << 4))
        else:
            Image.fromarray(grey).save(path.with_suffix(".png"), compress_level=1)


def prepared_images(folder: Path) -> list[ModelInput]:
    """Return the first images of a folder as the engine takes them, in memory."""
    preparation = shared_predictor().card.input.preparation()
    paths = sorted(folder.rglob("*.*"))[:64]
    images = [prepare_input(read_radiograph(path.read_bytes()), preparation) for path in paths]
    return [image for image in images if image.pixels is not None]


def engine_best(images: list[ModelInput]) -> float:
    """Return images a second of the engine alone: the better of its two ways to use the cores, or batches of eight."""
    pixels = np.stack([image.pixels for image in images])
    best = 0.0
    for throughput in (False, True):
        engine = open_engine(open_model(shared_predictor().card.id), "openvino", throughput=throughput)
        for size in (1, 8):
            batches = [pixels[start : start + size] for start in range(0, len(pixels) - size + 1, size)]
            with ThreadPoolExecutor(engine.requests) as threads:
                list(threads.map(engine.infer, batches[:2]))
                start, done = time.perf_counter(), 0
                while (seconds := time.perf_counter() - start) < SECONDS:
                    done += size * len(list(threads.map(engine.infer, batches)))
            best = max(best, done / seconds)
    return best


@dataclass(frozen=True)
class Run:
    """Files a second when it ran evenly, ms of processor a file, and peak memory of all processes, 10^6 bytes."""

    rate: float
    cpu: float
    megabytes: float


def measured(images: Path, out: Path, count: int) -> Run:
    """Read an archive by the command, and watch it."""
    part = max(1, count // PARTS)
    process = started(images, out, part=part)
    peak, watched = 0.0, True

    def watch() -> None:
        nonlocal peak
        while watched:
            peak = max(peak, megabytes(process.pid))
            time.sleep(0.5)

    before = os.times()
    watcher = threading.Thread(target=watch)
    watcher.start()
    _, err = process.communicate()
    watched = False
    watcher.join()
    after = os.times()
    if process.returncode not in (0, 3):
        raise SystemExit(err)
    seconds = evenly_run_seconds(out)
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Run((count - part) / seconds, 1000 * cpu / count, peak)


def evenly_run_seconds(out: Path) -> float:
    """Return the seconds from the end of an archive's first part to that of its last: without what a start takes."""
    written = sorted((path.name, path.stat().st_mtime) for path in out.glob("*/[0-9]*.parquet"))
    return max(at for _, at in written) - written[0][1]


def megabytes(session: int) -> float:
    """Return the memory of all processes of a session, what they share counted once (PSS), 10^6 bytes."""
    kilobytes = 0
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if int((path / "stat").read_text().rpartition(")")[2].split()[3]) == session:
                lines = (path / "smaps_rollup").read_text().splitlines()
                kilobytes += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        except (OSError, ValueError):
            continue
    return kilobytes * 1024 / 1e6


def killed_twice(images: Path, out: Path, count: int) -> list[int]:
    """Read an archive, killed at two points with all its processes, and go on; return after how many parts."""
    rng = np.random.default_rng()
    kills, options = [int(rng.integers(1, PARTS // 2)), int(rng.integers(PARTS // 2, PARTS - 1))], []
    for kill in kills:
        process = started(images, out, *options, part=max(1, count // PARTS))
        wait_for_parts(process, out, kill, seconds=36000)
        time.sleep(float(rng.random()))
        kill_group(process)
        options = ["--resume"]
    process = started(images, out, *options, part=max(1, count // PARTS))
    _, err = process.communicate()
    if process.returncode not in (0, 3):
        raise SystemExit(err)
    return kills


def print_sizes(seconds: float, stored: float) -> None:
    """Print what archives of two sizes take, by core-seconds and stored bytes a file as measured."""
    print("| archive | files, two a study | core-hours | machines of 32 cores for 30 days | results |")
    print("|---|---|---|---|---|")
    for name, studies in (("a department's year", 300_000), ("a national archive", 100_000_000)):
        files = 2 * studies
        hours = files * seconds / 3600
        machines = math.ceil(hours / (32 * 24 * 30))
        cells = (
            f"{name}, {studies:,} studies",
            f"{files:,}",
            f"{hours:,.0f}",
            machines,
            f"{files * stored / 1e9:,.1f} GB",
        )
        print("|", " | ".join(map(str, cells)), "|")


if __name__ == "__main__":
    sys.exit(main())
