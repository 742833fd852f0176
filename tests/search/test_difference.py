"""What changed between two texts: nothing lost, readable, in bounded time."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.answers import TextOperation
from services.search.difference import CONTEXT, LEAST_SKIPPED, changes, text_difference
from tests.builders import a_note

WORDS = st.lists(st.sampled_from(["la", "retraite", "à", "68", "ans", "\n", "\n\n", " ", "é", ""]))
TEXTS = WORDS.map(" ".join) | st.text(max_size=60)


LONG = ("Cette partie du texte ne change pas d'une révision à l'autre. " * 8).strip()


def told(before: str, after: str) -> list[tuple[str, str]]:
    return [(one.op, one.text) for one in text_difference(before, after)]


def rebuilt(operations: tuple[TextOperation, ...], known: str, own: str) -> str:
    """The text on one side: `own` is insert or delete, `known` fills in what was skipped."""
    text = ""
    for one in operations:
        if one.op == "skip":
            text += known[len(text) : len(text) + one.characters]
        elif one.op in ("equal", own):
            text += one.text
    return text


@given(TEXTS, TEXTS)
def test_both_texts_can_be_put_together_again(before: str, after: str) -> None:
    operations = text_difference(before, after)
    assert rebuilt(operations, before, "delete") == before
    assert rebuilt(operations, after, "insert") == after
    assert all(one.characters == len(one.text) for one in operations if one.op != "skip")


def test_a_changed_figure_is_shown_within_its_paragraph() -> None:
    before = f"{LONG}\n\nL'âge de départ passe à 68 ans en 2031.\n\n{LONG}\n"
    after = before.replace("68", "67")
    assert told(before, after) == [
        ("skip", ""),
        ("equal", "L'âge de départ passe à"),
        ("delete", " 68"),
        ("insert", " 67"),
        ("equal", " ans en 2031.\n\n"),
        ("skip", ""),
    ]


def test_a_new_paragraph_is_one_piece_and_short_ones_beside_it_stay() -> None:
    assert told("Un.\n\nTrois.", "Un.\n\nDeux, en entier.\n\nTrois.") == [
        ("equal", "Un.\n\n"),
        ("insert", "Deux, en entier.\n\n"),
        ("equal", "Trois."),
    ]


@pytest.mark.parametrize("between", ["\n", "\n\n", "\nLe reste est inchangé.\n", "\n" * 40])
def test_what_stayed_between_two_changes_is_shown_where_it_is_short(between: str) -> None:
    found = told(f"Taux : 10{between}Âge : 62", f"Taux : 12{between}Âge : 64")
    assert "skip" not in [op for op, _ in found]
    assert ("equal", f"{between}Âge :") in found


def test_a_long_line_is_shortened_between_words() -> None:
    before = f"En 2026, {LONG} Le taux est de 10 pour cent."
    found = told(before, before.replace("10 pour", "12 pour").replace("2026", "2027"))
    assert [op for op, _ in found].count("skip") == 1
    at = [op for op, _ in found].index("skip")
    for text, words in ((found[at - 1][1], before), (found[at + 1][1], before)):
        assert len(text) <= CONTEXT
        start = words.index(text)
        edges = words[start - 1 : start] + text[:1], text[-1:] + words[start + len(text) :][:1]
        assert all(any(map(str.isspace, edge)) for edge in edges)


def test_an_unchanged_run_is_never_said_to_be_a_few_characters() -> None:
    before = "\n".join(f"Article {at}. {'Le texte de l’article. ' * (at % 9)}" for at in range(60))
    after = before.replace("Article 1", "Art. 1").replace("Article 44", "Art. 44")
    skipped = [one for one in text_difference(before, after) if one.op == "skip"]
    assert skipped
    assert all(one.characters >= LEAST_SKIPPED for one in skipped)


def test_a_paragraph_that_says_something_else_is_no_mosaic() -> None:
    before = "Le gouvernement de coalition prépare la réforme de la dépendance."
    after = "La Cour a annulé le décret sur les médicaments de rue."
    assert told(before, after) == [("delete", before), ("insert", after)]


def test_each_of_many_changed_paragraphs_is_compared_with_its_own() -> None:
    before = "\n".join(f"Article {at} : le taux est de 10 pour cent." for at in range(50))
    after = before.replace("10 pour", "12 pour")
    assert told(before, after).count(("delete", " 10")) >= 49


def test_the_fields_that_changed_are_named_with_their_values() -> None:
    old = a_note(addressees=("DSS",), cites=("BER-1",))
    new = a_note(addressees=("DSS", "DGT"), cites=("BER-1",), date="2026-03-05", subject="Autre")
    found = {one.field: one for one in changes(old, new)}
    assert list(found) == ["subject", "date", "addressees"]
    assert (found["date"].before, found["date"].after) == ("2026-03-04", "2026-03-05")
    assert (found["addressees"].before, found["addressees"].after) == (["DSS"], ["DSS", "DGT"])
    assert found["subject"].operations
    assert changes(old, old) == ()


def test_hostile_texts_are_compared_in_bounded_time() -> None:
    # Two words only, in two orders, over lines of the length that is still taken apart.
    one = "\n".join("a b b a a b " * 80 for _ in range(150))
    other = "\n".join("b a a b a a " * 80 for _ in range(150))
    # Every other word is the same one, over many paragraphs: each is held against all its equals.
    mixed = [
        "\n".join(" ".join(f"x {c}{i}.{j}" for j in range(245)) for i in range(40)) for c in "ab"
    ]
    began = time.perf_counter()
    for before, after in (
        (one, other),
        ("x\n" * 40_000, "y\n" * 39_999),
        ("x " * 40_000, "y"),
        ("x" + " " * 200_000, "y" + " " * 200_000),
        (mixed[0], mixed[1]),
    ):
        assert rebuilt(text_difference(before, after), before, "delete") == before
    # A second on the machine it was set on; unbounded, minutes.
    assert time.perf_counter() - began < 30
