"""The one path from bytes to a reading with its maps, shared by page, command and archive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .imaging import ISOLATED, Decoder, Radiograph, read_radiograph, turn_words
from .model import Predictor, PreparedFilm, Reading, prepare_film
from .model.windows import with_other_windows

__all__ = ["open_film", "read_film", "read_prepared"]


def read_film(
    data: bytes,
    predictor: Predictor,
    *,
    operating_point: str = "default",
    prevalence: Mapping[str, float] | float | None = None,
    read_anyway: str | None = None,
    quarter_turns: int = 0,
    upright: bool = False,
    sha256: str | None = None,
    decoder: Decoder = ISOLATED,
) -> tuple[Radiograph, Reading]:
    """Read one file: :func:`open_film`, then :func:`read_prepared`, whose arguments these are.

    Returns:
        The film as displayed, and its reading. A film that the gate refuses has a reading without
        findings, and its reasons.

    Raises:
        InputRefused: the bytes are no readable image.
        WrongArguments: for an operating point or a prevalence that the model's card does not allow.
    """
    radiograph = open_film(
        data,
        read_anyway=read_anyway,
        quarter_turns=quarter_turns,
        upright=upright,
        sha256=sha256,
        decoder=decoder,
    )
    film = prepare_film(radiograph, predictor.card.input.preparation())
    return radiograph, read_prepared(film, predictor, operating_point=operating_point, prevalence=prevalence)


def open_film(
    data: bytes,
    *,
    read_anyway: str | None = None,
    quarter_turns: int = 0,
    upright: bool = False,
    sha256: str | None = None,
    decoder: Decoder = ISOLATED,
) -> Radiograph:
    """Return one file as a film.

    Args:
        data: content of a DICOM, PNG, JPEG or TIFF file.
        read_anyway: why a film that the gate refuses shall be read all the same; kept in the reading.
        quarter_turns: by how many quarters the film is turned clockwise first, to bring it upright.
        upright: turn back a film that the gate refuses as turned by 90, 180 or 270 degrees, and say so in its
            transforms. A mirror image is never made.
        sha256: hex digest of the data where it is known already.
        decoder: decodes what needs a codec.

    Raises:
        InputRefused: the bytes are no readable image.
    """
    radiograph = read_radiograph(data, quarter_turns=quarter_turns, sha256=sha256, decoder=decoder)
    if upright and radiograph.quality.status == "refused" and radiograph.quality.turned and not quarter_turns:
        radiograph = _turned_back(data, radiograph, decoder)
    return replace(radiograph, override=read_anyway) if read_anyway else radiograph


def read_prepared(
    film: PreparedFilm,
    predictor: Predictor,
    *,
    operating_point: str = "default",
    prevalence: Mapping[str, float] | float | None = None,
) -> Reading:
    """Return the reading of one film, with what its other windows would change.

    Args:
        film: prepared for the predictor's model.
        predictor: the model.
        operating_point: name of one of the card's.
        prevalence: share of positive films that the user assumes, for all labels or by label; None for none.

    Raises:
        WrongArguments: for an operating point or a prevalence that the model's card does not allow.
    """
    return with_other_windows(predictor.read(film, operating_point, prevalence), film, predictor)


def _turned_back(data: bytes, refused: Radiograph, decoder: Decoder) -> Radiograph:
    """Return the film turned back as the gate says; as it was, where the gate takes that for turned as well."""
    quarters = refused.quality.turned // 90
    film = read_radiograph(data, quarter_turns=quarters, sha256=refused.sha256, decoder=decoder)
    if film.quality.turned:
        return refused
    by_reader, by_option = turn_words(quarters), turn_words(quarters, "option upright, as the gate recognised it")
    return replace(film, transforms=tuple(by_option[0] if words in by_reader else words for words in film.transforms))
