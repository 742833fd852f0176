"""How a note begins in lists: its own text on one line, without what stands above it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.search.excerpt import EXCERPT_CHARACTERS, excerpt

OWN = "Le parlement a adopté la réforme de l'apprentissage par 61 voix contre 38."
LETTERHEADS = (
    "Ambassade de France en Italie\nService des affaires sociales\n\nRome, le 4 mars 2026\n\n"
    "Objet : Chômage en Italie\nRéférence : ROM-2026-0811\n\n",
    "Note diplomatique\nRéférence : BER-2026-0142\nDate : 4 mars 2026\n\n",
    "De : poste de Madrid\nÀ : DAEI\nCopie : DGT\nObjet : Le salaire minimum\n\n",
)


@pytest.mark.parametrize("above", LETTERHEADS)
def test_an_excerpt_begins_with_the_notes_own_text(above: str) -> None:
    assert excerpt("Chômage en Italie", above + OWN) == OWN


def test_a_quoted_mail_is_passed_over_wherever_it_stands() -> None:
    quoted = (
        "-----Message d'origine-----\nDe : DSS\nEnvoyé : 2 février 2026\nObjet : question\n\n"
        "Pouvez-vous dire où en est la réforme espagnole des retraites ?\n"
    )
    assert excerpt("Réponse", f"{OWN}\n\n{quoted}") == OWN
    lines = "> Pouvez-vous dire où en est\n> la réforme espagnole ?\n\n"
    assert excerpt("Réponse", lines + OWN) == OWN


def test_what_has_nothing_of_its_own_begins_with_what_it_has() -> None:
    only_quoted = "> Le Bundestag a adopté la réforme\n> des retraites."
    assert "Bundestag" in excerpt("Pour information", only_quoted)
    assert excerpt("Rome", "Ambassade de France en Italie") == "Ambassade de France en Italie"


@pytest.mark.parametrize(
    "title",
    ["Chômage en Italie", "CHÔMAGE EN ITALIE", "# Chômage en Italie", "**Chômage en Italie**"],
)
def test_a_title_that_repeats_the_subject_is_not_said_again(title: str) -> None:
    assert excerpt("Chômage en Italie", f"{title}\n\n{OWN}") == OWN


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("## Contexte\n\nLe **taux** de chômage recule.", "Le taux de chômage recule."),
        ("| Pays | Taux |\n|---|---|\n| Italie | 6,1 |", "Pays | Taux Italie | 6,1"),
        ("# Contexte", "Contexte"),
        ("---\n\nLe __taux__ *recule*.", "Le taux recule."),
        ("Voir [le rapport](https://exemple.fr/r.pdf).", "Voir le rapport."),
    ],
)
def test_no_sign_of_markdown_is_shown(body: str, shown: str) -> None:
    assert excerpt("Note", body) == shown


@pytest.mark.parametrize(
    "body",
    [
        "Une brève de deux lignes.",
        "En 10**6 personnes et 10**9 euros.",
        "Les salarié*es et 3 * 4 * 5.",
        "Le n° #1 du classement, 100 % [1] des cas.",
    ],
)
def test_an_ordinary_text_is_left_as_it_is(body: str) -> None:
    assert excerpt("Note", body) == body


def test_lines_of_a_text_are_one_line() -> None:
    assert excerpt("Note", "Une brève\n\nde deux lignes. ") == "Une brève de deux lignes."


@given(st.text(alphabet="ab \n,é", max_size=2_000), st.integers(2, EXCERPT_CHARACTERS))
def test_an_excerpt_is_one_short_line_from_the_text(body: str, most: int) -> None:
    shown = excerpt("Note du poste", body, most)
    assert len(shown) <= most
    assert "\n" not in shown
    assert set(shown.rstrip("…").split(" ")[:-1]) <= set(body.split()) | {""}


@pytest.mark.parametrize(
    "piece", ["**a ", "# ", "__a", "*a", "|---", "[a](", "\n> a", "**a\n", "| a |\n"]
)
def test_a_hostile_text_takes_no_longer_than_its_length(piece: str) -> None:
    body = piece * (400_000 // len(piece))
    began = time.perf_counter()
    excerpt("Note", body)
    assert time.perf_counter() - began < 5
