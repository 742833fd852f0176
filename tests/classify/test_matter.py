"""What weighs nothing in tags: letterheads, quoted messages, signatures, menus, contents."""

import json
import time

import pytest

from schemas.classification import Classification
from services.classify.classifier import classify_texts
from services.classify.jsonl import answer
from services.classify.matter import body_matter, matter

ROADS = "Le gouvernement a présenté un plan pour les routes et les ponts. Il sera voté en mai."
SLOVENIA = (
    "Le parlement slovène a adopté la réforme des retraites. En Slovénie, l'âge légal passera à "
    "65 ans. Les syndicats de Ljubljana ont appelé à la grève."
)


def themes(subject: str, body: str) -> set[str]:
    return {tag.theme for tag in classify_texts(subject, body).themes}


def countries(found: Classification) -> set[tuple[str, str]]:
    return {(tag.country, tag.role) for tag in found.countries}


@pytest.mark.parametrize(
    "letterhead",
    [
        "Service des affaires sociales",
        "Service pour les affaires sociales",
        "Ministère du travail, de la santé, des solidarités et des familles",
        "Direction de la sécurité sociale\nSous-direction des retraites",
        "Le conseiller pour les affaires sociales\nà\nMadame la ministre du travail",
        "Service des affaires sociales | Paris, le 4 mars 2026",
        "Affaire suivie par : Jean Dupont, conseiller emploi et sécurité sociale",
        "À l'attention de la direction générale de la santé",
    ],
)
def test_a_letterhead_gives_no_theme(letterhead: str) -> None:
    assert themes("Note du poste", f"{letterhead}\n\n{ROADS}") == set()


@pytest.mark.parametrize(
    "letterhead",
    [
        "Ambassade de France en Italie\nRome, le 4 mars 2026",
        "AMBASSADE DE FRANCE\nEN ITALIE\n\nService social\n\nRome le 4 mars 2026",
        "Ambassade de France en Italie | Rome, le 4 mars 2026\n | N° ROM-2026-0804",
        "Rome, le quatre mars deux mille vingt-six",
        "11 rue de Rome\n00186 Rome\nTél. : +39 06 68 60 11",
    ],
)
@pytest.mark.parametrize("post", ["rome", None])
def test_a_letter_from_rome_on_slovenia_is_about_slovenia(letterhead: str, post: str) -> None:
    found = classify_texts("Réforme des retraites", f"{letterhead}\n\n{SLOVENIA}", post)
    assert countries(found) == {("SI", "about")}


def test_an_office_as_the_subject_gives_nothing() -> None:
    found = classify_texts("Ambassade de France en Italie", SLOVENIA)
    assert countries(found) == {("SI", "about")}
    assert themes("Service des affaires sociales", ROADS) == set()


def test_the_subject_line_of_a_letterhead_counts() -> None:
    body = f"Rome, le 4 mars 2026\nObjet : retraites, assurance chômage en Slovénie\n\n{ROADS}"
    assert countries(classify_texts("Note", body)) == {("SI", "about")}
    assert "protection_sociale" in themes("Note", body)


QUOTES = [
    "-----Message d'origine-----\nDe : X\nDate : 2 février 2025\nObjet : question Espagne\n"
    "Référence : DSS-2025-11\n\nQue fait l'Espagne pour l'assurance chômage ? Et l'OIT ?",
    "De : X\nEnvoyé : lundi 2 février 2025\nÀ : Y\nObjet : Espagne\n\nL'Espagne et l'OIT.",
    "Le 2 février 2025 à 10:12, X a écrit :\n\nLe chômage en Espagne selon l'OIT.",
    "> Objet : Espagne\n> Le chômage en Espagne selon l'OIT.",
    "Von: X\nGesendet: Montag\nAn: Y\nBetreff: Espagne\n\nLe chômage en Espagne selon l'OIT.",
]


@pytest.mark.parametrize("quote", QUOTES)
def test_a_quoted_message_weighs_nothing(quote: str) -> None:
    found = classify_texts("Réponse", f"L'Italie construit des routes.\n\n{quote}")
    assert countries(found) == {("IT", "about")}
    assert not found.themes
    assert not found.organisations


@pytest.mark.parametrize(
    "before",
    [
        "",
        "Pour information.\n\n",
        "FYI\n\nJean\n\n",
        "Bonjour,\n\nVoir ci-dessous.\n\nBien à vous\n\n",
    ],
)
@pytest.mark.parametrize("quote", QUOTES)
def test_of_a_mail_that_only_forwards_the_forwarded_message_counts(before: str, quote: str) -> None:
    found = classify_texts("TR", f"{before}{quote}")
    assert countries(found) == {("ES", "about")}
    assert found.organisations


def test_of_a_forwarded_message_the_signature_and_what_it_quotes_weigh_nothing() -> None:
    body = (
        "Pour information.\n\n-----Message d'origine-----\nDe : X\nEnvoyé : lundi\nÀ : Y\n"
        "Objet : Slovénie\n\nBonjour,\n\nLa Slovénie réforme ses retraites.\n\nCordialement,\nX\n"
        "Ambassade de France en Italie\n\n-----Message d'origine-----\nDe : Y\nEnvoyé : mardi\n"
        "Objet : Espagne\n\nQue fait l'Espagne ?"
    )
    assert countries(classify_texts("TR", body)) == {("SI", "about")}


@pytest.mark.parametrize(
    "signature",
    [
        "Cordialement,\n\nJean\nService des affaires sociales\nAmbassade de France en Italie",
        "-- \nJean Dupont\nRome, Italie",
        "Jean Dupont\nConseiller pour les affaires sociales\nAmbassade de France en Italie",
    ],
)
def test_a_signature_weighs_nothing(signature: str) -> None:
    found = classify_texts("Note", f"{SLOVENIA}\n\n{signature}")
    assert countries(found) == {("SI", "about")}
    assert themes("Note", f"{ROADS}\n\n{signature}") == set()


def test_a_table_of_contents_weighs_nothing_but_what_it_announces_does() -> None:
    body = f"Sommaire\n1. Retraites en Grèce .... 2\n2. Chômage à Malte .... 4\n\n{SLOVENIA}"
    assert countries(classify_texts("Bulletin", body)) == {("SI", "about")}


def test_an_annex_counts() -> None:
    body = f"{ROADS}\n\nAnnexe 1 : retraites\n\n{SLOVENIA}"
    assert countries(classify_texts("Note", body)) == {("SI", "about")}


@pytest.mark.parametrize(
    "body",
    [
        "Italie : retraites\nEspagne : chômage\nGrèce : hôpitaux\nMalte : salaires",
        "Sommaire\n1. Italie : retraites\n2. Espagne : chômage\n3. Grèce : hôpitaux",
    ],
)
def test_a_note_that_is_a_list_counts(body: str) -> None:
    assert {country for country, _ in countries(classify_texts("Brèves", body))} >= {
        "IT",
        "ES",
        "GR",
    }


@pytest.mark.parametrize(
    "body", ["", "b", SLOVENIA, f"{ROADS}\n\n{SLOVENIA}", "- a\n- b\n- c\n- d\n"]
)
def test_a_text_without_parts_stays_as_it_is(body: str) -> None:
    assert body_matter(body) is body


def test_every_passage_is_exact_behind_a_letterhead() -> None:
    body = f"Ambassade de France en Italie\nRome, le 4 mars 2026\n\n\U0001f1f8\U0001f1ee {SLOVENIA}"
    found = classify_texts("Note", body)
    passages = [one for tag in (*found.themes, *found.countries) for one in tag.evidence]
    assert passages
    assert all(body[one.start : one.end] == one.text for one in passages)


def test_matter_keeps_every_place() -> None:
    body = f"Rome, le 4 mars 2026\n\n{SLOVENIA}\n\nCordialement,\nX"
    said = matter("Service des affaires sociales", body)
    assert said[0].isspace()
    assert len(said[1]) == len(body)
    assert said[1].index("Le parlement") == body.index("Le parlement")


def test_the_command_leaves_the_same_out() -> None:
    body = f"Ambassade de France en Italie\nRome, le 4 mars 2026\n\n{SLOVENIA}"
    found = answer(json.dumps({"id": 1, "subject": "Note", "body": body}).encode())
    assert [tag["country"] for tag in found["countries"]] == ["SI"]


@pytest.mark.parametrize(
    "piece", ["> a\n\n\n\n\n\n", "De : X\nEnvoyé : x\nObjet : y\n", "-----Message d'origine-----\n"]
)
def test_nothing_but_quotations_takes_time_in_proportion(piece: str) -> None:
    before = time.process_time()
    body_matter(piece * (1_000_000 // len(piece)))
    assert time.process_time() - before < 10.0
