"""Rules of a file, and those that hold without one."""

from dataclasses import replace
from typing import get_args

import pytest

from cxr_core.errors import ModelUnusable, WrongArguments
from cxr_core.model.folder import card_of
from cxr_core.pacs.addresses import DimseAddress, WebAddress
from cxr_core.pacs.rules import Kind, load_rules
from cxr_core.report.dicom.objects import KINDS
from cxr_core.settings import settings
from cxr_core.store.pacs_records import InstanceHeader

CR, DX, RAW, SC = (f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("1", "1.1", "1.1.1", "7"))
IMAGE = InstanceHeader("1.1", "1.2", "1.3", CR, "1.2.840.10008.1.2.1", "CR", "CHEST", "ROOM 1")
ARCHIVE = '[destinations.archive]\naddress = "ARCHIVE@127.0.0.1:104"\n'
RULE = "[[rules]]\n"


@pytest.fixture
def rules(own_folders, tmp_path):
    """The rules of a file with this text, or of the settings given."""

    def load(text=None, **given):
        if text is not None:
            (tmp_path / "rules.toml").write_text(text)
            given["pacs_rules"] = tmp_path / "rules.toml"
        for name, value in given.items():
            own_folders.setenv(f"SECOND_READ_{name.upper()}", str(value))
        settings.cache_clear()
        return load_rules()

    return load


def test_every_kind_of_result_can_be_named():
    assert set(get_args(Kind)) == set(KINDS)


def test_without_a_file_radiographs_are_read_and_results_go_to_the_pacs(rules):
    loaded = rules(pacs="https://pacs/dicom-web", pacs_credentials="a:b")
    (destination,) = loaded.destinations.values()
    assert (destination.address, destination.credentials) == (WebAddress("https://pacs/dicom-web"), "a:b")
    assert "a:b" not in repr(loaded)
    rule = loaded.matching(IMAGE, "stow")
    (delivery,) = rule.results
    assert (delivery.to, delivery.kinds, delivery.only) == (destination.name, ("sr", "sc"), "all")
    order = rule.order()
    assert order.model_id == "second-read-mini"
    assert card_of(order.weights_sha256).id == order.model_id
    assert loaded.matching(replace(IMAGE, sop_class=DX, modality="DX"), "stow")
    for other in ({"sop_class": RAW, "modality": "DX"}, {"modality": "CT"}, {"sop_class": "1.2"}, {"modality": ""}):
        assert loaded.matching(replace(IMAGE, **other), "stow") is None


def test_without_any_setting_one_line_says_what_to_set(rules):
    with pytest.raises(WrongArguments, match="SECOND_READ_PACS_RULES"):
        rules()


def test_the_first_rule_that_matches_holds(rules):
    loaded = rules(
        ARCHIVE
        + """
[destinations.viewer]
address = "https://viewer/dicom-web"
read_back = "off"

[[rules]]
calling_ae = "ROOM1"
station = ["room 1", "room 2"]
body_part = ["chest", ""]
operating_point = "youden"
prevalence = 0.1
results = [{to = "archive", kinds = ["sr", "pdf"]}, {to = "viewer", kinds = ["sc"], only = "flagged"}]

[[rules]]
modality = ["CR", "OT"]
"""
    )
    first, second = loaded.rules
    assert loaded.destinations["archive"].address == DimseAddress("ARCHIVE", "127.0.0.1", 104)
    assert loaded.matching(IMAGE, "AE ROOM1") is first
    assert loaded.matching(replace(IMAGE, body_part="", station_name="ROOM 2"), "AE room1") is first
    for image, source in (
        (IMAGE, "AE ROOM2"),
        (IMAGE, "stow"),
        (IMAGE, "fetch ROOM1"),
        (replace(IMAGE, station_name=""), "AE ROOM1"),
        (replace(IMAGE, body_part="HAND"), "AE ROOM1"),
        (replace(IMAGE, modality="OT", sop_class=SC), "AE ROOM1"),
    ):
        assert loaded.matching(image, source) is second
    assert loaded.matching(replace(IMAGE, modality="DX", sop_class=DX), "AE ROOM2") is None
    assert second.results == ()


def test_an_order_is_the_same_for_the_same_rule_and_another_for_another(rules):
    def order(more=""):
        (rule,) = rules(ARCHIVE + RULE + 'modality = "CR"\n' + more).rules
        return rule.order()

    same = order()
    assert order('station = "ROOM 1"\n') == same
    others = [
        order("prevalence = 0.1\n"),
        order("small_changes = true\n"),
        order('results = [{to = "archive"}]\n'),
        order('results = [{to = "archive", only = "flagged"}]\n'),
    ]
    assert len({one.content for one in [same, *others]}) == 1 + len(others)
    youden = order('operating_point = "youden"\n')
    assert (youden.content, youden.operating_point) == (same.content, "youden")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rules = 1", "rules"),
        ("[[rules", "no TOML"),
        (ARCHIVE, "rules"),
        (RULE + "planets = 1", "planets"),
        (RULE + 'results = [{to = "nowhere"}]', "nowhere"),
        (ARCHIVE + RULE + 'results = [{to = "archive", kinds = ["mp4"]}]', "kinds"),
        (ARCHIVE + RULE + 'results = [{to = "archive", kinds = []}]', "kinds"),
        (RULE + 'operating_point = "best"', "best"),
        (ARCHIVE + 'read_back = "perhaps"\n' + RULE, "read_back"),
        (ARCHIVE + 'credentials_file = "/nowhere"\n' + RULE, "credentials"),
        ('[destinations.web]\naddress = "https://a/"\nread_back = "find"\n' + RULE, "find"),
        ('[destinations.web]\naddress = "nowhere"\n' + RULE, "address"),
    ],
)
def test_a_file_that_cannot_be_used_says_where(rules, text, says):
    with pytest.raises(WrongArguments, match=says):
        rules(text)


def test_a_model_that_is_not_there_and_a_file_that_is_not_there(rules, tmp_path):
    with pytest.raises(ModelUnusable, match="nobody"):
        rules(RULE + 'model = "nobody"')
    with pytest.raises(WrongArguments, match="cannot be read"):
        rules(pacs_rules=tmp_path / "none.toml")


def test_credentials_of_a_destination_are_in_a_file(rules, tmp_path):
    (tmp_path / "secret").write_text("user:planted\n")
    web = f'[destinations.web]\naddress = "https://a/"\ncredentials_file = "{tmp_path}/secret"\n'
    loaded = rules(web + RULE)
    assert loaded.destinations["web"].credentials == "user:planted"
    assert "planted" not in repr(loaded)
    with pytest.raises(WrongArguments, match="DIMSE has none"):
        rules(web.replace("https://a/", "A@a:104") + RULE)
