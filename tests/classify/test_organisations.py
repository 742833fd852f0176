"""Organisations that a note names."""

import pytest

from services.classify.classifier import classify_texts


def organisations(text: str) -> set[str]:
    """The ids of the organisations in a text."""
    return {tag.id for tag in classify_texts("", text).organisations}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("L'OIT et le BIT ont publié un rapport.", {"OIT"}),
        ("L’Organisation internationale du Travail a publié un rapport.", {"OIT"}),
        ("L'Organisation mondiale de la Santé alerte.", {"OMS"}),
        ("La Commission européenne propose une directive.", {"UE"}),
        ("La CJUE a rendu un arrêt.", {"CJUE"}),
        ("Le Conseil de l'Europe se réunit.", {"CONSEIL_EUROPE"}),
        ("La Banque mondiale et le FMI.", {"BANQUE_MONDIALE", "FMI"}),
        ("La CIPRES, le Cleiss et l'EN3S.", {"CIPRES", "CLEISS", "EN3S"}),
        ("La facilité SOCIEUX+ est financée par l'UE.", {"SOCIEUX+", "UE"}),
        ("Le GIP SPSI et Expertise France.", {"GIP_SPSI", "EXPERTISE_FRANCE"}),
        ("L'OCDE, l'ONU et l'AISS.", {"OCDE", "ONU", "AISS"}),
    ],
)
def test_a_reader_finds_an_organisation_under_its_names(text: str, expected: set[str]) -> None:
    assert organisations(text) == expected


def test_small_letters_are_no_acronym() -> None:
    assert organisations("On oit bien, il a bu ; des nations unies par l'histoire.") == set()


def test_an_organisation_is_no_country() -> None:
    assert classify_texts("", "L'Union européenne et la Commission européenne.").countries == ()
