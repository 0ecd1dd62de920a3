from types import SimpleNamespace

from streamlit.proto.Common_pb2 import FileURLs
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import DeletedFile, UploadedFile, UploadedFileRec

from cxr_core.ui import uploads


def test_a_file_is_taken_over_once_and_streamlit_keeps_nothing_of_it(monkeypatch):
    kept = MemoryUploadedFileManager("/upload")
    record = UploadedFileRec("id", "film.png", "image/png", b"bytes")
    kept.add_file("tab", record)
    kept.add_file("other tab", record)
    context = SimpleNamespace(session_id="tab", uploaded_file_mgr=kept)
    monkeypatch.setattr(uploads, "get_script_run_ctx", lambda: context)
    assert uploads.taken_over([UploadedFile(record, FileURLs())]) == [("film.png", b"bytes")]
    assert kept.get_files("tab", ["id"]) == []
    assert kept.get_files("other tab", ["id"]) == [record]
    # as a run tells of it that was cut short by the reader
    assert uploads.taken_over([DeletedFile("id")]) == []
