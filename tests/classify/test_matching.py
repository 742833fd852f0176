"""Terms in a text: whole words, the longest wins, capitals and accents where they are asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.classify.inflect import people_forms, plural, term_forms
from services.classify.matching import Matcher, terms
from services.classify.text import fold


def found(text: str, *written: str) -> list[str]:
    """The passages of a text that these terms match."""
    matcher = Matcher([term for one in written for term in terms(one, one)])
    folded = fold(text)
    return [folded.surface(match.first, match.last) for match in matcher.find(folded)]


def test_a_term_is_found_as_whole_words_only() -> None:
    assert found("La machine, le Malien et le Mali.", "Mali", "chine") == ["Mali"]


def test_the_longest_expression_hides_those_inside_it() -> None:
    assert found("le groupe de travail", "travail", "groupe de travail") == ["groupe de travail"]
    assert found("du travail des enfants", "du travail", "travail des enfants") == [
        "travail des enfants"
    ]


def test_neighbouring_terms_are_both_found() -> None:
    assert found("suisse allemand", "suisse", "allemand") == ["suisse", "allemand"]


@pytest.mark.parametrize(
    ("written", "text", "expected"),
    [
        ("OIT", "l'OIT a le droit, il soit, oit", ["OIT"]),
        ("^Essen", "Essen, essen", ["Essen"]),
        ("~marché", "le marché, il marche, LE MARCHE", ["marché", "MARCHE"]),
        ("=pays", "un pays", ["pays"]),
        ("retraite", "la RETRAITE, les Retraites", ["RETRAITE", "Retraites"]),
        ("accident du travail", "des accidents du travail", ["accidents du travail"]),
        ("=emploi", "les emplois", []),
        ("^La Réunion", "à la Réunion ; la réunion", ["la Réunion"]),
        ("assurance maladie", "assurance. Maladie", []),
        ("AT/MP", "la branche AT/MP", ["AT/MP"]),
    ],
)
def test_what_a_term_asks_of_the_text(written: str, text: str, expected: list[str]) -> None:
    assert found(text, written) == expected


@pytest.mark.parametrize(
    ("singular", "expected"),
    [
        ("hôpital", "hôpitaux"),
        ("travail", "travaux"),
        ("cheveu", "cheveux"),
        ("prix", "prix"),
        ("retraite", "retraites"),
    ],
)
def test_plurals(singular: str, expected: str) -> None:
    assert plural(singular) == expected


def test_the_words_before_the_first_little_word_agree() -> None:
    assert term_forms("caisse nationale de sécurité sociale") == (
        "caisse nationale de sécurité sociale",
        "caisses nationales de sécurité sociale",
    )
    assert term_forms("CNSS") == ("CNSS",)


def test_inhabitants_have_four_forms() -> None:
    assert people_forms("allemand allemande") == (
        "allemand",
        "allemande",
        "allemands",
        "allemandes",
    )
    assert people_forms("grec grecque") == ("grec", "grecque", "grecs", "grecques")
    assert people_forms("français française") == ("français", "française", "françaises")


@given(st.text(alphabet="ab '-\n.é\u0301", max_size=60))
def test_matches_never_overlap_and_are_what_they_say(text: str) -> None:
    matcher = Matcher([term for one in ("a", "a b", "b a b", "é") for term in terms(one, one)])
    folded = fold(text)
    last = -1
    for match in matcher.find(folded):
        assert match.first > last
        last = match.last
        assert " ".join(folded.words[match.first : match.last + 1]) == match.term.key
