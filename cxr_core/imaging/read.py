"""Bytes to a radiograph: the one door for files."""

from __future__ import annotations

import numpy as np

from ..errors import InputRefused
from .archive import is_archive
from .decoder import ISOLATED, Decoder
from .dicom import read_dicom
from .digest import Digest
from .display import PERCENTILES, apply_window, nominal_window, percentile_window
from .limits import check_bytes
from .pixels import Pixels
from .radiograph import Kind, Radiograph
from .raster import Raster, turned_raster
from .sniff import sniff

__all__ = ["read_radiograph"]


def read_radiograph(
    data: bytes, *, quarter_turns: int = 0, sha256: str | None = None, decoder: Decoder = ISOLATED
) -> Radiograph:
    """Read one film.

    Args:
        data: content of a DICOM, PNG, JPEG or TIFF file, told apart by content.
        quarter_turns: by how many quarters the reader turns it clockwise, to bring it upright. A mirror
            image is never made.
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
    digest = Digest(data, sha256)
    if kind == "dicom":
        return read_dicom(data, digest, quarter_turns % 4, decoder)
    return _of_raster(turned_raster(decoder.raster(data, kind), quarter_turns % 4), kind, digest)


def _of_raster(raster: Raster, kind: Kind, digest: Digest) -> Radiograph:
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
    )
