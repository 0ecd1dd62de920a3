"""The one path from bytes to a reading with its maps, shared by page, command and archive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .imaging import ISOLATED, Decoder, Pose, Radiograph, VoiScale, pose_words, read_radiograph
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
    mirrored: bool = False,
    upright: bool = False,
    follow_orientation: bool = False,
    voi_scale: VoiScale = "file",
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
        mirrored=mirrored,
        upright=upright,
        follow_orientation=follow_orientation,
        voi_scale=voi_scale,
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
    mirrored: bool = False,
    upright: bool = False,
    follow_orientation: bool = False,
    voi_scale: VoiScale = "file",
    sha256: str | None = None,
    decoder: Decoder = ISOLATED,
) -> Radiograph:
    """Return one file as a film.

    Args:
        data: content of a DICOM, PNG, JPEG, TIFF or WEBP file.
        read_anyway: why a film that the gate refuses shall be read all the same; kept in the reading.
        quarter_turns: by how many quarters the film is turned clockwise first, to bring it upright.
        mirrored: exchange left and right before that, since the header says that they are exchanged.
        upright: turn back a film that the gate refuses as turned by 90, 180 or 270 degrees, and say so in its
            transforms. Nothing is mirrored by this.
        follow_orientation: bring a film whose Patient Orientation says that it is mirrored or turned the right way
            round, and say so in its transforms.
        voi_scale: by what a VOI table is scaled, as in :func:`cxr_core.imaging.read_radiograph`.
        sha256: hex digest of the data where it is known already.
        decoder: decodes what needs a codec.

    Raises:
        InputRefused: the bytes are no readable image.
    """
    radiograph = read_radiograph(
        data,
        quarter_turns=quarter_turns,
        mirrored=mirrored,
        voi_scale=voi_scale,
        sha256=sha256,
        decoder=decoder,
    )
    if follow_orientation and radiograph.quality.pose and not radiograph.pose:
        radiograph = _posed_again(data, radiograph, radiograph.quality.pose, voi_scale, decoder)
        radiograph = _named(radiograph, "option follow-orientation, as the header says")
    if upright and radiograph.quality.status == "refused" and radiograph.quality.turned and not radiograph.pose:
        radiograph = _turned_back(data, radiograph, voi_scale, decoder)
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


def _turned_back(data: bytes, refused: Radiograph, voi_scale: VoiScale, decoder: Decoder) -> Radiograph:
    """Return the film turned back as the gate says; as it was, where the gate takes that for turned as well."""
    film = _posed_again(data, refused, Pose(False, refused.quality.turned // 90), voi_scale, decoder)
    return refused if film.quality.turned else _named(film, "option upright, as the gate recognised it")


def _posed_again(data: bytes, film: Radiograph, pose: Pose, voi_scale: VoiScale, decoder: Decoder) -> Radiograph:
    return read_radiograph(
        data,
        quarter_turns=pose.quarter_turns,
        mirrored=pose.mirrored,
        voi_scale=voi_scale,
        sha256=film.sha256,
        decoder=decoder,
    )


def _named(film: Radiograph, by: str) -> Radiograph:
    """Return the film with its pose named as an option's doing, not the reader's."""
    options = dict(zip(pose_words(film.pose), pose_words(film.pose, by), strict=True))
    return replace(film, transforms=tuple(options.get(words, words) for words in film.transforms))
