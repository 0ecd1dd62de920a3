"""A received image to the result objects that go to each destination."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import pydicom

from ..errors import InputRefused, ModelUnusable, WrongArguments
from ..imaging import Radiograph
from ..model import ModelCard, Reading, shared_predictor
from ..reading import read_image
from ..report.report_text import ReportImage
from ..store.pacs_header import dataset_sha256
from ..store.pacs_records import BuiltResult, JobOrder
from ..studies import StudyImage, group_studies, read_study_header
from .rules import Delivery, Plan

__all__ = ["ImageReading", "build_results", "check_highdicom", "read_received"]


@dataclass(frozen=True, eq=False)
class ImageReading:
    """A received image that was read.

    Attributes:
        data: content of its file.
        radiograph: as it was displayed.
        reading: without findings, where the gate has refused the image.
        card: of the model.
    """

    data: bytes = field(repr=False)
    radiograph: Radiograph = field(repr=False)
    reading: Reading
    card: ModelCard = field(repr=False)

    @property
    def refusal(self) -> str:
        """Why the gate has refused the image; empty where it has not."""
        return "" if self.reading.findings else self.reading.quality.reasons[0]


def read_received(data: bytes, order: JobOrder) -> ImageReading:
    """Read an image as a job orders.

    Its digest in the results is that of the data set alone: each sender writes its own File Meta Information, and an
    image that comes again by another way has the same results.

    Raises:
        InputRefused: the file is no readable image.
        ModelUnusable: the model is not installed any more, or has other weights now.
        WrongArguments: its card allows neither operating point nor prevalence of the order.
    """
    predictor = shared_predictor(order.model_id)
    if predictor.card.weights_sha256 != order.weights_sha256:
        raise ModelUnusable(f"Model {order.model_id} has other weights than when the image was to be read.")
    plan = Plan.model_validate_json(order.plan)
    radiograph, reading = read_image(
        data,
        predictor,
        operating_point=order.operating_point,
        prevalence=plan.prevalence,
        stability=plan.small_changes,
        sha256=dataset_sha256(data),
    )
    return ImageReading(data, radiograph, reading, predictor.card)


def check_highdicom() -> None:
    """Raise WrongArguments where results cannot be made."""
    try:
        from ..report.dicom import objects  # noqa: F401
    except ImportError as error:
        raise WrongArguments("DICOM results need highdicom: pip install -r requirements-pacs.txt") from error


def build_results(image: ImageReading, deliveries: Sequence[Delivery], when: datetime) -> list[BuiltResult]:
    """Return the result objects of an image for each destination; none where the gate has refused it.

    The same image, order and time give the same files. Contours of an image in colour are left out, since there are
    none.

    Args:
        image: that was read.
        deliveries: what goes where.
        when: time of the reading, with a time zone.

    Raises InputRefused where no result can refer to the image.
    """
    from ..report.dicom.objects import result_objects

    if image.refusal:
        return []
    flagged = any(finding.state == "above" for finding in image.reading.findings)
    wanted = [delivery for delivery in deliveries if flagged or delivery.only == "all"]
    header = read_study_header(image.data)
    study = None if header is None else group_studies([StudyImage(image.reading.sha256, header)])[0]
    report = ReportImage(image.reading, lambda: image.radiograph, study, read_at=when)
    make = partial(result_objects, report, image.card, image.data, when, identity=True)
    kinds = dict.fromkeys(kind for delivery in wanted for kind in delivery.kinds)
    files: dict[str, dict[str, bytes]] = {}
    for kind in kinds:
        try:
            files[kind] = dict(make(kinds=[kind]))
        except InputRefused:
            if kind != "gsps" or len(kinds) == 1:
                raise
    built = {
        (delivery.to, name): BuiltResult(name, delivery.to, *_class_and_uids(data), data)
        for delivery in wanted
        for kind in delivery.kinds
        for name, data in files.get(kind, {}).items()
    }
    return list(built.values())


def _class_and_uids(data: bytes) -> tuple[str, str, str]:
    """Return the UIDs of an object's class and series, and its own."""
    tags = ["SOPClassUID", "SeriesInstanceUID", "SOPInstanceUID"]
    file = pydicom.dcmread(io.BytesIO(data), specific_tags=tags)
    return str(file.SOPClassUID), str(file.SeriesInstanceUID), str(file.SOPInstanceUID)
