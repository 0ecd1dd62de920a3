import sys
import types

import pytest

from cxr_core.archive.workers import Lost, Workers, WorkersUnusable
from tests.jobs import Unloadable, doubled


@pytest.fixture
def workers(monkeypatch):
    """Two processes that double."""
    # a page that was tested in this process before is its main module still, and a new process would run it
    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))
    workers = Workers(doubled, 2, seconds=4)
    yield workers
    workers.close()


def test_whatever_dies_each_item_is_answered_once(workers, tmp_path, capfd):
    odd = {7: {"dies": True}, 11: {"dies once": str(tmp_path / "died")}, 13: {"hangs": True}, 17: {"fails": True}}
    items = [(f"key {n}", {"number": n} | odd.get(n, {})) for n in range(40)]
    found = list(workers.map(items))
    assert sorted(key for key, _ in found) == sorted(key for key, _ in items)
    answers = dict(found)
    assert (tmp_path / "died").exists()
    for number in range(40):
        answer = answers[f"key {number}"]
        assert isinstance(answer, Lost) if number in (7, 13, 17) else answer == 2 * number
    assert capfd.readouterr() == ("", "")


def test_items_are_taken_as_they_are_needed(workers):
    taken = []

    def items():
        for number in range(1000):
            taken.append(number)
            yield number, {"number": number}

    results = workers.map(items())
    for done in range(1, 4):
        next(results)
        # what each of two processes holds, and no more
        assert len(taken) <= done + 2 * 2
    results.close()


def test_processes_that_cannot_start_are_one_line():
    workers = Workers(Unloadable(), 2, seconds=60)
    with pytest.raises(WorkersUnusable, match="die before they are ready"):
        list(workers.map([(1, 1)]))
    workers.close()
