"""Forty documents of fifteen kinds of layout, mark and mail, written for this measure, each with
what its note must say.

The notes, their figures and their people are made up.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from evaluation.documents.making import (
    Columns,
    Heading,
    Items,
    Rows,
    archive,
    docx,
    forwarding,
    mail,
    odt,
    page,
    pdf,
    text,
)

FILE_DAY = "2026-05-20"
"""The date of the files, which a sender gives where a document does not say its own."""
BY_ROME = {"post": "rome"}
"""What the command adds by itself, of a sender whose mails do not name their post."""
DR, NOT = "diffusion_restreinte", "non_protege"


@dataclass(frozen=True, slots=True)
class Right:
    """What is right for one note; `marked`: the words of each of its marked passages."""

    subject: str
    reference: str
    date: str
    post: str
    genre: str = "note"
    marking: str = NOT
    special_france: bool = False
    marked: tuple[str, ...] = ()
    author: str | None = None
    addressees: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sent:
    """One file that a post sends: its name, how it is made, and the notes that must come of it."""

    name: str
    data: bytes | Callable[[], bytes]
    right: tuple[Right, ...]
    metadata: dict[str, str] = field(default_factory=dict)


CHOMAGE = (
    "Le gouvernement italien présente un plan de 1,2 milliard d'euros pour l'emploi des jeunes. Le "
    "taux de chômage des 15-24 ans recule à 19,4 %, mais l'écart entre le Nord et le Sud demeure."
)
CHOMAGE_2 = (
    "Les organisations syndicales demandent que les aides à l'embauche soient réservées aux contrats "
    "à durée indéterminée. Le Sénat examinera le texte avant l'été."
)
RETRAITES = (
    "La commission d'experts recommande d'indexer l'âge de départ sur l'espérance de vie à partir de "
    "2031. Les caisses estiment l'économie à 0,3 point de produit intérieur brut."
)
RETRAITES_2 = (
    "La ministre fédérale du travail a réservé sa réponse. Les employeurs saluent la proposition ; la "
    "confédération syndicale y voit une baisse déguisée des pensions."
)
SANTE = (
    "L'agence de santé publique met en place un dépistage gratuit du diabète dans les pharmacies de "
    "quatre régions. Le secret médical est garanti par un accès restreint aux résultats."
)
SALAIRE = (
    "Le salaire minimum est relevé de 4,4 % au 1er janvier. La hausse concerne 2,5 millions de "
    "salariés, surtout dans l'agriculture, le commerce et les services à la personne."
)
SALAIRE_2 = (
    "Le patronat n'a pas signé l'accord. Il demande que les marchés publics en cours soient révisés "
    "en conséquence, ce que le ministère des finances refuse."
)
SECRET = (
    "Le cabinet du ministre nous a indiqué que le texte serait retiré si le partenaire principal de "
    "la coalition ne le soutenait pas."
)

ROME = "Ambassade de France en Italie"
SERVICE = "Service des affaires sociales"


def documents() -> list[Sent]:
    """Return the forty documents, in the order of their names."""
    return [*_letters(), *_dates(), *_long(), *_mails(), *_covers(), *_marks(), *_others()]


def _letters() -> list[Sent]:
    """Letterheads: in a block, in two columns, of a telegram."""
    jeunes = Right(
        "Plan pour l'emploi des jeunes",
        "ROM-2026-0801",
        "2026-03-04",
        "rome",
        "note_diplomatique",
        author="Jeanne Martin",
        addressees=("DAEI", "DGEFP"),
    )
    block = (
        ROME,
        SERVICE,
        "Rome, le 4 mars 2026",
        "N° {}",
        "NOTE DIPLOMATIQUE",
        "De : Jeanne Martin, conseillère pour les affaires sociales",
        "À : DAEI ; DGEFP",
        "Objet : Plan pour l'emploi des jeunes",
        CHOMAGE,
        CHOMAGE_2,
    )

    def letter(number: str) -> tuple[str, ...]:
        return tuple(line.format(number) for line in block)

    def numbered(number: str) -> Right:
        return replace(jeunes, reference=number)

    berlin = Columns(
        "Ambassade de France en Allemagne\nService des affaires sociales",
        "Berlin, le 12 mars 2026\nN° {}",
    )
    ages = Right("Âge de la retraite : rapport des experts", "BER-2026-31", "2026-03-12", "berlin")

    def two(number: str) -> Columns:
        return Columns(berlin.left, berlin.right.format(number))

    rest = ("Objet : Âge de la retraite : rapport des experts", RETRAITES, RETRAITES_2)
    return [
        Sent("01 lettre.docx", docx(*letter("ROM-2026-0801")), (jeunes,)),
        Sent("02 lettre.pdf", pdf(*letter("ROM-2026-0802")), (numbered("ROM-2026-0802"),)),
        Sent("03 lettre.odt", odt(*letter("ROM-2026-0803")), (numbered("ROM-2026-0803"),)),
        Sent("04 colonnes.docx", docx(two("BER-2026-31"), *rest), (ages,)),
        Sent(
            "05 colonnes.pdf",
            pdf(two("BER-2026-32"), *rest),
            (replace(ages, reference="BER-2026-32"),),
        ),
        Sent(
            "06 colonnes.odt",
            odt(two("BER-2026-33"), *rest),
            (replace(ages, reference="BER-2026-33"),),
        ),
        Sent(
            "07 telegramme.txt",
            text(
                "TELEGRAMME DIPLOMATIQUE\nND n° MAD-2026-114\nMadrid, le 9 avril 2026\n"
                "De : Luis Perrin\nPour : DAEI, DSS\nCopie : DGT\n"
                "Objet : Relèvement du salaire minimum",
                SALAIRE,
                SALAIRE_2,
            ),
            (
                Right(
                    "Relèvement du salaire minimum",
                    "MAD-2026-114",
                    "2026-04-09",
                    "madrid",
                    "note_diplomatique",
                    author="Luis Perrin",
                    addressees=("DAEI", "DSS", "DGT"),
                ),
            ),
        ),
    ]


def _dates() -> list[Sent]:
    """Dates and subjects in the forms that administrations write."""

    def dated(number: int, line: str, day: str, post: str = "stockholm") -> tuple[str, Right]:
        head = f"Référence : STO-2026-{number}\n{line}\nObjet : Dépistage du diabète"
        return head, Right("Dépistage du diabète", f"STO-2026-{number}", day, post)

    words, in_words = dated(41, "Stockholm, le quatre mars deux mille vingt-six", "2026-03-04")
    figures, in_figures = dated(42, "Stockholm le 4/3/26", "2026-03-04")
    hour, with_hour = dated(43, "Date : 3 mars 2026 à 10h30", "2026-03-03")
    first, on_first = dated(44, "Stockholm, 1° avril 2026", "2026-04-01")
    lines = "Objet : Réforme de l'assurance maladie et financement\ndes hôpitaux universitaires"
    return [
        Sent("08 date en lettres.txt", text(words, SANTE), (in_words,)),
        Sent("09 date courte.docx", docx(*figures.split("\n"), SANTE), (in_figures,)),
        Sent("10 date et heure.html", page(hour, SANTE), (with_hour,), {"post": "stockholm"}),
        Sent("11 premier du mois.odt", odt(*first.split("\n"), SANTE), (on_first,)),
        Sent(
            "12 objet sur deux lignes.docx",
            docx("Bruxelles, le 7 mai 2026", "N/Réf. : BRU-2026-9", lines, SANTE),
            (
                Right(
                    "Réforme de l'assurance maladie et financement des hôpitaux universitaires",
                    "BRU-2026-9",
                    "2026-05-07",
                    "bruxelles",
                ),
            ),
        ),
        Sent(
            "13 objet dessous.txt",
            text(
                "Londres, le 6 mai 2026\nRéf. : LON\u20112026\u20117\nObjet :\nAide à domicile",
                SANTE,
            ),
            (Right("Aide à domicile", "LON-2026-7", "2026-05-06", "londres"),),
        ),
        Sent(
            "14 suite.docx",
            docx(
                "Washington, le 2 avril 2026",
                "Note n° WAS-2026-18",
                "Réf. : notre note WAS-2026-11 du 3 mars 2026",
                "Objet : Couverture santé des indépendants",
                "Rédactrice : Claire Dubois",
                "Destinataires : DSS, CNAM",
                SANTE,
            ),
            (
                Right(
                    "Couverture santé des indépendants",
                    "WAS-2026-18",
                    "2026-04-02",
                    "washington",
                    author="Claire Dubois",
                    addressees=("DSS", "CNAM"),
                ),
            ),
        ),
    ]


def _long() -> list[Sent]:
    """Reports, bulletins, a questionnaire: with contents, annexes, notes at the foot, sections."""
    report = (
        "RAPPORT DE MISSION",
        "L'apprentissage en Allemagne",
        "Référence : BER-2026-R2",
        "Berlin, le 30 avril 2026",
        "Auteur : Paul Lemaire",
        Heading("Sommaire"),
        "1. Le cadre légal .......... 3\n2. Les entreprises .......... 7\nAnnexe 1 .......... 12",
        Heading("1. Le cadre légal"),
        RETRAITES,
        Heading("2. Les entreprises"),
        Rows((("Année", "Contrats"), ("2024", "479 800"), ("2025", "482 100"))),
        RETRAITES_2,
        Heading("Annexe 1"),
        "Référence : BMAS-2025-77\nObjet : Demande de données\nBonn, le 3 février 2025",
        SALAIRE,
    )
    mission = Right(
        "L'apprentissage en Allemagne",
        "BER-2026-R2",
        "2026-04-30",
        "berlin",
        "rapport",
        author="Paul Lemaire",
    )
    sections = (
        "Note diplomatique",
        "Référence : RAB-2026-21",
        "Rabat, le 15 avril 2026",
        "Objet : Généralisation de la protection sociale",
        Heading("Synthèse"),
        "La généralisation atteint 3,4 millions d'indépendants^1^, dont 12 % cotisent.",
        Heading("Rapport au Parlement"),
        Items(("Le calendrier est tenu.", "Le financement ne l'est pas.")),
        SALAIRE_2,
        "1. Données de la caisse nationale de sécurité sociale.",
    )
    social = Right(
        "Généralisation de la protection sociale",
        "RAB-2026-21",
        "2026-04-15",
        "rabat",
        "note_diplomatique",
    )
    return [
        Sent("15 rapport.docx", docx(*report), (mission,)),
        Sent("16 sections.html", page(*sections), (social,)),
        Sent(
            "17 sections.pdf",
            pdf(
                *(
                    each if each != "Référence : RAB-2026-21" else "N° RAB-2026-22"
                    for each in sections
                )
            ),
            (replace(social, reference="RAB-2026-22"),),
        ),
        Sent(
            "18 bulletin.odt",
            odt(
                "Bulletin d'actualité sociale n° 12",
                "Ambassade de France au Royaume-Uni",
                "Londres, le 1er avril 2026",
                "Référence : LON-2026-B12",
                "Objet : Actualité sociale de mars 2026",
                Heading("Emploi"),
                SALAIRE,
                Heading("Santé"),
                SANTE,
            ),
            (
                Right(
                    "Actualité sociale de mars 2026",
                    "LON-2026-B12",
                    "2026-04-01",
                    "londres",
                    "bulletin",
                ),
            ),
        ),
        Sent(
            "19 questionnaire.txt",
            text(
                "Réponse au questionnaire de la DSS\nRéférence : GEN-2026-5\nGenève, le 11 mai 2026\n"
                "Objet : Prise en charge de la dépendance",
                "Question 1. Existe-t-il une prestation ?",
                SANTE,
            ),
            (
                Right(
                    "Prise en charge de la dépendance",
                    "GEN-2026-5",
                    "2026-05-11",
                    "geneve",
                    "questionnaire",
                ),
            ),
        ),
    ]


ASKED = (
    "Objet : question sur l'Espagne\nRéférence : DSS-2025-11\nParis, le 2 février 2025\n\nLe cabinet "
    "souhaite savoir comment l'Espagne finance la dépendance."
)
OWN = (
    "Référence : ROM-2026-{}\nObjet : Congé de paternité en Italie\nRome, le 16 mars 2026\n\n"
    "L'Italie porte le congé de paternité de dix à vingt jours. Le coût est de 480 millions d'euros."
)


def _mails() -> list[Sent]:
    """Mails that answer, quote and forward."""

    def paternity(number: int) -> tuple[Right]:
        return (Right("Congé de paternité en Italie", f"ROM-2026-{number}", "2026-03-16", "rome"),)

    quoted_page = ASKED.replace("\n", "<br>")

    def own(number: int) -> str:
        return OWN.format(number)

    outlook = (
        f"<div>{own(62).replace(chr(10), '<br>')}</div><hr><div id='divRplyFwdMsg' dir='ltr'><b>De :</b> "
        f"DSS<br><b>Envoyé :</b> lundi 2 février 2026 10:00<br><b>Objet :</b> question</div>"
        f"<div>{quoted_page}</div>"
    )
    gmail = (
        "<div>L'Italie porte le congé de paternité à vingt jours.</div><div class='gmail_quote'><div class='gmail_attr'>"
        "Le lun. 2 févr. 2026 à 10:00, DSS &lt;dss@example.fr&gt; a écrit :</div><blockquote "
        f"class='gmail_quote'>{quoted_page}</blockquote></div>"
    )
    signed = "\n".join(f"> {line}".rstrip() for line in ASKED.split("\n"))
    forward = (
        "Pour information.\n\nAnne Petit\nDAEI\n\n-----Message d'origine-----\nDe : CAS Rome\nEnvoyé : "
        f"mardi 17 mars 2026 08:12\nÀ : Petit Anne\nObjet : Note\n\n{own(65)}"
    )
    return [
        Sent(
            "20 fil.eml",
            mail(
                "RE: question sur l'Espagne",
                f"{own(61)}\n\n-----Message d'origine-----\nDe : DSS\nEnvoyé : lundi 2 février 2026 10:00"
                f"\nÀ : CAS Rome\nObjet : question sur l'Espagne\n\n{ASKED}",
            ),
            paternity(61),
            BY_ROME,
        ),
        Sent("21 fil Outlook.eml", mail("RE: question", html=outlook), paternity(62), BY_ROME),
        Sent(
            "22 fil Gmail.eml",
            mail("Re: Congé de paternité en Italie", html=gmail),
            (Right("Congé de paternité en Italie", "22 fil Gmail", FILE_DAY, "rome"),),
            BY_ROME,
        ),
        Sent(
            "23 sans en-tete.eml",
            mail(
                "Congé de paternité en Italie",
                "L'Italie porte le congé de paternité à vingt jours.\n\nCordialement,\nJeanne Martin\n\n"
                f"Am 02.02.2026 um 10:00 schrieb DSS <dss@example.fr>:\n{signed}",
            ),
            (Right("Congé de paternité en Italie", "23 sans en-tete", FILE_DAY, "rome"),),
            BY_ROME,
        ),
        Sent("24 transfert.eml", mail("TR: Note", forward), paternity(65), BY_ROME),
        Sent(
            "25 transfert joint.eml",
            forwarding(
                "TR: Congé de paternité", "Pour information.\n\nA. Petit", mail("Note", own(66))
            ),
            paternity(66),
            BY_ROME,
        ),
    ]


COVER = (
    "Madame, Monsieur,\n\nVous voudrez bien trouver ci-joint la note du poste.\n\nJe reste à votre "
    "disposition.\n\nBien cordialement,\n\nJeanne Martin\nConseillère pour les affaires sociales\n"
    "Tél. +39 06 68 60 11 11"
)


def _covers() -> list[Sent]:
    """Mails that bring notes along, and one that says something itself."""
    smic = Right("Salaire minimum", "ROM-2026-71", "2026-04-20", "rome")
    head = ("Référence : {}", "Rome, le 20 avril 2026", "Objet : Salaire minimum")

    def sheet(number: str) -> tuple[str, ...]:
        return (*(line.format(number) for line in head), SALAIRE)

    def numbered(number: str) -> Right:
        return replace(smic, reference=number)

    return [
        Sent(
            "26 envoi.eml",
            mail(
                "Transmission d'une note", COVER, files={"note.docx": docx(*sheet("ROM-2026-71"))}
            ),
            (smic,),
            BY_ROME,
        ),
        Sent(
            "27 envoi de deux notes.eml",
            mail(
                "Notes de Rome",
                COVER.replace("la note", "les notes"),
                files={
                    "a.docx": docx(*sheet("ROM-2026-72")),
                    "b.odt": odt(*sheet("ROM-2026-73")),
                },
            ),
            (numbered("ROM-2026-72"), numbered("ROM-2026-73")),
            BY_ROME,
        ),
        Sent(
            "28 courriel et annexe.eml",
            mail(
                "Salaire minimum",
                f"Référence : ROM-2026-74\nRome, le 20 avril 2026\n\n{SALAIRE}\n\nLe projet d'accord est "
                "joint.\n\nCordialement,\nJeanne Martin",
                files={"accord.txt": text("Projet d'accord", SALAIRE_2)},
            ),
            (
                numbered("ROM-2026-74"),
                Right("Projet d'accord", "accord", FILE_DAY, "rome"),
            ),
            BY_ROME,
        ),
        Sent(
            "29 envoi sans date.eml",
            mail(
                "Note de Pékin",
                "Bonjour,\n\nCi-joint notre note sur les assurances sociales.\n\nBien à vous,\nM. Leroy",
                files={
                    "PEK-2026-3.docx": docx("Objet : Assurances sociales des livreurs", SALAIRE)
                },
                day="Mon, 11 May 2026 08:00:00 +0800",
            ),
            (Right("Assurances sociales des livreurs", "PEK-2026-3", "2026-05-11", "pekin"),),
            {"post": "pekin"},
        ),
    ]


def _marks() -> list[Sent]:
    """Marks on documents, titles, paragraphs and passages, and ordinary uses of their words."""

    def head(number: int, subject: str = "Réforme des pensions") -> str:
        return f"Référence : MOS-2026-{number}\nMoscou, le 5 mai 2026\nObjet : {subject}"

    def right(number: int, **marks: Any) -> tuple[Right]:
        plain = Right("Réforme des pensions", f"MOS-2026-{number}", "2026-05-05", "moscou")
        return (replace(plain, **marks),)

    marked = {"marked": (SECRET,)}
    return [
        Sent(
            "30 DR-SF.eml",
            mail("DIFFUSION RESTREINTE - SPÉCIAL FRANCE – Réforme", f"{head(81)}\n\n{RETRAITES}"),
            right(81, marking=DR, special_france=True),
        ),
        Sent(
            "31 en-tete de page.docx",
            docx(*head(82).split("\n"), RETRAITES, header="DIFFUSION RESTREINTE"),
            right(82, marking=DR),
        ),
        Sent(
            "32 alinea.docx",
            docx(*head(83).split("\n"), RETRAITES, f"(SF) {SECRET}", RETRAITES_2),
            right(83, **marked),
        ),
        Sent(
            "33 alinea numerote.html",
            page(head(84), f"1. {RETRAITES}", f"2. [Spécial France] {SECRET}", f"3. {RETRAITES_2}"),
            right(84, **marked),
        ),
        Sent(
            "34 debut et fin.txt",
            text(
                head(85),
                RETRAITES,
                "Début Spécial France",
                SECRET,
                "Fin Spécial France",
                RETRAITES_2,
            ),
            right(85, **marked),
        ),
        Sent(
            "35 objet DR.odt",
            odt(*head(86, "Réforme des pensions (DR)").split("\n"), RETRAITES),
            right(86, marking=DR, subject="Réforme des pensions (DR)"),
        ),
        Sent(
            "36 pied de page.pdf",
            pdf(*head(87).split("\n"), RETRAITES, footer="Diffusion restreinte - Spécial France"),
            right(87, marking=DR, special_france=True),
        ),
        Sent(
            "37 mention inconnue.txt",
            text("CONFIDENTIEL DIPLOMATIE", head(88), RETRAITES),
            right(88, marking=DR, special_france=True),
        ),
        Sent(
            "38 mots ordinaires.docx",
            docx(
                *head(89).split("\n"),
                SANTE,
                "La diffusion du rapport reste limitée ; le secret professionnel n'est pas levé, et un "
                "comité restreint, confidentiel au début, se réunit en France.",
            ),
            right(89),
        ),
    ]


def _others() -> list[Sent]:
    """A page copied from a site, and an archive with what systems leave in it."""
    menu = (
        "<nav><ul><li><a href='/'>Accueil</a></li><li><a href='/e'>Emploi</a></li></ul></nav>"
        "<div class='cookies'>Ce site utilise des cookies.</div>"
    )
    packed = archive(
        [
            (
                "notes/QUE-2026-1.txt",
                text("Québec, le 4 mai 2026\nObjet : Congé parental", SALAIRE),
            ),
            (
                "notes/QUE-2026-2.md",
                b"# Assurance parentale\n\nDate : 2026-05-05\n\n" + SANTE.encode(),
            ),
            ("notes/~$note.docx", b"\x05Marie" + bytes(60)),
            ("__MACOSX/notes/._QUE-2026-1.txt", b"\0\x05\x16\x07" + bytes(40)),
            ("notes/Thumbs.db", b"\xd0\xcf\x11\xe0" + bytes(64)),
        ]
    )
    return [
        Sent(
            "39 page.html",
            page(
                "Brève",
                "Référence : BUE-2026-6\nBuenos Aires, le 8 mai 2026\nObjet : Travail informel",
                SALAIRE,
                before=menu,
                after="<footer>Mentions légales</footer>",
            ),
            (Right("Travail informel", "BUE-2026-6", "2026-05-08", "buenos_aires", "breve"),),
        ),
        Sent(
            "40 notes.zip",
            packed,
            (
                Right("Congé parental", "QUE-2026-1", "2026-05-04", "quebec"),
                Right("Assurance parentale", "QUE-2026-2", "2026-05-05", "quebec"),
            ),
            {"post": "quebec"},
        ),
    ]
