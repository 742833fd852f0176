"""The signs of Markdown in a text: found where they are signs, left where they are not."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.search.markup import plain, signs


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Le **taux** recule.", "Le taux recule."),
        ("**Réforme\ndes retraites**", "Réforme\ndes retraites"),
        ("### Suites", "Suites"),
        ("| a | b |\n| :--- | ---: |\n| c | d |", "a | b\nc | d"),
        ("a | b\n--- | ---\nc | d", "a | b\nc | d"),
        ("(**a**), __b__ et *c*.", "(a), b et c."),
        ("… du **<mark>taux</mark>** de chô", "… du <mark>taux</mark> de chô"),
        ("fin de phrase.** La suite", "fin de phrase. La suite"),
    ],
)
def test_signs_go_and_words_stay(text: str, shown: str) -> None:
    assert plain(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "10**6 et 10**9",
        "2 * 3 * 4",
        "les salarié*es",
        "#1 du classement",
        "un nom_de_fichier",
        "a | b",
        "-----",
        "Signature\n-----\nBerlin",
        "[1] voir (infra)",
        "* hors tabac",
        "",
    ],
)
def test_what_is_no_sign_stays(text: str) -> None:
    assert plain(text) == text


@given(st.text(alphabet="ab*_#| -\n[]()", max_size=200))
def test_signs_lie_in_the_text_and_no_letter_is_one(text: str) -> None:
    for sign in signs(text):
        assert 0 <= sign.start <= sign.end <= len(text)
        assert not sign.hidden or not set(text[sign.start : sign.end]) & set("ab")
    assert [each for each in plain(text) if each in "ab"] == [each for each in text if each in "ab"]


@pytest.mark.parametrize(
    "piece",
    ["**a ", "**a** ", "# ", "__a", "*a", "|-", "-", "|---|\n", "[a](/", "**a\n", " ", "\n"],
)
def test_time_grows_with_the_length_of_the_text(piece: str) -> None:
    text = "**" + piece * (2_000_000 // len(piece)) + "x"
    began = time.perf_counter()
    plain(text)
    # Two seconds for the slowest on the machine it was set on; quadratic, hours.
    assert time.perf_counter() - began < 30
