"""Changes of notes on their way into the journal: entered once, by whoever sent them.

A change's row names its sender from the beginning. In the transaction that says that the log has
it, it is entered and the name removed: so no change that the log has stays without an entry,
whoever brought it there and whatever became of the request that sent it.

The functions run within a transaction that `Registry` opens.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from schemas.answers import IngestOutcome, State
from schemas.events import Kind
from schemas.journal import Action
from services.runtime.registry import journal
from services.runtime.registry.chain import Detail, Draft, written
from services.runtime.registry.rows import Key, Sender
from services.runtime.registry.tables import IS_TO_BE_ENTERED, corrections, revisions

ACTIONS = {
    Kind.SUBMITTED: Action.SUBMITTED,
    Kind.RECTIFIED: Action.RECTIFIED,
    Kind.WITHDRAWN: Action.WITHDRAWN,
    Kind.CORRECTED: Action.CORRECTED,
}


def kept(sender: Sender | None) -> str | None:
    """The sender as its change's row has it; None: nothing is to be entered."""
    return None if sender is None else json.dumps(asdict(sender), ensure_ascii=False)


def due(connection: sa.Connection, keys: Sequence[Key]) -> list[Any]:
    """The rows of these changes that are not entered yet, locked: of two who come at once one
    enters them."""
    first = [(key.note_id, key.revision) for key in keys if not key.correction]
    later = [(key.note_id, key.correction) for key in keys if key.correction]
    found: list[Any] = []
    for table, wanted in ((revisions, first), (corrections, later)):
        if wanted:
            # In the order of keys: two who lock the same rows must not wait crosswise.
            query = (
                _to_be_entered(table)
                .where(sa.tuple_(*_columns(table)).in_(wanted))
                .order_by(*_columns(table))
            )
            found += connection.execute(query.with_for_update())
    return found


def any_left(connection: sa.Connection, older_than: datetime) -> bool:
    """Whether `left` finds any: usually not, and then nobody has to wait for a writer."""
    return any(
        connection.execute(_left(table, older_than).limit(1)).first()
        for table in (revisions, corrections)
    )


def left(connection: sa.Connection, older_than: datetime, limit: int) -> list[Any]:
    """The rows of changes from before that moment that are not pending, and were not entered.

    What another has in hand is left to it.
    """
    found: list[Any] = []
    for table in (revisions, corrections):
        query = _left(table, older_than).order_by(table.c.received_at).limit(limit)
        found += connection.execute(query.with_for_update(skip_locked=True))
    return found


def enter(connection: sa.Connection, rows: Sequence[Any]) -> None:
    """Enter the changes in these rows, the oldest first. The last thing that a transaction does:
    nobody else can enter anything until it ends."""
    for table, corrected in ((revisions, False), (corrections, True)):
        note, number = _columns(table)
        these = [
            {"the_note": row.note_id, "the_number": row.number}
            for row in rows
            if (row.kind == Kind.CORRECTED) == corrected
        ]
        if these:
            this = sa.and_(note == sa.bindparam("the_note"), number == sa.bindparam("the_number"))
            connection.execute(sa.update(table).where(this).values(sender=None), these)
    if rows:
        in_order = sorted(rows, key=lambda row: row.received_at)
        journal.append(connection, [_draft(row) for row in in_order])


def _draft(row: Any) -> Draft:
    sender = Sender(**json.loads(row.sender))
    kind = Kind(row.kind)
    details: dict[str, Detail] = {"outcome": IngestOutcome.ACCEPTED.value}
    if kind is not Kind.SUBMITTED:
        details["correction" if kind is Kind.CORRECTED else "revision"] = row.number
    return Draft(
        id=uuid4(),
        at=row.received_at,
        who=sender.who,
        name=sender.name,
        action=ACTIONS[kind].value,
        object=str(row.note_id),
        details=written(details),
        address=sender.address,
    )


def _left(table: sa.Table, older_than: datetime) -> sa.Select[Any]:
    return _to_be_entered(table).where(
        table.c.state != State.PENDING, table.c.received_at < older_than
    )


def _to_be_entered(table: sa.Table) -> sa.Select[Any]:
    note, number = _columns(table)
    kind = sa.literal(Kind.CORRECTED.value) if table is corrections else table.c.kind
    return sa.select(
        note, number.label("number"), kind.label("kind"), table.c.received_at, table.c.sender
    ).where(sa.text(IS_TO_BE_ENTERED))


def _columns(table: sa.Table) -> tuple[sa.Column[Any], sa.Column[Any]]:
    """What tells a row of the table from another."""
    return table.c.note_id, table.c.correction if table is corrections else table.c.revision
