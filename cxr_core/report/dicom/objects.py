"""The results of a reading as DICOM files."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import pydicom
from pydicom.dataset import Dataset

from ...model import ModelCard
from ..report_text import ReportImage
from .encapsulated_pdf import encapsulated_pdf
from .identification import ResultSource, remove_creation_times
from .original import identifying_elements, read_original
from .presentation_state import presentation_states
from .secondary_capture import secondary_captures
from .segmentation import segmentations
from .structured_report import structured_report

__all__ = ["KINDS", "result_objects"]

# highdicom logs values of the original
logging.getLogger("highdicom").setLevel(logging.CRITICAL + 1)

KINDS: dict[str, Callable[[ResultSource], Iterable[Dataset]]] = {
    "sr": lambda source: [structured_report(source)],
    "sc": secondary_captures,
    "pdf": lambda source: [encapsulated_pdf(source)],
    "gsps": presentation_states,
    "seg": segmentations,
}
"""Kinds of result, each with the function that makes its objects."""


def result_objects(
    image: ReportImage, card: ModelCard, data: bytes, when: datetime, kinds: Iterable[str], *, identity: bool
) -> Iterator[tuple[str, bytes]]:
    """Yield the results of a reading as (name, content) of DICOM files; the name is the kind, with a number for ``sc``.

    The same reading, card and time give the same bytes; at another time, the same UIDs.

    Args:
        image: one whose reading has findings; ValueError for another.
        card: of the model that read.
        data: content of the file that was read.
        when: date and time of the reading, with a time zone.
        kinds: keys of :data:`KINDS`.
        identity: whether the report in a PDF prints patient and study.

    Raises:
        InputRefused: the file is no DICOM image that a result can refer to.
    """
    if not image.reading.findings:
        raise ValueError("the image was refused: there are no findings to report")
    source = ResultSource(image, card, read_original(data), when, identity)
    identifying = identifying_elements(data)
    for kind in kinds:
        # warnings of pydicom and highdicom quote the original; values of the original are as they are
        with warnings.catch_warnings(), pydicom.config.disable_value_validation():
            warnings.simplefilter("ignore")
            files = [_as_file(result, identifying) for result in KINDS[kind](source)]
        for number, content in enumerate(files, 1):
            yield f"{kind}-{number}" if kind == "sc" else kind, content


def _as_file(result: Dataset, identifying: Dataset) -> bytes:
    remove_creation_times(result)
    # elements of a file that was read are written as they are, and those of one that was made are not: pydicom would
    # strip, split or refuse values
    file = pydicom.dcmread(io.BytesIO(_written(result)))
    file.update({tag: identifying.get_item(tag) for tag in list(identifying.keys())})
    return _written(file)


def _written(result: Dataset) -> bytes:
    stream = io.BytesIO()
    result.save_as(stream, enforce_file_format=True)
    return stream.getvalue()
