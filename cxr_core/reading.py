"""The one path from bytes to a reading with its maps, shared by page, command and archive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .imaging import IsolatedDecoder, Pose, Radiograph, VoiScale, describe_pose, read_radiograph
from .model import ModelInput, Predictor, Reading, prepare_input

__all__ = ["open_image", "read_image", "read_prepared"]


def read_image(
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
    decoder: IsolatedDecoder | None = None,
    stability: bool = False,
) -> tuple[Radiograph, Reading]:
    """Read one file: :func:`open_image`, then :func:`read_prepared`, whose arguments these are.

    With ``stability`` the image is read again under each of :data:`cxr_core.imaging.SMALL_CHANGES`.

    Returns:
        The image as displayed, and its reading. The reading of an image that the gate refuses has no findings, but
        the reasons.

    Raises:
        InputRefused: the bytes are not a readable image.
        WrongArguments: for an operating point or a prevalence that the model's card does not allow.
    """
    radiograph = open_image(
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
    image = prepare_input(radiograph, predictor.card.input.preparation(), small_changes=stability)
    return radiograph, read_prepared(image, predictor, operating_point=operating_point, prevalence=prevalence)


def open_image(
    data: bytes,
    *,
    read_anyway: str | None = None,
    quarter_turns: int = 0,
    mirrored: bool = False,
    upright: bool = False,
    follow_orientation: bool = False,
    voi_scale: VoiScale = "file",
    sha256: str | None = None,
    decoder: IsolatedDecoder | None = None,
) -> Radiograph:
    """Return one file as an image.

    Args:
        data: content of a DICOM, PNG, JPEG, TIFF or WEBP file.
        read_anyway: reason for reading an image that the gate refuses; stored in the reading.
        quarter_turns: clockwise rotation of the image in units of 90 degrees, to bring it upright.
        mirrored: mirror the image before that, at the reader's request.
        upright: rotate an image back that the gate refuses as rotated by 90, 180 or 270 degrees, and state it in its
            transforms. Images are never mirrored by this.
        follow_orientation: correct an image whose Patient Orientation says that it is mirrored or rotated, and state it
            in its transforms.
        voi_scale: scaling of a VOI LUT, as in :func:`cxr_core.imaging.read_radiograph`.
        sha256: hex digest of the data where it is known already.
        decoder: for data that need a codec; by default the one that this process shares.

    Raises:
        InputRefused: the bytes are not a readable image.
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
    image: ModelInput,
    predictor: Predictor,
    *,
    operating_point: str = "default",
    prevalence: Mapping[str, float] | float | None = None,
) -> Reading:
    """Return the reading of one image, with a warning if another of its windows changes a state.

    Under the small changes that the input has, the image is read again.

    Args:
        image: prepared for the predictor's model.
        predictor: the model.
        operating_point: name of an operating point of the card.
        prevalence: assumed prevalence, for all labels or by label; None for none.

    Raises:
        WrongArguments: for an operating point or a prevalence that the model's card does not allow.
    """
    reading = predictor.check_other_windows(predictor.read(image, operating_point, prevalence), image)
    for changed in image.small_changes:
        reading = predictor.read_changed(reading, changed)
    return reading


def _turned_back(data: bytes, refused: Radiograph, voi_scale: VoiScale, decoder: IsolatedDecoder | None) -> Radiograph:
    """Return the image rotated back according to the gate; unchanged, if the gate then considers it rotated too."""
    image = _posed_again(data, refused, Pose(False, refused.quality.turned // 90), voi_scale, decoder)
    return refused if image.quality.turned else _named(image, "option upright, as the gate recognised it")


def _posed_again(
    data: bytes, image: Radiograph, pose: Pose, voi_scale: VoiScale, decoder: IsolatedDecoder | None
) -> Radiograph:
    return read_radiograph(
        data,
        quarter_turns=pose.quarter_turns,
        mirrored=pose.mirrored,
        voi_scale=voi_scale,
        sha256=image.sha256,
        decoder=decoder,
    )


def _named(image: Radiograph, by: str) -> Radiograph:
    """Return the image with its rotation and mirroring attributed to an option, not to the reader."""
    options = dict(zip(describe_pose(image.pose), describe_pose(image.pose, by), strict=True))
    return replace(image, transforms=tuple(options.get(step, step) for step in image.transforms))
