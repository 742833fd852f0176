"""Threads, forwards and cover mails: which text is the note, and what only comes with it."""

from email.message import EmailMessage

import pytest

from services.ingest.formats import mail
from services.ingest.formats.accompanying import only_accompanies
from services.ingest.formats.documents import extract
from services.ingest.formats.forwards import own
from services.ingest.formats.model import Document, Unreadable
from services.runtime.parts import Kind, parts
from tests.ingest.formats.making import zipped

NOTE = (
    "Référence : ROM-2026-0811\nObjet : Chômage des jeunes en Italie\nRome, le 4 mars 2026\n\n"
    "Le gouvernement italien annonce un plan pour l'emploi des jeunes."
)
COVER = "Bonjour,\n\nVeuillez trouver ci-joint la note.\n\nCordialement,\nJeanne Martin"


def made(
    text: str | None = None,
    page: str = "",
    subject: str = "Chômage des jeunes en Italie",
    files: dict[str, bytes] | None = None,
) -> bytes:
    """A mail of 16 March 2026."""
    message = EmailMessage()
    message["From"] = "Jeanne Martin <cas.rome@example.fr>"
    message["To"] = "daei@example.fr"
    message["Subject"] = subject
    message["Date"] = "Mon, 16 Mar 2026 09:00:00 +0100"
    if text is not None:
        message.set_content(text)
    if page:
        message.set_content(page, subtype="html")
    for name, data in (files or {}).items():
        if name.endswith(".eml"):
            message.add_attachment(data, "message", "rfc822", filename=name)
        else:
            message.add_attachment(data, "application", "octet-stream", filename=name)
    return message.as_bytes()


def one(data: bytes) -> Document:
    (found,) = extract(data, "envoi.eml")
    assert isinstance(found, Document), found
    return found


def attached_mail(inner: bytes, text: str) -> bytes:
    """A mail with another in it, whole."""
    outer = made(text).split(b"\n\n", 1)
    return (
        outer[0].replace(b'text/plain; charset="utf-8"', b'multipart/mixed; boundary="b"')
        + b'\n\n--b\nContent-Type: text/plain; charset="utf-8"\n\n'
        + text.encode()
        + b'\n--b\nContent-Type: message/rfc822\nContent-Disposition: attachment; filename="n.eml"'
        + b"\n\n"
        + inner
        + b"\n--b--\n"
    )


QUOTING_PAGES = {
    "Outlook": "<p>{own}</p><hr><div id='divRplyFwdMsg'><b>De :</b> DSS<br><b>Envoyé :</b> lundi 2 "
    "février 2026 10:00<br><b>Objet :</b> question Espagne</div><div>{quoted}</div>",
    "Outlook for Windows": "<p>{own}</p><div style='border:none;border-top:solid #E1E1E1 1.0pt'><p>"
    "<b>Von:</b> DSS<br><b>Gesendet:</b> Montag, 2. Februar 2026 10:00<br><b>Betreff:</b> question "
    "Espagne</p></div><p>{quoted}</p>",
    "Gmail": "<div>{own}</div><div class='gmail_quote'><div class='gmail_attr'>Le lun. 2 févr. "
    "2026 à 10:00, DSS &lt;dss@example.fr&gt; a écrit :<br></div><blockquote class='gmail_quote'>"
    "{quoted}</blockquote></div>",
    "Thunderbird": "<p>{own}</p><div class='moz-cite-prefix'>Le 02/02/2026 à 10:00, DSS a écrit :"
    "<br></div><blockquote type='cite' cite='mid:1'>{quoted}</blockquote>",
    "Apple Mail": "<div>{own}</div><div><blockquote type='cite'><div>On 2 Feb 2026, at 10:00, DSS "
    "wrote:</div><div>{quoted}</div></blockquote></div>",
    "nested": "<p>{own}</p><blockquote type='cite'><p>Merci.</p><blockquote type='cite'>{quoted}"
    "</blockquote></blockquote>",
}


@pytest.mark.parametrize("program", QUOTING_PAGES)
def test_what_a_page_quotes_is_told_as_quoted(program: str) -> None:
    quoted = "<p>Objet : question Espagne</p><p>Référence : DSS-2025-11</p>"
    said = "L'Italie annonce un plan pour l'emploi des jeunes."
    page = QUOTING_PAGES[program].format(own=said, quoted=quoted)
    content = mail.read(made(page=page, subject="RE: Italie")).content
    assert content is not None
    assert "DSS-2025-11" in content.text, "nothing is lost"
    assert "Espagne" not in own(content.text), content.text
    assert said in own(content.text)
    assert not content.forwarded


def test_a_law_in_a_quotation_is_the_note_s_own() -> None:
    page = "<p>La loi dispose :</p><blockquote><p>Tout salarié a droit au congé.</p></blockquote>"
    content = mail.read(made(page=page)).content
    assert content is not None
    assert content.text == "La loi dispose :\n\nTout salarié a droit au congé."


def test_what_follows_a_quotation_stays_behind_it() -> None:
    page = "<p>Un.</p><blockquote type='cite'><p>Deux.</p><p>Trois.</p></blockquote>Quatre."
    content = mail.read(made(page=page)).content
    assert content is not None
    assert content.text == "Un.\n\n> Deux.\n>\n> Trois.\n\nQuatre."


FORWARDS = {
    "Outlook": "Pour information.\n\nJeanne Martin\nConseillère\n\n-----Message d'origine-----\n"
    "De : Paul Durand\nEnvoyé : jeudi 5 mars 2026 10:00\nÀ : Jeanne Martin\n"
    "Objet : Chômage des jeunes\n\n{note}",
    "Outlook, its rule": "________________________________\nDe : Paul Durand\n"
    "Envoyé : jeudi 5 mars 2026 10:00\nÀ : Jeanne Martin\nObjet : Chômage des jeunes\n\n{note}",
    "Gmail": "---------- Forwarded message ---------\nDe : Paul Durand <p@example.fr>\n"
    "Date: jeu. 5 mars 2026 à 10:02\nSubject: Chômage des jeunes\nTo: <j@example.fr>\n\n\n{note}",
    "Thunderbird": "FYI\n\n-------- Message transféré --------\nSujet : Chômage des jeunes\n"
    "Date : Thu, 5 Mar 2026 10:00:00 +0100\nDe : Paul Durand <p@example.fr>\nPour : j@example.fr\n"
    "\n{note}",
    "Apple Mail": "Pour votre information.\n\nDébut du message réexpédié :\n\n> De: Paul Durand "
    "<p@example.fr>\n> Objet: Chômage des jeunes\n> Date: 5 mars 2026 à 10:02:00 UTC+1\n"
    "> À: Jeanne Martin\n>\n{signed}",
    "German": "Zur Information.\n\nMit freundlichen Grüßen\nA. Weber\n\nVon: Paul Durand\n"
    "Gesendet: Donnerstag, 5. März 2026 10:00\nAn: Weber\nBetreff: Chômage des jeunes\n\n{note}",
    "English": "Please find below our note.\n\nBest regards,\nJ. Martin\n\n"
    "-----Original Message-----\nFrom: Paul Durand\nSent: Thursday, March 5, 2026 10:00 AM\n"
    "To: Martin\nSubject: Chômage des jeunes\n\n{note}",
}


def forward(program: str, note: str) -> bytes:
    signed = "\n".join(f"> {line}".rstrip() for line in note.split("\n"))
    return made(FORWARDS[program].format(note=note, signed=signed), subject="TR: Chômage")


@pytest.mark.parametrize("program", FORWARDS)
def test_a_note_that_is_only_forwarded_is_the_document(program: str) -> None:
    found = one(forward(program, NOTE))
    assert found.forwarded
    assert found.fields["reference"] == "ROM-2026-0811"
    assert found.fields["date"] == "2026-03-04"
    assert found.subject == "Chômage des jeunes en Italie"
    assert own(found.body).rstrip().endswith("l'emploi des jeunes.")
    assert "Paul Durand" in found.body, "nothing is lost"


@pytest.mark.parametrize("program", FORWARDS)
def test_a_forwarded_text_without_a_date_has_that_of_its_own_mail(program: str) -> None:
    found = one(forward(program, "Le gouvernement italien annonce un plan pour l'emploi."))
    assert found.forwarded
    assert found.fields["date"] == "2026-03-05"
    assert found.subject in ("Chômage des jeunes", "Chômage")


@pytest.mark.parametrize(
    "text",
    [
        "L'Italie annonce un plan.\n\n-----Message d'origine-----\nDe : DSS\nEnvoyé : lundi 2 "
        "février 2026 10:00\nObjet : question\n\nQue fait l'Italie ?",
        "Le plan italien coûte 3 milliards.\n\n> Objet : question Espagne\n> Que fait l'Espagne ?",
    ],
)
def test_a_mail_that_says_something_itself_is_its_own_document(text: str) -> None:
    for subject in ("TR: Italie", "RE: Italie"):
        found = one(made(text, subject=subject))
        assert not found.forwarded
        assert found.body.startswith(text[:20])
        assert any(part.kind is Kind.QUOTED for part in parts(found.body))


def test_a_short_answer_is_no_forward() -> None:
    text = (
        "Merci.\n\n-----Message d'origine-----\nDe : DSS\nEnvoyé : lundi 2 février 2026\n\nTexte."
    )
    assert not one(made(text, subject="RE: Italie")).forwarded


COVERS = [
    COVER,
    "Pour information.",
    "Jeanne Martin\nConseillère pour les affaires sociales\nTél. : +39 06 12 34 56 78",
    "Madame la Déléguée,\n\nJ'ai l'honneur de vous transmettre la note du poste relative au "
    "salaire\nminimum. Je reste à votre disposition pour tout complément.\n\n"
    "Bien à vous,\nPaul Durand",
    "Chers collègues, voici la note de Madrid. Bonne lecture !\n\nBien cordialement",
    "Bonjour Anne,\n\nVous trouverez ci-joint :\n- la note BER-2026-1 ;\n- son annexe.\n\n"
    "Cordialement,\nX\n\nCe message et ses pièces jointes sont confidentiels et destinés aux seuls "
    "destinataires indiqués ci-dessus ; merci de le détruire s'il vous parvient par erreur.",
    "La note demandée est jointe.",
    "Bonjour à tous,\nPJ la note de ce jour.\nBàv,\nM.",
    "Bonjour,\n\nCette version annule et remplace la précédente.\n\nCordialement,\nJ. M.",
    "Dear all,\n\nPlease find attached our note on minimum wages.\n\nBest regards,\nJ.",
    "Sehr geehrte Kollegen,\n\nanbei die Notiz.\n\nMit freundlichen Grüßen\nA. Weber",
    "Bonjour,\n\nComme convenu, je vous adresse en pièce jointe notre note sur la dépendance. Elle "
    "fait le point sur la réforme.\n\nJ. Martin",
    "Bonjour,\n\nCi-joint la note demandée.\n\nBien à toi\n\n"
    "> Peux-tu faire une note sur l'Italie ?",
    "",
]


@pytest.mark.parametrize("text", COVERS)
def test_a_cover_mail_is_told_with_the_note_that_it_brings(text: str) -> None:
    found = one(made(text, files={"note.txt": NOTE.encode()}))
    assert found.name == "envoi.eml/note.txt"
    assert found.fields["reference"] == "ROM-2026-0811"
    assert [cover.name for cover in found.covers] == ["envoi.eml"]
    assert found.supplied == ()


@pytest.mark.parametrize(
    "text",
    [
        "Le ministre a annoncé hier la réforme. Vous trouverez ci-joint le décret.",
        "Ci-joint la note. Le chômage atteint 6,1 % en mars.",
        "Bonjour,\nCi-joint le texte.\nCordialement,\nX\nPS : le ministre a été remplacé ce matin "
        "par son collègue de la santé, qui dit vouloir rouvrir la négociation.",
        "Je vous transmets l'analyse : la réforme reporte l'âge légal et supprime des régimes.",
        "Voici les mesures annoncées : gel des pensions, ticket modérateur, jour férié supprimé.",
        "Le gouvernement adresse un avertissement aux caisses.",
        "La ministre a présenté un plan pour l'hôpital en annexe de la loi de finances.",
        "Réforme des retraites en Italie",
        "Rencontre avec le ministre\nPrésentation du plan",
        "Ci-joint la loi.\n- Le gouvernement reporte l'âge légal.\n- L'opposition saisit la cour.",
    ],
)
def test_a_mail_with_content_stays_a_note_beside_its_attachments(text: str) -> None:
    assert not only_accompanies(text)
    first, second = extract(made(text, files={"annexe.txt": NOTE.encode()}), "envoi.eml")
    assert isinstance(first, Document)
    assert isinstance(second, Document)
    assert (first.name, second.covers) == ("envoi.eml", ())


def test_a_cover_mail_supplies_what_its_note_does_not_say() -> None:
    bare = b"Le gouvernement italien annonce un plan."
    text = "Référence : ROM-2026-0900\n\nCi-joint la note.\n\nCordialement"
    found = one(made(text, files={"note.txt": bare}))
    assert found.fields == {"date": "2026-03-16", "reference": "ROM-2026-0900"}
    assert set(found.supplied) == {"date", "reference"}
    two = extract(made(text, files={"a.txt": bare, "b.txt": bare + b" Encore."}), "envoi.eml")
    assert [each.supplied for each in two if isinstance(each, Document)] == [("date",), ("date",)]


def test_a_cover_that_brings_nothing_readable_is_a_document_where_it_has_text() -> None:
    (own_text, refused) = extract(made(COVER, files={"note.pdf": b"%PDF-1.4 rien"}), "envoi.eml")
    assert isinstance(own_text, Document)
    assert not own_text.accompanies
    assert isinstance(refused, Unreadable)
    (alone,) = extract(made("", files={"note.pdf": b"%PDF-1.4 rien"}), "envoi.eml")
    assert isinstance(alone, Unreadable)


def test_a_mail_attached_to_a_cover_is_the_note() -> None:
    found = one(attached_mail(made(NOTE), "Pour information."))
    assert found.fields["reference"] == "ROM-2026-0811"
    assert found.name == "envoi.eml/n.eml"
    twice = one(attached_mail(made(COVER, files={"n.txt": NOTE.encode()}), "Pour information."))
    assert [cover.name for cover in twice.covers] == ["envoi.eml/n.eml", "envoi.eml"]


def test_an_archive_in_a_cover_mail_is_what_it_brings() -> None:
    packed = zipped({"a.txt": NOTE, "b.txt": NOTE.replace("0811", "0812")})
    found = extract(made(COVER, files={"notes.zip": packed}), "envoi.eml")
    assert [each.name for each in found] == [
        "envoi.eml/notes.zip/a.txt",
        "envoi.eml/notes.zip/b.txt",
    ]
    assert all(isinstance(each, Document) and each.covers for each in found)


def test_marks_of_a_cover_hold_for_what_it_brings_and_the_other_way() -> None:
    found = one(made(f"DIFFUSION RESTREINTE\n\n{COVER}", files={"note.txt": NOTE.encode()}))
    assert found.marks.marking == "diffusion_restreinte"
    marked = f"SPÉCIAL FRANCE\n\n{NOTE.replace('0811', '0812')}"
    files = {"a.txt": NOTE.encode(), "b.txt": marked.encode()}
    first, second = extract(made(COVER, files=files), "envoi.eml")
    assert isinstance(first, Document)
    assert isinstance(second, Document)
    assert not first.marks.special_france
    assert first.covers[0].marks.special_france, "the mail holds both"


def test_marks_are_found_in_a_mail_that_forwards() -> None:
    text = FORWARDS["Outlook"].format(note=NOTE)
    found = one(made(f"DIFFUSION RESTREINTE\n\n{text}", subject="TR: Chômage"))
    assert found.marks.marking == "diffusion_restreinte"


def test_long_threads_take_time_in_proportion() -> None:
    level = (
        "Merci.\n\n-----Message d'origine-----\nDe : A\nEnvoyé : lundi 2 mars 2026\nObjet : X\n\n"
    )
    found = mail.read(made(level * 8_000 + NOTE, subject="TR: Chômage")).content
    assert found is not None
    assert "ROM-2026-0811" in found.text
