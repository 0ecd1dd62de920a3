"""``predict --archive``: read a whole archive into Parquet files, which also record what is done, and resume."""

from __future__ import annotations

import hashlib
import itertools
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..archive import IMAGES_PER_CHUNK, ImagePipeline, InputFile, OutputChunks, Refusal, as_text, default_workers, walk
from ..errors import PathUnusable, WrongArguments
from ..files import is_kept
from ..imaging import VoiScale
from ..model import Predictor, Reading, assumed_prevalence, shared_predictor
from ..reading import read_prepared
from ..report import CSV_COLUMNS, reading_rows, refusal_row
from .progress import ProgressBar

__all__ = ["FINDINGS", "REFUSED", "ReadingOptions", "read_archive"]

FINDINGS, REFUSED = "findings", "refused"

NUMBERS = (
    "score",
    "probability",
    "interval_low",
    "interval_high",
    "threshold",
    "assumed_prevalence",
    "flagged_without_findings",
)
SCHEMA = pa.schema(
    [
        *((column, pa.float64() if column in NUMBERS else pa.string()) for column in CSV_COLUMNS),
        # identify the bytes that were read: a file that has changed since is read again
        ("bytes", pa.int64()),
        ("modified_ns", pa.int64()),
    ]
)
CHUNK = IMAGES_PER_CHUNK
INPUT_REFUSED = 3


@dataclass(frozen=True)
class ReadingOptions:
    """Options of ``predict`` that apply to every image; see :func:`cxr_core.reading.read_image`."""

    operating_point: str
    prevalence: Mapping[str, float] | float | None
    read_anyway: str | None
    upright: bool
    follow_orientation: bool = False
    voi_scale: VoiScale = "file"
    stability: bool = False

    def decoding(self) -> dict[str, Any]:
        """Return the options of :func:`cxr_core.reading.open_image`, by name."""
        return {
            "read_anyway": self.read_anyway,
            "upright": self.upright,
            "follow_orientation": self.follow_orientation,
            "voi_scale": self.voi_scale,
        }


@dataclass(frozen=True)
class _ListedFile:
    """Name, size and modification time of a file when it was listed."""

    name: str
    bytes: int
    modified_ns: int


def read_archive(
    paths: Sequence[Path],
    folder: Path,
    model: str | None,
    engine: str | None,
    options: ReadingOptions,
    *,
    resume: bool,
    workers: int | None,
    on: str | None,
) -> int:
    """Read every file below the paths and return the exit status.

    Rows are those of ``predict --csv``; refused images have a table of their own. After an interruption and a resume
    every file is there exactly once.
    """
    _check_no_overlap(paths, folder)
    predictor = shared_predictor(model, engine, throughput=True)
    predictor.card.operating_point(options.operating_point)
    assumed_prevalence(predictor.card.calibration, options.prevalence)
    tables, plan = {FINDINGS: SCHEMA, REFUSED: SCHEMA}, _plan(predictor, paths, options)
    try:
        with OutputChunks(folder, tables, plan, resume=resume, images=CHUNK, private=is_kept(folder)) as chunks:
            done = _ReadFiles(chunks)
            remaining = _count_remaining(paths, done)
            chunks.drop("file", done.changed)
            with ProgressBar("Reading images", remaining) as progress:
                images = ((listed, file) for listed, file in _listed(paths) if not done.has(listed))
                for number, (listed, answer) in enumerate(_answers(images, predictor, options, workers, on), start=1):
                    _store(chunks, listed, answer, progress)
                    progress.update(number)
            chunks.write()
            read, refused = (sum(1 for _ in chunks.distinct(table, ["file"])) for table in (FINDINGS, REFUSED))
    except KeyboardInterrupt:
        print("Stopped. Finished readings are stored: continue with --resume.", file=sys.stderr)
        raise
    print(f"{read} image{'s' * (read != 1)} read, {refused} refused: {folder / FINDINGS}, {folder / REFUSED}")
    return INPUT_REFUSED if refused else 0


def _answers(
    images: Iterable[tuple[_ListedFile, InputFile]],
    predictor: Predictor,
    options: ReadingOptions,
    workers: int | None,
    on: str | None,
) -> Iterator[tuple[_ListedFile, Reading | Refusal]]:
    answer = partial(read_prepared, operating_point=options.operating_point, prevalence=options.prevalence)
    decoding = options.decoding() | {"small_changes": options.stability}
    if on is None:
        with ImagePipeline(predictor, workers=workers or default_workers(), **decoding) as pipeline:
            yield from pipeline.run(images, answer)
        return
    where, _, address = on.partition(":")
    if where != "ray":
        raise WrongArguments(f"--on {on!r}: write ray, or ray:ADDRESS of a cluster.")
    # an extra: loaded only where it is asked for
    from ..archive.on_ray import run_on_ray

    yield from run_on_ray(images, predictor, answer, address=address or None, workers=workers, **decoding)


def _store(chunks: OutputChunks, listed: _ListedFile, answer: Reading | Refusal, progress: ProgressBar) -> None:
    stamp = {"bytes": listed.bytes, "modified_ns": listed.modified_ns}
    if isinstance(answer, Refusal):
        rows, reason = [refusal_row(listed.name, answer.sha256, answer.reason)], answer.reason
    else:
        rows = reading_rows(listed.name, answer)
        reason = "" if answer.findings else "; ".join(answer.quality.reasons)
    if reason:
        progress.message(f"{listed.name}: {reason}")
    chunks.put(REFUSED if reason else FINDINGS, [row | stamp for row in rows])


def _check_no_overlap(paths: Sequence[Path], folder: Path) -> None:
    """Raise WrongArguments where an input would be read twice, or the output lies in an input."""
    try:
        places = sorted(path.resolve() for path in paths)
        inside = [path for path in places if folder.resolve().is_relative_to(path)]
    except (OSError, RuntimeError) as error:
        raise PathUnusable("A path cannot be followed. Check the paths given.") from error
    if inside:
        raise WrongArguments(f"--archive {folder}: is inside an input folder. Give a folder elsewhere.")
    for place, following in itertools.pairwise(places):
        if following.is_relative_to(place):
            raise WrongArguments(f"{following.name}: given twice, or inside another folder given.")


def _plan(predictor: Predictor, paths: Sequence[Path], options: ReadingOptions) -> dict[str, str]:
    return {
        "inputs": json.dumps([as_text(path) for path in paths]),
        "model": predictor.card.weights_sha256,
        "card": predictor.folder.card_digest,
        "engine": predictor.engine.name,
        "operating point": options.operating_point,
        "prevalence": json.dumps(options.prevalence, sort_keys=True),
        "read anyway": options.read_anyway or "",
        "upright": str(options.upright),
        "follow orientation": str(options.follow_orientation),
        "voi scale": options.voi_scale,
        "stability": str(options.stability),
    }


def _listed(paths: Sequence[Path]) -> Iterator[tuple[_ListedFile, InputFile]]:
    for file in walk(paths):
        try:
            status = file.path.stat()
            size, modified = status.st_size, status.st_mtime_ns
        except OSError:
            # listed by a DICOMDIR and missing: refused when it is read
            size, modified = -1, -1
        yield _ListedFile(as_text(file.path), size, modified), file


def _count_remaining(paths: Sequence[Path], done: _ReadFiles) -> int:
    """Return how many files are to be read; raises PathUnusable where there is none at all."""
    files = remaining = 0
    for listed, _ in _listed(paths):
        files += 1
        remaining += not done.has(listed)
    if not files:
        raise PathUnusable("There is no file in the folders given.")
    return remaining


class _ReadFiles:
    """Files that the Parquet files hold, as digests of name, size and time: a path takes ten times the memory."""

    def __init__(self, chunks: OutputChunks) -> None:
        self._names: set[bytes] = set()
        self._files: set[bytes] = set()
        self.changed: set[str] = set()
        for table in (FINDINGS, REFUSED):
            for row in chunks.distinct(table, ["file", "bytes", "modified_ns"]):
                self._names.add(_digest(row["file"]))
                self._files.add(_digest(row["file"], row["bytes"], row["modified_ns"]))

    def has(self, listed: _ListedFile) -> bool:
        """Return whether a file is done. One that has changed since is not, and is added to ``changed``."""
        if _digest(listed.name, listed.bytes, listed.modified_ns) in self._files:
            return True
        if _digest(listed.name) in self._names:
            self.changed.add(listed.name)
        return False


def _digest(*values: Any) -> bytes:
    return hashlib.blake2b("\0".join(map(str, values)).encode(), digest_size=16).digest()
