import pytest

from cxr_core.archive import collect, walk
from cxr_core.errors import PathUnusable


def test_a_folder_is_walked_in_the_order_of_its_paths_and_no_hidden_file_is_met(tmp_path):
    for name in ("b/2.png", "b/10.png", "b.png", "a/x/y.dcm", "a-b/z.dcm", "DICOMDIR", ".hidden/f.png", "c/.f.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"film")
    (tmp_path / "linked").symlink_to(tmp_path / "b")
    (tmp_path / "link.png").symlink_to(tmp_path / "b.png")
    (tmp_path / "nowhere.png").symlink_to(tmp_path / "gone.png")
    found = list(walk([tmp_path]))
    wanted = ["a/x/y.dcm", "a-b/z.dcm", "b/10.png", "b/2.png", "b.png", "link.png"]
    assert [file.place.as_posix() for file in found] == wanted
    assert [file.path for file in found] == sorted(tmp_path / name for name in wanted)
    assert collect([tmp_path]) == found


def test_nothing_is_read_before_it_is_asked_for(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "film").write_bytes(b"film")
    files = walk([tmp_path, tmp_path / "gone"])
    assert next(files).place.as_posix() == "a/film"
    with pytest.raises(PathUnusable, match="no such file or folder"):
        next(files)
