"""Boxes of ChestX-Det and RSNA, and masks of heart and lungs: which map each is compared with, and bad rows."""

import numpy as np
import pytest
from PIL import Image

from cxr_core.errors import PathUnusable
from cxr_core.evaluation.box_sources import BOX_SIDE, SOURCES
from cxr_core.evaluation.box_tables import OPACITY_LABELS, read_boxes, read_masks
from cxr_core.labels import LABELS
from cxr_core.metrics.box_geometry import box_coverage, union_area

CHESTX_DET = "image,split,finding,x1,y1,x2,y2\n"
RSNA = "image,rsna_class,target,boxes_xywh_1024,match_mse\n"


def write(tmp_path, text):
    (tmp_path / "boxes.csv").write_text(text)
    return tmp_path / "boxes.csv"


def test_chestx_det_rows_are_boxes_of_a_label_or_are_counted_as_left_out(tmp_path):
    rows = """a.png,test,Pleural Thickening,10,20,30.5,40
a.png,test,Pleural Thickening,0,0,5,5
a.png,test,Fracture,1,2,3,4
b.png,train,Diffuse Nodule,1,2,3,4
c.png,train,,,,,
d.png,train,Effusion,100,200,300,1024
"""
    table = read_boxes(write(tmp_path, CHESTX_DET + rows))
    assert table.source == "ChestX-Det"
    assert SOURCES[table.source].same_label
    assert set(table.by_image) == {"a.png", "d.png"}
    assert table.of("a.png")["Pleural_Thickening"].tolist() == [[10, 20, 30.5, 40], [0, 0, 5, 5]]
    assert table.left_out == {"Fracture": 1, "Diffuse Nodule": 1}
    # nih_320 has the same images as JPEG
    assert table.of("d.jpg")["Effusion"].tolist() == [[100, 200, 300, 1024]]
    assert table.of("c.png") == {}


def test_a_box_of_lung_opacity_is_compared_with_three_maps(tmp_path):
    rows = "a.png,Lung Opacity,1,218 317 270 511;606 281 259 315,0.1\nb.png,Normal,0,,0.2\n"
    table = read_boxes(write(tmp_path, RSNA + rows))
    assert table.source == "RSNA"
    assert not SOURCES[table.source].same_label
    assert set(table.by_image) == {"a.png"}
    assert set(table.of("a.png")) == set(OPACITY_LABELS) == {"Consolidation", "Infiltration", "Pneumonia"}
    for drawn in table.of("a.png").values():
        assert drawn.tolist() == [[218, 317, 218 + 270, 317 + 511], [606, 281, 606 + 259, 281 + 315]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CHESTX_DET + "a.png,test,Effusion,1,2,3,4\nb.png,test,Effusion,5,2,3,4\n", "row 3: a box has no area"),
        (CHESTX_DET + "a.png,test,Effusion,1,2,3,\n", "row 2: a box has no area or is not four numbers"),
        (CHESTX_DET + "a.png,test,,1,2,3,4\n", "row 2: the label '' is not one of"),
        (CHESTX_DET + "a.png,test,Tube,1,2,3,4\n", "row 2: the label 'Tube' is not one of"),
        (RSNA + "a.png,Lung Opacity,1,1 2 3,0\n", "row 2: a box is not four numbers"),
        (RSNA + "a.png,Lung Opacity,1,1 2 3 x,0\n", "row 2: a box has no area or is not four numbers"),
        (RSNA + "a.png,Lung Opacity,1,,0\n", "row 2: boxes are accepted where target is 1"),
        (RSNA + "a.png,Normal,0,1 2 3 4,0\n", "row 2: boxes are accepted where target is 1"),
    ],
)
def test_a_bad_row_is_named_in_one_line(text, message, tmp_path):
    with pytest.raises(PathUnusable, match=message) as refused:
        read_boxes(write(tmp_path, text))
    assert "\n" not in str(refused.value)
    assert "a.png" not in str(refused.value)


def write_masks(folder, stem, heart_width):
    """Write masks of 128 x 128: lungs from column 20 to 44 and 80 to 108, so 88 wide together, and a heart."""
    shapes = {"left_lung": (20, 44), "right_lung": (80, 108), "heart": (50, 50 + heart_width)}
    for part, (left, right) in shapes.items():
        (folder / part).mkdir(exist_ok=True)
        mask = np.zeros((128, 128), dtype=np.uint8)
        mask[60:100, left:right] = 255
        Image.fromarray(mask).save(folder / part / f"{stem}.png")


def test_hearts_wider_than_half_of_the_lungs_are_boxes_of_cardiomegaly(tmp_path):
    write_masks(tmp_path, "wide", 46)
    write_masks(tmp_path, "half", 44)
    table = read_masks(tmp_path, "heart", LABELS)
    assert list(table.by_image) == ["wide.png"]
    boxes = table.of("wide.jpg")["Cardiomegaly"]
    # 1,024 pixels over 128 of the mask
    assert union_area(boxes) == pytest.approx(46 * 40 * 8**2)
    assert (boxes[:, :2].min(axis=0) / 8).tolist() == [50, 60]
    assert (boxes[:, 2:].max(axis=0) / 8).tolist() == [96, 100]


def test_lungs_and_heart_are_filled_for_every_label(tmp_path):
    write_masks(tmp_path, "half", 44)
    table = read_masks(tmp_path, "chest", ["Mass", "Effusion"])
    assert set(table.of("half.png")) == {"Mass", "Effusion"}
    covered = box_coverage(table.of("half.png")["Mass"] / BOX_SIDE * 128, 128, 128)
    expected = np.zeros((128, 128))
    for left, right in ((20, 44), (80, 108), (50, 94)):
        expected[60:100, left:right] = 1
    np.testing.assert_allclose(covered, expected)


def test_missing_masks_are_named(tmp_path):
    with pytest.raises(PathUnusable, match="no folder heart"):
        read_masks(tmp_path, "heart")
    write_masks(tmp_path, "one", 40)
    (tmp_path / "left_lung" / "one.png").unlink()
    with pytest.raises(PathUnusable, match="a mask of left_lung is missing"):
        read_masks(tmp_path, "heart")
