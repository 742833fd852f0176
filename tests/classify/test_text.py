"""Folding: words are found whatever their form, and every word knows its exact place."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.classify.text import fold, fold_term

FRENCH = "aàâeéèêëiîïoôuùûcçnsœæ'’-– \n.,;«»_AÀÉŒ\u0301\u0300\u00ad\u200bﬁ"


@given(st.text(alphabet=FRENCH) | st.text())
def test_every_word_is_an_exact_span_of_the_text_as_given(text: str) -> None:
    folded = fold(text)
    assert len(folded.words) == len(folded.spans) == len(folded.places)
    ends = 0
    for start, end in folded.spans:
        assert ends <= start < end <= len(text)
        ends = end
    for start, place in folded.places.items():
        word = folded.words[place]
        assert folded.line[start - 1 : start + len(word) + 1] == f" {word} "


@given(st.text(alphabet=FRENCH))
def test_the_unicode_form_of_a_text_does_not_change_its_words(text: str) -> None:
    composed = unicodedata.normalize("NFC", text)
    assert fold(composed).words == fold(unicodedata.normalize("NFD", text)).words


@given(st.text(alphabet="abcdéèœ '’-", min_size=1))
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold_term(fold_term(text)) == fold_term(text)


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("L’Œuvre", "l oeuvre"),
        ("main-d'œuvre", "main d oeuvre"),
        ("proﬁl", "profil"),
        ("Assurance\u00a0maladie", "assurance maladie"),
        ("assurance\n   maladie", "assurance maladie"),
        ("e\u0301te\u0301", "ete"),
        ("AT/MP", "at / mp"),
        ("sécu\u00adrité", "securite"),
        ("_Italie_", "italie"),
        ("401(k)", "401 ( k )"),
        ("İstanbul", "istanbul"),
    ],
)
def test_forms_of_a_word_that_a_reader_takes_for_the_same(written: str, folded: str) -> None:
    assert fold_term(written) == folded


def test_the_end_of_a_sentence_or_paragraph_stands_between_words() -> None:
    assert fold("santé.\n\nTravail").words == ("sante", ".", "¶", "travail")


def test_a_hyphen_at_the_end_of_a_line_is_mended_where_the_whole_is_a_known_word() -> None:
    text = "l'assu-\nrance au Royaume-\nUni"
    folded = fold(text, {"assurance", "royaume", "uni"})
    assert folded.words == ("l", "assurance", "au", "royaume", "uni")
    assert folded.surface(1, 1) == "assu-\nrance"
