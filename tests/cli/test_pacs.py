"""Commands of the DICOM network."""

import pytest

from cxr_core.cli.main import main
from cxr_core.settings import settings
from tests.application_entities import application_entity


def test_echo_asks_the_address_and_else_the_pacs_that_is_set(own_folders, capsys):
    with application_entity() as address:
        assert main(["pacs", "echo", str(address)]) == 0
        assert capsys.readouterr().out == f"{address} answers.\n"
        assert main(["pacs", "echo"]) == 2
        assert "No PACS is set" in capsys.readouterr().err
        own_folders.setenv("SECOND_READ_PACS", str(address))
        settings.cache_clear()
        assert main(["pacs", "echo"]) == 0
    assert main(["pacs", "echo"]) == 4
    error = capsys.readouterr().err
    assert error.startswith("Error: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("title", ["", "seventeen letters", "back\\slash", " space", "space ", "tab\t", "ä"])
def test_a_title_of_ours_that_is_none_is_refused(own_folders, title, capsys):
    own_folders.setenv("SECOND_READ_PACS_AE_TITLE", title)
    settings.cache_clear()
    assert main(["pacs", "echo", "ARCHIVE@127.0.0.1:104"]) == 2
    assert "SECOND_READ_PACS_AE_TITLE" in capsys.readouterr().err
