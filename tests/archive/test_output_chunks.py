import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cxr_core.archive import OutputChunks
from cxr_core.errors import PathUnusable, WrongArguments
from cxr_core.labels import NOTICE

SCHEMA = pa.schema([("file", pa.string()), ("score", pa.float64())])
TABLES = {"findings": SCHEMA, "refused": SCHEMA}
PLAN = {"model": "a", "engine": "b"}


def rows(*files):
    return [{"file": file, "score": n / 10} for file in files for n in range(3)]


def opened(folder, **options):
    return OutputChunks(folder, TABLES, options.pop("plan", PLAN), images=2, **options)


def files(parts, table="findings"):
    return [row["file"] for row in parts.distinct(table, ["file"])]


def test_a_part_is_written_for_so_many_images_and_the_rest_at_the_end(tmp_path):
    with opened(tmp_path / "run") as parts:
        for name in "abc":
            parts.put("findings", rows(name))
        assert files(parts) == ["a", "b"]
        parts.put("refused", rows("d"))
        parts.put("findings", rows("e"))
    assert sorted(files(parts)) == ["a", "b", "c", "e"]
    assert files(parts, "refused") == ["d"]
    for path in (tmp_path / "run").glob("*/*.parquet"):
        metadata = pq.read_schema(path).metadata
        assert metadata[b"notice"].decode() == NOTICE
        assert b'"model": "a"' in metadata[b"plan"]
    assert pq.read_table(tmp_path / "run" / "findings").num_rows == 4 * 3


def test_going_on_adds_parts_and_half_a_part_is_none(tmp_path):
    with opened(tmp_path) as parts:
        parts.put("findings", rows("a"))
    half = tmp_path / "findings" / ".00001.parquet.writing"
    half.write_bytes(b"PAR1 half")
    with opened(tmp_path, resume=True) as parts:
        assert not half.exists()
        assert files(parts) == ["a"]
        parts.put("findings", rows("b"))
    assert sorted(path.name for path in (tmp_path / "findings").iterdir()) == ["00000.parquet", "00001.parquet"]
    assert parts.table("findings")["file"].unique().to_pylist() == ["a", "b"]


def test_images_that_are_done_when_a_run_is_stopped_are_kept(tmp_path):
    def stopped():
        with opened(tmp_path) as parts:
            parts.put("findings", rows("a"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    with opened(tmp_path, resume=True) as parts:
        assert files(parts) == ["a"]


def test_another_run_is_not_gone_on_with(tmp_path):
    with opened(tmp_path) as parts:
        parts.put("findings", rows("a"))
    with pytest.raises(WrongArguments, match="Continue with --resume"):
        opened(tmp_path)
    with pytest.raises(WrongArguments, match="is a different one: engine differ"):
        opened(tmp_path, resume=True, plan=PLAN | {"engine": "c"})
    # and neither has kept the folder from the right one
    with opened(tmp_path, resume=True):
        pass


def test_a_run_of_a_version_with_other_columns_is_refused_in_one_line(tmp_path):
    with opened(tmp_path) as parts:
        parts.put("findings", rows("a"))
    (path,) = (tmp_path / "findings").iterdir()
    # as an earlier version wrote it: without a column, and with another plan
    metadata = {b"plan": b'{"model": "a"}'}
    older = pq.read_table(path).drop_columns(["score"]).replace_schema_metadata(metadata)
    pq.write_table(older, path)
    with pytest.raises(WrongArguments, match=r"findings has other columns\. Start again") as refusal:
        opened(tmp_path, resume=True)
    assert "\n" not in str(refusal.value)
    pq.write_table(pq.read_table(path).append_column("score", pa.array([0.0] * 3)).cast(SCHEMA), path)
    with pytest.raises(PathUnusable, match="not of a run"):
        opened(tmp_path, resume=True)


def test_two_runs_do_not_write_in_one_folder(tmp_path):
    with opened(tmp_path), pytest.raises(PathUnusable, match="another run is writing there"):
        opened(tmp_path, resume=True)


def test_a_broken_part_is_named(tmp_path):
    with opened(tmp_path) as parts:
        parts.put("findings", rows("a"))
    with opened(tmp_path, resume=True) as parts:
        (tmp_path / "findings" / "00000.parquet").write_bytes(b"broken")
        with pytest.raises(PathUnusable, match=r"findings/00000.parquet cannot be read. Delete it"):
            files(parts)


def test_rows_are_dropped_from_the_parts_that_hold_them(tmp_path):
    with opened(tmp_path) as parts:
        for name in "abcd":
            parts.put("findings" if name < "d" else "refused", rows(name))
        parts.write()
        before = (tmp_path / "findings" / "00001.parquet").stat().st_mtime_ns
        parts.drop("file", {"b", "d"})
        assert files(parts) == ["a", "c"]
        assert files(parts, "refused") == []
        assert (tmp_path / "findings" / "00001.parquet").stat().st_mtime_ns == before


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PathUnusable, match="Folder run: cannot be written"):
        opened(tmp_path / "file" / "run")
