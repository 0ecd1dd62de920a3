"""``predict --archive``: a whole archive into Parquet parts that are together the dataset and its own manifest."""

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

from ..archive import FILMS_PER_PART, FilmPipeline, InputFile, Parts, Refusal, as_text, default_workers, walk
from ..errors import PathUnusable, WrongArguments
from ..imaging import VoiScale
from ..model import Predictor, Reading, assumed_prevalence, shared_predictor
from ..private_files import is_kept
from ..reading import read_prepared
from ..report import CSV_COLUMNS, reading_rows, refusal_row
from .progress import Steps

__all__ = ["FINDINGS", "REFUSED", "HowToRead", "read_archive"]

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
        # which bytes were read: a file that was changed since is read again
        ("bytes", pa.int64()),
        ("modified_ns", pa.int64()),
    ]
)
PART = FILMS_PER_PART
INPUT_REFUSED = 3


@dataclass(frozen=True)
class HowToRead:
    """Options of ``predict`` that every film is read with; :func:`cxr_core.reading.read_film` says what they are."""

    operating_point: str
    prevalence: Mapping[str, float] | float | None
    read_anyway: str | None
    upright: bool
    follow_orientation: bool = False
    voi_scale: VoiScale = "file"


@dataclass(frozen=True)
class _Seen:
    """A file as it was when it was listed."""

    name: str
    bytes: int
    modified_ns: int


def read_archive(
    paths: Sequence[Path],
    folder: Path,
    model: str | None,
    engine: str | None,
    how: HowToRead,
    *,
    resume: bool,
    workers: int | None,
    on: str | None,
) -> int:
    """Read every file below the paths and return the exit status.

    Rows are those of ``predict --csv``; films that are refused have a table of their own. Interrupted anywhere and
    resumed, no file is missing and none is there twice.
    """
    _check_apart(paths, folder)
    predictor = shared_predictor(model, engine, throughput=True)
    predictor.card.operating_point(how.operating_point)
    assumed_prevalence(predictor.card.calibration, how.prevalence)
    tables, plan = {FINDINGS: SCHEMA, REFUSED: SCHEMA}, _plan(predictor, paths, how)
    try:
        with Parts(folder, tables, plan, resume=resume, films=PART, private=is_kept(folder)) as parts:
            done = _Done(parts)
            left = _left(paths, done)
            parts.drop("file", done.changed)
            with Steps("Reading films", left) as steps:
                films = ((seen, file) for seen, file in _listed(paths) if not done.has(seen))
                for number, (seen, answer) in enumerate(_answers(films, predictor, how, workers, on), start=1):
                    _keep(parts, seen, answer, steps)
                    steps.done(number)
            parts.write()
            read, refused = (sum(1 for _ in parts.distinct(table, ["file"])) for table in (FINDINGS, REFUSED))
    except KeyboardInterrupt:
        print("Stopped. What was read is kept: go on with --resume.", file=sys.stderr)
        raise
    print(f"{read} films read, {refused} refused: {folder / FINDINGS}, {folder / REFUSED}")
    return INPUT_REFUSED if refused else 0


def _answers(
    films: Iterable[tuple[_Seen, InputFile]], predictor: Predictor, how: HowToRead, workers: int | None, on: str | None
) -> Iterator[tuple[_Seen, Reading | Refusal]]:
    answer = partial(read_prepared, operating_point=how.operating_point, prevalence=how.prevalence)
    options = {
        "read_anyway": how.read_anyway,
        "upright": how.upright,
        "follow_orientation": how.follow_orientation,
        "voi_scale": how.voi_scale,
    }
    if on is None:
        with FilmPipeline(predictor, workers=workers or default_workers(), **options) as pipeline:
            yield from pipeline.run(films, answer)
        return
    where, _, address = on.partition(":")
    if where != "ray":
        raise WrongArguments(f"--on {on!r}: write ray, or ray:ADDRESS of a cluster.")
    # an extra: loaded only where it is asked for
    from ..archive.on_ray import run_on_ray

    yield from run_on_ray(films, predictor, answer, address=address or None, workers=workers, **options)


def _keep(parts: Parts, seen: _Seen, answer: Reading | Refusal, steps: Steps) -> None:
    stamp = {"bytes": seen.bytes, "modified_ns": seen.modified_ns}
    if isinstance(answer, Refusal):
        rows, reason = [refusal_row(seen.name, answer.sha256, answer.reason)], answer.reason
    else:
        rows = reading_rows(seen.name, answer)
        reason = "" if answer.findings else "; ".join(answer.quality.reasons)
    if reason:
        steps.say(f"{seen.name}: {reason}")
    parts.put(REFUSED if reason else FINDINGS, [row | stamp for row in rows])


def _check_apart(paths: Sequence[Path], folder: Path) -> None:
    """Refuse inputs that would be read twice, and an output among them."""
    try:
        places = sorted(path.resolve() for path in paths)
        inside = [path for path in places if folder.resolve().is_relative_to(path)]
    except (OSError, RuntimeError) as error:
        raise PathUnusable("A path cannot be followed. Check the paths given.") from error
    if inside:
        raise WrongArguments(f"--archive {folder}: lies in a folder that is read. Give a folder elsewhere.")
    for place, following in itertools.pairwise(places):
        if following.is_relative_to(place):
            raise WrongArguments(f"{following.name}: given twice, or within another folder that is given.")


def _plan(predictor: Predictor, paths: Sequence[Path], how: HowToRead) -> dict[str, str]:
    card = (predictor.folder.path / "card.json").read_bytes()
    return {
        "inputs": json.dumps([as_text(path) for path in paths]),
        "model": predictor.card.weights_sha256,
        "card": hashlib.sha256(card).hexdigest(),
        "engine": predictor.engine.name,
        "operating point": how.operating_point,
        "prevalence": json.dumps(how.prevalence, sort_keys=True),
        "read anyway": how.read_anyway or "",
        "upright": str(how.upright),
        "follow orientation": str(how.follow_orientation),
        "voi scale": how.voi_scale,
    }


def _listed(paths: Sequence[Path]) -> Iterator[tuple[_Seen, InputFile]]:
    for file in walk(paths):
        try:
            status = file.path.stat()
            size, modified = status.st_size, status.st_mtime_ns
        except OSError:
            # one that a DICOMDIR lists and that is not there: refused when it is its turn
            size, modified = -1, -1
        yield _Seen(as_text(file.path), size, modified), file


def _left(paths: Sequence[Path], done: _Done) -> int:
    """Return how many files are to be read; raises PathUnusable where there is none at all."""
    files = left = 0
    for seen, _ in _listed(paths):
        files += 1
        left += not done.has(seen)
    if not files:
        raise PathUnusable("There is no file in the folders given.")
    return left


class _Done:
    """Which files the parts hold, as they were then. Digests: a path takes ten times the memory."""

    def __init__(self, parts: Parts) -> None:
        self._names: set[bytes] = set()
        self._files: set[bytes] = set()
        self.changed: set[str] = set()
        for table in (FINDINGS, REFUSED):
            for row in parts.distinct(table, ["file", "bytes", "modified_ns"]):
                self._names.add(_digest(row["file"]))
                self._files.add(_digest(row["file"], row["bytes"], row["modified_ns"]))

    def has(self, seen: _Seen) -> bool:
        """Return whether a file is done; one that was changed since is not, and is noted."""
        if _digest(seen.name, seen.bytes, seen.modified_ns) in self._files:
            return True
        if _digest(seen.name) in self._names:
            self.changed.add(seen.name)
        return False


def _digest(*what: Any) -> bytes:
    return hashlib.blake2b("\0".join(map(str, what)).encode(), digest_size=16).digest()
