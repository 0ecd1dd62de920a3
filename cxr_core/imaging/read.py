"""Bytes to a radiograph: the one door for files."""

from __future__ import annotations

import numpy as np

from ..errors import InputRefused
from .archive import is_archive
from .chain import VoiScale
from .decoder import ISOLATED, Decoder
from .dicom import read_dicom
from .digest import Digest
from .display import PERCENTILES, apply_window, nominal_window, percentile_window
from .limits import check_bytes
from .orientation import Pose
from .pixels import Pixels
from .radiograph import Kind, Radiograph
from .raster import Raster, posed_raster
from .sniff import sniff

__all__ = ["read_radiograph"]


def read_radiograph(
    data: bytes,
    *,
    quarter_turns: int = 0,
    mirrored: bool = False,
    voi_scale: VoiScale = "file",
    sha256: str | None = None,
    decoder: Decoder = ISOLATED,
) -> Radiograph:
    """Read one film.

    Args:
        data: content of a DICOM, PNG, JPEG, TIFF or WEBP file, told apart by content.
        quarter_turns: by how many quarters the reader turns it clockwise, to bring it upright.
        mirrored: the reader exchanges left and right first, since the header says that they are. Nothing is
            ever mirrored but by this.
        voi_scale: by what a VOI table is scaled: ``file`` by the bits that it declares, as the standard has it,
            ``data`` by its own largest entry, where that is a small part of what it declares.
        sha256: hex digest of the data where it is known already.
        decoder: decodes what needs a codec, in a process of its own.

    Returns:
        The film as a workstation would show it, with the transforms that were applied and the gate's
        verdict; a film whose ``quality`` is ``refused`` is shown, but not given to a model.

    Raises:
        InputRefused: no image can be had from the bytes. The message is one line without any content
            of the file.
    """
    check_bytes(data)
    if is_archive(data):
        decoder.check_archive(data)  # says what is wrong with it, if anything is
        raise InputRefused("Zip archive within a folder or an archive, or without images. Unpack it first.")
    kind = sniff(data)
    digest, pose = Digest(data, sha256), Pose(mirrored, quarter_turns % 4)
    if kind == "dicom":
        return read_dicom(data, digest, pose, voi_scale, decoder)
    return _of_raster(posed_raster(decoder.raster(data, kind), pose), kind, digest, pose)


def _of_raster(raster: Raster, kind: Kind, digest: Digest, pose: Pose) -> Radiograph:
    values = np.arange(1 << raster.bits, dtype=np.float32)
    if raster.bits == 8:
        voi = nominal_window(0, 255, "no VOI: full range of 8 bits")
    else:
        # 16-bit files often hold 10 to 12 bits: over the full range they would be near black
        voi = percentile_window(*np.percentile(raster.values, PERCENTILES))
    pixels = Pixels(raster.values, values, apply_window(values, voi), np.zeros(len(values), dtype=bool))
    return Radiograph(
        digest=digest,
        kind=kind,
        pixels=pixels,
        voi=voi,
        inverted=False,
        transforms=(*raster.transforms, voi.explanation),
        concerns=raster.warnings,
        pose=pose,
    )
