"""The page of a note's revisions: what each one changed, in words. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from schemas.answers import FieldChange, Revision, Revisions, State
from schemas.events import Kind, NoteEvent
from schemas.marks import canonical, names, rights_of
from services.search import french
from services.search.revisions import PAGE

FIELDS = {
    "subject": "Objet",
    "body": "Texte",
    "date": "Date de la note",
    "genre": "Genre",
    "author": "Auteur",
    "addressees": "Destinataires",
    "action": "Suite attendue",
    "marking": "Mention de protection",
    "special_france": "Spécial France",
    "marked_spans": "Passages protégés",
    "language": "Langue",
    "declared_themes": "Thèmes déclarés",
    "declared_countries": "Pays déclarés",
    "cites": "Notes citées",
    "replies_to": "En réponse à",
    "attachments": "Pièces jointes",
}

NOTHING = "rien"
"""What stands for an empty field."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text: kept, added, taken out, or (as `skip`) what is said of the rest."""

    op: str
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """A changed field: its label, and the text in pieces."""

    label: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class RevisionView:
    """One revision: its title, when and in what state it is, what it changed, or what to say."""

    number: int
    title: str
    at: str
    waiting: str
    changes: tuple[Change, ...]
    said: str


@dataclass(frozen=True, slots=True)
class RevisionsPage:
    """All that the page shows; `earlier` leads to the revisions before these, `later` to those
    after them."""

    id: str
    subject: str
    source: str
    revisions: tuple[RevisionView, ...]
    earlier: str | None
    later: str | None


def revisions_page(latest: NoteEvent, found: Revisions, before: int | None = None) -> RevisionsPage:
    """What the page shows of these revisions of a note, whose latest one is `latest`: of those
    below the number `before`, where one is given."""
    address = f"/notes/{found.id}/revisions"
    return RevisionsPage(
        id=str(found.id),
        subject=latest.note.subject,
        source=f"{french.post(latest.note.post)}, {latest.note.reference}",
        revisions=tuple(map(_shown, found.revisions)),
        earlier=f"{address}?before={found.next}" if found.next else None,
        later=None if before is None else _later(address, before, latest.revision),
    )


def _later(address: str, before: int, latest: int) -> str | None:
    """The address of the page after the one that ends below `before`."""
    if before > latest:
        return None
    after = before + PAGE
    return address if after > latest else f"{address}?before={after}"


def _shown(one: Revision) -> RevisionView:
    return RevisionView(
        number=one.revision,
        title=_title(one),
        at=french.moment(one.at),
        waiting=_WAITING.get(one.state, ""),
        changes=tuple(map(_change, one.changes or ())),
        said=_said(one),
    )


_WAITING = {
    State.PENDING: "En attente d’inscription au journal",
    State.RECEIVED: "Pas encore dans la recherche, ou déjà remplacée",
    State.PARKED: "Mise de côté",
}


def _title(one: Revision) -> str:
    if one.kind is Kind.SUBMITTED:
        return "première version"
    if one.kind is Kind.WITHDRAWN:
        return "retrait"
    if one.reinstated:
        return "rétablissement"
    return "rectification majeure" if one.major else "rectification mineure"


def _said(one: Revision) -> str:
    if one.changes is None:
        return "Ce que cette révision change ne vous est pas accessible."
    if one.kind is Kind.SUBMITTED:
        return "La note telle que le poste l’a d’abord transmise."
    if one.kind is Kind.WITHDRAWN:
        return "Le poste a retiré la note."
    return "" if one.changes else "Le contenu de la note n’a pas changé."


def _change(one: FieldChange) -> Change:
    label = FIELDS.get(one.field, one.field)
    if one.operations is None:
        pieces = (
            Piece("delete", _value(one.field, one.before)),
            Piece("equal", " "),
            Piece("insert", _value(one.field, one.after)),
        )
        return Change(label, pieces)
    return Change(
        label,
        tuple(
            Piece(each.op, each.text if each.op != "skip" else _skipped(each.characters))
            for each in one.operations
        ),
    )


def _skipped(characters: int) -> str:
    plural = "s" if characters > 1 else ""
    return f"{french.number(characters)} caractère{plural} inchangé{plural}"


def _value(field: str, value: Any) -> str:
    if value in (None, "", []):
        return NOTHING
    if isinstance(value, bool):
        return "oui" if value else "non"
    if field == "date":
        return french.day(date.fromisoformat(value))
    if field == "action":
        return "pour action" if value == "action" else "pour information"
    if isinstance(value, list):
        return ", ".join(_items(field, value))
    if field == "marking":
        return ", ".join(names(value, None)) or "aucune"
    if field == "language":
        return french.language(value)
    return french.genre(value) if field == "genre" else str(value)


def _mark(written: str) -> str:
    """The French name of a passage's mark; one that is not known, as it was written."""
    if canonical(written) is None:
        return french.quoted(written)
    return ", ".join(names(*rights_of(written))) or "sans mention"


def _items(field: str, values: Iterable[Any]) -> Iterable[str]:
    for value in values:
        if field == "declared_themes":
            yield french.tag(value)
        elif field == "declared_countries":
            yield french.country(value)
        elif isinstance(value, dict):
            where = FIELDS[value["field"]].lower()
            yield f"{_mark(value['mark'])} ({where}, caractères {value['start']} à {value['end']})"
        else:
            yield str(value)
