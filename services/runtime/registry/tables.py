"""The registry's tables. The migrations build them; a test holds that both say the same."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.types import TypeDecorator

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
"""Constraints have names, so that a later migration can change them on both databases."""

metadata = MetaData(naming_convention=NAMING)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: aware on the way in and out, kept in UTC (SQLite has no zones of its own)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> Any:
        """The moment in UTC. Raises ValueError for a naive one."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any | None, _dialect: Dialect) -> datetime | None:
        """The moment, aware, in UTC."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


notes = Table(
    "notes",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("post", String(64), nullable=False),
    Column("reference", String(200), nullable=False),
    Column("revision", Integer, nullable=False, comment="the latest one; its row holds the state"),
)

revisions = Table(
    "revisions",
    metadata,
    Column("note_id", Uuid, ForeignKey("notes.id", ondelete="CASCADE"), primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("content_hash", String(64), nullable=False),
    Column(
        "event",
        LargeBinary,
        nullable=False,
        comment="the whole event: what the relay appends, and the only history of revisions",
    ),
    Column("received_at", UtcDateTime, nullable=False),
    Column("state", String(16), nullable=False),
    Column("indexed_at", UtcDateTime),
    Column("parked_at", UtcDateTime),
    Column("parked_reason", Text),
)

IS_PENDING = "state = 'pending'"
"""Said in the index and in the query word for word, or the index would not serve."""

Index(
    "ix_revisions_pending",
    revisions.c.received_at,
    sqlite_where=text(IS_PENDING),
    postgresql_where=text(IS_PENDING),
)

corrections = Table(
    "corrections",
    metadata,
    Column("note_id", Uuid, ForeignKey("notes.id", ondelete="CASCADE"), primary_key=True),
    Column(
        "correction",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="counts from 1 over all revisions of the note",
    ),
    Column("revision", Integer, nullable=False, comment="the one that the reader corrected"),
    Column("content_hash", String(64), nullable=False, comment="of the tags"),
    Column("event", LargeBinary, nullable=False, comment="the whole event, as for revisions"),
    Column("comment", Text, comment="the reader's, for whoever learns from the correction"),
    Column("received_at", UtcDateTime, nullable=False),
    Column("state", String(16), nullable=False),
    Column("indexed_at", UtcDateTime),
    Column("parked_at", UtcDateTime),
    Column("parked_reason", Text),
)

Index(
    "ix_corrections_pending",
    corrections.c.received_at,
    sqlite_where=text(IS_PENDING),
    postgresql_where=text(IS_PENDING),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("origin", String(300), nullable=False),
    Column(
        "fingerprint",
        String(64),
        nullable=False,
        comment="of key and value: a topic created again starts its offsets anew",
    ),
    Column("service", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("key", LargeBinary),
    Column("value", LargeBinary),
    Column("headers", Text, nullable=False, comment="JSON object, values in base 64"),
    Column("note_id", Uuid, index=True, comment="read from the bytes where they say it"),
    Column("revision", Integer),
    Column("replayed_at", UtcDateTime),
    UniqueConstraint("origin", "fingerprint"),
)
