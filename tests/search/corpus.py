"""Notes that a search can tell apart, each tagged by passages that really stand in its text."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from schemas.classification import Classification, CountryTag, Evidence, ThemeTag
from schemas.events import ClassifiedNote, Kind, classified
from schemas.note import Note
from schemas.vocabulary import Role
from tests.builders import an_event

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)

Tagged = dict[str, tuple[str, ...]]


def evidence(note: Note, *quotes: str) -> tuple[Evidence, ...]:
    """Where these words first stand in the note, subject before body."""
    found = []
    for quote in quotes:
        for field, text in (("subject", note.subject), ("body", note.body)):
            at = text.find(quote)
            if at >= 0:
                found.append(
                    Evidence(
                        field=field, start=at, end=at + len(quote), text=quote, source="test:quote"
                    )
                )
                break
        else:
            raise AssertionError(f"{quote!r} does not stand in {note.reference}")
    return tuple(found)


def tagged(
    note: Note,
    themes: Tagged | None = None,
    about: Tagged | None = None,
    mentioned: Tagged | None = None,
    *,
    minutes: int = 0,
    release: int = 1,
    revision: int = 1,
    kind: Kind = Kind.SUBMITTED,
    **changes: Any,
) -> ClassifiedNote:
    """The note as classify passes it on. `themes`: full code to the words that speak for it.

    `minutes` after START it was received; a later revision came an hour later.
    """
    received = START + timedelta(minutes=minutes)
    at = received + timedelta(hours=revision - 1)
    event = an_event(note, revision=revision, kind=kind, received_at=received, at=at, **changes)
    by_theme: dict[str, tuple[list[str], list[str]]] = {}
    for code, quotes in (themes or {}).items():
        theme, _, sub = code.partition(".")
        subs, said = by_theme.setdefault(theme, ([], []))
        subs.extend([sub] if sub else [])
        said.extend(quotes)
    return classified(
        event,
        Classification(
            release=release,
            themes=tuple(
                ThemeTag(
                    theme=theme, subthemes=tuple(subs), score=0.93, evidence=evidence(note, *said)
                )
                for theme, (subs, said) in by_theme.items()
            ),
            countries=tuple(
                CountryTag(country=code, role=role, score=score, evidence=evidence(note, *quotes))
                for role, score, countries in (
                    (Role.ABOUT, 0.9, about),
                    (Role.MENTIONED, 0.6, mentioned),
                )
                for code, quotes in (countries or {}).items()
            ),
        ),
        at + timedelta(seconds=1),
    )


def note(post: str, reference: str, day: str, subject: str, body: str, **more: Any) -> Note:
    """A note, in short."""
    return Note(
        post=post,
        reference=reference,
        date=date.fromisoformat(day),
        subject=subject,
        body=body,
        **more,
    )


RETRAITES = tagged(
    note(
        "berlin",
        "BER-2026-0142",
        "2026-03-04",
        "Réforme des retraites : le rapport de la commission",
        "La commission allemande propose de porter l'âge de départ à 68 ans.\n\n"
        "Le niveau des pensions serait garanti à 48 % du salaire moyen jusqu'en 2035. À la "
        "différence de la France, aucun dispositif de carrière longue n'est prévu.\n\n"
        "Branche\tRecettes\tDépenses\nVieillesse\t394 Md€\t402 Md€\nMaladie\t331 Md€\t337 Md€",
        author="C. Lemaire",
        addressees=("DSS", "DREES"),
    ),
    {"protection_sociale.retraites": ("retraites", "âge de départ", "pensions")},
    {"DE": ("allemande",)},
    {"FR": ("France",)},
    minutes=1,
)
MEDICAMENTS = tagged(
    note(
        "madrid",
        "MAD-2026-0031",
        "2026-02-17",
        "Pénuries de médicaments : le plan du ministère espagnol",
        "L'Espagne constitue une réserve stratégique d'antibiotiques pédiatriques et impose aux "
        "laboratoires un stock de deux mois. Les pharmacies d'hôpital signalent 312 références "
        "en tension.",
        genre="breve",
    ),
    {"sante.medicaments": ("médicaments", "antibiotiques"), "sante.hopital": ("hôpital",)},
    {"ES": ("Espagne", "espagnol")},
    minutes=2,
)
APPRENTISSAGE = tagged(
    note(
        "berlin",
        "BER-2026-0150",
        "2026-03-11",
        "Apprentissage : recul des entrées dans l'artisanat",
        "Les chambres de métiers allemandes comptent 4 % d'apprentis en moins. Le gouvernement "
        "relance la campagne nationale en faveur de l'apprentissage.",
        action="action",
    ),
    {"travail.formation": ("Apprentissage", "apprentis")},
    {"DE": ("allemandes",)},
    minutes=3,
)
NORDIQUES = tagged(
    note(
        "stockholm",
        "STO-2026-0009",
        "2025-12-02",
        "Dépendance : comparaison des pays nordiques",
        "La Suède, le Danemark et la Finlande confient l'aide à domicile aux communes. Le reste à "
        "charge des personnes âgées dépendantes est plafonné.",
        genre="synthese",
    ),
    {"protection_sociale.dependance": ("Dépendance", "personnes âgées dépendantes")},
    {"SE": ("Suède",), "DK": ("Danemark",), "FI": ("Finlande",)},
    minutes=4,
)
SANTE_AU_TRAVAIL = tagged(
    note(
        "rome",
        "ROM-2026-0077",
        "2026-03-19",
        "Chaleur au travail : arrêt obligatoire des chantiers",
        "En Italie, l'inspection du travail peut suspendre un chantier au-delà de 35 degrés. Les "
        "syndicats demandent l'extension de la mesure à la logistique.",
    ),
    {"travail.sante_securite": ("Chaleur au travail",), "travail.inspection": ("inspection",)},
    {"IT": ("Italie",)},
    minutes=5,
)
PROTOCOLE = tagged(
    note(
        "geneve",
        "GEN-2026-0003",
        "2026-01-08",
        "Calendrier des réunions du premier semestre",
        "Le secrétariat a diffusé le calendrier provisoire. Les salles seront confirmées.",
    ),
    minutes=6,
)

ALL = (RETRAITES, MEDICAMENTS, APPRENTISSAGE, NORDIQUES, SANTE_AU_TRAVAIL, PROTOCOLE)
"""In the order of receipt."""
