"""A file under its final name is whole, whatever the disk does; what is no file is written to as it is."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cxr_core.files import cannot_write, whole_file, write_all, write_whole


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_and_nothing_stays_beside_it(tmp_path):
    write_whole(tmp_path / "out", b"new")
    assert (tmp_path / "out").read_bytes() == b"new"
    assert names(tmp_path) == ["out"]


def half_written(path, error):
    with whole_file(path) as file:
        file.write(b"half")
        raise error


def test_what_fails_half_way_leaves_what_was_there(tmp_path):
    (tmp_path / "out").write_bytes(b"old")
    for name, error in (("out", OSError(errno.ENOSPC, "full")), ("other", KeyboardInterrupt())):
        with pytest.raises(type(error)):
            half_written(tmp_path / name, error)
    assert (tmp_path / "out").read_bytes() == b"old"
    assert names(tmp_path) == ["out"]


def test_mode_and_link_stay_as_they_were(tmp_path):
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "real").chmod(0o640)
    (tmp_path / "link").symlink_to("real")
    write_whole(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "real").stat().st_mode) == 0o640


def test_a_new_file_follows_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "out", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o640


def test_a_name_as_long_as_a_name_may_be(tmp_path):
    write_whole(tmp_path / ("n" * 255), b"x")
    assert names(tmp_path) == ["n" * 255]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_device_is_written_to_and_stays_a_device():
    with pytest.raises(OSError, match="No space left"):
        write_whole(Path("/dev/full"), b"x")
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


LIMITED = """
import resource, sys
from pathlib import Path
from cxr_core.files import write_all
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_all({Path(sys.argv[1]) / "a": b"new", Path(sys.argv[1]) / "b": b"n" * 2000})
except OSError as error:
    print(error.errno)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of files' sizes there")
def test_of_files_that_belong_together_none_changes_where_one_has_no_room(tmp_path):
    write_all({tmp_path / "a": b"old", tmp_path / "b": b"old"})
    done = subprocess.run([sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) == errno.EFBIG
    assert names(tmp_path) == ["a", "b"]
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {b"old"}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EISDIR, errno.EPIPE, None])
def test_the_reason_is_one_line_without_a_path(number):
    error = OSError() if number is None else OSError(number, os.strerror(number), "/secret/name")
    line = str(cannot_write("Output x", error))
    assert line.startswith("Output x: cannot be written: ")
    assert "secret" not in line
    assert "\n" not in line
