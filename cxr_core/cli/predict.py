"""``predict``: files in, findings out."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

from ..access import asked_by, audit
from ..archive import InputFile, as_text, collect
from ..errors import InputRefused, PathUnusable, WrongArguments
from ..imaging import Radiograph, decoder_apart
from ..labels import NOTICE, display_name
from ..model import ModelCard, OperatingPoint, Predictor, Reading, assumed_prevalence, shared_predictor
from ..model.words import flagged_words, probability_words, value_words
from ..private_files import is_kept, make_private
from ..reading import read_film
from ..report import (
    heatmaps_npz,
    overlay_pngs,
    reading_json,
    readings_csv,
    refusal_json,
    refusals_csv,
)
from ..whole_files import bring_to_disk, cannot_write, is_stream, put_in_place
from .archive import HowToRead, read_archive
from .inputs import make_folder, output_stems, write
from .progress import Steps

__all__ = ["predict"]

REFUSED = 3

Paths = Annotated[
    list[Path], typer.Argument(metavar="FILE|FOLDER...", help="DICOM, PNG, JPEG, TIFF or WEBP; folders whole.")
]
Model = Annotated[str | None, typer.Option(metavar="ID", help="Model to use; see: models list.")]
EngineName = Annotated[str | None, typer.Option("--engine", metavar="openvino|tensorflow", help="Engine to run it on.")]


def predict(
    paths: Paths,
    model: Model = None,
    engine: EngineName = None,
    operating_point: Annotated[str, typer.Option(metavar="NAME", help="One of the model card's.")] = "default",
    prevalence: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE|LABEL=SHARE,...",
            help="Assume that so many films are positive, such as 0.02: probabilities are shifted to it.",
        ),
    ] = None,
    read_anyway: Annotated[
        str | None, typer.Option(metavar="REASON", help="Read films that the gate refuses; the reason is kept.")
    ] = None,
    upright: Annotated[
        bool, typer.Option("--upright", help="Turn back and read films that the gate finds turned; the turn is named.")
    ] = False,
    follow_orientation: Annotated[
        bool,
        typer.Option(
            "--follow-orientation",
            help="Mirror or turn images whose Patient Orientation differs from the convention; it is named.",
        ),
    ] = False,
    voi_scale: Annotated[
        str,
        typer.Option(
            metavar="file|data", help="Scale a VOI table by the bits it declares, or by its own largest entry."
        ),
    ] = "file",
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="One line a finding.")] = False,
    heatmaps: Annotated[Path | None, typer.Option(metavar="DIR", help="Write each film's maps: npz and PNG.")] = None,
    sheet: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write each film beside its four highest findings.")
    ] = None,
    table: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Reference labels by image name, marked on the sheets.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write there instead of to stdout.")] = None,
    archive: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Read a whole archive into Parquet parts in this folder.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an archive that was interrupted.")] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Processes that decode ahead of the engine of an archive.")
    ] = None,
    on: Annotated[
        str | None, typer.Option(metavar="ray[:ADDRESS]", help="Read the archive on a Ray cluster, or one made here.")
    ] = None,
) -> int:
    """Read chest X-rays and print a score for each pathology that the model knows.

    A film that cannot be read is named on stderr with its reason, the others are read, and the exit
    status is 3. Examples:

      python -m cxr_core predict film.dcm

      python -m cxr_core predict study/ --json --out readings.jsonl --heatmaps maps/ --sheet sheets/

      python -m cxr_core predict study/ --operating-point sensitivity-0.90 --prevalence Effusion=0.05,Mass=0.01

      python -m cxr_core predict /archive/2025 --archive readings/2025 --resume
    """
    if json and csv:
        raise WrongArguments("Give --json or --csv, not both.")
    if voi_scale not in ("file", "data"):
        raise WrongArguments(f"--voi-scale {voi_scale!r}: file or data is accepted.")
    if archive is not None:
        if json or csv or any(path is not None for path in (heatmaps, sheet, table, out)):
            raise WrongArguments(
                "--archive writes Parquet: no --json, --csv, --out, --heatmaps, --sheet, --table with it."
            )
        how = HowToRead(operating_point, _prevalence(prevalence), read_anyway, upright, follow_orientation, voi_scale)
        return read_archive(paths, archive, model, engine, how, resume=resume, workers=workers, on=on)
    if resume or workers or on:
        raise WrongArguments("--resume, --workers and --on are for an archive: give --archive DIR.")
    files = collect(paths)
    # its libraries are loaded while the model is
    decoder_apart().start()
    reference = _reference(table) if table else None
    for folder in (heatmaps, sheet):
        if folder is not None:
            make_folder(folder)
    predictor = shared_predictor(model, engine)
    card = predictor.card
    point = card.operating_point(operating_point)
    assumed = assumed_prevalence(card.calibration, _prevalence(prevalence))
    form = _Json(predictor, point, assumed) if json else _Csv() if csv else _Words(card, point, assumed)
    stems = output_stems(files)
    refused = 0
    with _Lines(out) as lines, Steps("Reading films", len(files)) as steps:
        lines.put(form.head)
        for number, file in enumerate(files):
            name, data = as_text(file.path), b""
            try:
                data = file.read()
                radiograph, reading = read_film(
                    data,
                    predictor,
                    operating_point=operating_point,
                    prevalence=assumed,
                    read_anyway=read_anyway,
                    upright=upright,
                    follow_orientation=follow_orientation,
                    voi_scale=voi_scale,
                )
            except InputRefused as refusal:
                refused += 1
                steps.say(f"{name}: {refusal}")
                lines.put(form.refusal(name, hashlib.sha256(data).hexdigest(), str(refusal)))
            else:
                if reading.quality.override:
                    audit.note(asked_by(), "override", films=[reading.sha256], model=card.weights_sha256)
                lines.put(form.reading(name, reading))
                stem = stems[number] or _told_apart(file, reading)
                if reading.findings:
                    known = None if reference is None else reference.get(file.path.name)
                    _write_pictures(radiograph, reading, predictor.card, stem, heatmaps, sheet, known)
                else:
                    refused += 1
                    steps.say(f"{name}: {'; '.join(reading.quality.reasons)}")
            steps.done(number + 1)
    return REFUSED if refused else 0


def _reference(table: Path) -> dict[str, tuple[str, ...]]:
    # brings pandas, likewise
    from ..training.table import read_reference

    return read_reference(table)


def _prevalence(text: str | None) -> dict[str, float] | float | None:
    """Return a share for all labels, or those of single labels; raises WrongArguments for other words."""
    if text is None:
        return None
    try:
        if "=" not in text:
            return float(text)
        pairs = [pair.split("=") for pair in text.split(",")]
        return {label.strip(): float(share) for label, share in pairs}
    except ValueError as error:
        raise WrongArguments(
            f"Prevalence {text!r}: a share such as 0.02 is accepted, or LABEL=SHARE with commas between."
        ) from error


def _told_apart(file: InputFile, reading: Reading) -> Path:
    stem = file.place.with_suffix("")
    return stem.with_name(f"{stem.name}-{reading.sha256[:12]}")


def _write_pictures(
    radiograph: Radiograph,
    reading: Reading,
    card: ModelCard,
    stem: Path,
    heatmaps: Path | None,
    sheets: Path | None,
    reference: tuple[str, ...] | None,
) -> None:
    if heatmaps is not None:
        write(heatmaps / stem.with_name(f"{stem.name}.npz"), heatmaps_npz(reading, card))
        for label, png in overlay_pngs(radiograph, reading, card).items():
            write(heatmaps / stem.with_name(f"{stem.name}_{label}.png"), png)
    if sheets is not None:
        # brings matplotlib, which a command without sheets need not wait for
        from ..report.sheet import sheet_png

        png = sheet_png(radiograph, reading, card, reference=reference)
        write(sheets / stem.with_name(f"{stem.name}.png"), png)


class _Lines:
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

    def __enter__(self) -> _Lines:
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


class _Json:
    head = ""

    def __init__(self, predictor: Predictor, point: OperatingPoint, prevalence: dict[str, float] | None) -> None:
        self._predictor, self._point, self._prevalence = predictor, point, prevalence

    def reading(self, file: str, reading: Reading) -> str:
        return reading_json(file, reading) + "\n"

    def refusal(self, file: str, sha256: str, reason: str) -> str:
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


class _Csv:
    head = readings_csv([])

    def reading(self, file: str, reading: Reading) -> str:
        return readings_csv([(file, reading)], header=False)

    def refusal(self, file: str, sha256: str, reason: str) -> str:
        return refusals_csv([(file, sha256, reason)])


class _Words:
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

    def refusal(self, file: str, sha256: str, reason: str) -> str:
        return f"\n{file}\n  not read: {reason}\n"
