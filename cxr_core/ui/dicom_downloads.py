"""Buttons for the DICOM results of a reading: on the reading page, of the image and its study, and of a stored read."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec

import streamlit as st

from ..errors import CxrError
from ..model import Reading
from ..settings import settings
from .chrome import small
from .downloads import download_button

__all__ = ["DICOM_TITLES", "Results", "dicom_downloads"]

DICOM_TITLES = {
    "sr": "Structured report (SR)",
    "sc": "Secondary captures (SC)",
    "pdf": "Encapsulated PDF",
    "gsps": "Presentation state (GSPS)",
    "seg": "Segmentation (SEG)",
}
"""What each kind of :data:`cxr_core.report.dicom.objects.KINDS` is called on a button."""

_OF_WHAT_IS_ABOVE = ("gsps", "seg")
_SEVERAL = ("sc",)
"""Kinds of which a reading may have several files."""

_NOTHING_ABOVE = "No finding is above its operating point: there are no contours (GSPS) and no segmentation (SEG)."

Results = Callable[[Sequence[str]], dict[str, bytes]]
"""Makes the results of some kinds: files by their names without an ending."""


def dicom_downloads(
    reading: Reading, results: Results, stem: str, *, of_study: tuple[Results, Sequence[str]] | None = None,
    named: bool = True,
) -> None:  # fmt: skip
    """Draw a download of each kind of DICOM result of a reading, or say in one line why there is none.

    Args:
        reading: with findings.
        results: makes those of the image.
        stem: beginning of the names of the files.
        of_study: makes those of the study, and the digests of its images; None where the image is its only one.
        named: whether the visitor may see whose image it is, which every result states.
    """
    small("DICOM results, for the PACS")
    if problem := _unavailable(reading, named=named):
        small(problem)
        return
    above = any(finding.state == "above" for finding in reading.findings)
    kinds = [kind for kind in DICOM_TITLES if above or kind not in _OF_WHAT_IS_ABOVE]
    offered = [(kind, DICOM_TITLES[kind], [kind]) for kind in kinds] + [("all", "All of the image, ZIP", kinds)]
    for number, (detail, title, wanted) in enumerate(offered):
        if number % 2 == 0:
            # a row at a time: on a narrow screen columns are stacked
            columns = st.columns(2)
        with columns[number % 2]:
            _button(title, results, wanted, stem, detail, [reading.sha256], reading.model_sha256)
    if of_study is not None:
        make, digests = of_study
        _button("All of the study, ZIP", make, list(DICOM_TITLES), stem, "study", digests, reading.model_sha256)
    if not above:
        small(_NOTHING_ABOVE)


def _unavailable(reading: Reading, *, named: bool) -> str:
    if settings().identity == "off":
        return "Not available: they carry the patient and the study, which SECOND_READ_IDENTITY=off forbids."
    if reading.image.kind != "dicom":
        return "Not available: they need a DICOM image, whose study they belong to."
    if not named:
        return "Not available: they carry the patient and the study, which you do not see here."
    if find_spec("highdicom") is None:
        return "Not available: the server lacks highdicom (pip install -r requirements-pacs.txt)."
    return ""


def _button(
    title: str, results: Results, kinds: Sequence[str], stem: str, detail: str, images: Sequence[str], model: str
) -> None:
    zipped = len(kinds) > 1 or kinds[0] in _SEVERAL
    download_button(
        title,
        partial(_file, results, kinds, zipped=zipped),
        f"dicom-{detail}",
        f"{stem}-{detail}.{'zip' if zipped else 'dcm'}",
        "application/zip" if zipped else "application/dicom",
        images=images,
        model=model,
    )


def _file(results: Results, kinds: Sequence[str], *, zipped: bool) -> bytes:
    files = results(kinds)
    if not files:
        raise CxrError(_NOTHING_ABOVE)
    if not zipped:
        (content,) = files.values()
        return content
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"{name}.dcm", content)
    return stream.getvalue()
