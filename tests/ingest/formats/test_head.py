"""What the header of a document says of it, in the words and layouts that administrations use."""

from datetime import date, timedelta
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.formats import Document, extract, head
from services.ingest.formats.head import dates, genres, references
from tests.ingest.formats.making import docx, eml, odt, paragraphs, pdf

TEXT = "La commission a remis son rapport sur les retraites au gouvernement italien."
TOP = "Note du poste"


def fields(lines: str) -> dict[str, str]:
    """What a header says that stands between a title and a text."""
    return dict(head.read(f"{TOP}\n{lines}\n\n{TEXT}").fields) | {}


def of_file(data: bytes, name: str) -> Document:
    (found,) = extract(data, name)
    assert isinstance(found, Document), found
    return found


def as_file(lines: list[str], name: str) -> bytes:
    """These lines as a document of that format, a paragraph each."""
    ending = name.rpartition(".")[2]
    if ending == "docx":
        return docx(paragraphs(*lines))
    if ending == "odt":
        return odt("".join(f"<text:p>{line}</text:p>" for line in lines))
    if ending == "html":
        return f"<body>{''.join(f'<p>{line}</p>' for line in lines)}</body>".encode()
    if ending == "pdf":
        return pdf([line for each in lines for line in (each.replace("\u2011", "-"), "")])
    return eml("\n".join(lines)) if ending == "eml" else "\n".join(lines).encode()


DATES = {
    "le quatre mars deux mille vingt-six": "2026-03-04",
    "Fait à Rome, le vingt et un août deux mil vingt-six": "2026-08-21",
    "le premier janvier mil neuf cent quatre-vingt-dix-neuf": "1999-01-01",
    "le 4/3/26": "2026-03-04",
    "Madrid, le 04/12/26": "2026-12-04",
    "Rome, le 04.03.2026": "2026-03-04",
    "2026/03/03": "2026-03-03",
    "2026.03.03": "2026-03-03",
    "3 mars 2026 à 10h30": "2026-03-03",
    "Rome, le 3 mars 2026, 18:05 (heure locale)": "2026-03-03",
    "Stockholm le 3 mars 2026": "2026-03-03",
    "Buenos Aires le mardi 3 mars 2026": "2026-03-03",
    "1° août 2026": "2026-08-01",
    "Québec, le 1er août 2026": "2026-08-01",
    "mercredi 4 mars 2026": "2026-03-04",
    "4 janv. 2026": "2026-01-04",
    "12 févr. 2026": "2026-02-12",
    "4-III-2026": "2026-03-04",
    "Rome, 4.XII.2026": "2026-12-04",
    "ROME, LE 4 MARS 2026": "2026-03-04",
    "Rome, 4 mars 2026": "2026-03-04",
    "Rome,\u00a0le 4\u202fmars\u00a02026": "2026-03-04",
    "London, 4 March 2026": "2026-03-04",
    "March 4, 2026": "2026-03-04",
    "Date d'envoi : 4 mars 2026": "2026-03-04",
    "Note diplomatique n° 123 du 4 mars 2026": "2026-03-04",
    "La Haye, le 4 mars 2026": "2026-03-04",
}


@pytest.mark.parametrize("line", DATES)
def test_a_date_is_read_however_it_is_written(line: str) -> None:
    assert fields(line).get("date") == DATES[line]


@pytest.mark.parametrize(
    "line",
    [
        "mars 2026",
        "Réunion du 4 mars 2026",
        "Conseil des ministres du 4 mars 2026",
        "Conseil des ministres, le 4 mars 2026",
        "1.2.10",
        "20260304",
        "Berlin, le 4 mars 2026, a annoncé une réforme.",
        "Le 4 mars 2026, le gouvernement a adopté la loi.",
        "Le gouvernement italien depuis le 4 mars 2026",
    ],
)
def test_what_only_holds_a_date_is_none(line: str) -> None:
    assert "date" not in fields(line)


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("le 31 février 2026", "31 février 2026"),
        ("Rome, le 31/04/2026", "31/04/2026"),
        ("Date : 30 février 2026", "30 février 2026"),
    ],
)
def test_a_date_that_no_calendar_has_is_known_as_such(line: str, written: str) -> None:
    found = head.read(f"{TOP}\n{line}\n\n{TEXT}")
    assert "date" not in found.fields
    assert found.impossible == written


_MONTHS = [
    *("janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre"),
    *("octobre", "novembre", "décembre"),
]
_ROMAN = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"]
_FORMS = (
    lambda d: f"{d.day} {_MONTHS[d.month - 1]} {d.year}",
    lambda d: f"le {d.day:02} {_MONTHS[d.month - 1].upper()} {d.year}",
    lambda d: f"Rome, le {d.day}/{d.month}/{d.year % 100:02}",
    lambda d: f"{d.day:02}.{d.month:02}.{d.year}",
    lambda d: f"{d.year}/{d.month}/{d.day:02}",
    lambda d: f"{d.day}-{_ROMAN[d.month - 1]}-{d.year}",
    lambda d: f"{d.isoformat()}T10:30:00Z",
    lambda d: f"Rome le {d.day} {_MONTHS[d.month - 1]} {d.year} à 9 h 05",
)


@given(
    day=st.integers(0, 25_000).map(lambda days: date(1975, 1, 1) + timedelta(days=days)),
    form=st.sampled_from(_FORMS),
)
def test_every_day_comes_back_from_every_form(day: date, form: object) -> None:
    assert callable(form)
    found = dates.dateline(form(day), lambda place: place == "Rome")
    assert found is not None
    assert found.iso == day.isoformat()


REFERENCES = {
    "N/Réf. : ROM-2026-0804": "ROM-2026-0804",
    "Nos réf. : BRX/2026/12": "BRX/2026/12",
    "Réf. : ROM-2026-0804": "ROM-2026-0804",
    "Réf. ROM-2026-0804": "ROM-2026-0804",
    "Référence : ROM-2026-0811 du 4 mars 2026": "ROM-2026-0811",
    "Référence : notre note ROM-2026-0087": "ROM-2026-0087",
    "N° : ROM-2026-0804": "ROM-2026-0804",
    "Numéro : 2026-118": "2026-118",
    "Note n° 12": "12",
    "TD ROM 2026-0804": "ROM 2026-0804",
    "TD : 2026-123": "2026-123",
    "NDI n° 2026-44": "2026-44",
    "Référence :\nMAD-2026-4": "MAD-2026-4",
    "Référence : MAD\u20112026\u20114": "MAD-2026-4",
    "Référence : MAD\u20132026\u20144": "MAD-2026-4",
    "Référence : MAD\u22122026\u20104": "MAD-2026-4",
    "Référence : MAD\u00ad2026\u00ad4": "MAD-2026-4",
    "Référence : BRX\u20442026\u221512": "BRX/2026/12",
    "Référence :\u00a0MAD-2026-4\u202f": "MAD-2026-4",
}


@pytest.mark.parametrize("line", REFERENCES)
def test_the_document_s_own_number_is_read(line: str) -> None:
    assert fields(line).get("reference") == REFERENCES[line]


@pytest.mark.parametrize(
    ("lines", "own", "cites"),
    [
        ("Réf. : votre saisine DSS-2026-12", None, "DSS-2026-12"),
        ("Réf. : DSS-2026-12", None, "DSS-2026-12"),
        ("V/Réf. : DGT-2026-3", None, "DGT-2026-3"),
        ("Référence : saisine DSS-2026-12", None, "DSS-2026-12"),
        ("Réf. : ROM-2025-3 du 4 mars 2025", None, "ROM-2025-3"),
        ("Rome, le 4 mars 2026\nRéf. : ROM-2025-3", None, "ROM-2025-3"),
        ("Rome, le 4 mars 2026\nRéf. : BER-2026-3", None, "BER-2026-3"),
        ("N° ROM-2026-9\nRéf. : ROM-2026-3", "ROM-2026-9", "ROM-2026-3"),
        ("Référence : ROM-2026-9\nRéf. : notre note ROM-2026-3", "ROM-2026-9", "ROM-2026-3"),
        ("N/Réf. : ROM-2026-9\nRéf. : vos notes DSS-7 et DGT-8", "ROM-2026-9", None),
        ("Réf. : ROM-2025-3 ; ROM-2025-4", None, "ROM-2025-3;ROM-2025-4"),
    ],
)
def test_a_number_that_is_cited_is_not_the_document_s(
    lines: str, own: str | None, cites: str | None
) -> None:
    found = fields(lines)
    assert found.get("reference") == own
    if cites is not None:
        assert found.get("cites") == cites


def test_our_note_under_ref_is_the_number_for_want_of_another_and_said_to_be_a_guess() -> None:
    for line in ("Réf. : notre note ROM-2026-0087", "Réf : notre télégramme n° ROM-2026-0087"):
        found = head.read(f"{TOP}\n{line}\n\n{TEXT}")
        assert found.fields["reference"] == "ROM-2026-0087"
        assert found.fields["cites"] == "ROM-2026-0087"
        assert found.guessed == {"reference"}


def test_who_writes_and_to_whom_is_read() -> None:
    found = fields(
        "De : Anne Martin, conseillère pour les affaires sociales\nÀ : DSS, DGT et DREES\n"
        "Copie : M. Rossi, directeur de cabinet\nPour attribution : DGEFP"
    )
    assert found["author"] == "Anne Martin, conseillère pour les affaires sociales"
    assert found["addressees"] == "DSS;DGT;DREES;M. Rossi, directeur de cabinet;DGEFP"
    assert found["action"] == "action"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("Rédacteur : Paul Durand", {"author": "Paul Durand"}),
        ("Affaire suivie par : Paul Durand", {"author": "Paul Durand"}),
        ("Affaire suivie par : A. B.\nAuteur : Paul Durand", {"author": "Paul Durand"}),
        ("Signataire : Paul Durand", {"author": "Paul Durand"}),
        ("De : Ambassade de France à Rabat", {"post": "rabat"}),
        ("Destinataires :\n- DSS\n- DGT", {"addressees": "DSS;DGT"}),
        ("Destinataire(s) : DSS ; DGT", {"addressees": "DSS;DGT"}),
        ("Pour information : DGT", {"addressees": "DGT", "action": "information"}),
        ("Pour action", {"action": "action"}),
        ("Pour : Madame la ministre", {"addressees": "Madame la ministre"}),
    ],
)
def test_labels_of_people_are_known(lines: str, said: dict[str, str]) -> None:
    assert {name: fields(lines).get(name) for name in said} == said


GENRES = {
    "Bulletin d'actualité sociale n° 12": "bulletin",
    "Bulletin social – Italie – mars 2026": "bulletin",
    "BULLETIN D’ACTUALITÉS HEBDOMADAIRE": "bulletin",
    "Revue de presse sociale du 4 mars 2026": "bulletin",
    "Brèves sociales": "breve",
    "Brèves sociales d'Italie - mars 2026": "breve",
    "Brève n° 4": "breve",
    "Télégramme diplomatique": "note_diplomatique",
    "TD n° 2026-12": "note_diplomatique",
    "Note de synthèse": "synthese",
    "Synthèse hebdomadaire": "synthese",
    "Compte rendu de mission à Rome": "rapport",
    "Compte-rendu d'entretien": "rapport",
    "Rapport de mission": "rapport",
    "Rapport annuel 2025": "rapport",
    "Réponse au questionnaire de la DSS sur les congés": "questionnaire",
    "Réponses au questionnaire comparatif": "questionnaire",
    "Fiche pays": "note",
    "Note pour la ministre": "note",
}


@pytest.mark.parametrize("line", GENRES)
def test_a_genre_is_known_by_its_names(line: str) -> None:
    found = head.read(f"Ambassade de France en Italie\n{line}\nObjet : Retraites\n\n{TEXT}")
    assert found.fields.get("genre") == GENRES[line]


@pytest.mark.parametrize(
    "line",
    [
        "Rapport de l'OCDE sur l'Italie",
        "Synthèse des réponses des États membres",
        "Note de la Commission européenne sur les retraites",
        "Questionnaire de santé au travail dans les entreprises",
        "Brève histoire du droit du travail",
        "Bulletin de paie et cotisations",
        "Notes de conjoncture de la Banque d'Italie",
    ],
)
def test_a_title_that_begins_with_a_genre_is_none(line: str) -> None:
    assert genres.genre(line) == ""


@pytest.mark.parametrize(
    "heading", ["Synthèse", "Rapport", "SYNTHÈSE :", "Questionnaire", "Brèves"]
)
def test_the_heading_of_a_section_is_no_genre(heading: str) -> None:
    before = f"Ambassade de France en Italie\nRome, le 4 mars 2026\nObjet : Retraites\n\n{heading}"
    assert "genre" not in head.read(f"{before}\n\n{TEXT}").fields
    within = f"Note diplomatique\nObjet : Retraites\n\n{TEXT}\n\n{heading}\n\n{TEXT}"
    assert head.read(within).fields["genre"] == "note_diplomatique"
    after = head.read(f"Objet : Retraites\n\n{TEXT}\n\n{heading}\n\n{TEXT}")
    assert "genre" not in after.fields


def test_nothing_after_the_first_paragraph_is_a_field() -> None:
    found = head.read(
        f"Objet : Retraites\n\n{TEXT}\n\nObjet : autre chose\nDate : 2 février 2025\n"
        "Référence : DSS-2025-11\nBerlin, le 3 mars 2025\nDe : X"
    )
    assert found.fields == {"subject": "Retraites"}


@pytest.mark.parametrize(
    ("lines", "subject"),
    [
        ("Objet :\nRéforme des retraites", "Réforme des retraites"),
        ("OBJET\n\nRéforme des retraites", "Réforme des retraites"),
        ("Objet : Réforme des retraites et\nde la dépendance", None),
        (
            "Objet :\nRéforme des retraites :\npremier bilan",
            "Réforme des retraites : premier bilan",
        ),
        ("Intitulé : Salaire minimum", "Salaire minimum"),
        ("Sujet : Salaire minimum", "Salaire minimum"),
        ("Objet – Salaire minimum", "Salaire minimum"),
        ("Objet : Accord sur le\nSMIC\nDate : 4 mars 2026", "Accord sur le SMIC"),
        ("Objet : Salaires\nRome, le 4 mars 2026", "Salaires"),
    ],
)
def test_a_subject_is_read_over_its_lines(lines: str, subject: str | None) -> None:
    assert fields(lines)["subject"] == (subject or "Réforme des retraites et de la dépendance")


QUOTED = """Voici les éléments sur le chômage en Italie, demandés par le cabinet.

-----Message d'origine-----
De : Bureau des affaires européennes
Date : 2 février 2025
Objet : question Espagne
Référence : DSS-2025-11

Pouvez-vous nous dire ce que prévoit l'Espagne ?"""


def test_nothing_quoted_is_of_the_header() -> None:
    assert head.read(QUOTED).fields == {}
    assert head.read(f"> Objet : question\n> Date : 3 mars 2025\n\n{TEXT}").fields == {}


LETTERHEAD = [
    "Ambassade de France en Italie",
    "Service pour les affaires sociales",
    "Bulletin d'actualité sociale",
    "Rome, le quatre mars deux mille vingt-six",
    "N/Réf. : ROM\u20112026\u20110804",
    "De : Anne Martin",
    "À : DSS ; DGT",
    "Objet :",
    "Réforme des retraites",
    TEXT,
    "Synthèse",
    TEXT,
]


@pytest.mark.parametrize("ending", ["txt", "md", "docx", "odt", "html", "eml", "pdf"])
def test_every_format_says_the_same(ending: str) -> None:
    name = f"note.{ending}"
    found = of_file(as_file(LETTERHEAD, name), name)
    assert dict(found.fields) == {
        "post": "rome",
        "genre": "bulletin",
        "date": "2026-03-04",
        "reference": "ROM-2026-0804",
        "author": "Anne Martin",
        "addressees": "DSS;DGT",
        "subject": "Réforme des retraites",
    }
    assert found.guessed == ()


COLUMNS = "Service pour les affaires sociales              Rome, le 4 mars 2026\n{}N° ROM-2026-0804"


def test_a_letterhead_in_two_columns_is_read() -> None:
    text = f"{COLUMNS.format(' ' * 48)}\nObjet : Retraites\n\n{TEXT}"
    row = f"Service | Rome, le 4 mars 2026\n| N° ROM-2026-0804\n\nObjet : Retraites\n\n{TEXT}"
    pairs = f"Date | 04/03/2026 | Référence | ROM-2026-0804\nObjet | Retraites\n\n{TEXT}"
    for each in (text, row, pairs):
        found = head.read(each).fields
        assert (found["date"], found["reference"]) == ("2026-03-04", "ROM-2026-0804"), each
        assert found["subject"] == "Retraites"


def test_a_text_without_a_stated_subject_has_its_title_not_its_letterhead() -> None:
    text = f"Ambassade de France en Italie\nRome, le 4 mars 2026\n\nLes retraites\n\n{TEXT}"
    found = of_file(text.encode(), "n.txt")
    assert found.subject == "Les retraites"
    assert found.guessed == ("subject",)


def test_the_date_of_a_mail_is_a_guess_where_its_text_has_none() -> None:
    assert of_file(eml(TEXT), "m.eml").guessed == ("date",)
    assert of_file(eml(f"Rome, le 4 mars 2026\n\n{TEXT}"), "m.eml").guessed == ()


@pytest.mark.parametrize(
    "text",
    [
        "Objet : Retraites\nRome, le 4 mars 2026\nN° ROM-2026-0804",
        "AMBASSADE DE FRANCE EN ITALIE\nService pour les affaires sociales\nNote diplomatique\n"
        "Rome, le 4 mars 2026\nObjet : Retraites",
        "Les retraites\nRéférence : ROM-2026-1\nDate : 4 mars 2026",
    ],
)
def test_header_lines_alone_are_no_body(text: str) -> None:
    assert not head.has_body(text, "Les retraites")
    assert head.has_body(f"{text}\n\nUn texte court", "Les retraites")


@pytest.mark.parametrize("text", ["Le texte.", "Retraites", "Un texte sans en-tête\nni phrase"])
def test_a_text_without_a_header_has_a_body(text: str) -> None:
    assert head.has_body(text, "Retraites")


@pytest.mark.parametrize(
    "text",
    [
        "Objet : " * 250_000,
        "Rome, le 4 mars\n" * 130_000,
        ("de la note n° " * 20 + "\n") * 7_000,
        "| " * 1_000_000,
        "\u2010" * 2_000_000,
        ("a, " * 80 + "\n") * 8_000,
        ("le " * 100 + "\n") * 6_000,
    ],
)
def test_a_hostile_text_costs_no_more_than_its_first_page(text: str) -> None:
    begun = perf_counter()
    head.read(text)
    assert perf_counter() - begun < 1


def test_references_that_are_cited_are_counted_once() -> None:
    found = references.cited("ROM‑2026‑1, ROM-2026-1 et ROM\u20132026\u20131 ; DSS-2026-4")
    assert [each.number for each in found] == ["ROM-2026-1", "DSS-2026-4"]


@pytest.mark.parametrize(
    "line",
    [
        "Rome, le 4 mars 2026 - N° ROM-2026-0804",
        "Rome, le 4 mars 2026 / N° ROM-2026-0804",
        "Réf. : ROM-2026-0804 – Rome, le 4 mars 2026",
        "Référence : ROM-2026-0804    Date : 4 mars 2026",
        "Date | Référence\n4 mars 2026 | ROM-2026-0804",
        "Date : 4 mars 2026 – Rome\nNuméro d'ordre : ROM-2026-0804",
    ],
)
def test_several_fields_of_one_line_are_read(line: str) -> None:
    found = fields(line)
    assert (found["date"], found["reference"]) == ("2026-03-04", "ROM-2026-0804")


@pytest.mark.parametrize(
    "lines",
    [
        "AMBASSADE DE FRANCE\nEN ITALIE",
        "De : ROME AMBASSADE",
        "De : Ambassade de France à Rome",
        "Poste : Rome",
    ],
)
def test_a_post_is_known_by_its_titles(lines: str) -> None:
    assert fields(lines).get("post") == "rome"


def test_a_date_at_the_signature_stands_in_for_one_at_the_top() -> None:
    text = f"Les retraites\n\n{TEXT}\n\nFait à Rome, le 4 mars 2026\n\nAnne Martin"
    assert head.read(text).fields == {"date": "2026-03-04", "post": "rome"}
    assert head.read(f"Le 5 mars 2026\n\n{text}").fields["date"] == "2026-03-05"
    assert (
        "date"
        not in head.read(f"{TEXT}\n\nLe projet, fait à Rome le 4 mars 2026, est clos.").fields
    )


def test_a_table_of_the_text_is_no_header() -> None:
    table = "Pays | Date | Montant\nItalie | 4 mars 2026 | 1 500 €\nSlovénie | 5 mars 2026 | 900 €"
    assert fields(f"{TEXT}\n\n{table}") == {"genre": "note"}
