"""The parts of a document: each kind in several forms, and texts that have none of it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.parts import Kind, own_words, parts, without

TEXT = "Le parlement slovène a adopté la réforme des retraites. Elle entre en vigueur en 2027."


def of(kind: Kind, body: str) -> list[str]:
    """The parts of one kind, as they stand in the text."""
    return [body[part.start : part.end].strip() for part in parts(body) if part.kind is kind]


def own(body: str) -> str:
    """The text beyond its parts, in one line."""
    return " ".join(without(body, parts(body)).split())


@pytest.mark.parametrize(
    "line",
    [
        "Service des affaires sociales",
        "Service pour les affaires sociales",
        "SERVICE SOCIAL",
        "Ambassade de France en Italie",
        "AMBASSADE DE FRANCE\nEN ITALIE",
        "Ambassade de France en Italie\nRome, le 4 mars 2026",
        "Représentation permanente de la France auprès de l'Union européenne",
        "Consulat général de France à Québec",
        "RÉPUBLIQUE FRANÇAISE\nLiberté - Égalité - Fraternité",
        "Ministère du travail, de la santé et des solidarités\nDirection de la sécurité sociale",
        "Direction générale de la cohésion sociale",
        "Stockholm le 3 mars 2026",
        "Rome, le quatre mars deux mille vingt-six",
        "Berlin, le 04/03/2026",
        "Note diplomatique",
        "Bulletin d'actualité sociale n° 12",
        "N° ROM-2026-0811",
        "ROM-2026-0811",
        "**Référence :** ROM-2026-0811",
        "Affaire suivie par : Isabelle Martin",
        "À l'attention de Madame la déléguée aux affaires européennes",
        "Service des affaires sociales | Rome, le 4 mars 2026",
        "Le conseiller pour les affaires sociales\nà\nMonsieur le délégué",
        "L'Ambassadeur\nà\nMonsieur le ministre de l'Europe et des affaires étrangères",
        "AMBASSADE DE FRANCE EN SUÈDE\nLe conseiller social régional\nStockholm, le 3 mars 2026",
        "Ambassade de France\nBerlin",
        "Pôle santé-social",
        "Service Travail-Emploi",
        "Service de la protection sociale et de la santé",
        "Service des affaires sociales – Rome – 4 mars 2026",
        "MINISTÈRE\nDU TRAVAIL\nET DES SOLIDARITÉS\n\nDirection générale\ndu travail",
        "Destinataires :\n- Direction de la sécurité sociale\n- DGT\n\nCopie : Cnav",
        "French Embassy in Italy",
        "Berlin, den 4. März 2026",
        "Section sociale\nAmbassade de France au Royaume-Uni\n58 Knightsbridge, London SW1X 7JT",
        "Pariser Platz 5, 10117 Berlin",
        "TD ROM 2026-12",
        "Ambassade de France en Italie - 67 Piazza Farnese - 00186 Rome - Tél. +39 06 68 60 11",
        "Le conseiller pour les affaires sociales près l'ambassade de France en Italie",
        "Rome – 4 mars 2026",
        "(Rome, le 4 mars 2026)",
        "Poste de Rome",
        "ROME",
        "Rédacteur(s) : Isabelle Martin, service social, Rome",
        "Note rédigée par le service des affaires sociales de l'ambassade de France en Italie",
        "Service des affaires sociales\t\tRome, le 4 mars 2026",
        "Rome, le 4 mars 2026 N° ROM-2026-0804",
        "Ambassade de France en Italie Service social | Rome, le 4 mars 2026 N° ROM-2026-0804",
    ],
)
def test_a_letterhead_is_known_by_the_form_of_its_lines(line: str) -> None:
    body = f"{line}\n\n{TEXT}"
    assert of(Kind.LETTERHEAD, body) == [line]
    assert own(body) == TEXT


@pytest.mark.parametrize(
    "line",
    [
        "Réforme des retraites en Slovénie",
        "Service civique : l'Allemagne renonce",
        "Le 4 mars 2026, le gouvernement a présenté son projet.",
        "Ambassade de France : la grève s'étend",
        "Le ministère du travail a publié les chiffres du chômage",
        "Direction de la santé : une nouvelle directrice",
        "Service public de l'emploi en Suède",
        "Service social des entreprises en Allemagne",
        "Chômage en Italie au 4 mars",
        "Grève générale du 4 mars 2026",
        "Chômage – 4 mars 2026",
        "Le ministre du travail démissionne",
        "Inspection du travail en Grèce",
        "Direction du travail aux Pays-Bas",
        "Rome et Madrid",
        "Retraites en Italie, le 4 mars 2026 Milan",
        "Retraites en Italie | le 4 mars 2026",
        "Santé et travail en Slovénie",
        "Thème : retraites\nPays : Slovénie",
        "L'ambassade de France a reçu les syndicats",
    ],
)
def test_titles_and_sentences_are_no_letterhead(line: str) -> None:
    body = f"{line}\n\n{TEXT}"
    assert of(Kind.LETTERHEAD, body) == []
    assert own(body) == " ".join(f"{line} {TEXT}".split())


def test_a_letterhead_ends_at_the_first_paragraph() -> None:
    body = f"{TEXT}\n\nAmbassade de France en Italie\n\n{TEXT}"
    assert of(Kind.LETTERHEAD, body) == []


@pytest.mark.parametrize(
    "lines",
    [
        "Objet : réforme des retraites",
        "OBJET : réforme des retraites en\nSlovénie",
        "**Objet :**\n\nRéforme des retraites",
        "Sujet : réforme des retraites",
    ],
)
def test_the_subject_is_a_part_of_its_own_within_the_letterhead(lines: str) -> None:
    body = f"Rome, le 4 mars 2026\n{lines}\n\n{TEXT}"
    assert of(Kind.SUBJECT, body) == [lines]
    assert of(Kind.LETTERHEAD, body) == ["Rome, le 4 mars 2026"]
    assert own(body) == TEXT


def test_a_title_between_the_lines_of_a_letterhead_is_own_text() -> None:
    body = f"Note diplomatique\nChômage en Slovénie\nRome, le 4 mars 2026\n\n{TEXT}"
    assert of(Kind.LETTERHEAD, body) == ["Note diplomatique", "Rome, le 4 mars 2026"]
    assert own(body) == f"Chômage en Slovénie {TEXT}"


QUOTES = [
    "-----Message d'origine-----\nDe : X\nDate : 2 février 2025\nObjet : Y\n\nEt l'Espagne ?",
    "-------- Message transféré --------\nSujet : question\nDate : x\nDe : y\n\nEt l'Espagne ?",
    "---------- Forwarded message ---------\nFrom: X <x@y.fr>\nDate: Mon\n\nEt l'Espagne ?",
    "-----Ursprüngliche Nachricht-----\nVon: X\nGesendet: Montag\n\nUnd Spanien?",
    "Début du message réexpédié :\n\nDe : X\nObjet : question\n\nEt l'Espagne ?",
    "Début du message transféré :\n\nEt l'Espagne ?",
    "Begin forwarded message:\n\nFrom: X\nSubject: question\n\nEt l'Espagne ?",
    "De : X\nEnvoyé : lundi 2 février 2025 10:12\nÀ : Y\nObjet : question\n\nEt l'Espagne ?",
    "De : X\n\nEnvoyé : lundi 2 février 2025\n\nÀ : Y\n\nObjet : question\n\nEt l'Espagne ?",
    "**De :** X <x@y.fr>\n**Date :** lundi\n**À :** Y\n**Objet :** question\n\nEt l'Espagne ?",
    "De : X Envoyé : lundi 2 février 2025 10:12 À : Y Objet : question\n\nEt l'Espagne ?",
    "From: X\nSent: Monday\nTo: Y\nSubject: question\n\nWhat about Spain?",
    "Von: X\nGesendet: Montag\nAn: Y\nBetreff: Frage\n\nUnd Spanien?",
    "De: X\nEnviado el: lunes\nPara: Y\nAsunto: pregunta\n\n¿Y España?",
    "Da: X\nInviato: lunedì\nA: Y\nOggetto: domanda\n\nE la Spagna?",
    "Le 2 février 2025 à 10:12, Jean Dupont a écrit :\n\nEt l'Espagne ?",
    "Le lun. 2 févr. 2025 à 10:12, Jean Dupont\n<jean@exemple.fr> a écrit :\n\nEt l'Espagne ?",
    "Le 2 février 2025, X a écrit :\n> Objet : Espagne\n> Et l'Espagne ?",
    "On Mon, 2 Feb 2025 at 10:12, X <x@y.fr> wrote:\n\nWhat about Spain?",
    "Am 02.02.2025 um 10:12 schrieb X:\n\nUnd Spanien?",
    "À : Y\nDe : X\nEnvoyé : lundi\nObjet : question\n\nEt l'Espagne ?",
    "De : X <x@y.fr>\nEnvoyé : lundi\nÀ : Y <y@z.fr>; A <a@z.fr>;\n B <b@z.fr>\nCc : C\n"
    "Objet : RE: question\nPièces jointes : x.pdf\n\nEt l'Espagne ?",
    "De : | X\nEnvoyé : | lundi\nÀ : | Y\nObjet : | question\n\nEt l'Espagne ?",
    "Expéditeur : X\nDate : lundi\nDestinataire : Y\nObjet : question\n\nEt l'Espagne ?",
    "----- Message transféré par X le 2/2/2025 -----\nEt l'Espagne ?",
    "Van: X\nVerzonden: maandag\nAan: Y\nOnderwerp: vraag\n\nEn Spanje?",
    "Från: X\nSkickat: måndag\nTill: Y\nÄmne: fråga\n\nOch Spanien?",
    "De: X\nEnviada: segunda\nPara: Y\nAssunto: pergunta\n\nE a Espanha?",
    "Den mån 2 feb. 2025 kl 10:12 skrev X <x@y.se>:\n\nOch Spanien?",
    "El lun, 2 feb 2025 a las 10:12, X (<x@y.es>) escribió:\n\n¿Y España?",
    "Il giorno lun 2 feb 2025 alle ore 10:12 X <x@y.it> ha scritto:\n\nE la Spagna?",
    "Jean Dupont <jean@exemple.fr> a écrit :\n\nEt l'Espagne ?",
    "Jean Dupont a écrit :\n> Et l'Espagne ?",
    "> Objet : question Espagne\n> Et l'Espagne ?\n>\n>> Et le Portugal ?",
]


@pytest.mark.parametrize("quote", QUOTES)
def test_what_a_mail_quotes_is_known_by_what_mail_programs_write(quote: str) -> None:
    body = f"{TEXT}\n\n{quote}\n"
    assert " ".join(of(Kind.QUOTED, body)).split() == quote.split()
    assert own(body) == TEXT


@pytest.mark.parametrize(
    "text",
    [
        "Le 2 février 2025, le ministre a écrit :\n« Nous réformons les retraites. »",
        "> 65 ans : 20 %\n> 75 ans : 10 %",
        "De : Paris\nvers la province, la mobilité recule.",
        "Le message d'origine du gouvernement était autre.",
        "-- Message --",
        "Le 4 mars 2026 à 10h30, le ministre a écrit :\n« Nous réformons. »",
        "Dans sa lettre, le président a écrit :\n\nLa lettre dit que.",
        "De : Paris\nÀ : Ljubljana\nDate : 4 mars 2026",
        "Origine : Rome\nDate : mars",
    ],
)
def test_ordinary_texts_quote_nothing(text: str) -> None:
    assert of(Kind.QUOTED, f"{TEXT}\n\n{text}\n\n{TEXT}") == []


def test_a_long_title_does_not_end_the_letterhead() -> None:
    title = (
        "La réforme slovène des retraites et de l'assurance vieillesse : ce qui change pour les "
    )
    title += "salariés, les indépendants et les agents publics à partir de l'année prochaine"
    body = f"{title}\n\nAmbassade de France en Italie\n\n{TEXT}"
    assert of(Kind.LETTERHEAD, body) == ["Ambassade de France en Italie"]


def test_the_header_of_a_note_is_no_quoted_message() -> None:
    body = f"Note diplomatique\nDe : Rome\nÀ : DAEI\nDate : 4 mars 2026\nObjet : X\n\n{TEXT}"
    assert of(Kind.QUOTED, body) == []


def test_answers_between_quoted_lines_are_own_text() -> None:
    body = (
        "Le 2 février 2025 à 10:12, X a écrit :\n> Et l'Espagne ?\n\nElle ne fait rien.\n\n"
        "> Et le Portugal ?\n\nRien non plus."
    )
    assert own(body) == "Elle ne fait rien. Rien non plus."


def test_after_the_end_of_a_forwarded_message_the_text_goes_on() -> None:
    body = f"----- Message transféré -----\nEt l'Espagne ?\n----- Fin du message -----\n\n{TEXT}"
    assert own(body) == TEXT


@pytest.mark.parametrize(
    "signed",
    [
        "-- \nJean Dupont\nAmbassade de France en Italie",
        "Cordialement,\nJean Dupont\n11 rue de Rome\nTél. : 01 02 03 04 05",
        "Bien à vous,\n\nJean",
        "Je vous prie d'agréer, Madame, l'expression de mes sentiments distingués.\n\nJean",
        "Isabelle Martin\nConseillère pour les affaires sociales\nAmbassade de France en Italie",
        "Mit freundlichen Grüßen\nHans",
        "Signé : Jean DUPONT",
        "Pour l'ambassadeur et par délégation,\nle conseiller pour les affaires sociales",
        "Marie de La Tour\nAttachée santé\n+33 1 02 03 04 05",
        "Le Conseiller pour les affaires sociales,\n\nJean DUPONT",
        "Jean Dupont | Conseiller social | Ambassade de France en Italie",
        "Fait à Rome, le 4 mars 2026",
        "Jean Dupont, conseiller pour les affaires sociales, ambassade de France en Italie",
        "Service des affaires sociales, Rome\ncas.rome@exemple.fr",
        "Rédacteur : Jean Dupont",
        "Envoyé de mon iPhone",
        "Meilleures salutations de Berlin,\nHans",
        "Ce message et ses pièces jointes sont confidentiels et destinés à leur seul destinataire.",
        "Cordialement\nJean\n\nThis e-mail is confidential. If you are not the intended recipient, "
        "please delete it.",
    ],
)
def test_a_signature_ends_the_text(signed: str) -> None:
    body = f"{TEXT}\n\n{signed}\n"
    assert of(Kind.SIGNATURE, body) == [signed]
    quote = "-----Message d'origine-----\nDe : X\nObjet : question"
    assert of(Kind.SIGNATURE, f"{body}\n{quote}") == [signed]


@pytest.mark.parametrize(
    "end",
    [
        "Le message est confidentiel selon le ministère du travail italien, qui l'a publié hier.",
        "Les syndicats ont salué le ministre cordialement.",
        "Prochaine étape : le Sénat",
        "Source : ministère du travail",
        "Chômage, retraites, Santé",
        "Villes concernées\n\nRome\nMadrid",
        "Prochain rendez-vous - Conseil des ministres",
        "Le directeur de l'institut a démissionné",
        "Les offices concernés sont :\nDirection générale du travail\nDirection de la santé",
        "Le bureau du travail\net le ministère de la santé en conviennent.",
    ],
)
def test_ordinary_last_lines_are_no_signature(end: str) -> None:
    assert of(Kind.SIGNATURE, f"{TEXT}\n\n{end}") == []


@pytest.mark.parametrize(
    "table",
    [
        "Sommaire\n1. Contexte ..... 2\n2. La réforme en Italie ..... 5",
        "TABLE DES MATIÈRES\n\nI. Contexte\t2\n\nII. La réforme\t5",
        "## Sommaire\n- Contexte\n- Réforme",
        "Au sommaire :\n- Retraites en Italie\n- Contexte",
        "Sommaire\n\nContexte\n\nRéforme en Grèce",
        "Table des matières\nContexte 1\nRéforme en Grèce 12",
        "Contexte .......... 2\nRéforme en Espagne .......... 5\nPortugal .......... 9",
    ],
)
def test_a_table_of_contents_ends_where_its_first_entry_comes_again(table: str) -> None:
    body = f"{table}\n\nContexte\n\n{TEXT}"
    assert of(Kind.CONTENTS, body) == [table]
    assert own(body) == f"Contexte {TEXT}"


@pytest.mark.parametrize(
    "text",
    [
        "Le sommaire du rapport compte trois parties.",
        "Italie\t12\nEspagne\t11\nFrance\t7\nGrèce\t9",
        "Sommaire",
        "Et cela continue… 2026",
    ],
)
def test_tables_and_sentences_are_no_contents(text: str) -> None:
    assert of(Kind.CONTENTS, f"{TEXT}\n\n{text}\n\n{TEXT}") == []


@pytest.mark.parametrize(
    "heading",
    [
        *("Annexe 1 Tableau des cotisations", "Pièce jointe n° 1 : la loi", "ANNEXE II – Bilan"),
        "Annexe 1 : tableau des cotisations",
        "ANNEXE",
        "Annexe n° 2",
        "Pièce jointe",
        "## Annexe A",
    ],
)
def test_an_annex_goes_to_the_end(heading: str) -> None:
    rest = f"{heading}\n\nRéférence : ESP-1\n\n{TEXT}"
    assert of(Kind.ANNEX, f"{TEXT}\n\n{rest}") == [rest]


@pytest.mark.parametrize(
    "text",
    [
        "Pièces jointes : tableau.xlsx, note.pdf",
        "Annexe la plus importante du traité.",
        "L'annexe 1 du règlement est modifiée.",
        "Annexe 1",
    ],
)
def test_lists_of_files_and_sentences_are_no_annex(text: str) -> None:
    assert of(Kind.ANNEX, f"{TEXT}\n\n{text}") == []


@pytest.mark.parametrize(
    "body",
    [
        "Bonjour,\n\nVeuillez trouver ci-joint la note.\n\nCordialement,\nJean",
        "Madame, Monsieur,\nVous trouverez en pièce jointe la note. Je reste à votre disposition.",
        "Pour information.\n\nJean",
        "Cf. PJ",
        "Note en pièce jointe.\nCdt",
        "Madame la déléguée,\n\nJ'ai l'honneur de vous transmettre la note ci-jointe.\n\n"
        "Je vous prie d'agréer, Madame, mes respectueux hommages.\n\nJean Dupont",
        "FYI",
        "Je vous transmets la note du poste.\n\nBonne réception.\n\nBien cordialement",
        "Please find attached the note.",
        "À toutes fins utiles.",
    ],
)
def test_a_cover_says_nothing_beyond_its_parts(body: str) -> None:
    assert of(Kind.COVER, body)
    assert own_words(body, parts(body)) <= 1


@pytest.mark.parametrize(
    "text",
    [
        "Le tableau ci-joint montre que le chômage recule en Italie.",
        "Le décret (ci-après « le décret ») s'applique à tous les salariés.",
        "Transferts pour soins à l'étranger : le Parlement débat.",
    ],
)
def test_a_text_that_names_what_is_joined_covers_nothing(text: str) -> None:
    assert of(Kind.COVER, f"{TEXT}\n\n{text}") == []


def test_a_note_that_names_its_table_is_more_than_a_cover() -> None:
    body = f"{TEXT}\n\nVous trouverez ci-joint le tableau."
    assert own_words(body, parts(body)) == len(TEXT.split()) - 1


def test_menus_round_an_article_are_navigation() -> None:
    menu = "Accueil\nActualités\nItalie\nEspagne\nContact"
    assert of(Kind.NAVIGATION, f"{menu}\n\n{TEXT}") == [menu]
    assert of(Kind.NAVIGATION, f"{TEXT}\n\n{menu}\n\n{TEXT}") == [menu]
    links = "\n".join(f"Rubrique numéro {number} du site" for number in range(6))
    assert of(Kind.NAVIGATION, f"{links}\n\n{TEXT}") == [links]
    assert of(Kind.NAVIGATION, f"{TEXT}\n\n{links}\n") == [links]


@pytest.mark.parametrize(
    "listed",
    [
        "Sont concernés :\nAccueil\nSanté\nItalie\nEspagne\nContact",
        "Mesures\n- salaire minimum\n- congé parental\n- pensions\n- logement\n- santé\n- école",
        "Hausse du salaire minimum\n\nCongé parental\n\nPension minimale\n\nPrime de naissance",
        "| Italie | 3 |\n| Espagne | 4 |\n| Grèce | 5 |\n| Malte | 6 |",
    ],
)
def test_what_a_note_lists_is_no_navigation(listed: str) -> None:
    for body in (f"{listed}\n\n{TEXT}", f"{TEXT}\n\n{listed}\n\n{TEXT}", f"{TEXT}\n{listed}"):
        assert of(Kind.NAVIGATION, body) == []


PIECES = st.lists(
    st.one_of(
        st.sampled_from([*QUOTES, "Sommaire\nA ... 1\nB ... 2", "Annexe 1", "Cordialement,\nX"]),
        st.sampled_from(["Ambassade de France en Italie", "Objet : X", "Pour information.", "> "]),
        st.text(max_size=40),
        st.just(TEXT),
    ),
    max_size=8,
)


@given(PIECES, st.sampled_from(["\n", "\n\n", "\r\n", ""]))
def test_parts_are_in_order_apart_and_lose_nothing(pieces: list[str], between: str) -> None:
    body = between.join(pieces)
    found = parts(body)
    at = 0
    for part in found:
        assert at <= part.start < part.end <= len(body)
        at = part.end
    left = without(body, found)
    assert len(left) == len(body)
    for part in found:
        left = left[: part.start] + body[part.start : part.end] + left[part.end :]
    assert left == body


SIZE = 2_000_000
BOUND_SECONDS = 20.0
"""Four times what a quiet machine needs at most: a quadratic one would take hours."""
HOSTILE = {
    "signs": "> a\n\n",
    "signs alone": ">",
    "lines": "\n",
    "spaces": " ",
    "senders": "De : X\n",
    "headers": "De : X\nÀ : Y\nDate : Z\n",
    "messages": "De : X\nEnvoyé : x\nObjet : y\n",
    "headers over many lines": "De :\n\n\n\n\nx\n",
    "separators": "-----Message d'origine-----\n",
    "ended separators": "-----Message d'origine-----\nFin du message\n",
    "authors": "Le 2 février 2025, X a écrit :\n",
    "wrote": "a écrit ",
    "dashes": "-",
    "dots": ". ",
    "leaders": "a ... 1\n",
    "contents": "Sommaire\n",
    "annexes": "Annexe 1\n",
    "closings": "Cordialement\n",
    "names": "Aa ",
    "one word": "a",
    "covers": "Vous trouverez " * 30 + "\n",
    "commas": "a,",
    "menus": "Italie\nEspagne\nGrèce\nMalte\nFin.\n",
    "cells": "| a ",
    "digits": "1 ",
    "dates": "le 1 ",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_takes_time_in_proportion(name: str) -> None:
    piece = HOSTILE[name]
    body = (piece * (SIZE // len(piece) + 1))[:SIZE] + "\nFin du message\n"
    before = time.process_time()
    parts(body)
    assert time.process_time() - before < BOUND_SECONDS
