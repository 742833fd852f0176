"""A small press review of our own: eighteen notes that readers look for in the index's tests."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from schemas.events import ClassifiedNote
from schemas.query import Query, Reader
from schemas.vocabulary import Marking
from tests.builders import a_classified_note, a_note

RECEIVED = datetime(2026, 3, 10, 8, 0, tzinfo=UTC)
READER = Reader(name="lectrice")
CLEARED = Reader(name="habilitée", markings=frozenset(Marking), special_france=True)


@dataclass(frozen=True)
class Row:
    """One note in short; `day` is the note's date, the reference follows from key and post."""

    key: str
    post: str
    day: date
    subject: str
    body: str
    themes: tuple[str, ...]
    about: tuple[str, ...] = ()
    mentioned: tuple[str, ...] = ()
    genre: str = "note"
    more: tuple[tuple[str, Any], ...] = ()


ROWS = (
    Row(
        "RENTE", "berlin", date(2026, 3, 4), "Réforme des retraites : le rapport de la commission",
        "La commission allemande propose de porter l'âge de départ à 68 ans. Les syndicats y "
        "voient une baisse déguisée des pensions.",
        ("protection_sociale.retraites",), ("DE",), ("FR",),
    ),
    Row(
        "MINDESTLOHN", "berlin", date(2025, 12, 31), "Salaire minimum : vers 15 euros de l’heure",
        "L’Allemagne relève son salaire minimum. L’emploi dans l’hôtellerie résiste ; le chômage "
        "partiel recule.",
        ("travail.salaires", "travail.emploi"), ("DE",),
    ),
    Row(
        "PFLEGE", "berlin", date(2024, 6, 1), "Dépendance : la caisse de soins dans le rouge",
        "Le déficit de l'assurance dépendance atteint 1,5 milliard d'euros. Les décès liés à la "
        "canicule pèsent sur les établissements.",
        ("protection_sociale.dependance", "sante.hopital"), ("DE",), genre="note_diplomatique",
    ),
    Row(
        "PACTO", "madrid", date(2026, 1, 1), "Pacte de Tolède : un accord sur les pensions",
        "Le gouvernement espagnol et les partenaires sociaux ont signé. L'accord de branche sur "
        "les carrières longues suivra.",
        ("protection_sociale.retraites", "travail.dialogue_social"), ("ES",), ("DE",),
        genre="note_diplomatique",
    ),
    Row(
        "RIDERS", "madrid", date(2025, 9, 17),
        "Livreurs : la loi des plateformes quatre ans après",
        "Les livreurs sont présumés salariés. L'inspection du travail a redressé deux "
        "plateformes ; aujourd'hui encore, des coursiers restent indépendants.",
        ("travail.plateformes", "travail.inspection"), ("ES",), genre="breve",
    ),
    Row(
        "NHS", "londres", date(2026, 2, 28), "Hôpital public : les listes d'attente du NHS",
        "Sept millions de Britanniques attendent un rendez-vous à l'hôpital. Les infirmières "
        "irlandaises sont recherchées, comme l'infirmier écossais.",
        ("sante.hopital", "sante.professionnels"), ("GB",), ("IE",),
    ),
    Row(
        "DUBLIN", "londres", date(2026, 2, 14), "Irlande : l'affiliation automatique à la retraite",
        "Le régime irlandais d'épargne retraite entre en vigueur. Huit cent mille salariés sont "
        "affiliés d'office.",
        ("protection_sociale.retraites",), ("IE",), ("GB",),
    ),
    Row(
        "ASILI", "rome", date(2025, 5, 20), "Congé de naissance : l'Italie hésite",
        "Le congé de paternité passerait à trois mois. La natalité reste en berne ; les crèches "
        "manquent dans le Sud.",
        ("protection_sociale.famille",), ("IT",), genre="breve",
    ),
    Row(
        "SJUK", "stockholm", date(2025, 11, 3), "Suède : santé mentale et arrêts de travail",
        "Les arrêts pour épuisement progressent. Le médecin du travail suédois prescrit une "
        "reprise à temps partiel ; le Danemark regarde.",
        ("sante.sante_mentale", "travail.sante_securite"), ("SE",), ("DK",),
    ),
    Row(
        "MEDICARE", "washington", date(2026, 3, 4), "Médicaments : la négociation des prix",
        "Dix médicaments voient leur prix baisser. Le vaccin contre l'hépatite B n'est pas "
        "concerné, celui contre l'hépatite C n'existe pas.",
        ("sante.medicaments", "sante.vaccination"), ("US",),
    ),
    Row(
        "CPE", "quebec", date(2025, 4, 8), "Québec : les services de garde en grève",
        "Les éducatrices réclament 17 % en trois ans. Le « modèle québécois » vacille, écrit la "
        "presse : l'œuvre de vingt ans.",
        ("protection_sociale.famille", "travail.dialogue_social"), ("CA",), genre="breve",
    ),
    Row(
        "HUKOU", "pekin", date(2025, 8, 8), "Chine : l'âge de la retraite recule par paliers",
        "La réforme (退休) relève l'âge de départ de trois ans. Les travailleurs migrants restent "
        "peu couverts.",
        ("protection_sociale.retraites", "travail.travail_informel"), ("CN",), genre="synthese",
    ),
    Row(
        "AUH", "buenos_aires", date(2025, 10, 10), "Cône Sud : trois façons d'aider les familles",
        "Au Brésil, en Argentine et au Chili, l'allocation dépend de la scolarité. L'Uruguay "
        "l'étend au travail informel.",
        ("protection_sociale.famille", "protection_sociale.pauvrete"), ("AR", "BR", "CL"), ("UY",),
        genre="rapport",
    ),
    Row(
        "AMO", "rabat", date(2026, 1, 15), "Maroc : généralisation de l'assurance maladie",
        "L'assurance-maladie obligatoire couvre désormais les indépendants.Les cliniques privées "
        "s'inquiètent de leurs tarifs.",
        ("protection_sociale.assurance_maladie", "protection_sociale.extension"), ("MA",),
    ),
    Row(
        "DETACHES", "bruxelles", date(2026, 3, 1), "Détachement : la déclaration unique européenne",
        "Le Conseil et le Parlement s'accordent. La Pologne et les entreprises polonaises "
        "obtiennent un délai ; le ministre polonais s'en réjouit.",
        ("travail.detachement",), (), ("PL",),
    ),
    Row(
        "OMS", "geneve", date(2025, 5, 27), "Assemblée mondiale : l'accord sur les pandémies",
        "L'OMS a adopté l'accord. <script>alert(\"grippe\")</script> figure dans le courriel reçu, "
        "avec R&D et 5 < 7. La surveillance de la grippe est renforcée.",
        ("sante.sante_mondiale", "sante.crises_sanitaires"), (), ("US",),
        genre="bulletin",
    ),
    Row(
        "CANTINE", "new_york", date(2025, 7, 4), "Vie du poste : la cantine change d'horaires",
        "La cantine ouvrira à midi. Rien à signaler d'autre.",
        (), (), genre="bulletin",
    ),
    Row(
        "PALAIS", "geneve", date(2024, 1, 1), "Visite au Palais des Nations",
        "Préparation de la visite ministérielle au palais. Ordre du jour provisoire : chômage des "
        "jeunes, assurance chômage.",
        ("travail.chomage", "protection_sociale.assurance_chomage"), (), genre="questionnaire",
    ),
)  # fmt: skip


def reference(row: Row) -> str:
    """The post's reference of a note of the corpus."""
    return f"{row.post[:3].upper()}-{row.day.year}-{row.key}"


ABROAD = (
    Row(
        "WHITEPAPER", "londres", date(2026, 4, 1), "Pensions: the WHO and the Treasury disagree",
        "The Treasury's white paper raises the pension age. Unions don't like it; the South, "
        "they say, son and daughter alike, pays for the rest.",
        ("protection_sociale.retraites",), ("GB",), more=(("language", "en"),),
    ),
    Row(
        "RENTENPAKET", "berlin", date(2026, 4, 2), "Rentenpaket: höhere Renten für alle",
        "Die Rente steigt im Juli. Straßenfest der Gewerkschaften in Köln; die Gratifikation "
        "bleibt.",
        ("protection_sociale.retraites",), ("DE",), more=(("language", "deu"),),
    ),
    Row(
        "JUBILACION", "madrid", date(2026, 4, 3), "Jubilación: el mes de la reforma en el sur",
        "La jubilación anticipada baja un 12,5 %. Los sindicatos del sur protestan.",
        ("protection_sociale.retraites",), ("ES",), more=(("language", "es"),),
    ),
    Row(
        "INVALIDITA", "rome", date(2026, 4, 4), "Assegni d'invalidità: la riforma",
        "La riforma dell’assicurazione cambia l'assegno d’invalidità.",
        ("protection_sociale.handicap",), ("IT",), more=(("language", "it"),),
    ),
    Row(
        "YANGLAO", "pekin", date(2026, 4, 5), "养老金改革：委员会报告",
        "政府于星期二公布了养老金委员会的报告。",
        ("protection_sociale.retraites",), ("CN",), more=(("language", "zh"),),
    ),
    Row(
        "RENTES", "bruxelles", date(2026, 4, 6), "Belgique : les rentes d'accident du travail",
        "La rente est indexée. Le mois de la réforme est fixé ; les gratifications aussi.",
        ("protection_sociale.at_mp",), ("BE",),
    ),
)  # fmt: skip
"""Notes in other languages than French, and one in French that has words in common with them."""


def corpus(rows: Sequence[Row] = ROWS) -> list[ClassifiedNote]:
    """The notes as classify hands them over, received one minute after the other."""
    return [
        a_classified_note(
            a_note(
                post=row.post,
                reference=reference(row),
                date=row.day,
                subject=row.subject,
                body=row.body,
                genre=row.genre,
                **dict(row.more),
            ),
            themes=row.themes,
            about=row.about,
            mentioned=row.mentioned,
            received_at=RECEIVED + timedelta(minutes=minute),
            at=RECEIVED + timedelta(minutes=minute),
        )
        for minute, row in enumerate(rows)
    ]


def asked(words: str = "", **more: Any) -> Query:
    """A query of an ordinary reader."""
    return Query.model_validate({"reader": READER, "words": words, "size": 50} | more)
