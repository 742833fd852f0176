"""What ingest answers: receipts, refusals and conflicts, for one note and for a line of many."""

import shlex
from collections.abc import Sequence
from uuid import UUID

from schemas.answers import (
    CorrectionReceipt,
    IngestOutcome,
    LineAnswer,
    Links,
    Problem,
    Receipt,
)
from schemas.note import Note
from services.ingest.accept import Accepted
from services.ingest.submit import TooLarge
from services.runtime.problems import ProblemError, problem
from services.runtime.registry import Begun, BegunCorrection, BegunRevision, Obstacle

NOTES = "/api/v1/notes"

NAMES = {
    "subject": "objet",
    "body": "texte",
    "date": "date",
    "genre": "genre",
    "language": "langue",
    "author": "auteur",
    "addressees": "destinataires",
    "action": "suite attendue",
    "attachments": "pièces jointes",
    "cites": "références citées",
    "replies_to": "note à laquelle elle répond",
    "marking": "mention de protection",
    "special_france": "Spécial France",
    "marked_spans": "passages protégés",
    "declared_themes": "thèmes déclarés",
    "declared_countries": "pays déclarés",
}
"""A note's fields in French."""

ACCEPTED = 202
REPEATED = 200


def links(note_id: UUID) -> Links:
    """Where that note and its trace are found."""
    return Links(self_=f"{NOTES}/{note_id}", trace=f"{NOTES}/{note_id}/trace")


def status(begun: Begun | BegunCorrection | BegunRevision) -> int:
    """The HTTP status for a submission that is no conflict."""
    return ACCEPTED if begun.outcome is IngestOutcome.ACCEPTED else REPEATED


def receipt(begun: Begun, warnings: tuple[str, ...]) -> Receipt:
    """The receipt for a submission that is no conflict."""
    return Receipt(
        id=begun.note_id,
        revision=begun.revision,
        state=begun.state,
        outcome=begun.outcome,
        warnings=list(warnings),
        links=links(begun.note_id),
    )


def correction_receipt(begun: BegunCorrection) -> CorrectionReceipt:
    """The receipt for a reader's correction."""
    return CorrectionReceipt(
        id=begun.note_id,
        revision=begun.revision,
        correction=begun.correction,
        state=begun.state,
        outcome=begun.outcome,
        links=links(begun.note_id),
    )


def revision_receipt(begun: BegunRevision, warnings: tuple[str, ...]) -> Receipt:
    """The receipt for a rectification or a withdrawal."""
    if begun.dropped:
        said = (
            f"la correction {begun.dropped} des thèmes et des pays, faite par un lecteur, ne vaut "
            "plus : la rectification est majeure"
        )
        warnings = (*warnings, said)
    return Receipt(
        id=begun.note_id,
        revision=begun.revision,
        state=begun.state,
        outcome=begun.outcome,
        warnings=list(warnings),
        links=links(begun.note_id),
    )


def not_revised(obstacle: Obstacle) -> Problem:
    """Why a rectification or a withdrawal was not taken."""
    if obstacle is Obstacle.UNKNOWN:
        return unknown_note()
    if obstacle is Obstacle.WITHDRAWN:
        return problem(410, "Note retirée", "Cette note est déjà retirée.")
    if obstacle is Obstacle.OTHER:
        return problem(
            409,
            "Autre note",
            "Le poste et la référence d'une note ne changent pas : ceux qui sont transmis sont "
            "d'une autre note.",
        )
    return problem(
        412, detail="La note a été rectifiée, retirée ou corrigée entre-temps : relisez-la."
    )


def one_document() -> Problem:
    """Why a file of several documents does not take a note's place."""
    return problem(
        422,
        "Plusieurs documents",
        "Le fichier porte plusieurs documents : une note se rectifie par un seul.",
    )


def not_corrected(obstacle: Obstacle) -> Problem:
    """Why a correction was not taken."""
    if obstacle is Obstacle.UNKNOWN:
        return unknown_note()
    if obstacle is Obstacle.WITHDRAWN:
        return problem(410, "Note retirée", "Cette note a été retirée : elle ne se corrige plus.")
    return problem(
        412,
        detail="La note a été rectifiée ou corrigée entre-temps : relisez-la avant de la corriger.",
    )


def unknown_note() -> Problem:
    """There is no such note to correct or to revise."""
    return problem(404, "Note introuvable", "Aucune note reçue ne porte cet identifiant.")


def not_there() -> ProblemError:
    """The same, raised: for a note that is not there, or that the caller may not know of."""
    said = unknown_note()
    return ProblemError(said.status, said.title, said.detail)


def note_id_of(text: str) -> UUID:
    """The note's id in an address. Raises ProblemError (404) for what is none."""
    try:
        return UUID(text)
    except ValueError:
        raise not_there() from None


def too_large() -> Problem:
    """Why a note was not taken that the log can never take."""
    return problem(413, detail="La note est trop volumineuse pour être conservée.")


def conflict(begun: Begun, note: Note) -> Problem | None:
    """Why the note contradicts what is kept under its reference; None when it does not."""
    if begun.outcome is not IngestOutcome.CONFLICT:
        return None
    if begun.withdrawn:
        return problem(
            409,
            "Note retirée",
            f"La note {note.reference} du poste {note.post} a été retirée "
            f"(révision {begun.revision}). Pour la rétablir avec ce document : {_rectify(note)}",
        )
    return problem(
        409,
        "Référence déjà utilisée",
        f"Le poste {note.post} a déjà transmis, sous la référence {note.reference}, "
        f"une note dont le contenu diffère{_by(begun.differs)}. Si ce document la remplace : "
        f"{_rectify(note)} ; si c'est une autre note, lui donner une autre référence.",
        [{"field": name, "detail": "diffère de la note déjà reçue"} for name in begun.differs],
    )


def _by(fields: Sequence[str]) -> str:
    """Which fields differ, in French."""
    named = [NAMES.get(name, name) for name in fields]
    return f" ({', '.join(named)})" if named else ""


def _rectify(note: Note) -> str:
    """The command that has a document take the place of that note."""
    return f"valise rectify FICHIER --note {shlex.quote(f'{note.post}/{note.reference}')}"


def line(number: int, result: Begun | TooLarge, accepted: Accepted) -> LineAnswer:
    """The answer to a line that holds a note."""
    note = accepted.submission.event.note
    if isinstance(result, TooLarge):
        return refused_line(number, too_large(), note.id)
    said = conflict(result, note)
    return LineAnswer(
        line=number,
        status=said.status if said else status(result),
        outcome=result.outcome,
        id=result.note_id,
        revision=result.revision,
        state=result.state,
        warnings=list(accepted.warnings),
        problem=said,
    )


def refused_line(number: int, said: Problem, note_id: UUID | None = None) -> LineAnswer:
    """The answer to a line that was not taken."""
    return LineAnswer(
        line=number,
        status=said.status,
        outcome=IngestOutcome.REFUSED,
        id=note_id,
        problem=said,
    )
