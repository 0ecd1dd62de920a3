"""What statistics are clustered by: the same patient, the same study of several readers, images in common."""

from datetime import date

import pytest

from cxr_core.monitoring import clusters_of, opinions_of_store
from cxr_core.monitoring.clusters import in_units
from cxr_core.store.read_tables import OpinionRow, TimeRow
from cxr_core.studies import Patient, StudyHeader


def row(study, image, header=None):
    return TimeRow(study, image, "anna", "2026-11-02T08:00", 30.0, header)


def header(patient="", study="", issuer=""):
    return StudyHeader(study, "", "PA", Patient("Quendelzahn", patient, issuer, date(1960, 6, 1), "F"))


def partition(clusters):
    groups = {}
    for study, name in clusters.by_study.items():
        groups.setdefault(name, set()).add(study)
    return sorted(map(sorted, groups.values()))


def test_a_study_of_two_readers_is_one_cluster_without_identity():
    # each reader's study has an id of its own; they share an image, the third of no other
    clusters = clusters_of([row("of-anna", "a"), row("of-berta", "a"), row("of-berta", "b"), row("other", "c")])
    assert (partition(clusters), clusters.unit) == ([["of-anna", "of-berta"], ["other"]], "studies")


def test_images_that_are_not_of_the_statistic_link_studies_too():
    rows, images = [row("s1", "a"), row("s2", "b")], [("s1", "lateral"), ("s2", "lateral"), ("s3", "c")]
    assert partition(clusters_of(rows)) == [["s1"], ["s2"]]
    assert partition(clusters_of(rows, images)) == [["s1", "s2"]]
    # by way of a third study, in any order
    chain = [row("s1", "a"), row("s3", "b"), row("s2", "a"), row("s2", "b")]
    assert partition(clusters_of(chain)) == partition(clusters_of(chain[::-1])) == [["s1", "s2", "s3"]]


def test_patients_are_clusters_where_they_are_known():
    rows = [row("s1", "a", header("P1")), row("s2", "b", header("P1")), row("s3", "c", header("P2"))]
    assert (partition(clusters_of(rows)), clusters_of(rows).unit) == ([["s1", "s2"], ["s3"]], "patients")
    # the same ID of another issuer is another patient
    others = [row("s1", "a", header("P1", issuer="A")), row("s2", "b", header("P1", issuer="B"))]
    assert partition(clusters_of(others)) == [["s1"], ["s2"]]


def test_without_patient_id_a_study_instance_uid_makes_one_study():
    rows = [row("s1", "a", header(study="1.2")), row("s2", "b", header(study="1.2")), row("s3", "c", header())]
    assert (partition(clusters_of(rows)), clusters_of(rows).unit) == ([["s1", "s2"], ["s3"]], "studies")


def test_a_mixture_says_so_and_no_name_of_a_cluster_says_who_it_is():
    rows = [row("s1", "a", header("QZ-4711")), row("s2", "b"), row("s3", "a")]
    clusters = clusters_of(rows)
    assert (partition(clusters), clusters.unit) == ([["s1", "s3"], ["s2"]], "patients or studies")
    assert "QZ" not in str(clusters)
    # a study that is linked to one with a patient is of that patient
    assert clusters_of([rows[0], rows[2]]).unit == "patients"


def test_opinions_of_two_readers_on_one_image_are_of_one_cluster():
    rows = [
        OpinionRow(
            f"{reader} {n}", f"image {n}", reader, "Mass", "2026-11-02T08:00", "above", "present", "present", "above"
        )
        for reader in ("anna", "berta")
        for n in range(12)
    ]
    assert len(set(opinions_of_store(rows).patient.tolist())) == 12


@pytest.mark.parametrize(
    ("unit", "text"),
    [("patients", "1 patient, 2 patients"), ("studies", "1 study, 2 studies"),
     ("patients or studies", "1 patient or study, 2 patients or studies")],
)  # fmt: skip
def test_reasons_are_in_the_words_of_the_unit(unit, text):
    assert in_units("1 patient, 2 patients", unit) == text
