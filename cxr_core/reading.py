"""The one path from bytes to a reading with its maps, shared by page, command and archive."""

from __future__ import annotations

from dataclasses import replace

from .imaging import Radiograph, read_radiograph, turn_words
from .model import Predictor, Reading

__all__ = ["read_film"]


def read_film(
    data: bytes,
    predictor: Predictor,
    *,
    operating_point: str = "default",
    read_anyway: str | None = None,
    quarter_turns: int = 0,
    upright: bool = False,
) -> tuple[Radiograph, Reading]:
    """Read one file.

    Args:
        data: content of a DICOM, PNG, JPEG or TIFF file.
        predictor: the model.
        operating_point: name of one of the card's.
        read_anyway: why a film that the gate refuses shall be read all the same; kept in the reading.
        quarter_turns: by how many quarters the film is turned clockwise first, to bring it upright.
        upright: turn back a film that the gate refuses as turned by 90, 180 or 270 degrees, and say so in its
            transforms. A mirror image is never made.

    Returns:
        The film as displayed, and its reading. A film that the gate refuses has a reading without
        findings, and its reasons.

    Raises:
        InputRefused: the bytes are no readable image.
    """
    radiograph = read_radiograph(data, quarter_turns=quarter_turns)
    if upright and radiograph.quality.status == "refused" and radiograph.quality.turned and not quarter_turns:
        radiograph = _turned_back(data, radiograph)
    if read_anyway and radiograph.quality.status == "refused":
        radiograph = replace(radiograph, quality=replace(radiograph.quality, override=read_anyway))
    return radiograph, predictor.read(radiograph, operating_point)


def _turned_back(data: bytes, refused: Radiograph) -> Radiograph:
    """Return the film turned back as the gate says; as it was, where the gate takes that for turned as well."""
    quarters = refused.quality.turned // 90
    film = read_radiograph(data, quarter_turns=quarters)
    if film.quality.turned:
        return refused
    by_reader, by_option = turn_words(quarters), turn_words(quarters, "option upright, as the gate recognised it")
    return replace(film, transforms=tuple(by_option[0] if words in by_reader else words for words in film.transforms))
