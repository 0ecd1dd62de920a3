"""A short run of the broken files of ``make soak``."""

import logging

from cxr_core.errors import InputRefused
from cxr_core.imaging import read_radiograph
from tests.mutations import mutated, opened, seeds


def test_complete_files_are_read():
    whole = seeds()
    for name in whole:
        (whole[name],) = opened(whole[name])
    for name, data in whole.items():
        assert read_radiograph(data).rows == 48, name


def test_broken_files_are_read_or_refused_in_one_line(capfd, caplog):
    read, lines = 0, {}
    with caplog.at_level(logging.DEBUG):
        for what, data in mutated(600, seed=7):
            try:
                for content in opened(data):
                    read_radiograph(content).quality  # noqa: B018 - the gate looks when it is asked
                read += 1
            except InputRefused as refusal:
                lines[what] = str(refusal)
    assert 50 < read < 550
    assert not any("\n" in line for line in lines.values())
    # no decoder writes past Python, and nothing is logged
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.name.startswith("pydicom")] == []
