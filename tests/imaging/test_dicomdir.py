import io

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.fileset import FileSet

from cxr_core.archive import collect
from cxr_core.cli.main import main
from cxr_core.errors import InputRefused
from cxr_core.imaging import is_directory, phantom_dicom
from cxr_core.imaging.dicomdir import listed_files


@pytest.fixture
def medium(tmp_path):
    """A medium with two films, its directory written by pydicom."""
    files = FileSet()
    for number in (1, 2):
        ds = pydicom.dcmread(io.BytesIO(phantom_dicom(256, 224)))
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"2.25.{number}"
        ds.PatientName, ds.StudyDate, ds.StudyTime, ds.StudyID = "QZSECRET", "20200101", "120000", "1"
        files.add(ds)
    files.write(tmp_path / "cd")
    files._stage["t"].cleanup()
    return tmp_path / "cd"


def test_it_leads_to_its_images_and_to_nothing_else(medium):
    directory = (medium / "DICOMDIR").read_bytes()
    assert is_directory(directory[:1024])
    assert not is_directory(phantom_dicom(64, 64)[:1024])
    found = collect([medium / "DICOMDIR"])
    assert [file.path for file in found] == [medium / place for place in listed_files(directory)]
    assert len(found) == 2
    assert all(file.path.is_file() for file in found)
    # a folder's files are found without it, and it is no film of the folder
    assert {file.path for file in collect([medium])} == {file.path for file in found}


def test_its_films_are_read(medium, capsys):
    assert main(["predict", str(medium / "DICOMDIR"), "--json"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2
    assert "QZSECRET" not in out + err


def test_a_place_outside_the_medium_is_refused(medium):
    ds = pydicom.dcmread(medium / "DICOMDIR")
    for record in ds.DirectoryRecordSequence:
        if record.DirectoryRecordType == "IMAGE":
            record.ReferencedFileID = ["..", "..", "PASSWD"]
    out = io.BytesIO()
    ds.save_as(out)
    with pytest.raises(InputRefused, match="outside its medium"):
        listed_files(out.getvalue())


def test_a_broken_one_is_refused():
    with pytest.raises(InputRefused, match="broken"):
        listed_files(b"\0" * 128 + b"DICM" + b"\xff" * 40)
    empty = io.BytesIO()
    Dataset().save_as(empty, implicit_vr=False, little_endian=True)
    with pytest.raises(InputRefused, match="broken"):
        listed_files(empty.getvalue())


def renamed(medium, change):
    """Rename every file and folder of a medium but its directory, the deepest first."""
    for path in sorted(medium.rglob("*"), key=lambda path: -len(path.parts)):
        if path.name != "DICOMDIR":
            path.rename(path.with_name(change(path)))


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.name.lower(),
        lambda path: path.name.lower() + (".dcm" if path.is_file() else ""),
        lambda path: path.name + (".DCM;1" if path.is_file() else ""),
        lambda path: path.name.capitalize() + (";1" if path.is_file() else ""),
    ],
)
def test_files_are_found_however_a_copy_spells_them(medium, change):
    renamed(medium, change)
    found = collect([medium / "DICOMDIR"])
    assert len(found) == 2
    assert all(is_image(file) for file in found)


def is_image(file) -> bool:
    return file.path.is_file() and file.read()[128:132] == b"DICM"


@pytest.mark.parametrize("name", ["dicomdir", "DICOMDIR;1", "Dicomdir.dcm"])
def test_a_directory_is_no_film_however_it_is_spelt(medium, name):
    (medium / "DICOMDIR").rename(medium / name)
    assert len(collect([medium])) == 2
    assert len(collect([medium / name])) == 2


def test_a_file_that_is_listed_and_not_there_is_called_missing(medium, capsys):
    first = collect([medium / "DICOMDIR"])[0]
    first.path.unlink()
    assert main(["predict", str(medium / "DICOMDIR"), "--json"]) == 3
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2
    assert "The file is missing: it is listed, and not there." in err
    assert "rights" not in err
