"""``reads``: list the readings that were stored, show, export and delete them; concordance and monitoring."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ..access import acting_user, audit
from ..errors import WrongArguments
from ..labels import NOTICE, display_name
from ..model.folder import card_of
from ..report import readings_csv
from ..report.stored_read import first_opinions, opinions_csv, read_dicom, read_json, read_pdf
from ..settings import settings
from ..store.card_files import card_of_read
from ..store.read_record import Opinion, ReadSummary
from ..store.reads import ReadStore
from .output import format_reading, write
from .read_statistics import concordance_, monitor

__all__ = ["app"]

app = typer.Typer(
    help="List, show, export, delete and re-encrypt the readings that were stored; concordance, change over time.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
)

app.command("concordance")(concordance_)
app.command("monitor")(monitor)

Read = Annotated[str, typer.Argument(metavar="ID", help="Id of a read, or the beginning of it.")]

_WITH = ", with their reads and opinions"

GONE = "The model that read it is no longer installed, or has other weights."


@app.command("list")
def list_(
    since: Annotated[str, typer.Option(metavar="TIME", help="Leave out earlier reads, such as 2026-11-24 (UTC).")] = "",
    until: Annotated[str, typer.Option(metavar="TIME", help="Leave out reads of this time and later ones.")] = "",
    reader: Annotated[str, typer.Option(metavar="NAME", help="Reads of one reader.")] = "",
    model: Annotated[str, typer.Option(metavar="ID", help="Reads by one model.")] = "",
    label: Annotated[str, typer.Option(metavar="LABEL", help="Reads by models that have this label.")] = "",
    state: Annotated[
        str, typer.Option(metavar="above|below|not_evaluated", help="Reads in which the label, or any, has this state.")
    ] = "",
    patient: Annotated[
        str, typer.Option(metavar="TEXT", help="Reads of patients whose name or ID has this text, where it is stored.")
    ] = "",
) -> None:
    """Print each stored read: id, time (UTC), reader, model, quality, whether the findings were shown, seconds."""
    if state not in ("", "above", "below", "not_evaluated"):
        raise WrongArguments(f"--state {state[:40]!r}: above, below and not_evaluated are accepted.")
    with _opened_store() as store:
        reads = store.list_reads(since=since, until=until, reader=reader, model=model, label=label, state=state)
    reads = tuple(read for read in reads if not patient or _is_of(read, patient))
    for read in reads:
        shown = "findings shown" if read.revealed else "findings not shown"
        print(
            f"{read.id}  {read.created[:16]}  {read.reader}  {read.model_id}, {read.operating_point}  {read.quality}; "
            f"{shown}; {read.seconds:.0f} s{_patient(read)}"
        )
    if not reads:
        print("There are no such reads.")


@app.command()
def show(read: Read) -> None:
    """Print a read as it was shown, with every opinion of its readers."""
    with _opened_store() as store:
        stored = store.read(read)
        opinions = store.opinions(stored.summary.study, stored.summary.image)
    summary = stored.summary
    shown = f"findings shown {summary.revealed}" if summary.revealed else "findings not shown"
    print(NOTICE)
    print(f"Read {summary.id} of image {summary.image[:12]}, study {summary.study}{_patient(summary)}")
    print(f"by {summary.reader}, {summary.created}; {shown}; {summary.seconds:.0f} s on the screen")
    version = f" version {stored.model_version}" if stored.model_version else ""
    gone = "" if card_of(summary.model_sha256) else f" {GONE}"
    print(f"Model {summary.model_id}{version}, operating point {summary.operating_point}.{gone}")
    print(format_reading("Findings", stored.reading), end="")
    firsts = first_opinions(opinions)
    for opinion in opinions:
        print(_opinion_line(opinion, is_first=opinion in firsts))


@app.command()
def export(
    read: Read,
    out: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write to.")],
    pdf: Annotated[bool, typer.Option("--pdf", help="Write the report of the image as PDF too.")] = False,
    sr: Annotated[bool, typer.Option("--sr", help="Write all findings as DICOM structured report (TID 1500).")] = False,
    sc: Annotated[
        bool, typer.Option("--sc", help="Write a page of findings, and the maps, as DICOM Secondary Capture.")
    ] = False,
    dicom_pdf: Annotated[
        bool, typer.Option("--dicom-pdf", help="Write the report as DICOM Encapsulated PDF, for a PACS.")
    ] = False,
    gsps: Annotated[
        bool, typer.Option("--gsps", help="Write contours of what is above as DICOM presentation state.")
    ] = False,
    seg: Annotated[bool, typer.Option("--seg", help="Write maps of what is above as DICOM segmentation.")] = False,
) -> None:
    """Write a read as JSON, its findings and the opinions on its image as CSV; and its report as PDF.

    The files are for their owner alone (mode 0600). Patient and file name are in the report unless
    SECOND_READ_IDENTITY=off.

    DICOM results (--sr, --sc, --dicom-pdf, --gsps, --seg) belong to the patient and the study of the image, and are not
    written where SECOND_READ_IDENTITY=off. The same read gives the same SOP Instance UIDs again.
    """
    wanted = {"sr": sr, "sc": sc, "pdf": dicom_pdf, "gsps": gsps, "seg": seg}
    kinds = [kind for kind, asked in wanted.items() if asked]
    if kinds and settings().identity == "off":
        raise WrongArguments("DICOM results carry the patient and the study, which SECOND_READ_IDENTITY=off forbids.")
    with _opened_store() as store:
        stored = store.read(read)
        summary = stored.summary
        opinions = store.opinions(summary.study, summary.image)
        card = card_of_read(stored)
        if (pdf or kinds) and card is None:
            raise WrongArguments(f"--pdf and DICOM results: a report needs the model's card. {GONE}")
        # before anything is written: an export that is not in the trail must not happen
        audit.record(acting_user(), "export", "read", images=[summary.image], model=summary.model_sha256)
        image = next((i for i in store.images(summary.reader) if i.digest == summary.image), None)
        name = image.name if image is not None and image.name else summary.image[:12]
        files = {
            "json": read_json(stored, opinions, name).encode(),
            "csv": readings_csv([(name, stored.reading)]).encode(),
            "opinions.csv": opinions_csv(opinions).encode(),
        }
        if (pdf or kinds) and card is not None:
            data = store.load(summary.study, summary.image)
            if pdf:
                files["pdf"] = read_pdf(stored, opinions, data, name, card, identity=settings().identity != "off")
            if kinds:
                results = read_dicom(stored, opinions, data, card, kinds)
                files |= {f"{kind}.dcm": content for kind, content in results.items()}
    for kind in {"gsps", "seg"}.intersection(kinds):
        if f"{kind}.dcm" not in files:
            print(f"--{kind}: no finding is above its operating point, so there is none to write.", file=sys.stderr)
    for ending, content in files.items():
        path = out / f"{summary.id}.{ending}"
        write(path, content, private=True)
        print(path)


@app.command()
def delete(
    studies: Annotated[list[str] | None, typer.Argument(metavar="STUDY", help="Ids of studies, in full.")] = None,
    expired: Annotated[
        bool, typer.Option("--expired", help="Delete the studies that are older than SECOND_READ_KEEP_DAYS.")
    ] = False,
) -> None:
    """Delete studies with their images, reads and opinions, so that neither database nor disk holds anything of them.

    The audit trail says which images, by digest. A backup of before still holds them. Example:

      python -m cxr_core reads delete 3f0a1b2c4d5e6f708192
    """
    if not studies and not expired:
        raise WrongArguments("Give ids of studies, or --expired.")
    with _opened_store() as store:
        for study in studies or ():
            print(f"Study {study[:40]}: {_images(store.delete_study(acting_user(), study))} deleted{_WITH}.")
        if expired:
            count = store.expired + store.delete_expired()
            print(f"Older than {settings().keep_days} days: {_images(count)} deleted{_WITH}.")


@app.command("rekey")
def rekey_() -> None:
    """Encrypt all that is stored with SECOND_READ_STORE_KEY, also what the key before or none has encrypted.

    What SECOND_READ_STORE_KEY_PREVIOUS has encrypted is read meanwhile, by the app too. Where the command is
    interrupted, it does the rest when it is started again.
    """
    with _opened_store() as store:
        counts = store.rekey()
    print("; ".join(f"{kind}: {count} re-encrypted" for kind, count in counts.items()))
    print("All is encrypted with SECOND_READ_STORE_KEY now. The key before is needed for earlier backups alone.")


@contextmanager
def _opened_store() -> Iterator[ReadStore]:
    """Open the store, which deletes what is to be deleted, and say where something of that is left."""
    with closing(ReadStore()) as store:
        if store.unfinished:
            typer.echo(store.unfinished, err=True)
        yield store


def _images(count: int) -> str:
    return f"{count} image{'s' * (count != 1)}"


def _is_of(read: ReadSummary, words: str) -> bool:
    patient = None if read.header is None else read.header.patient
    return patient is not None and words.casefold() in f"{patient.name}\n{patient.patient_id}".casefold()


def _patient(read: ReadSummary) -> str:
    if read.header is None or not read.header.patient:
        return ""
    patient = read.header.patient
    return f"; {', '.join(filter(None, (patient.name, patient.patient_id)))}"


def _opinion_line(opinion: Opinion, *, is_first: bool) -> str:
    when = "after the findings were shown" if opinion.revealed else "before the findings were shown"
    comment = f": {opinion.comment}" if opinion.comment else ""
    which = "first opinion" if is_first else f"opinion {opinion.number + 1}"
    return (
        f"  {display_name(opinion.label):<28}{opinion.opinion} ({which} of {opinion.reader}, {when}, "
        f"{opinion.created[:16]}){comment}"
    )
