"""The list of checks, and those that make the app unready: model, database, folders and queue, broken on purpose."""

import os
import re
import shutil
import subprocess
import sys
import threading

import pytest
from sqlalchemy import text

from cxr_core.cli.doctor import MADE
from cxr_core.errors import CxrError, ModelUnusable
from cxr_core.model import folder as model_folder
from cxr_core.model.folder import find_model
from cxr_core.operations import data_checks, model_verification
from cxr_core.operations.checks import CHECKS, SUMMARIES, findings_at_start, readiness_checks
from cxr_core.operations.data_checks import (
    check_database,
    check_folders,
    check_queue,
    check_serving_model,
    stuck_seconds,
)
from cxr_core.operations.doctor import diagnose
from cxr_core.operations.model_verification import VERIFIED_SECONDS, ModelVerification
from cxr_core.reading_queue import FairQueue
from cxr_core.settings import settings
from cxr_core.store import RunStore
from cxr_core.store.backup_members import database_url
from cxr_core.store.database import open_database, sqlite_file


@pytest.fixture
def model(own_folders, tmp_path):
    """The folder of a copy of the embedded model, which serves."""
    copy = tmp_path / "home" / "models" / "served"
    shutil.copytree(find_model("second-read-mini"), copy)
    own_folders.setenv("SECOND_READ_MODEL", "served")
    settings.cache_clear()
    return copy


def failures(check) -> str:
    """Return the lines of a check that say what has failed."""
    return "\n".join(f"{one.text} {one.action}" for _, one in diagnose({"area": check}) if one.state == "failed")


def test_every_check_is_made_by_somebody_and_once_in_the_list():
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)
    assert len({check.make for check in CHECKS}) == len(names)
    assert all(check.area or check.summary for check in CHECKS)
    assert {check.name for check in MADE} == {*names, "sign-in"} - {"queue"}


def test_what_is_ready_is_said_without_a_path():
    assert list(readiness_checks()) == list(SUMMARIES)
    assert set(SUMMARIES) == {"model", "store", "folders", "queue"}
    assert not any("/" in summary for summary in SUMMARIES.values())


def test_a_check_that_has_failed_raises_with_what_to_do_and_a_warning_does_not(own_folders, tmp_path):
    for check in readiness_checks().values():
        check()
    RunStore().close()
    engine = open_database(database_url())
    with engine.begin() as connection:
        # of an earlier version: it is brought up to date when it is next opened
        connection.execute(text("DELETE FROM migrations WHERE name = 'removals'"))
    engine.dispose()
    readiness_checks()["store"]()
    (tmp_path / "home").write_text("")
    with pytest.raises(CxrError, match=r"SECOND_READ_HOME: is not a folder\. Name a folder\."):
        readiness_checks()["folders"]()


def test_a_process_says_at_its_start_what_is_wrong_and_nothing_where_all_is_well(own_folders, tmp_path, monkeypatch):
    monkeypatch.setattr(data_checks, "free_bytes", lambda folder: 10**10)
    assert findings_at_start() == []
    own_folders.setenv("SECOND_READ_PACS_SENDER", "QZPLANTEDTITLE")
    monkeypatch.setattr(data_checks, "free_bytes", lambda folder: 10**9)
    (tmp_path / "home").write_text("")
    lines = findings_at_start()
    assert lines[0].startswith("SECOND_READ_PACS_SENDER, in the environment, is no setting")
    assert lines[-3:] == [
        "SECOND_READ_HOME: is not a folder. Name a folder.",
        "SECOND_READ_HOME: 1.0 GB free. Free disk space.",
        "SECOND_READ_RUNS: 1.0 GB free. Free disk space.",
    ]
    assert not any("QZPLANTEDTITLE" in line for line in lines)


def test_a_model_that_does_not_exist_is_found(own_folders):
    own_folders.setenv("SECOND_READ_MODEL", "no-such-model")
    settings.cache_clear()
    assert "no-such-model" in failures(check_serving_model)


def test_a_changed_model_is_found_after_it_was_verified_and_again_once_it_is_restored(model):
    check = ModelVerification()
    check()
    graph = model / "openvino" / "model.bin"
    data = graph.read_bytes()
    graph.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    for _ in range(2):
        with pytest.raises(ModelUnusable, match=r"model\.bin was changed"):
            check()
    graph.write_bytes(data)
    check()
    graph.unlink()
    with pytest.raises(ModelUnusable, match=r"model\.bin is missing"):
        check()


def test_files_are_hashed_once_and_again_when_the_time_has_passed(model, monkeypatch):
    hashed, now = [], [0.0]
    digest = model_folder.file_sha256
    monkeypatch.setattr(model_folder, "file_sha256", lambda path: hashed.append(path) or digest(path))
    check = ModelVerification(lambda: now[0])
    check()
    once = len(hashed)
    assert once >= 4
    check()
    assert len(hashed) == once
    # the same bytes with another time are hashed: whether they are the same is not known before
    os.utime(model / "card.json")
    check()
    assert len(hashed) == 2 * once
    now[0] = VERIFIED_SECONDS
    check()
    assert len(hashed) == 3 * once


def test_a_database_that_is_not_there_yet_is_not_made(own_folders, tmp_path):
    assert not failures(check_database)
    assert not (tmp_path / "runs").exists()


def test_a_database_of_a_later_version_is_refused(own_folders):
    RunStore().close()
    assert not failures(check_database)
    engine = open_database(database_url())
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO migrations (name) VALUES ('of_tomorrow')"))
    engine.dispose()
    assert re.search(r"newer than this program.*of_tomorrow", failures(check_database))


def test_a_damaged_and_an_unreachable_database_are_found(own_folders, tmp_path):
    RunStore().close()
    sqlite_file(database_url()).write_bytes(b"no database" * 1000)
    assert "damaged" in failures(check_database)
    own_folders.setenv("SECOND_READ_DATABASE_URL", f"sqlite:///{tmp_path / 'none' / 'x.sqlite'}")
    settings.cache_clear()
    # its folder is missing: whatever needs it will say so
    assert not failures(check_database)
    own_folders.setenv("SECOND_READ_DATABASE_URL", "postgresql://reader:secret@127.0.0.1:1/none")
    settings.cache_clear()
    assert failures(check_database)
    assert "secret" not in failures(check_database)


_WITHOUT_RIGHTS = """
from cxr_core.operations.data_checks import check_database

for result in check_database():
    print(result.state, result.text, result.action, sep="; ")
"""


def test_a_database_that_can_be_read_and_not_written_is_found(own_folders):
    """As after a restore by another user: everything is listed, and no reading can be stored."""
    RunStore().close()
    file = sqlite_file(database_url())
    assert not failures(check_database)
    file.chmod(0o444)
    # root may write to any file: these are the rights by which it does
    rights = "-dac_override,-dac_read_search,-fowner"
    ordinary = ["setpriv", f"--inh-caps={rights}", f"--bounding-set={rights}"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*ordinary, sys.executable, "-c", _WITHOUT_RIGHTS], capture_output=True, text=True, check=True
    )
    assert re.match(r"failed; .*cannot be written", done.stdout)


def test_a_home_that_is_a_file_is_found(own_folders, tmp_path):
    assert not failures(check_folders)
    (tmp_path / "home").write_text("")
    assert failures(check_folders).startswith("SECOND_READ_HOME")


def test_a_queue_that_does_not_move_is_found_and_one_that_moves_is_not():
    now, gate, begun = [0.0], threading.Event(), threading.Event()
    queue = FairQueue(10, at_once=1, clock=lambda: now[0])

    def hold():
        begun.set()
        assert gate.wait(60)

    first = queue.ask("a", hold)
    assert begun.wait(60)
    now[0] = 10 * stuck_seconds()
    # nothing waits: a single job may take as long as its decoder lets it
    assert not failures(lambda: check_queue(queue))
    second = queue.ask("b", lambda: None)
    now[0] += stuck_seconds()
    assert not failures(lambda: check_queue(queue))
    now[0] += 1
    state = queue.state()
    assert (state.waiting, state.at_work, state.background) == (1, 1, 0)
    assert state.oldest_seconds == state.still_seconds == stuck_seconds() + 1
    assert failures(lambda: check_queue(queue)).startswith("1 images wait")
    gate.set()
    first.result()
    second.result()
    assert not failures(lambda: check_queue(queue))
    assert queue.state().waiting == 0


def test_a_queue_with_long_waits_that_moves_is_not_stuck():
    now = [0.0]
    gates = [threading.Event() for _ in range(3)]
    begun = [threading.Event() for _ in range(3)]
    queue = FairQueue(10, at_once=1, clock=lambda: now[0])

    def hold(number):
        begun[number].set()
        assert gates[number].wait(60)

    jobs = [queue.ask("a", lambda n=n: hold(n)) for n in range(3)]
    try:
        for number in range(3):
            assert begun[number].wait(60)
            now[0] += stuck_seconds()
            assert not failures(lambda: check_queue(queue))
            gates[number].set()
            jobs[number].result()
    finally:
        for gate in gates:
            gate.set()
    assert now[0] > 2 * stuck_seconds()


def test_the_model_is_the_one_of_the_settings_at_the_time_of_the_check(model, own_folders):
    check = model_verification.model_verification()
    check()
    own_folders.setenv("SECOND_READ_MODEL", "no-such-model")
    settings.cache_clear()
    with pytest.raises(ModelUnusable):
        check()
