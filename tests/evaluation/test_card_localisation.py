"""The card's section on where the heat maps point: the numbers of the rows of its runs, and which runs are refused."""

import dataclasses

import pytest

from cxr_core.errors import WrongArguments
from cxr_core.evaluation.boxes import box_numbers
from cxr_core.evaluation.card_localisation import localisation_tables
from cxr_core.metrics import BootstrapOptions
from cxr_core.model import open_model, read_card, write_card
from cxr_core.store import RunStore
from tests.runs import made_up, made_up_boxes, record_of


def test_localisation_of_runs_is_that_of_their_rows(tmp_path):
    card = open_model("second-read-mini").card
    store = RunStore(folder=tmp_path)
    predictions, same = made_up(300), {"model_sha256": card.weights_sha256}
    boxes = made_up_boxes(predictions)

    def add(name, rows=boxes, **record):
        return store.add(record_of(predictions, name, **(same | record)), predictions, rows)

    run = add("boxes", part="held-out", split="a_split", split_sha256="5" * 64)
    (table,) = localisation_tables(card, [run])
    assert (table.source, table.same_label, table.images) == ("ChestX-Det", True, "images of held-out patients")
    assert (table.data, table.split, table.weights_sha256) == (("made up",), "a_split", card.weights_sha256)
    assert table.number_of_images == len(set(boxes.images.tolist()))
    assert table.number_of_patients == len(set(boxes.patients.tolist()))
    assert table.per_label == {
        label: one.localisation for label, one in box_numbers(boxes, BootstrapOptions(2000)).items()
    }
    path = tmp_path / "card.json"
    write_card(dataclasses.replace(card, localisation=(table,)), path)
    assert read_card(path).localisation == (table,)
    for refused, message in (
        (add("other", model_sha256="1" * 64), "made with other weights"),
        (add("none", None), "no boxes, or of an earlier version"),
        (add("old", dataclasses.replace(boxes, average_hits=None)), "no boxes, or of an earlier version"),
        (add("train", part="train"), "may have trained the model"),
        (add("all", part="all", seen_in_training=True), "may have trained the model"),
    ):
        with pytest.raises(WrongArguments, match=message):
            localisation_tables(card, [refused])
    store.close()
