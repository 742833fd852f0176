"""Browser sessions and the tickets that open one: whose they are, and the hash of their secret.

Read and written within the transactions of `store`. A row is dropped a day after it expired: who
did what stands in the journal.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from schemas.access import KeyView, Person
from services.runtime.registry import keys as key_rows
from services.runtime.registry.keys import KeyRow
from services.runtime.registry.tables import keys, sessions, tickets

KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session as it is kept: of a key, as that key is now, or of a person."""

    number: int
    last_used_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    key: KeyRow | None
    person: Person | None

    def holds(self, now: datetime, idle: timedelta) -> bool:
        """Whether it may be used at that moment, `idle` being the longest pause."""
        if self.revoked_at is not None or now >= self.expires_at:
            return False
        return now - self.last_used_at < idle


def begin(
    connection: sa.Connection,
    secret_hash: str,
    holder: int | Person,
    at: datetime,
    expires_at: datetime,
    id_token: str | None,
) -> None:
    """Keep a new session, of the key with that number or of a person."""
    _drop_old(connection, sessions, at)
    whose = (
        {"person": holder.model_dump_json()} if isinstance(holder, Person) else {"key_id": holder}
    )
    connection.execute(
        sa.insert(sessions).values(
            hash=secret_hash,
            id_token=id_token,
            created_at=at,
            last_used_at=at,
            expires_at=expires_at,
            **whose,
        )
    )


def by_hash(connection: sa.Connection, secret_hash: str) -> SessionRow | None:
    """The session with that hash; None where there is none."""
    row = connection.execute(sa.select(sessions).where(sessions.c.hash == secret_hash)).first()
    if row is None:
        return None
    of_key = sa.select(keys).where(keys.c.id == row.key_id)
    key = None if row.key_id is None else connection.execute(of_key).first()
    return SessionRow(
        number=row.id,
        last_used_at=row.last_used_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        key=None if key is None else key_rows.key_row(key),
        person=None if row.person is None else Person.model_validate_json(row.person),
    )


def used(connection: sa.Connection, number: int, at: datetime) -> None:
    """The session was used at that moment."""
    connection.execute(
        sa.update(sessions)
        .where(sessions.c.id == number, sessions.c.last_used_at < at)
        .values(last_used_at=at)
    )


def end(connection: sa.Connection, secret_hash: str, at: datetime) -> str | None:
    """The session never holds again; its ID token, which is forgotten with it."""
    this = sessions.c.hash == secret_hash
    id_token: str | None = connection.execute(sa.select(sessions.c.id_token).where(this)).scalar()
    connection.execute(
        sa.update(sessions)
        .where(this, sessions.c.revoked_at.is_(None))
        .values(revoked_at=at, id_token=None)
    )
    return id_token


def add_ticket(
    connection: sa.Connection, secret_hash: str, key: int, at: datetime, expires_at: datetime
) -> None:
    """Keep a ticket that opens one session with the rights of that key."""
    _drop_old(connection, tickets, at)
    connection.execute(
        sa.insert(tickets).values(hash=secret_hash, key_id=key, expires_at=expires_at)
    )


def key_of_ticket(connection: sa.Connection, secret_hash: str, at: datetime) -> KeyView | None:
    """The key of a ticket that can still be used; it stays so."""
    number = connection.execute(
        sa.select(tickets.c.key_id).where(*_usable(secret_hash, at))
    ).scalar()
    return None if number is None else key_rows.by_number(connection, number)


def take_ticket(connection: sa.Connection, secret_hash: str, at: datetime) -> KeyView | None:
    """The key of a ticket, which is used up by it; None where it was, or has expired."""
    number = connection.execute(
        sa.update(tickets)
        .where(*_usable(secret_hash, at))
        .values(used_at=at)
        .returning(tickets.c.key_id)
    ).scalar()
    return None if number is None else key_rows.by_number(connection, number)


def _usable(secret_hash: str, at: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return tickets.c.hash == secret_hash, tickets.c.used_at.is_(None), tickets.c.expires_at > at


def _drop_old(connection: sa.Connection, table: sa.Table, at: datetime) -> None:
    connection.execute(sa.delete(table).where(table.c.expires_at < at - KEPT))
