"""Dead letters as rows: what note they are about, read leniently, and bytes that are not text."""

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from schemas.answers import State
from schemas.events import MAX_CORRECTION, MAX_REVISION, Kind
from services.runtime.registry.rows import (
    ON_THE_WAY,
    UNHEARD,
    DeadLetterRow,
    LetterFilter,
    LetterRow,
    ParkedRow,
)
from services.runtime.registry.tables import dead_letters, revisions


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


def key_of(letter: DeadLetterRow) -> UUID | None:
    """The note under whose key the record lay; None where the key is no note's id."""
    return _uuid(_text(letter.key))


def received_at(letter: DeadLetterRow) -> datetime | None:
    """When the event in a dead letter says that it was received; None where it does not."""
    try:
        moment = datetime.fromisoformat(_object(letter.value).get("received_at") or "")
    except (ValueError, TypeError):
        return None
    return moment if moment.tzinfo is not None else None


def correction_of(letter: DeadLetterRow) -> int:
    """The correction that a dead letter seems to be about; 0 for none, or where unknown.

    A revision that keeps a correction made before is about itself.
    """
    value = _object(letter.value)
    if value.get("kind") in (Kind.RECTIFIED, Kind.WITHDRAWN):
        return 0
    correction = value.get("correction")
    if type(correction) is int and 1 <= correction <= MAX_CORRECTION:
        return int(correction)
    return 0


def page(
    connection: sa.Connection,
    wanted: LetterFilter,
    *,
    limit: int,
    before: int | None = None,
    after: int | None = None,
    standing: bool = False,
) -> list[LetterRow]:
    """Dead letters without their bytes: newest first, or oldest first where `after` is given.

    `standing`: only those that were not replayed, came back, or were lost on their way.
    """
    letters = dead_letters.c
    query = (
        sa.select(
            *(letters[name] for name in _SHORT),
            sa.func.length(letters.value).label("size"),
            revisions.c.state.label("note_state"),
        )
        .join_from(
            dead_letters,
            revisions,
            sa.and_(
                revisions.c.note_id == letters.note_id, revisions.c.revision == letters.revision
            ),
            isouter=True,
        )
        .order_by(letters.id.desc() if after is None else letters.id)
        .limit(limit)
    )
    for condition in _conditions(wanted):
        query = query.where(condition)
    if standing:
        query = query.where(sa.or_(letters.returns >= letters.replays, _lost(datetime.now(UTC))))
    if before is not None:
        query = query.where(letters.id < before)
    if after is not None:
        query = query.where(letters.id > after)
    return [_short(row) for row in connection.execute(query).mappings()]


def one(connection: sa.Connection, number: int) -> tuple[LetterRow, ParkedRow] | None:
    """That dead letter, in short and with its bytes; None where there is none."""
    row = (
        connection.execute(sa.select(dead_letters).where(dead_letters.c.id == number))
        .mappings()
        .first()
    )
    if row is None:
        return None
    short = page(connection, LetterFilter(), limit=1, before=number + 1)
    return short[0], from_row(row)


def replayed(connection: sa.Connection, number: int, at: datetime) -> None:
    """Count one more replay of that letter."""
    connection.execute(
        sa.update(dead_letters)
        .where(dead_letters.c.id == number)
        .values(replays=dead_letters.c.replays + 1, replayed_at=at)
    )


def returned(connection: sa.Connection, row: Mapping[str, Any]) -> None:
    """The letter in this row, kept before and replayed since, was parked again."""
    connection.execute(
        sa.update(dead_letters)
        .where(
            dead_letters.c.origin == row["origin"],
            dead_letters.c.fingerprint == row["fingerprint"],
        )
        .values(returns=dead_letters.c.replays, reason=row["reason"], at=row["at"])
    )


def came_back(connection: sa.Connection, number: int) -> None:
    """The letter's replay could not be written."""
    connection.execute(
        sa.update(dead_letters)
        .where(dead_letters.c.id == number)
        .values(returns=dead_letters.c.replays)
    )


def _lost(now: datetime) -> sa.ColumnElement[bool]:
    """Replayed, and not heard of for long, as `LetterRow.lost` says."""
    return sa.and_(dead_letters.c.replayed_at < now - UNHEARD, revisions.c.state.in_(ON_THE_WAY))


_SHORT = (
    "id",
    "origin",
    "service",
    "reason",
    "at",
    "note_id",
    "revision",
    "replays",
    "returns",
    "replayed_at",
)


def _short(row: Mapping[Any, Any]) -> LetterRow:
    state = row["note_state"]
    return LetterRow(**{**row, "note_state": None if state is None else State(state)})


def _conditions(wanted: LetterFilter) -> list[sa.ColumnElement[bool]]:
    letters = dead_letters.c
    found: list[sa.ColumnElement[bool]] = []
    if wanted.service is not None:
        found.append(letters.service == wanted.service)
    if wanted.reason is not None:
        found.append(letters.reason.icontains(wanted.reason, autoescape=True))
    if wanted.note_id is not None:
        found.append(letters.note_id == wanted.note_id)
    if wanted.replayed is not None:
        found.append(letters.replays > 0 if wanted.replayed else letters.replays == 0)
    return found


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
