"""The registry's tables. The migrations build them; a test holds that both say the same."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
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
    Index("ix_notes_post_reference", "post", "reference"),
    Index("ix_notes_reference", "reference"),
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
    Column(
        "correction",
        Integer,
        nullable=False,
        server_default="0",
        comment="the one made before that this revision keeps in force; 0: none",
    ),
    Column("sender", Text, comment="JSON: who sent it; until the journal has it"),
    Column(
        "needs",
        Integer,
        nullable=False,
        server_default="3",
        comment="what its reader must be able to see (schemas.marks.needed); 3: all marks",
    ),
)

IS_PENDING = "state = 'pending'"
IS_TO_BE_ENTERED = "sender IS NOT NULL"
"""Said in the indexes and in the queries word for word, or the indexes would not serve."""

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
    Column("sender", Text, comment="as for revisions"),
)

Index(
    "ix_corrections_pending",
    corrections.c.received_at,
    sqlite_where=text(IS_PENDING),
    postgresql_where=text(IS_PENDING),
)

for _table in (revisions, corrections):
    Index(
        f"ix_{_table.name}_to_be_entered",
        _table.c.received_at,
        sqlite_where=text(IS_TO_BE_ENTERED),
        postgresql_where=text(IS_TO_BE_ENTERED),
    )

originals = Table(
    "originals",
    metadata,
    Column("note_id", Uuid, primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("sha256", String(64), nullable=False, index=True, comment="of its bytes: its address"),
    Column("name", String(500), nullable=False, comment="as the sender's file had it"),
    Column("media_type", String(200), nullable=False),
    Column("bytes", Integer, nullable=False),
    Column(
        "needs",
        Integer,
        nullable=False,
        server_default="0",
        comment="what its reader must be able to see beside the note's marks: 3 where something in "
        "it could not be looked into",
    ),
    ForeignKeyConstraint(
        ["note_id", "revision"], ["revisions.note_id", "revisions.revision"], ondelete="CASCADE"
    ),
)

covers = Table(
    "covers",
    metadata,
    Column("note_id", Uuid, primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("sha256", String(64), primary_key=True, index=True, comment="of its bytes: its address"),
    Column("name", String(500), nullable=False, comment="as the sender's file had it"),
    Column("bytes", Integer, nullable=False),
    Column(
        "needs",
        Integer,
        nullable=False,
        comment="what its reader must be able to see beside the note's marks",
    ),
    ForeignKeyConstraint(
        ["note_id", "revision"], ["revisions.note_id", "revisions.revision"], ondelete="CASCADE"
    ),
)

held_originals = Table(
    "held_originals",
    metadata,
    Column("holder", String(64), primary_key=True, comment="SHA-256 of a document"),
    Column(
        "held",
        String(64),
        primary_key=True,
        index=True,
        comment="what lies in it: the SHA-256 of a file, or the id of a note",
    ),
)

citations = Table(
    "citations",
    metadata,
    Column("note_id", Uuid, primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("reference", String(200), nullable=False, index=True, comment="as the note writes it"),
    ForeignKeyConstraint(
        ["note_id", "revision"], ["revisions.note_id", "revisions.revision"], ondelete="CASCADE"
    ),
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
    Column(
        "replays",
        Integer,
        nullable=False,
        server_default="0",
        comment="how often it was written to its topic again",
    ),
    Column(
        "returns",
        Integer,
        nullable=False,
        server_default="0",
        comment="which of these replays was parked again; less than replays: not yet, if ever",
    ),
    UniqueConstraint("origin", "fingerprint"),
)

expunged = Table(
    "expunged",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("note_id", Uuid, nullable=False, index=True),
    Column("at", UtcDateTime, nullable=False),
    Column("reason", Text, nullable=False, comment="as the administrator gave it"),
    Column(
        "until",
        UtcDateTime,
        nullable=False,
        comment="events of the note received by then are not to come back",
    ),
    Column("forgotten_at", UtcDateTime, comment="the null value has been all the way"),
    Column("finished_at", UtcDateTime, comment="the bytes are gone too"),
)

keys = Table(
    "keys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("label", String(16), nullable=False, comment="finds the key; no secret"),
    Column("hash", String(64), nullable=False, comment="SHA-256 of the secret"),
    Column("name", String(200), nullable=False),
    Column("roles", Text, nullable=False, comment="parted by spaces"),
    Column("posts", Text, nullable=False, comment="parted by spaces; * for all"),
    Column("clearance", String(32), nullable=False),
    Column("special_france", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("last_used_at", UtcDateTime, comment="to the minute"),
    UniqueConstraint("label"),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("hash", String(64), nullable=False, comment="SHA-256 of what the cookie holds"),
    Column("key_id", Integer, ForeignKey("keys.id"), comment="whose rights it has; or a person's"),
    Column("person", Text, comment="JSON: who the identity provider says it is"),
    Column("id_token", Text, comment="to sign out there too; gone with the session"),
    Column("created_at", UtcDateTime, nullable=False),
    Column("last_used_at", UtcDateTime, nullable=False, comment="to the minute"),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
    Column("revoked_at", UtcDateTime),
    UniqueConstraint("hash"),
)

tickets = Table(
    "tickets",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("hash", String(64), nullable=False, comment="SHA-256 of what the link holds"),
    Column("key_id", Integer, ForeignKey("keys.id"), nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
    Column("used_at", UtcDateTime),
    UniqueConstraint("hash"),
)

journal = Table(
    "journal",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Uuid, nullable=False, comment="of what is entered; entered once"),
    Column("at", UtcDateTime, nullable=False),
    Column("who", String(200), nullable=False),
    Column("name", String(200), nullable=False),
    Column("action", String(16), nullable=False),
    Column("object", String(200), nullable=False),
    Column("details", Text, nullable=False, comment="JSON, as it was hashed"),
    Column("address", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    UniqueConstraint("id"),
    Index("ix_journal_who_number", "who", "number"),
    Index("ix_journal_object_number", "object", "number"),
)

IS_PRUNED = "action = 'pruned'"

Index(
    "ix_journal_pruned",
    journal.c.number,
    sqlite_where=text(IS_PRUNED),
    postgresql_where=text(IS_PRUNED),
)
