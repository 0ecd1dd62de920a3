import pytest

from cxr_core.imaging import phantom_dicom, phantom_png, read_radiograph
from cxr_core.reading import read_film
from cxr_core.settings import settings
from cxr_core.ui.worklist import DECODED, LOOKED_AT, Worklist


def test_films_are_named_by_their_bytes_and_kept_once():
    films = Worklist()
    dropped = films.drop([("a", b"1"), ("b", b"2"), ("c", b"1")], most=10)
    assert len(dropped.taken) == 2
    assert dropped.known == 1
    assert films.film().name == "a"
    assert films.drop([("again", b"2")], most=10).known == 1
    assert films.film().name == "b"


def test_more_than_it_holds_is_left_out_and_said():
    films = Worklist()
    dropped = films.drop([(str(n), bytes([n])) for n in range(5)], most=3)
    assert (len(dropped.taken), dropped.left_out) == (3, 2)
    assert "3 files at most" in dropped.why


def test_more_bytes_than_a_tab_may_hold_are_left_out_and_said(monkeypatch):
    monkeypatch.setenv("SECOND_READ_SESSION_MB", "1")
    settings.cache_clear()
    try:
        dropped = Worklist().drop([(str(n), bytes([n]) * 400_000) for n in range(5)], most=9)
    finally:
        settings.cache_clear()
    assert (len(dropped.taken), dropped.left_out) == (2, 3)
    assert "1 MB of files at most" in dropped.why


def test_of_films_that_were_looked_at_the_last_keep_their_file_and_fewer_their_pixels():
    films, radiograph = Worklist(), read_radiograph(phantom_png(32, 32))
    count = LOOKED_AT + 3
    digests = films.drop([(str(n), bytes([n])) for n in range(count + 1)], most=99).taken
    for digest in digests[:count]:
        films.looked_at(films.films[digest], radiograph)
    assert [films.films[d].data is None for d in digests] == [True] * 3 + [False] * (LOOKED_AT + 1)
    assert [films.films[d].radiograph is None for d in digests] == [True] * (count - DECODED) + [False] * 2 + [True]
    # dropped again, its picture can be seen again
    assert films.drop([("0", bytes([0]))], most=99).known == 1
    assert films.film() is films.films[digests[0]]
    assert films.film().data == bytes([0])


def test_bytes_that_are_no_film_are_let_go_and_tried_again_when_dropped_again():
    films = Worklist()
    films.drop([("a", b"words")], most=9)
    films.film().refuse("it is text")
    assert films.film().data is None
    assert films.drop([("a", b"words")], most=9).known == 1
    assert films.film().status == "waiting"


def test_removing_chooses_the_neighbour():
    films = Worklist()
    one, two, three = films.drop([("a", b"1"), ("b", b"2"), ("c", b"3")], most=9).taken
    films.choose(two)
    films.remove(two)
    assert films.chosen == three
    films.remove(three)
    assert films.chosen == one
    films.remove(one)
    assert films.film() is None
    films.choose("not there")
    assert films.chosen is None


@pytest.mark.parametrize(("modality", "status"), [("CR", "read"), ("CT", "refused")])
def test_status_follows_the_reading(predictor, modality, status):
    films = Worklist()
    data = phantom_dicom(128, 128, Modality=modality)
    films.drop([("a", data)], most=9)
    film = films.film()
    assert films.waiting() == [film]
    film.take(read_film(data, predictor)[1])
    assert film.status == status
    assert bool(film.reasons()) == (status == "refused")
    assert films.waiting() == []


def test_a_name_is_not_in_what_is_printed():
    films = Worklist()
    films.drop([("Secret Name.png", phantom_png(32, 32))], most=9)
    assert "Secret" not in repr(films.film())


def test_all_readings_stand_under_the_same_terms_or_nothing_is_changed(calibrated_models):
    from cxr_core.errors import WrongArguments
    from cxr_core.model import Predictor, open_model
    from cxr_core.model.engines import open_engine

    folder = open_model(str(calibrated_models / "enriched"))
    predictor, films = Predictor(folder, open_engine(folder, "openvino")), Worklist()
    data = {name: phantom_png(128 + n, 128) for n, name in enumerate(("a", "b", "waits"))}
    films.drop(data.items(), most=9)
    read = [film for film in films.films.values() if film.name != "waits"]
    for film in read:
        film.take(read_film(film.data, predictor)[1])
    films.stand_under(folder.card, "youden", {"Mass": 0.3})
    assert films.operating_point == "youden"
    for film in read:
        assert film.reading.operating_point == "youden"
        assert film.reading.prevalence == {"Mass": 0.3}
    kept = [film.reading for film in read]
    for terms in (("none", None), ("default", {"Hernia": 0.1})):
        with pytest.raises(WrongArguments):
            films.stand_under(folder.card, *terms)
    assert (films.operating_point, films.prevalence) == ("youden", {"Mass": 0.3})
    assert all(film.reading is before for film, before in zip(read, kept, strict=True))
