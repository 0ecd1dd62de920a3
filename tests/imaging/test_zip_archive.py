import io
import zipfile

import pytest

from cxr_core.errors import InputRefused
from cxr_core.imaging import is_archive, phantom_dicom, phantom_png, shared_decoder
from cxr_core.imaging.isolated_decoder import IsolatedDecoder
from cxr_core.settings import settings


def zipped(*files: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return out.getvalue()


def unpacked(data: bytes, most: int = 10**9) -> list[tuple[str, bytes]]:
    return shared_decoder().unpacked(data, most).files


STUDY = zipped(
    ("study/IM1", phantom_dicom(64, 64)),
    ("../../etc/IM2.png", phantom_png(64, 64)),
    ("DICOMDIR", b"x"),
    ("__MACOSX/._IM1", b"x"),
    (".hidden", b"x"),
)


def test_its_images_come_out_and_its_paths_lead_nowhere():
    assert is_archive(STUDY)
    assert [name for name, _ in unpacked(STUDY)] == ["study/IM1", "etc/IM2.png"]
    assert unpacked(STUDY)[0][1] == phantom_dicom(64, 64)


def test_a_bomb_is_refused():
    with pytest.raises(InputRefused, match="grows more than"):
        unpacked(zipped(("bomb", bytes(50_000_000))))


def test_too_many_files_are_refused(monkeypatch):
    monkeypatch.setenv("SECOND_READ_MAX_FILES", "2")
    settings.cache_clear()
    decoder = IsolatedDecoder(seconds=20, megabytes=400)
    try:
        with pytest.raises(InputRefused, match="3 files: 2 are accepted"):
            decoder.unpacked(zipped(("a", b"1"), ("b", b"2"), ("c", b"3")), most=100)
    finally:
        decoder.close()
        settings.cache_clear()


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.95])
def test_cut_it_is_one_line(share):
    with pytest.raises(InputRefused, match="broken"):
        unpacked(STUDY[: int(share * len(STUDY))])
