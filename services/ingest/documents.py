"""From what was read in a document, and what its sender says of it, to a note.

The sender's metadata win over the document's own header, which wins over what can be guessed: the
title from the text, the reference from the file's name. Nobody guesses a date or a post here; a
field that the sender guessed (`Valise-Defaulted`) gives way to the header.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from schemas.access import Caller
from schemas.answers import DocumentRead, Problem
from schemas.marks import Level
from schemas.note import MAX_SUBJECT, normalise_line, note_id
from services.ingest import identity
from services.ingest.accept import Accepted, Refused, accept, checked, invalid, read_object
from services.ingest.formats import Document, Unreadable
from services.ingest.formats.head import note_fields
from services.ingest.formats.model import places_of
from services.runtime import marks
from services.runtime.problems import problem
from services.runtime.protection import WORDS

OF_ONE = ("reference", "subject", "body", WORDS)
"""What can be said of one document, not of several at once."""

NEEDED = {
    "post": "le document ne dit pas quel poste l'envoie : le donner dans les métadonnées",
    "date": "le document ne dit pas sa date : la donner dans les métadonnées",
}
FORWARDED = (
    "le courriel ne fait que transférer un message : c’est ce message qui est enregistré comme note"
)
_TITLES = {413: "Document trop volumineux", 415: "Format non admis", 422: "Document illisible"}


@dataclass(frozen=True, slots=True)
class Reading:
    """One document of a file: what was read in it (None: nothing), and what became of it.

    `fields` are those of the note that it would be, as far as they are known; `holds`, the ids of
    the notes that lie in it, be they taken or not; `beside`, of those that lie in its cover mails.
    Of a classified one nothing is said, its name neither.
    """

    name: str
    found: Accepted | Problem
    document: Document | None = None
    read: DocumentRead | None = None
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)
    holds: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()

    @property
    def note_id(self) -> str | None:
        """The id of the note that it is, or would be; None where it does not say enough."""
        post, reference = self.fields.get("post"), self.fields.get("reference")
        if not isinstance(post, str) or not isinstance(reference, str):
            return None
        return str(note_id(post, reference))


def read_metadata(raw: bytes | None, approved: frozenset[Level] = frozenset()) -> dict[str, Any]:
    """The fields in the metadata of a form; none without metadata. Raises Refused."""
    if raw is None or not raw.strip():
        return {}
    text, _ = read_object(raw)
    fields: dict[str, Any] = json.loads(text)  # once more: its numbers as they are written
    checked(marks.of_fields(fields), approved)
    return fields


def readings(
    documents: Sequence[Document | Unreadable],
    metadata: Mapping[str, Any],
    *,
    sender: Caller,
    now: datetime,
    trace: str | None = None,
    guessed: Set[str] = frozenset(),
    approved: frozenset[Level] = frozenset(),
    stays: Set[str] = frozenset(),
) -> list[Reading]:
    """What became of each document of one file, in order.

    `guessed` names the fields of the metadata that the sender guessed, `approved` the levels of
    others that this deployment may keep, `stays` the guessed fields that are those of the note in
    whose place the document comes. Raises Refused where the metadata say of several documents
    what only one can have.
    """
    if len(documents) > 1 and (wrong := [name for name in OF_ONE if name in metadata]):
        raise Refused(
            invalid(
                [
                    {"field": name, "detail": "ne vaut que pour un fichier d'un seul document"}
                    for name in wrong
                ]
            )
        )
    taken: dict[str, str] = {}
    found = []
    for document in documents:
        seen = document.marks
        if isinstance(document, Unreadable) and document.classified:
            found.append(Reading("", marks.refusal()))
        elif refused := marks.refused(seen, approved):
            found.append(Reading("", refused))
        elif isinstance(document, Unreadable):
            said = problem(document.status, _TITLES.get(document.status), document.detail)
            found.append(Reading(document.name, said))
        else:
            found.append(
                _reading(document, metadata, guessed, stays, sender, now, trace, taken, approved)
            )
    return _holding(found)


def _holding(found: list[Reading]) -> list[Reading]:
    """These, each with the notes that lie in it."""
    inside: dict[str, list[str]] = defaultdict(list)
    for each in found:
        known = each.note_id
        if known is not None:
            for place in places_of(each.name):
                inside[place].append(known)
    return [
        replace(
            each,
            holds=tuple(inside.get(each.name, ())),
            beside=tuple(inside[each.document.covers[-1].name])
            if each.document and each.document.covers
            else (),
        )
        for each in found
    ]


def read_in(document: Document) -> DocumentRead:
    """What was read in a document, as its sender is told."""
    said = note_fields(document.fields)
    known = {name: said[name] for name in DocumentRead.model_fields if name in said}
    return DocumentRead(
        **known | {"subject": document.subject, "attachments": document.attachments},
        cover=cover_name(document.covers[0]) if document.covers else None,
        forwarded=document.forwarded,
    )


def cover_name(cover: Document) -> str:
    """The name of the file that a cover mail came as."""
    return cover.name.rpartition("/")[2]


def _said_of_mails(document: Document) -> tuple[str, ...]:
    """What the sender should know of the mails that only forward or brought a document, in
    French."""
    said = [
        f"le courriel « {cover_name(cover)} » ne fait qu’accompagner ce document : il n’est pas "
        "enregistré comme une note"
        for cover in document.covers
    ]
    return (*([FORWARDED] if document.forwarded else []), *said)


def fields_of(document: Document) -> dict[str, Any]:
    """The fields of a note that a document gives by itself: its text, and what its header says."""
    fields: dict[str, Any] = {
        "reference": PurePosixPath(document.name).stem,
        "attachments": list(document.attachments),
    }
    fields |= {"cites": []} | note_fields(document.fields)
    return fields | {"subject": document.subject[:MAX_SUBJECT], "body": document.body}


def _reading(
    document: Document,
    metadata: Mapping[str, Any],
    guessed: Set[str],
    stays: Set[str],
    sender: Caller,
    now: datetime,
    trace: str | None,
    taken: dict[str, str],
    approved: frozenset[Level],
) -> Reading:
    """The reading of a document; `taken` holds the references that names of files gave so far."""
    own = fields_of(document)
    stated = {name: value for name, value in metadata.items() if name not in guessed}
    fields = dict(metadata) | own | stated
    guesses = _guesses(document, metadata, stated.keys() | stays)
    read = read_in(document).model_copy(update={"guessed": tuple(guesses)})
    missing = [
        {"field": name, "detail": said} for name, said in NEEDED.items() if name not in fields
    ]
    if missing:
        return _incomplete(document, missing, read, fields, approved)
    if "reference" not in document.fields and "reference" not in stated:
        first = taken.setdefault(normalise_line(str(fields["reference"])), document.name)
        if first != document.name:
            said = f"la référence tirée du nom du fichier est déjà celle de {first}"
            wrong = [{"field": "reference", "detail": said}]
            return _incomplete(document, wrong, read, fields, approved)
    defaulted = frozenset(guessed & metadata.keys()) - document.fields.keys()
    # Sent by itself, or with another mail, it is the same note.
    defaulted |= {"date"} & set(document.supplied) - stated.keys()
    try:
        raw = json.dumps(fields).encode()
        seen = document.marks
        taken_as = accept(
            raw,
            sender=sender,
            now=now,
            trace=trace,
            defaulted=defaulted,
            seen=seen,
            approved=approved,
            guessed=guesses,
        )
        taken_as = replace(taken_as, warnings=(*taken_as.warnings, *_said_of_mails(document)))
        found = taken_as.submission.defaulted & {"language"}
        read = read.model_copy(update={"guessed": (*guesses, *found)})
        return Reading(document.name, taken_as, document, read, fields)
    except Refused as refusal:
        if marks.is_refusal(refusal.problem):
            return Reading("", refusal.problem)
        return Reading(document.name, refusal.problem, document, read, fields)


def _incomplete(
    document: Document,
    wrong: list[dict[str, str]],
    read: DocumentRead,
    fields: dict[str, Any],
    approved: frozenset[Level],
) -> Reading:
    """The reading of a document that lacks something; nothing of it where it is a classified one,
    which its header or the metadata may say alone."""
    if refused := marks.refused(marks.of_fields(fields), approved):
        return Reading("", refused)
    return Reading(document.name, invalid(wrong), document, read, fields)


def _guesses(document: Document, metadata: Mapping[str, Any], known: Set[str]) -> dict[str, str]:
    """The fields that neither the document nor its sender states, and where each is taken from;
    `known` are stated elsewhere."""
    own, guessed = document.fields, document.guessed
    found: dict[str, str] = {}
    if "subject" in guessed:
        found["subject"] = identity.FIRST_LINE
    if "reference" in guessed or "reference" not in own:
        found["reference"] = identity.CITED if "reference" in own else identity.FILE_NAME
    if "date" in guessed or "date" not in own:
        found["date"] = identity.OF_THE_MAIL if "date" in own else identity.OF_THE_SENDER
    found |= dict.fromkeys(document.supplied, identity.OF_THE_COVER)
    if "genre" not in own and "genre" not in metadata:
        found["genre"] = identity.DEFAULT
    return {name: source for name, source in found.items() if name not in known}
