"""Whether a folder can be written, and what the check leaves behind: nothing."""

import errno
import sys
import tempfile
from pathlib import Path

import pytest

from cxr_core.errors import PathUnusable
from cxr_core.operations.folders import check_writable, free_bytes, nearest_existing


def test_a_folder_that_can_be_written_is_left_as_it_was(tmp_path):
    check_writable(tmp_path, "SECOND_READ_HOME")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_missing_is_not_made(tmp_path):
    check_writable(tmp_path / "a" / "b", "SECOND_READ_HOME")
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_a_folder_is_named_by_its_setting(tmp_path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(PathUnusable, match=r"^SECOND_READ_HOME: is not a folder"):
            check_writable(place, "SECOND_READ_HOME")


@pytest.mark.skipif(sys.platform != "linux", reason="a folder that nobody can write to")
def test_a_folder_without_permission_is_found_even_by_root():
    with pytest.raises(PathUnusable, match=r"^HOME: cannot be written: ") as error:
        check_writable(Path("/proc/self/task"), "HOME")
    assert "/proc" not in str(error.value)


def test_a_full_disk_is_found_by_what_is_written(tmp_path, monkeypatch):
    class Full:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def write(self, data):
            assert data
            raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path))

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: Full())
    with pytest.raises(PathUnusable, match="no space is left on the device") as error:
        check_writable(tmp_path, "HOME")
    assert str(tmp_path) not in str(error.value)


def test_the_space_of_a_missing_folder_is_that_of_the_one_above(tmp_path):
    assert nearest_existing(tmp_path / "a" / "b") == tmp_path
    assert free_bytes(tmp_path / "a" / "b") > 0
