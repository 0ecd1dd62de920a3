import io

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.fileset import FileSet

from cxr_core.archive import collect
from cxr_core.cli.main import main
from cxr_core.errors import InputRefused
from cxr_core.imaging import is_dicomdir, phantom_dicom
from cxr_core.imaging.zip_archive import listed_files


@pytest.fixture
def medium(tmp_path):
    """A medium with two images, its directory written by pydicom."""
    files = FileSet()
    for number in (1, 2):
        ds = pydicom.dcmread(io.BytesIO(phantom_dicom(256, 224)))
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"2.25.{number}"
        ds.PatientName, ds.StudyDate, ds.StudyTime, ds.StudyID = "QZSECRET", "20200101", "120000", "1"
        files.add(ds)
    files.write(tmp_path / "cd")
    files._stage["t"].cleanup()
    return tmp_path / "cd"


def test_a_dicomdir_lists_its_images_and_nothing_else(medium):
    directory = (medium / "DICOMDIR").read_bytes()
    assert is_dicomdir(directory[:1024])
    assert not is_dicomdir(phantom_dicom(64, 64)[:1024])
    result = collect([medium / "DICOMDIR"])
    assert [file.path for file in result] == [medium / place for place in listed_files(directory)]
    assert len(result) == 2
    assert all(file.path.is_file() for file in result)
    # a folder's files are found without it, and it is no image of the folder
    assert {file.path for file in collect([medium])} == {file.path for file in result}


def test_the_images_of_a_dicomdir_are_read(medium, capsys):
    assert main(["predict", str(medium / "DICOMDIR"), "--json"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2
    assert "QZSECRET" not in out + err


def test_a_path_outside_the_medium_is_refused(medium):
    ds = pydicom.dcmread(medium / "DICOMDIR")
    for record in ds.DirectoryRecordSequence:
        if record.DirectoryRecordType == "IMAGE":
            record.ReferencedFileID = ["..", "..", "PASSWD"]
    out = io.BytesIO()
    ds.save_as(out)
    with pytest.raises(InputRefused, match="outside its medium"):
        listed_files(out.getvalue())


def test_a_broken_dicomdir_is_refused():
    with pytest.raises(InputRefused, match="broken"):
        listed_files(b"\0" * 128 + b"DICM" + b"\xff" * 40)
    empty = io.BytesIO()
    Dataset().save_as(empty, implicit_vr=False, little_endian=True)
    with pytest.raises(InputRefused, match="broken"):
        listed_files(empty.getvalue())


def rename_all(medium, change):
    """Rename every file and folder of a medium except its directory, the deepest first."""
    for path in sorted(medium.rglob("*"), key=lambda path: -len(path.parts)):
        if path.name != "DICOMDIR":
            path.rename(path.with_name(change(path.name, path.is_file())))


@pytest.mark.parametrize(
    "change",
    [
        lambda name, is_file: name.lower(),
        lambda name, is_file: name + ".dcm" * is_file,
        lambda name, is_file: name + ".DCM" * is_file,
        lambda name, is_file: name + ";1" * is_file,
        lambda name, is_file: name + ".DCM;1" * is_file,
        lambda name, is_file: name.capitalize() + ";1" * is_file,
        lambda name, is_file: name.lower() + ".;1" * is_file,
        lambda name, is_file: name.lower() + ".dcm;1" * is_file,
        lambda name, is_file: name.lower() + ".dcm" * is_file,
    ],
)
def test_files_are_matched_in_other_spellings(medium, change):
    before = [file.read() for file in collect([medium / "DICOMDIR"])]
    rename_all(medium, change)
    files = collect([medium / "DICOMDIR"])
    assert [file.read() for file in files] == before
    assert all(file.path.is_file() for file in files)


def test_an_exact_name_takes_precedence_over_other_spellings(medium):
    first = collect([medium / "DICOMDIR"])[0].path
    first.with_name(first.name.lower()).write_bytes(b"another")
    first.with_name(first.name + ".dcm").write_bytes(b"another")
    assert collect([medium / "DICOMDIR"])[0].path == first


@pytest.mark.parametrize("name", ["dicomdir", "DICOMDIR;1", "Dicomdir.dcm"])
def test_a_dicomdir_in_any_spelling_is_no_image(medium, name):
    (medium / "DICOMDIR").rename(medium / name)
    assert len(collect([medium])) == 2
    assert len(collect([medium / name])) == 2


def test_a_listed_file_that_does_not_exist_is_missing(medium, capsys):
    first, second = collect([medium / "DICOMDIR"])
    first.path.unlink()
    missing, present = collect([medium / "DICOMDIR"])
    with pytest.raises(InputRefused, match=r"^The file is missing: the DICOMDIR lists it\. Copy the medium again\.$"):
        missing.read()
    assert present.read() == second.read()
    assert main(["predict", str(medium / "DICOMDIR"), "--json"]) == 3
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2
    assert "The file is missing: the DICOMDIR lists it." in err
