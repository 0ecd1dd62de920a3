"""What ``predict`` prints of each reading: as JSON, as CSV, or in words; and where it goes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import PathUnusable
from ..labels import NOTICE, display_name
from ..model import ModelCard, OperatingPoint, Predictor, Reading
from ..model.words import flagged_words, probability_words, value_words
from ..private_files import is_kept, make_private
from ..report import reading_json, readings_csv, refusal_json, refusals_csv
from ..whole_files import bring_to_disk, cannot_write, is_stream, put_in_place
from .inputs import make_folder

__all__ = ["CsvForm", "JsonForm", "OutputLines", "WordsForm"]


class OutputLines:
    """Output as it comes, to stdout, or beside a file that appears when it is whole: a cut leaves what was read."""

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
            # the first error is the one to tell
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
    """One object a line."""

    head = ""

    def __init__(self, predictor: Predictor, point: OperatingPoint, prevalence: dict[str, float] | None) -> None:
        self._predictor, self._point, self._prevalence = predictor, point, prevalence

    def reading(self, file: str, reading: Reading) -> str:
        """Return what is printed of a reading."""
        return reading_json(file, reading) + "\n"

    def refusal(self, file: str, sha256: str | None, reason: str) -> str:
        """Return what is printed of an input that was refused."""
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
            flagged_without_findings=self._point.flagged_without_findings,
        )
        return line + "\n"


class CsvForm:
    """One row a finding."""

    head = readings_csv([])

    def reading(self, file: str, reading: Reading) -> str:
        """Return what is printed of a reading."""
        return readings_csv([(file, reading)], header=False)

    def refusal(self, file: str, sha256: str | None, reason: str) -> str:
        """Return what is printed of an input that was refused."""
        return refusals_csv([(file, sha256, reason)])


class WordsForm:
    """For a person at a terminal."""

    def __init__(self, card: ModelCard, point: OperatingPoint, prevalence: dict[str, float] | None) -> None:
        kind = " (demonstration model)" if card.demonstration else ""
        counted = all(
            threshold.counts is not None for threshold in point.thresholds.values() if threshold.value is None
        )
        self._why = "too few cases" if counted else "no operating point"
        self.head = (
            f"{NOTICE}\nModel {card.id}{kind}, operating point {point.name}. {probability_words(card, prevalence)}\n"
            f"{flagged_words(point)}\n"
        )

    def reading(self, file: str, reading: Reading) -> str:
        """Return what is printed of a reading."""
        lines = [f"\n{file}"]
        lines += [f"  {reading.quality.status}: {reason}" for reason in reading.quality.reasons]
        lines += [f"  note: {note}" for note in reading.quality.notes]
        if reading.quality.override:
            lines.append(f"  read all the same: {reading.quality.override}")
        for finding in (f for f in reading.ranked() if f.state != "not_evaluated"):
            lines.append(f"  {display_name(finding.label):<28}{value_words(finding)}  {finding.state}")
        left = [display_name(f.label) for f in reading.ranked() if f.state == "not_evaluated"]
        if left:
            lines.append(f"  not evaluated ({self._why}): {', '.join(left)}")
        return "\n".join(lines) + "\n"

    def refusal(self, file: str, sha256: str | None, reason: str) -> str:
        """Return what is printed of an input that was refused."""
        return f"\n{file}\n  not read: {reason}\n"
