import gzip

import numpy as np
import pytest

from cxr_core.datasets.columns import parse_columns
from cxr_core.datasets.table import GIVEN, ImageTable, read_reference, read_table
from cxr_core.errors import PathUnusable, WrongArguments
from cxr_core.imaging import phantom_dicom, phantom_png
from cxr_core.labels import LABELS

EACH = ",".join(f"{label}=-" for label in LABELS if label not in ("Effusion", "Mass"))


def write(folder, text):
    (folder / "table.csv").write_text(text)
    return folder / "table.csv"


def test_labels_in_words_with_a_map(tmp_path):
    table = write(
        tmp_path,
        "file,who,findings,years,gender,projection\n"
        "a.png,007,Effusion|Fluid,58Y,F,PA\n"
        "b.png,7,Normal,011M,M,AP\n"
        "sub/c.png,x-9,Mass| Rib fracture,,,\n",
    )
    columns = parse_columns(
        "image=file,patient=who,labels=findings,age=years,sex=gender,view=projection",
        ["Fluid=Edema", "Normal=No Finding", "Rib fracture=-"],
    )
    images = read_table(table, None, columns)
    assert [[images.labels[c] for c in np.flatnonzero(row)] for row in images.positive] == [
        ["Effusion", "Edema"],
        [],
        ["Mass"],
    ]
    # 007 is not 7
    assert images.patients.tolist() == ["007", "7", "x-9"]
    np.testing.assert_allclose(images.ages, [58, 11 / 12, np.nan])
    assert images.sexes.tolist() == ["F", "M", ""]
    assert images.views.tolist() == ["PA", "AP", ""]
    assert set(images.references) == {GIVEN}


def test_a_column_for_each_label(tmp_path):
    table = write(tmp_path, "file,id,eff,mass\na.png,1,1,0\nb.png,2,0.0,YES\n")
    images = read_table(table, None, parse_columns(f"image=file,patient=id,Effusion=eff,Mass=mass,{EACH}"))
    assert images.patients.dtype == np.int64
    assert images.positive.sum() == 2
    assert images.positive[0, images.labels.index("Effusion")]
    assert images.positive[1, images.labels.index("Mass")]


def test_the_labels_are_those_that_have_a_column(tmp_path):
    table = write(tmp_path, "file,id,fx,eff\na.png,1,1,0\nb.png,2,0,1\n")
    images = read_table(table, None, parse_columns("image=file,patient=id,Fracture=fx,Effusion=eff,Hernia=-"))
    assert images.labels == ("Fracture", "Effusion", "Hernia")
    assert images.positive.tolist() == [[True, False, False], [False, True, False]]
    ordered = parse_columns("image=file,patient=id,Fracture=fx,Effusion=eff", labels=("Effusion", "Fracture"))
    assert read_table(table, None, ordered).positive.tolist() == [[False, True], [True, False]]


def test_labels_in_words_beyond_those_of_nih(tmp_path):
    text = "Image Index,Finding Labels,Patient ID,Patient Age,Patient Gender,View Position\n"
    text += "a.png,Mass|Fracture,1,50,M,PA\nb.png,No Finding,2,60,F,AP\n"
    images = read_table(write(tmp_path, text), None, labels=("Mass", "Fracture"))
    assert images.positive.tolist() == [[True, True], [False, False]]
    assert set(images.references) == {GIVEN}
    with pytest.raises(PathUnusable, match="'Fracture' is not one of the labels Atelectasis"):
        read_table(tmp_path / "table.csv", None)


def test_tables_that_do_not_state_the_same_labels_do_not_join(tmp_path):
    table = write(tmp_path, "file,id,fx,eff\na.png,1,1,0\n")
    both = read_table(table, None, parse_columns("image=file,patient=id,Fracture=fx,Effusion=eff"))
    turned = read_table(table, None, parse_columns("image=file,patient=id,Effusion=eff,Fracture=fx"))
    joined = ImageTable.join([both, turned])
    assert joined.labels == ("Fracture", "Effusion")
    assert joined.positive.tolist() == [[True, False], [True, False]]
    assert joined.answers(("Mass", "Effusion")).tolist() == [[-1, 0], [-1, 0]]
    with pytest.raises(WrongArguments, match="do not state the same labels: Fracture only in some"):
        ImageTable.join([both, read_table(table, None, parse_columns("image=file,patient=id,Effusion=eff"))])


@pytest.mark.parametrize("answer", ["", "-1", "maybe"])
def test_an_answer_that_is_not_known_is_not_a_no(tmp_path, answer):
    table = write(tmp_path, f"file,id,eff,mass\na.png,1,{answer},0\n")
    with pytest.raises(PathUnusable, match="1 answers other than 0 and 1"):
        read_table(table, None, parse_columns(f"image=file,patient=id,Effusion=eff,Mass=mass,{EACH}"))


@pytest.mark.parametrize(
    ("text", "rename", "words"),
    [
        ("image=a,labels=b", [], "patient= is missing"),
        ("image=a,patient=b", [], "give labels=COLUMN"),
        ("image=a,patient=b,labels=c,Mass=d", [], "and not both"),
        ("image=a,patient=b,labels=c,colour=d", [], "'colour' is neither of image"),
        ("image=a,patient=b,No Finding=c", [], "each name is accepted once"),
        ("image=a,patient=b,<b>=c", [], "a name begins with a letter"),
        ("image=a,image=b,patient=c,labels=d", [], "is given twice"),
        ("image", [], "write NAME=VALUE"),
        ("image=a,patient=b,labels=c", ["Fluid=Water"], "'Water' is not one of Atelectasis"),
    ],
)
def test_a_mapping_that_is_not_whole_is_refused(text, rename, words):
    with pytest.raises(WrongArguments, match=words):
        parse_columns(text, rename)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image=a,patient=b,Mass=c", "no column for Effusion"),
        ("image=a,patient=b,Mass=c,Effusion=d,Nodule=e", "'Nodule' is neither of image"),
    ],
)
def test_columns_and_labels_must_agree(text, words):
    with pytest.raises(WrongArguments, match=words):
        parse_columns(text, labels=("Mass", "Effusion"))


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("a.png,1,Cough", "'Cough' is not one of the labels Atelectasis"),
        ("a.png,1,", "no label at all"),
        ("a.png,,Mass", "has no patient"),
    ],
)
def test_a_row_that_says_too_little_is_refused(tmp_path, row, words):
    with pytest.raises(PathUnusable, match=words):
        read_table(write(tmp_path, f"f,p,l\n{row}\n"), None, parse_columns("image=f,patient=p,labels=l"))


def test_a_missing_column_is_named(tmp_path):
    with pytest.raises(PathUnusable, match="columns who are missing"):
        read_table(write(tmp_path, "f,p,l\na,1,Mass\n"), None, parse_columns("image=f,patient=who,labels=l"))


def test_images_of_any_kind_in_folders_of_folders(tmp_path):
    """As NIH ships them, in twelve folders; and DICOM without an ending."""
    images = tmp_path / "images"
    for name, data in (("one/a.png", phantom_png(48, 40)), ("two/images/b.dcm", phantom_dicom(48, 40))):
        (images / name).parent.mkdir(parents=True)
        (images / name).write_bytes(data)
    (images / "c").write_bytes(phantom_dicom(40, 40))
    text = "f,p,l\na.png,1,Mass\nb.dcm,2,Mass\nc,3,No Finding\nmissing.png,4,Mass\none/a.png,5,Mass\n"
    (tmp_path / "table.csv.gz").write_bytes(gzip.compress(text.encode()))
    rows = read_table(tmp_path / "table.csv.gz", images, parse_columns("image=f,patient=p,labels=l"))
    assert rows.names.tolist() == ["a.png", "b.dcm", "c", "one/a.png"]
    assert rows.paths[1] == images / "two/images/b.dcm"

    from cxr_core.datasets.batches import batches
    from cxr_core.imaging import Preparation

    ((x, y),) = batches(rows, Preparation(32), 8)
    assert x.shape == (4, 32, 32, 1)
    assert y.sum(axis=1).tolist() == [1, 1, 0, 1]


def test_one_name_for_two_files_is_refused(tmp_path):
    for place in ("one", "two"):
        (tmp_path / "images" / place).mkdir(parents=True)
        (tmp_path / "images" / place / "a.png").write_bytes(b"x")
    with pytest.raises(PathUnusable, match="1 names of the table belong to several files"):
        read_table(
            write(tmp_path, "f,p,l\na.png,1,Mass\n"),
            tmp_path / "images",
            parse_columns("image=f,patient=p,labels=l"),
        )


def test_tables_of_two_hospitals_join(tmp_path):
    columns = parse_columns("image=f,patient=p,labels=l")
    one = read_table(write(tmp_path, "f,p,l\na,12,Mass\n"), None, columns)
    two = read_table(write(tmp_path, "f,p,l\nb,X7,Mass\n"), None, columns)
    both = ImageTable.join([one, two])

    from cxr_core.datasets.splits import Split

    # a number is a number, also beside words
    assert Split("s", "", {12: "train", "X7": "test"}).subset_of(both.patients).tolist() == ["train", "test"]


@pytest.mark.needs_shared
def test_the_whole_table_of_nih(shared):
    """112,120 rows of 30,805 patients; 11,559 images of atelectasis, as published."""
    images = read_table(shared / "nih_labels" / "Data_Entry_2017_v2020.csv.gz", None)
    assert len(images) == 112_120
    assert len(np.unique(images.patients)) == 30_805
    assert images.positive.sum(axis=0)[:3].tolist() == [11_559, 2_776, 13_317]
    assert (~images.positive.any(axis=1)).sum() == 60_361


def test_a_reference_standard_is_read_with_the_columns_of_the_tables_or_in_a_layout_of_its_own(tmp_path):
    known = [parse_columns("image=file,patient=id,Effusion=eff,Mass=mass,age=years")]
    # patients and ages are those of the table of the images
    mapped = write(tmp_path, "mass,file,eff\n1,a.png,0\n0,b.png,1\n")
    assert read_reference(mapped, columns=known) == {
        "a.png": {"Effusion": False, "Mass": True},
        "b.png": {"Effusion": True, "Mass": False},
    }
    with pytest.raises(PathUnusable, match="Image Index"):
        read_reference(mapped)
    nih = write(tmp_path, "Image Index,Finding Labels\na.png,Mass\n")
    assert [label for label, there in read_reference(nih, columns=known)["a.png"].items() if there] == ["Mass"]
