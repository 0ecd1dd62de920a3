"""The report of concordance: clusters, small numbers and what they could be computed from, and its table."""

from contextlib import closing

import pytest

from cxr_core.metrics import CONCORDANCE_BASES, BeforeAfter
from cxr_core.model import Finding
from cxr_core.monitoring import concordance_report
from cxr_core.monitoring.small_numbers import WITHHELD, withheld
from cxr_core.store.reads import ReadStore
from tests.reads import OPTIONS, made_up_reading, reveal

COUNTS = ["opinions", "clusters", "positives", "negatives", "positive_clusters", "negative_clusters"]
FEW = "too few cases (fewer than 10 studies"


@pytest.fixture
def add(own_folders):
    """Store reads of images by a reader, each with an opinion on Mass that is revealed and then changed to present."""

    def added(reader, images, label="Mass"):
        with closing(ReadStore()) as store:
            for n in images:
                image = store.add_image(reader, f"image {n}".encode())
                finding = Finding(label, 0.0, 0.9, None, None, 0.5, "above")
                read = store.save_read(image, made_up_reading(n, findings=(finding,)), OPTIONS, "1", revealed=False)
                store.add_opinion(read, reader, label, "present" if n % 2 else "absent")
                store.add_seconds(read, 10.0)
                reveal(store, read)
                store.add_opinion(read, reader, label, "present")

    return added


def report(by="reader", **options):
    with closing(ReadStore()) as store:
        return concordance_report(store, by, **options)


def sizes(found):
    return {name: (group.opinions, group.patients) for name, group in found.groups.items()}


def rows_of(found, name):
    table = found.table()
    return table[table[found.by] == name]


def test_the_same_images_of_two_readers_are_one_cluster_each(add):
    add("anna", range(30))
    add("berta", range(30))
    found = report("label")
    assert (found.groups["all"].opinions, found.groups["all"].patients) == (60, 30)
    assert set(found.table()["clustered_by"]) == {"studies"}
    methods = {*found.table()["method"].dropna(), *found.table()["reason"].dropna()}
    assert "Wilson, clustered by study" in methods
    assert not any("patient" in method for method in methods)


def test_opinions_on_findings_that_are_hidden_say_nothing_of_them(add):
    """Whoever sees the counts before and after an opinion of one's own would know the state of the hidden finding."""
    add("anna", range(30))
    before = report("label")
    for n, state in ((100, "above"), (101, "below")):
        finding = Finding("Mass", 0.0, 0.5, None, None, 0.5, state)
        with closing(ReadStore()) as store:
            image = store.add_image("berta", f"image {n}".encode())
            read = store.save_read(image, made_up_reading(n, findings=(finding,)), OPTIONS, "1", revealed=False)
            store.add_opinion(read, "berta", "Mass", "present")
            store.add_seconds(read, 10.0)
        after = report("label")
        assert after.table().equals(before.table())
        assert after.times == before.times
        assert (after.readers, after.hidden) == (1, n - 99)
    assert report("label", until="2000").hidden == 0
    with closing(ReadStore()) as store:
        reveal(store, read)
    assert (report("label").groups["all"].opinions, report("label").hidden) == (31, 1)


def test_changes_are_toward_what_was_shown_and_agreement_is_with_what_was_hidden(own_folders):
    with closing(ReadStore()) as store:
        for n in range(12):
            image = store.add_image("anna", f"image {n}".encode())
            for state, point, opinion in (("below", "default", "absent"), ("above", "sensitivity 0.90", "present")):
                finding = Finding("Mass", 0.0, 0.4, None, None, 0.5 if state == "below" else 0.3, state)
                reading = made_up_reading(n, findings=(finding,), operating_point=point)
                read = store.save_read(image, reading, OPTIONS, "1", revealed=state == "above")
                store.add_opinion(read, "anna", "Mass", opinion)
    group = report("label").groups["all"]
    assert [one.value for one in (group.agreement, group.changed, group.toward, group.away)] == [1, 1, 1, 0]


def test_small_groups_have_no_counts_and_are_no_difference_of_others(add):
    add("anna", range(40))
    add("berta", range(40, 60))
    add("carla", range(60, 64))
    found = report()
    by_size = {group.opinions: name for name, group in found.groups.items() if group.opinions is not None}
    # carla is small; berta, the next smallest, would be the only one missing in the sum
    assert set(by_size) == {64, 40}
    hidden = [name for name in found.groups if name not in by_size.values()]
    assert len(hidden) == 2
    reasons = set()
    for name in hidden:
        rows = rows_of(found, name)
        assert rows[[*COUNTS, "value", "low", "high", "p_value"]].isna().all(axis=None)
        reasons |= set(rows["reason"])
        assert found.times[name].reads is None
        assert found.times[name].quartiles is None
    assert reasons == {f"{FEW})", WITHHELD}
    assert found.times["all"].reads == 64
    shown = found.table().drop(columns=["notice", "reason"])
    assert "4" not in {str(value) for value in shown[shown["reader"].isin(hidden)].to_numpy().ravel()}


def test_a_small_total_has_no_count_at_all(add):
    add("anna", range(9))
    found = report()
    assert sizes(found) == {"all": (None, None), "Reader 1": (None, None)}
    assert found.table()[[*COUNTS, "value"]].isna().all(axis=None)
    assert found.times["all"].reason == f"{FEW})"
    assert "9" not in "".join(found.table()["reason"].dropna())


def test_a_small_base_is_withheld_though_the_group_is_large(add):
    """A reference standard of few images: no count of positive or negative ones."""
    add("anna", range(30))
    with closing(ReadStore()) as store:
        digests = [image.digest for image in store.images("anna")]
    found = report("label", reference={(digest, "Mass"): n % 2 == 0 for n, digest in enumerate(digests[:8])})
    rows = rows_of(found, "all").set_index("number")
    assert rows.loc["agreement", "positives"] == 15
    few = rows.loc[["sensitivity_before", "specificity_after"]]
    assert few[["value", "positives", "negatives"]].isna().all(axis=None)
    assert set(few["reason"]) == {f"too few cases (fewer than 10 {kind} studies)" for kind in ("positive", "negative")}
    assert found.referenced is None


def test_large_groups_are_as_they_were(add):
    add("anna", range(20))
    add("berta", range(20, 40))
    found = report()
    assert sizes(found) == {"all": (40, 40), "Reader 1": (20, 20), "Reader 2": (20, 20)}
    for group in found.groups.values():
        assert all(getattr(group, name) is None or getattr(group, name).value is not None for name in CONCORDANCE_BASES
                   if not isinstance(getattr(group, name), BeforeAfter))  # fmt: skip
    assert found.groups["all"].toward.positives == 20


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({}, {}),
        ({"a": range(10), "b": range(40)}, {}),
        ({"a": range(9)}, {"a": True}),
        ({"a": range(9), "b": range(20, 60)}, {"a": True, "b": False}),
        # two small groups of different patients protect each other, two of the same do not
        ({"a": range(9), "b": range(10, 18), "c": range(50)}, {"a": True, "b": True}),
        ({"a": range(5), "b": range(4), "c": range(50), "d": range(30)}, {"a": True, "b": True, "d": False}),
        ({"a": range(9), "b": (), "c": range(50)}, {"a": True, "c": False}),
    ],
)
def test_what_is_withheld(members, expected):
    assert withheld({name: set(patients) for name, patients in members.items()}) == expected
