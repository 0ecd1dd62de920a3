import os
import shutil
import socket
import subprocess
import tempfile
import zipfile
from pathlib import Path

import pytest

from cxr_core.archive import collect, walk
from cxr_core.errors import InputRefused, PathUnusable
from cxr_core.imaging import phantom_dicom, phantom_png


def written(path: Path, data: bytes = b"image") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def why(file) -> str:
    with pytest.raises(InputRefused) as refused:
        file.read()
    return str(refused.value)


def test_a_folder_is_walked_in_the_order_of_its_paths_and_no_hidden_file_is_met(tmp_path):
    for name in ("b/2.png", "b/10.png", "b.png", "a/x/y.dcm", "a-b/z.dcm", "DICOMDIR", ".hidden/f.png", "c/.f.png"):
        written(tmp_path / name)
    (tmp_path / "linked").symlink_to(tmp_path / "b")
    (tmp_path / "link.png").symlink_to(tmp_path / "b.png")
    files = list(walk([tmp_path]))
    wanted = ["a/x/y.dcm", "a-b/z.dcm", "b/10.png", "b/2.png", "b.png", "link.png"]
    assert [file.place.as_posix() for file in files] == wanted
    assert [file.path for file in files] == sorted(tmp_path / name for name in wanted)
    assert collect([tmp_path]) == files


def test_nothing_is_read_before_it_is_asked_for(tmp_path):
    written(tmp_path / "a" / "image")
    files = walk([tmp_path, tmp_path / "gone"])
    assert next(files).place.as_posix() == "a/image"
    assert "No such file or folder" in why(next(files))


def unusable(folder: Path) -> dict[str, str]:
    """Make one of each thing that is no readable file, and return a word of its refusal by its name."""
    folder.mkdir()
    (folder / "dangling").symlink_to(folder / "nothing")
    (folder / "itself").symlink_to(folder / "itself")
    (folder / "one").symlink_to(folder / "two")
    (folder / "two").symlink_to(folder / "one")
    (folder / "elsewhere").symlink_to(folder.parent)
    (folder / "device").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        # the name of a socket is short
        before = os.getcwd()
        os.chdir(folder)
        server.bind("socket")
        os.chdir(before)
    return {
        "dangling": "No such file",
        "device": "link to a device",
        "itself": "circular link",
        "one": "circular link",
        "pipe": "a pipe",
        "socket": "a socket",
        "two": "circular link",
    }


def test_what_is_no_file_in_a_folder_is_refused_in_its_place_and_the_rest_is_read(tmp_path):
    wanted = unusable(tmp_path / "study")
    (tmp_path / "study" / "elsewhere").unlink()
    written(tmp_path / "study" / "image")
    (tmp_path / "study" / "outside").symlink_to("/usr")
    files = {file.place.name: file for file in walk([tmp_path / "study"])}
    assert list(files) == sorted([*wanted, "image", "outside"])
    assert files["image"].read() == b"image"
    for name, words in wanted.items():
        assert words in why(files[name]), name
    assert "link to a folder" in why(files["outside"])


def test_a_link_that_leads_back_to_the_folder_ends(tmp_path):
    written(tmp_path / "study" / "a" / "image")
    (tmp_path / "study" / "a" / "back").symlink_to(tmp_path / "study")
    (tmp_path / "study" / "up").symlink_to(tmp_path)
    assert [file.place.as_posix() for file in walk([tmp_path / "study"])] == ["a/image"]


def test_what_is_no_file_is_refused_where_it_is_named(tmp_path):
    wanted = unusable(tmp_path / "study")
    for name, words in (
        *wanted.items(),
        ("x" * 300, "not valid on this file system"),
        ("dangling/image", "No such file"),
    ):
        (file,) = collect([tmp_path / "study" / name])
        assert words in why(file), name
    assert "a device" in why(next(walk([Path("/dev/zero")])))


@pytest.fixture
def as_nobody():
    """A folder of files, looked at with the rights of somebody who has none."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    root = os.geteuid() == 0
    yield folder, (lambda: os.seteuid(65534) if root else None)
    if root:
        os.seteuid(0)
    for path in folder.iterdir():
        path.chmod(0o700)
    shutil.rmtree(folder)


def test_what_may_not_be_read_is_refused(as_nobody):
    folder, drop_rights = as_nobody
    closed = written(folder / "closed" / "image").parent
    closed.chmod(0)
    written(folder / "forbidden").chmod(0)
    written(folder / "z").chmod(0o644)
    drop_rights()
    files = list(walk([folder]))
    assert [file.place.as_posix() for file in files] == ["closed", "forbidden", "z"]
    assert why(files[0]) == "The folder cannot be opened. Check file permissions."
    assert why(files[1]) == "The file cannot be opened. Check file permissions."
    assert files[2].read() == b"image"
    assert "The folder cannot be opened" in why(next(walk([closed])))
    assert "The file cannot be opened" in why(next(walk([folder / "forbidden"])))


def test_a_folder_that_vanishes_or_fails_while_it_is_walked_costs_itself_only(tmp_path, monkeypatch):
    for name in ("a/1", "b/2", "c/3"):
        written(tmp_path / name)
    scandir = os.scandir

    def failing(path):
        if Path(str(path)).name == "b":
            raise OSError(5, "Input/output error: SECRET")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", failing)
    files = walk([tmp_path])
    assert next(files).place.as_posix() == "a/1"
    shutil.rmtree(tmp_path / "c")
    b, c = files
    assert why(b) == "The folder cannot be read: the disk or the network reports an error. Copy it and try again."
    assert "No such file or folder" in why(c)


def test_folders_are_nested_more_deeply_than_calls(tmp_path):
    here = os.open(tmp_path, os.O_RDONLY)
    depth = 1500
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    written(tmp_path / "e")
    *_, last = walk([tmp_path])
    assert last.place.as_posix() == "e"
    # rmtree calls itself for each
    subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)


def test_a_file_beyond_the_limit_is_not_read_into_memory(tmp_path):
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(10**12)
    (listed,) = walk([big])
    assert "1000000 MB: 200 MB are accepted" in why(listed)


def test_a_path_is_not_there_and_nothing_else_is_given(tmp_path):
    assert len(collect([tmp_path / "gone", tmp_path / "gone too"])) == 2
    (tmp_path / "empty").mkdir()
    with pytest.raises(PathUnusable, match="no file in the folders"):
        collect([tmp_path / "empty"])


def test_members_of_an_archive_are_unpacked_one_by_one_when_it_is_their_turn(tmp_path):
    image = phantom_dicom(64, 64)
    with zipfile.ZipFile(tmp_path / "study.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/IM1", image)
        archive.writestr("../IM2", phantom_png(64, 64))
        archive.writestr("DICOMDIR", b"x")
    files = collect([tmp_path / "study.zip"])
    assert [file.path for file in files] == [tmp_path / "study.zip" / name for name in ("IM1", "IM2")]
    assert files[0].read() == image
    assert files[1].read() == phantom_png(64, 64)
    (tmp_path / "study.zip").unlink()
    assert "cannot be opened" in why(files[0])
