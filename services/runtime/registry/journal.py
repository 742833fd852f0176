"""The journal in the registry: entries are added at its end and removed from its beginning only.

Written within the transactions of `store`. Whoever adds holds a lock until the transaction ends, so
that entries have no gaps and every hash has one follower. Triggers refuse changed and deleted rows.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from schemas.journal import Action
from services.runtime.registry.chain import EMPTY, Detail, Draft, EntryRow, Head, chained, written
from services.runtime.registry.tables import IS_PRUNED, journal

_LOCK_KEY = 0x4A4F55524E414C
"""Number of PostgreSQL's advisory lock ("JOURNAL" in ASCII)."""

PRUNED_AT_ONCE = 10_000
"""Entries removed in one transaction, during which nobody can write."""

SERVICE = "valise"
"""Who prunes."""


@dataclass(frozen=True, slots=True)
class JournalFilter:
    """Which entries are meant; None: whatever it be. `since` is included, `until` is not.

    `who` is an id, or several.
    """

    who: str | tuple[str, ...] | None = None
    action: str | None = None
    object: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def append(connection: sa.Connection, drafts: Sequence[Draft]) -> Head:
    """Enter these, but for those that are there already; the newest entry then."""
    _lock(connection)
    ids = [draft.id for draft in drafts]
    there = set(connection.scalars(sa.select(journal.c.id).where(journal.c.id.in_(ids))))
    rows = chained(head(connection), [draft for draft in drafts if draft.id not in there])
    if not rows:
        return head(connection)
    connection.execute(
        sa.insert(journal),
        [{"number": row.number, **asdict(row.draft), "hash": row.hash} for row in rows],
    )
    return Head(rows[-1].number, rows[-1].hash)


def head(connection: sa.Connection) -> Head:
    """The newest entry."""
    newest = sa.select(journal.c.number, journal.c.hash).order_by(journal.c.number.desc()).limit(1)
    row = connection.execute(newest).first()
    return EMPTY if row is None else Head(*row)


def anchor(connection: sa.Connection) -> EntryRow | None:
    """The latest entry that tells of a pruning: it names what the oldest entry left follows."""
    latest = sa.select(journal).where(sa.text(IS_PRUNED)).order_by(journal.c.number.desc()).limit(1)
    row = connection.execute(latest).first()
    return None if row is None else _entry(row)


def page(
    connection: sa.Connection, wanted: JournalFilter, before: int | None, limit: int
) -> list[EntryRow]:
    """Entries that fit, the newest first; `before` a number for the page after."""
    query = sa.select(journal).order_by(journal.c.number.desc()).limit(limit)
    for column in (journal.c.who, journal.c.action, journal.c.object):
        value = getattr(wanted, column.name)
        if isinstance(value, tuple):
            query = query.where(column.in_(value))
        elif value is not None:
            query = query.where(column == value)
    if wanted.since is not None:
        query = query.where(journal.c.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(journal.c.at < wanted.until)
    if before is not None:
        query = query.where(journal.c.number < before)
    return [_entry(row) for row in connection.execute(query)]


def names(connection: sa.Connection) -> dict[str, str]:
    """Everybody in the journal by id, each with the name of their latest entry.

    Goes from one id to the next in their index: it costs by people, not by entries.
    """
    found: dict[str, str] = {}
    who: str | None = connection.scalar(sa.select(sa.func.min(journal.c.who)))
    while who is not None:
        latest = sa.select(journal.c.name).where(journal.c.who == who)
        name = connection.scalar(latest.order_by(journal.c.number.desc()).limit(1))
        if who:
            found[who] = str(name)
        who = connection.scalar(sa.select(sa.func.min(journal.c.who)).where(journal.c.who > who))
    return found


def after(connection: sa.Connection, number: int, until: int, limit: int) -> list[EntryRow]:
    """The entries that follow that number, up to another one, in their order."""
    query = (
        sa.select(journal)
        .where(journal.c.number > number, journal.c.number <= until)
        .order_by(journal.c.number)
        .limit(limit)
    )
    return [_entry(row) for row in connection.execute(query)]


def prune(connection: sa.Connection, older_than: datetime, now: datetime) -> int:
    """Remove the oldest entries, all from before that moment, and enter that; how many they were.

    At most PRUNED_AT_ONCE. None behind the first entry that is to stay goes, whatever its own time.
    """
    _lock(connection)
    in_order = sa.select(journal.c.number).order_by(journal.c.number).limit(1)
    first: int | None = connection.scalar(in_order)
    if first is None:
        return 0
    staying: int | None = connection.scalar(in_order.where(journal.c.at >= older_than))
    end = head(connection).number if staying is None else staying - 1
    last = min(end, first + PRUNED_AT_ONCE - 1)
    if last < first:
        return 0
    kept_hash = connection.scalar(sa.select(journal.c.hash).where(journal.c.number == last))
    details: dict[str, Detail] = {"hash": str(kept_hash), "entries": last - first + 1}
    # First the entry: without it the trigger lets nothing go.
    append(connection, [_pruned(last, written(details), now)])
    connection.execute(sa.delete(journal).where(journal.c.number <= last))
    return last - first + 1


def _pruned(last: int, details: str, now: datetime) -> Draft:
    return Draft(uuid4(), now, SERVICE, "Valise", Action.PRUNED, str(last), details, "")


def _lock(connection: sa.Connection) -> None:
    """Let in one writer at a time. On SQLite the write transaction already did."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})


def _entry(row: Any) -> EntryRow:
    return EntryRow(
        number=row.number,
        draft=Draft(
            row.id, row.at, row.who, row.name, row.action, row.object, row.details, row.address
        ),
        hash=row.hash,
    )
