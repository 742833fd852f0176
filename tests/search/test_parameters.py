"""A search as an address: read, refused in French, written back."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.query import MAX_CHOICES, MAX_WORDS, PUBLIC, Query, Sort
from schemas.vocabulary import Genre, countries, genres, languages, posts, subthemes, themes
from services.search.parameters import (
    PARAMETERS,
    WrongParameters,
    default_sort,
    openapi_parameters,
    params_of,
    query_of,
)


def some(values: Any) -> Any:
    return st.lists(st.sampled_from(sorted(values)), max_size=4, unique=True).map(tuple)


DAYS = st.dates(date(1990, 1, 1), date(2100, 12, 31))
ENDS = st.tuples(st.none() | DAYS, st.none() | DAYS).map(
    lambda ends: tuple(sorted(ends)) if all(ends) else ends
)


@st.composite
def queries(draw: Any) -> Query:
    written, received = draw(ENDS), draw(ENDS)
    return Query(
        reader=PUBLIC,
        words=draw(st.text(max_size=40)),
        theme=draw(some(themes())),
        theme_not=draw(some(themes())),
        subtheme=draw(some(subthemes())),
        subtheme_not=draw(some(subthemes())),
        country=draw(some(countries())),
        country_not=draw(some(countries())),
        country_any=draw(some(countries())),
        post=draw(some(posts())),
        post_not=draw(some(posts())),
        genre=draw(some(map(Genre, genres()))),
        genre_not=draw(some(map(Genre, genres()))),
        language=draw(some(languages())),
        language_not=draw(some(languages())),
        year=draw(st.lists(st.integers(1000, 2999), max_size=3, unique=True).map(tuple)),
        date_from=written[0],
        date_to=written[1],
        received_from=received[0],
        received_to=received[1],
        sort=draw(st.sampled_from(Sort)),
        size=draw(st.integers(1, 100)),
        cursor=draw(st.none() | st.text("abcdef0123456789_-=", min_size=1, max_size=60)),
    )


@given(queries())
def test_any_search_written_as_an_address_is_read_back_as_the_same_search(query: Query) -> None:
    assert query_of(params_of(query), PUBLIC) == query


def test_every_field_of_a_query_but_its_reader_has_a_parameter() -> None:
    assert {parameter.field for parameter in PARAMETERS} == set(Query.model_fields) - {"reader"}


def test_a_reader_repeats_a_filter_to_ask_for_either_value() -> None:
    query = query_of(
        [("theme", "sante"), ("theme", "travail"), ("theme", "sante"), ("theme.not", "sante")],
        PUBLIC,
    )
    assert query.theme == ("sante", "travail")
    assert query.theme_not == ("sante",)


def test_an_empty_form_asks_for_every_note_the_newest_received_first() -> None:
    query = query_of([("q", "  "), ("theme", ""), ("from", ""), ("sort", "")], PUBLIC)
    assert params_of(query) == []
    assert query.sort is Sort.RECEIVED


def test_a_reader_who_types_words_gets_the_best_match_first() -> None:
    assert query_of([("q", "retraite")], PUBLIC).sort is Sort.RELEVANCE


def test_a_country_is_taken_in_either_case_and_written_in_capitals() -> None:
    assert params_of(query_of([("country", "de"), ("country", "DE")], PUBLIC)) == [
        ("country", "DE")
    ]


def test_a_bare_sub_theme_is_written_with_its_theme() -> None:
    assert query_of([("subtheme", "hopital")], PUBLIC).subtheme == ("sante.hopital",)


@pytest.mark.parametrize(
    ("pairs", "field", "said"),
    [
        ([("thème", "sante")], "thème", "Paramètre inconnu"),
        ([("theme", "sport")], "theme", "travail, sante, protection_sociale"),
        ([("subtheme", "sport")], "subtheme", "sante.hopital"),
        ([("country", "UK")], "country", "code de pays ISO 3166-1"),
        ([("country.not", "Allemagne")], "country.not", "code de pays"),
        ([("post", "paris")], "post", "berlin"),
        ([("genre", "lettre")], "genre", "note_diplomatique"),
        ([("language", "English")], "language", "(par exemple en)"),
        ([("year", "26")], "year", "quatre chiffres"),
        ([("year", "٢٠٢٦")], "year", "quatre chiffres"),
        ([("from", "04/03/2026")], "from", "AAAA-MM-JJ"),
        ([("to", "2026-02-30")], "to", "AAAA-MM-JJ"),
        ([("received_from", "20260304")], "received_from", "AAAA-MM-JJ"),
        ([("from", "2026-03-05"), ("to", "2026-03-04")], "from", "postérieur"),
        ([("sort", "hasard")], "sort", "relevance, date, received"),
        ([("size", "0")], "size", "de 1 à 100"),
        ([("size", "101")], "size", "de 1 à 100"),
        ([("size", "vingt")], "size", "de 1 à 100"),
        ([("q", "a"), ("q", "b")], "q", "qu'une fois"),
        ([("q", "a" * (MAX_WORDS + 1))], "q", "dépasse 1000 caractères"),
        ([("cursor", "a" * 5_000)], "cursor", "dépasse"),
        ([("year", str(1900 + n)) for n in range(MAX_CHOICES + 1)], "year", "100 valeurs au plus"),
    ],
)
def test_a_reader_is_told_which_parameter_is_wrong_and_what_is_known(
    pairs: list[tuple[str, str]], field: str, said: str
) -> None:
    with pytest.raises(WrongParameters) as caught:
        query_of(pairs, PUBLIC)
    (error,) = caught.value.errors
    assert error.field == field
    assert said in error.detail


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(WrongParameters) as caught:
        query_of([("theme", "sport"), ("foo", "1"), ("size", "x")], PUBLIC)
    assert [error.field for error in caught.value.errors] == ["theme", "foo", "size"]


def test_a_closed_list_comes_whole_for_programs() -> None:
    with pytest.raises(WrongParameters) as caught:
        query_of([("country", "ZZ")], PUBLIC)
    assert caught.value.errors[0].as_json()["known"] == list(countries())


@given(st.lists(st.tuples(st.sampled_from([p.name for p in PARAMETERS]) | st.text(), st.text())))
def test_no_query_string_is_an_unexpected_error(pairs: list[tuple[str, str]]) -> None:
    try:
        query = query_of(pairs, PUBLIC)
    except WrongParameters as refused:
        wrong = refused
    else:
        assert query_of(params_of(query), PUBLIC) == query
        return
    assert wrong.errors
    assert all(error.detail.endswith(".") for error in wrong.errors)


def test_the_usual_order_is_not_written_and_any_other_is() -> None:
    for words in ("", "retraite"):
        for sort in Sort:
            query = Query(reader=PUBLIC, words=words, sort=sort)
            assert (("sort", sort.value) in params_of(query)) is (sort is not default_sort(words))


def test_the_api_document_names_every_parameter_once() -> None:
    named = [parameter["name"] for parameter in openapi_parameters()]
    assert named == [parameter.name for parameter in PARAMETERS]
