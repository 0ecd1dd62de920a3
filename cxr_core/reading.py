"""The one path from bytes to a reading with its maps, shared by page, command and archive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .imaging import Radiograph, read_radiograph
from .model import Predictor, Reading

__all__ = ["read_film"]


def read_film(
    data: bytes,
    predictor: Predictor,
    *,
    operating_point: str = "default",
    prevalence: Mapping[str, float] | float | None = None,
    read_anyway: str | None = None,
    quarter_turns: int = 0,
) -> tuple[Radiograph, Reading]:
    """Read one file.

    Args:
        data: content of a DICOM, PNG, JPEG or TIFF file.
        predictor: the model.
        operating_point: name of one of the card's.
        prevalence: share of positive films that the user assumes, for all labels or by label; None for none.
        read_anyway: why a film that the gate refuses shall be read all the same; kept in the reading.
        quarter_turns: by how many quarters the film is turned clockwise first, to bring it upright.

    Returns:
        The film as displayed, and its reading. A film that the gate refuses has a reading without
        findings, and its reasons.

    Raises:
        InputRefused: the bytes are no readable image.
        WrongArguments: for an operating point or a prevalence that the model's card does not allow.
    """
    radiograph = read_radiograph(data, quarter_turns=quarter_turns)
    if read_anyway and radiograph.quality.status == "refused":
        radiograph = replace(radiograph, quality=replace(radiograph.quality, override=read_anyway))
    return radiograph, predictor.read(radiograph, operating_point, prevalence)
