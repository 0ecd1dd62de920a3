"""What stands under a label's map: no better than the image centre, too few boxes, none; nothing where it is better."""

import shutil
from dataclasses import replace

import pytest

from cxr_core.errors import ModelUnusable
from cxr_core.estimate import Estimate
from cxr_core.model import open_model
from cxr_core.model.folder import keep_card
from cxr_core.model.localisation import (
    CENTRE,
    CHEST,
    BaselineResult,
    LabelLocalisation,
    LocalisationTable,
    MapMeasure,
    describe_map,
    describe_maps,
    table_of_label,
)


def measure(value, centre, low, high, p):
    difference = Estimate(value - centre, low, high)
    return MapMeasure(Estimate(value, 0.0, 1.0), {CENTRE: BaselineResult(Estimate(centre, 0.0, 1.0), difference, p)})


def row(images, value=0.5, centre=0.25, low=0.1, high=0.4, p=0.01):
    hits = measure(value, centre, low, high, p)
    return LabelLocalisation(images, images - 2, images + 5, 0, hits, hits)


def too_few(images):
    missing = Estimate.missing(f"too few cases ({images} patients)")
    measured = MapMeasure(missing, {CENTRE: BaselineResult(missing, missing)})
    return LabelLocalisation(images, images, images, 0, measured, measured)


def table(per_label, source="ChestX-Det", same_label=True, weights="0" * 64):
    return LocalisationTable(
        weights, source, "boxes", same_label, "images", ("made up",), "", "", 100, 90, "95 %", per_label
    )


def test_a_map_that_is_no_better_than_the_centre_says_so_with_the_count():
    tables = (table({"Mass": row(35, 0.2286, 0.2514, -0.1, 0.06), "Effusion": row(40), "Nodule": too_few(3)}),)
    assert describe_map(tables, "Mass") == (
        "On 35 boxed images this map was no better than the image centre: hit rate 23% (0% to 100%), centre 25% (0% to "
        "100%)."
    )
    assert describe_map(tables, "Effusion") == ""
    assert describe_map(tables, "Nodule") == (
        "Too few cases to tell whether this map points to the finding: boxes in images of 3 patients."
    )
    assert "was not measured" in describe_map(tables, "Hernia")
    assert describe_map((), "Mass") == describe_maps((), ["Mass"]) == ""
    assert describe_maps(tables, ["Effusion"]) == ""
    assert describe_maps(tables, ["Effusion", "Mass", "Hernia"]).endswith("boxed images: Mass (35), Hernia (0).")


@pytest.mark.parametrize(("low", "says"), [(0.001, False), (0.0, True), (-0.001, True)])
def test_the_interval_of_the_difference_decides(low, says):
    assert bool(describe_map((table({"Mass": row(40, low=low)}),), "Mass")) is says


@pytest.mark.parametrize(("p", "says"), [(0.049, False), (0.05, True), (None, False)])
def test_the_adjusted_test_must_show_it_too(p, says):
    text = describe_map((table({"Mass": row(13, p=p)}),), "Mass")
    assert ("not shown to be better than the image centre" in text) is says
    assert bool(text) is says


def test_too_few_boxes_of_the_label_give_way_to_enough_of_any_opacity():
    own = table({"Infiltration": too_few(1)}, "NIH layout")
    rsna = table({"Infiltration": row(242)}, "RSNA", same_label=False)
    assert describe_map((own, rsna), "Infiltration") == ""
    assert describe_map((own,), "Infiltration").endswith("boxes in images of 1 patient.")


def test_without_spread_the_difference_itself_decides():
    for value, says in ((0.0, True), (1.0, False)):
        assert bool(describe_map((table({"Mass": row(57, value, 0.0, None, None)}),), "Mass")) is says


def test_boxes_of_the_label_come_first_then_the_source_with_the_most_images():
    chestx, nih = table({"Mass": row(13)}), table({"Mass": row(15)}, "NIH layout")
    rsna = table({"Mass": row(200), "Infiltration": row(242, low=-0.1)}, "RSNA", same_label=False)
    chest = table({"Mass": row(247), "Hernia": row(247)}, CHEST, same_label=False)
    tables = (rsna, chest, chestx, nih)
    assert table_of_label(tables, "Mass")[0] is nih
    assert describe_map(tables, "Infiltration").startswith("On 242 images with boxes of lung opacity this map was")
    # that a map lies in the chest does not say that it points to the finding
    assert table_of_label(tables, "Hernia") is None


def test_a_section_of_other_weights_is_refused(tmp_path):
    copy = shutil.copytree(open_model("second-read-mini").path, tmp_path / "copy")
    folder = open_model(str(copy))
    same = table({"Mass": row(40)}, weights=folder.card.weights_sha256)
    keep_card(folder, replace(folder.card, localisation=(same,)))
    assert open_model(str(copy)).card.localisation == (same,)
    keep_card(folder, replace(folder.card, localisation=(same, replace(same, weights_sha256="f" * 64))))
    with pytest.raises(ModelUnusable, match="the localisation of the card was made with other weights"):
        open_model(str(copy))
