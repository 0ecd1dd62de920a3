"""Where the results of each input go, and the output of ``predict`` as JSON, CSV or text."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ..archive import InputFile
from ..errors import PathUnusable
from ..files import (
    bring_to_disk,
    cannot_write,
    is_kept,
    is_stream,
    make_private,
    private_folder,
    put_in_place,
    write_whole,
)
from ..labels import NOTICE, display_name
from ..model import ModelCard, OperatingPoint, Predictor, Reading
from ..model.findings import flag_rate
from ..model.formatting import STATE_NAMES, describe_evaluation, describe_scale, describe_states, format_finding
from ..model.int8_formatting import describe_precision
from ..model.rate_formatting import describe_operating_point
from ..model.stability import UNSTABLE, describe_changes
from ..report import reading_json, readings_csv, refusal_json, refusals_csv

__all__ = [
    "CsvForm",
    "JsonForm",
    "OutputLines",
    "TextForm",
    "format_reading",
    "make_folder",
    "output_stems",
    "write",
]


def output_stems(files: Sequence[InputFile]) -> dict[int, Path | None]:
    """Return for each input its place without the ending, or None where several share it.

    Outputs of the same name are distinguished by the digest of their input, which the caller adds.
    """
    stems = [file.place.with_suffix("") for file in files]
    count = Counter(stems)
    return {i: stem if count[stem] == 1 else None for i, stem in enumerate(stems)}


def make_folder(folder: Path) -> None:
    """Make an output folder; raises PathUnusable where it cannot be made."""
    try:
        if is_kept(folder):
            private_folder(folder)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(f"Output {folder}", error) from error


def write(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write an output file, whole or not at all, and the folders above it; raises PathUnusable where that fails.

    A private file has mode 0600, as all files in the folder of runs.
    """
    make_folder(path.parent)
    try:
        write_whole(path, data, private=private or is_kept(path))
    except OSError as error:
        raise cannot_write(f"Output {path}", error) from error


class OutputLines:
    """Writes text to stdout, or to ``FILE.part``, which is renamed at the end; an interruption leaves the part."""

    def __init__(self, out: Path | None) -> None:
        self._out, self._file = out, sys.stdout
        if self._file is None and out is None:
            raise PathUnusable("Output: the standard output is closed. Open it, or give --out FILE.")
        if out is not None:
            make_folder(out.parent)
            self._part = out if is_stream(out) else out.with_name(f"{out.name}.part")
            with self._writing():
                self._file = self._part.open("w", encoding="utf-8")
                if is_kept(out):
                    make_private(self._part)

    def __enter__(self) -> OutputLines:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._out is None:
            return
        if kind is not None:
            # the first error is the one to report
            with suppress(OSError):
                self._file.close()
            return
        with self._writing():
            with self._file:
                bring_to_disk(self._file)
            put_in_place(self._part, self._out)

    def put(self, text: str) -> None:
        """Write a text and flush it."""
        with self._writing():
            self._file.write(text)
            self._file.flush()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if self._out is None:
                raise
            raise cannot_write(f"Output {self._out}", error) from error


class JsonForm:
    """One JSON object per line."""

    head = ""

    def __init__(self, predictor: Predictor, point: OperatingPoint, prevalence: dict[str, float] | None) -> None:
        self._predictor, self._point, self._prevalence = predictor, point, prevalence

    def reading(self, file: str, reading: Reading) -> str:
        """Return the text of one reading."""
        return format_reading(file, reading)

    def refusal(self, file: str, sha256: str | None, reason: str) -> str:
        """Return the text of one refused input."""
        card = self._predictor.card
        line = refusal_json(
            file,
            sha256,
            reason,
            model_id=card.id,
            model_sha256=card.weights_sha256,
            engine=self._predictor.engine.name,
            operating_point=self._point.name,
            prevalence=self._prevalence,
            flagged=flag_rate(self._point),
        )
        return line + "\n"


class CsvForm:
    """One CSV row per finding."""

    head = readings_csv([])

    def reading(self, file: str, reading: Reading) -> str:
        """Return the text of one reading."""
        return readings_csv([(file, reading)], header=False)

    def refusal(self, file: str, sha256: str | None, reason: str) -> str:
        """Return the text of one refused input."""
        return refusals_csv([(file, sha256, reason)])


class TextForm:
    """Text for a person at a terminal."""

    def __init__(self, card: ModelCard, point: OperatingPoint, prevalence: dict[str, float] | None) -> None:
        kind = " (demonstration model)" if card.demonstration else ""
        self.head = (
            f"{NOTICE}\nModel {card.id}{kind}{describe_precision(card)}, operating point {point.name}. "
            f"{describe_scale(card, prevalence)}\n"
            f"{' '.join(filter(None, (describe_operating_point(point), describe_evaluation(card))))}\n"
        )

    def reading(self, file: str, reading: Reading) -> str:
        """Return the text of one reading."""
        lines = [f"\n{file}"]
        lines += [f"  {reading.quality.status}: {reason}" for reason in reading.quality.reasons]
        lines += [f"  note: {note}" for note in reading.quality.notes]
        if reading.quality.override:
            lines.append(f"  read anyway: {reading.quality.override}")
        if reading.findings:
            lines.append(f"  {describe_states(reading.ranked())}")
        for finding in (f for f in reading.ranked() if f.state != "not_evaluated"):
            lines.append(f"  {display_name(finding.label):<28}{format_finding(finding)}  {STATE_NAMES[finding.state]}")
            if changes := reading.changes_of_state(finding.label):
                lines.append(f"    {UNSTABLE}: {describe_changes(changes)}")
        for finding in (f for f in reading.ranked() if f.state == "not_evaluated"):
            lines.append(f"  {display_name(finding.label):<28}{STATE_NAMES[finding.state]}: {finding.reason}")
        if reading.changes_checked and not any(reading.changes_of_state(f.label) for f in reading.findings):
            lines.append(f"  No state changes under {len(reading.under_changes)} small changes of the image.")
        return "\n".join(lines) + "\n"

    def refusal(self, file: str, sha256: str | None, reason: str) -> str:
        """Return the text of one refused input."""
        return f"\n{file}\n  not read: {reason}\n"


def format_reading(file: str, reading: Reading) -> str:
    """Return the text of one reading: the gate's verdict, and a line for each finding."""
    return reading_json(file, reading) + "\n"
