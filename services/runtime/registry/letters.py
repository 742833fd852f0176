"""Dead letters as rows: what note they are about, read leniently, and bytes that are not text."""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from schemas.events import MAX_CORRECTION, MAX_REVISION
from services.runtime.registry.rows import DeadLetterRow, ParkedRow


def to_row(letter: DeadLetterRow) -> dict[str, Any]:
    """The row of a dead letter."""
    note_id, revision = about(letter)
    return {
        "origin": _storable(letter.origin),
        "fingerprint": _fingerprint(letter),
        "service": _storable(letter.service),
        "reason": _storable(letter.reason),
        "at": letter.at,
        "key": letter.key,
        "value": letter.value,
        "headers": json.dumps(
            {name: base64.b64encode(value).decode() for name, value in letter.headers.items()}
        ),
        "note_id": note_id,
        "revision": revision,
    }


def from_row(row: Mapping[Any, Any]) -> ParkedRow:
    """The dead letter in a row."""
    fields = {name: value for name, value in row.items() if name != "fingerprint"}
    headers = json.loads(fields.pop("headers"))
    return ParkedRow(
        **fields, headers={name: base64.b64decode(value) for name, value in headers.items()}
    )


def about(letter: DeadLetterRow) -> tuple[UUID | None, int | None]:
    """The note and revision that a dead letter seems to be about, each None where unknown.

    The value may be anything at all, so it is asked politely; the key is the note's id by contract.
    """
    value = _object(letter.value)
    note_id = _uuid(value.get("note_id")) or _uuid(_text(letter.key))
    revision = value.get("revision")
    known = type(revision) is int and 1 <= revision <= MAX_REVISION
    return note_id, revision if known else None


def correction_of(letter: DeadLetterRow) -> int:
    """The correction that a dead letter seems to be about; 0 for none, or where unknown."""
    correction = _object(letter.value).get("correction")
    if type(correction) is int and 1 <= correction <= MAX_CORRECTION:
        return int(correction)
    return 0


def _fingerprint(letter: DeadLetterRow) -> str:
    digest = hashlib.sha256()
    for part in (letter.key, letter.value):
        digest.update(b"-" if part is None else b"%d:%b" % (len(part), part))
    return digest.hexdigest()


def _storable(text: str) -> str:
    """The text as PostgreSQL takes it: no NUL, no lone surrogate."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _object(value: bytes | None) -> dict[str, Any]:
    try:
        found = json.loads(value or b"null")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(key: bytes | None) -> str:
    return (key or b"").decode("utf-8", "replace")


def _uuid(text: Any) -> UUID | None:
    try:
        return UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None
