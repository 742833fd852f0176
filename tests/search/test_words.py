"""What a reader types becomes the tree that they mean, whatever they type."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.search.words import MAX_TERMS, Term, Words, parse


def word(text: str) -> tuple[Term, ...]:
    return (Term(text),)


def test_a_reader_who_types_two_words_wants_both() -> None:
    assert parse("retraites  Allemagne") == Words((word("retraites"), word("Allemagne")))


def test_a_reader_quotes_a_phrase_with_any_kind_of_quotes() -> None:
    wanted = Words(((Term("accord de branche", quoted=True),),))
    for typed in ('"accord de branche"', "« accord de branche »", "“accord de branche”"):
        assert parse(typed) == wanted


def test_a_reader_who_forgets_the_closing_quote_is_understood() -> None:
    assert parse('santé "assurance maladie') == Words(
        (word("santé"), (Term("assurance maladie", quoted=True),))
    )


def test_a_reader_excludes_a_word_or_a_phrase_with_a_hyphen() -> None:
    assert parse('retraites -Chine -"temps partiel"') == Words(
        (word("retraites"),), (Term("Chine"), Term("temps partiel", quoted=True))
    )


@pytest.mark.parametrize("typed", ["assurance-maladie", "rendez-vous", "BER-2026-0142"])
def test_a_hyphen_inside_a_word_excludes_nothing(typed: str) -> None:
    assert parse(typed) == Words((word(typed),))


def test_a_dash_that_stands_alone_excludes_nothing() -> None:
    assert parse("- retraites - Chine") == Words((word("retraites"), word("Chine")))


@pytest.mark.parametrize("typed", ["grippe OU vaccin", "grippe OR vaccin", "grippe|vaccin"])
def test_a_reader_asks_for_either_of_two_words(typed: str) -> None:
    assert parse(typed) == Words(((Term("grippe"), Term("vaccin")),))


def test_alternatives_bind_tighter_than_the_other_words() -> None:
    assert parse('Chine retraite OU pension OU "âge légal" réforme') == Words(
        (
            word("Chine"),
            (Term("retraite"), Term("pension"), Term("âge légal", quoted=True)),
            word("réforme"),
        )
    )


def test_the_french_word_for_or_in_small_letters_is_just_a_word() -> None:
    assert parse("vie ou mort") == Words((word("vie"), word("ou"), word("mort")))


@pytest.mark.parametrize("typed", ["OU retraite", "retraite OU", "| retraite |", "retraite OU OU"])
def test_an_operator_with_nothing_to_join_is_left_out(typed: str) -> None:
    assert parse(typed) == Words((word("retraite"),))


def test_a_reader_who_types_only_an_operator_means_the_word() -> None:
    assert parse("OR") == Words((word("OR"),))


def test_a_reader_may_only_exclude() -> None:
    assert parse("-Chine") == Words((), (Term("Chine"),))


@pytest.mark.parametrize(
    ("typed", "relaxable"),
    [
        ("retraites Chine", True),
        ("retraites", False),
        ("retraites -Chine", False),
        ('"temps partiel" "accord de branche"', False),
        ('"temps partiel" Suède', True),
        ("grippe OU vaccin", False),
    ],
)
def test_a_search_can_be_relaxed_when_a_word_can_be_spared(typed: str, relaxable: bool) -> None:
    assert parse(typed).relaxable is relaxable


def test_words_that_say_nothing_put_no_condition() -> None:
    words = parse('le retraite OU la -de "et" !').keeping(lambda text: text == "retraite")
    assert words == Words((word("retraite"),))


def test_a_whole_page_pasted_in_the_box_is_cut() -> None:
    words = parse(" ".join(f"mot{n} OU -autre{n} tiers{n}" for n in range(500)))
    assert sum(map(len, words.all_of)) + len(words.none_of) == MAX_TERMS


PIECES = st.sampled_from(['"', "-", "|", "OU", "OR", " ", "«", "»", "retraite", "l’âge", "--", "'"])


@given(st.one_of(st.text(), st.lists(PIECES).map("".join), st.lists(PIECES).map(" ".join)))
def test_nothing_that_can_be_typed_is_an_error(typed: str) -> None:
    words = parse(typed)
    terms = [*words.wanted, *words.none_of]
    assert len(terms) <= MAX_TERMS
    assert all(term.text.strip() and '"' not in term.text for term in terms)
    assert all(words.all_of)
