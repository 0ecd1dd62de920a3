"""Images to studies, and the studies before them."""

from dataclasses import replace
from datetime import date, time

import pytest

from cxr_core.studies import Patient, StudyHeader, StudyImage, group_studies, prior_studies
from cxr_core.studies.study import OTHER_PIXELS, TWO_NAMES, TWO_PATIENTS

JANE = Patient("DOE, Jane", "7", "", date(1970, 2, 3), "F")
JOHN = Patient("ROE, John", "8", "", date(1950, 1, 1), "M")


def image(digest: str, uid: str = "1", patient: Patient = JANE, upload: int = 1, pixels=None, **header) -> StudyImage:
    return StudyImage(digest, StudyHeader(study_uid=uid, patient=patient, **header), upload, pixels)


def digests(studies) -> list[str]:
    return ["".join(one.digest for one in study.images) for study in studies]


def test_images_of_one_study_are_together_whenever_they_were_added_and_frontal_ones_come_first():
    studies = group_studies(
        [
            image("a", view="lateral"),
            image("b", uid="2", patient=JOHN, view="AP"),
            image("c", upload=2, view="PA", study_date=date(2026, 11, 20), accession_number="A1"),
            image("d", upload=3, view="lateral decubitus"),
            image("e", upload=3),
        ]
    )
    assert digests(studies) == ["cead", "b"]
    assert studies[0].patient == JANE
    assert (studies[0].study_date, studies[0].accession_number) == (date(2026, 11, 20), "A1")
    assert studies[1].patient == JOHN
    assert not studies[0].alarms


def test_files_without_a_study_are_together_by_upload_and_never_with_a_patient():
    nobody = Patient()
    studies = group_studies(
        [
            StudyImage("a", None, 1),
            image("b", uid="", patient=JANE),
            StudyImage("c", None, 1),
            image("d", uid="", patient=JOHN),
            image("e", uid="", patient=nobody),
            StudyImage("f", None, 2),
            image("g", uid="", patient=JANE, upload=2),
        ]
    )
    assert digests(studies) == ["ace", "b", "g", "d", "f"]
    assert not any(study.alarms for study in studies)
    assert not studies[0].patient


@pytest.mark.parametrize(
    "other",
    [
        JOHN,
        Patient("DOE, Jane", "9"),
        Patient("DOE, Jane", "7", "", date(1971, 2, 3)),
        Patient("DOE, Jane", "7", "", date(1970, 2, 3), "M"),
        Patient("ROE, John"),
        Patient("ROE, John", "7"),
        Patient("", "", "", None, "M"),
    ],
    ids=["all", "id", "birth", "sex", "name", "name with the same id", "sex alone"],
)
def test_two_patients_under_one_study_uid_are_two_studies_with_an_alarm(other):
    studies = group_studies([image("a"), image("b", patient=other), image("c", patient=JANE)])
    assert digests(studies) == ["ac", "b"]
    assert [study.alarms for study in studies] == [(TWO_PATIENTS,)] * 2
    assert studies[1].patient == (other if other else Patient())


def test_another_spelling_of_the_name_is_in_the_study_with_an_alarm():
    spelled = Patient("Doe-Smith, Jane", "7")
    studies = group_studies([image("a"), image("b", patient=spelled)])
    assert digests(studies) == ["ab"]
    assert studies[0].alarms == (TWO_NAMES,)
    assert not group_studies([image("a"), image("b", patient=replace(JANE, name="Doe, jane"))])[0].alarms


def test_patients_without_an_id_dropped_together_are_studies_of_their_own():
    sisters = [Patient("DOE, Jane"), Patient("DOE, Mary"), Patient("DOE, Jane")]
    studies = group_studies([image(digest, uid="", patient=one) for digest, one in zip("abc", sisters, strict=True)])
    assert digests(studies) == ["ac", "b"]


def test_one_sop_uid_with_other_pixels_is_an_alarm_and_with_the_same_pixels_is_none():
    same = group_studies(
        [image("a", sop_uid="x", pixels=1), image("b", sop_uid="x", pixels=1), image("c", sop_uid="x")]
    )
    assert not same[0].alarms
    other = group_studies(
        [
            image("a", sop_uid="x", pixels=1),
            image("b", uid="2", sop_uid="x", pixels=2),
            image("c", uid="3", sop_uid="y"),
        ]
    )
    assert [study.alarms for study in other] == [(OTHER_PIXELS,), (OTHER_PIXELS,), ()]


def test_priors_are_earlier_studies_of_the_same_patient_and_the_latest_is_first():
    def study(digest: str, day: int | None, patient: Patient = JANE, **header) -> StudyImage:
        when = None if day is None else date(2026, 11, day)
        return image(digest, uid=digest, patient=patient, study_date=when, **header)

    studies = group_studies(
        [
            study("a", 20, study_time=time(10)),
            study("b", 3),
            study("c", 19),
            study("d", None),
            study("e", 1, JOHN),
            study("f", 25),
            study("g", 20, study_time=time(9)),
            study("h", 20),
        ]
    )
    by_digest = dict(zip(digests(studies), studies, strict=True))
    assert digests(prior_studies(by_digest["a"], studies)) == ["g", "c", "b"]
    assert digests(prior_studies(by_digest["d"], studies)) == []
    assert digests(prior_studies(by_digest["e"], studies)) == []


LESS, BORN = Patient("DOE, Jane", "7"), date(1970, 2, 3)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (replace(LESS, issuer="A"), replace(LESS, issuer="B")),
        (replace(LESS, birth_date=BORN), replace(LESS, birth_date=date(1971, 2, 3))),
        (replace(LESS, sex="F"), replace(LESS, sex="M")),
        (Patient("DOE, Jane", "7"), Patient("ROE, Mary", "7")),
    ],
    ids=["issuer", "birth", "sex", "name"],
)
@pytest.mark.parametrize("order", ["abc", "acb", "bac", "bca", "cab", "cba"])
def test_a_study_whose_first_image_states_less_is_of_no_two_patients(one, other, order):
    """What one image does not state differs from nothing: another image of the study may say which patient it is of."""
    less = Patient("", "7") if one.name != other.name else LESS
    images = {
        "a": [image("a1", uid="1", patient=less, study_date=date(2026, 1, 1)), image("a2", uid="1", patient=one)],
        "b": [image("b1", uid="2", patient=other, study_date=date(2025, 1, 1))],
        "c": [image("c1", uid="3", patient=one, study_date=date(2024, 1, 1))],
    }
    studies = group_studies(one for name in order for one in images[name])
    assert set(digests(studies)) == {"a1a2", "b1", "c1"}
    by_digest = dict(zip(digests(studies), studies, strict=True))
    assert digests(prior_studies(by_digest["a1a2"], studies)) == ["c1"]
    # those of one patient stand together
    assert abs(digests(studies).index("a1a2") - digests(studies).index("c1")) == 1


def test_studies_of_one_patient_stand_together_and_the_latest_is_first_whenever_they_were_added():
    twin = Patient("DOE, Jane", "7", "", date(1971, 1, 1))
    nameless = Patient(birth_date=date(1970, 2, 3))
    studies = group_studies(
        [
            image("a", uid="1", study_date=date(2026, 11, 20)),
            image("b", uid="2", patient=JOHN, study_date=date(2026, 11, 21)),
            image("c", uid="3", patient=twin),
            image("d", uid="4", patient=nameless),
            image("e", uid="5", study_date=date(2024, 1, 2)),
            image("f", uid="6"),
            image("g", uid="7", patient=JOHN, study_date=date(2026, 11, 25)),
            image("h", uid="8", patient=nameless),
            image("i", uid="9", study_date=date(2026, 11, 23)),
        ]
    )
    # c has another date of birth than a; d and h are not certainly one patient
    assert digests(studies) == ["i", "a", "e", "f", "g", "b", "c", "d", "h"]
