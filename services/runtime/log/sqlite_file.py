"""The file of the embedded log: its tables, and what is read from and written to them.

Plain functions on a connection; who may call them when is the business of `sqlite`. Offsets of a
topic count from 0 without gaps as they are given out, and none is ever given twice, whatever has
been deleted since.
"""

import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from schemas.topics import Topic
from services.runtime.errors import Unavailable, Unprocessable
from services.runtime.log import Entry, Record

BUSY_SECONDS = 4.0
"""How long a writer waits for another process's commit: below the 5 s that `append` promises."""

CHECKPOINT_PAGES = 4_000
"""16 MB of write-ahead log before SQLite copies it into the file: a few batches of large notes."""

WINDOW = 2_000
"""Offsets looked at in one transaction of a compaction: 10 MB of 5 KB notes, some 20 ms."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS topics (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    compacted INTEGER NOT NULL,
    retention_ms INTEGER,
    next_offset INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS records (
    id INTEGER PRIMARY KEY,
    topic INTEGER NOT NULL REFERENCES topics (id),
    offset INTEGER NOT NULL,
    at INTEGER NOT NULL,
    headers TEXT NOT NULL,
    key BLOB,
    value BLOB
);
CREATE UNIQUE INDEX IF NOT EXISTS records_in_order ON records (topic, offset);
CREATE INDEX IF NOT EXISTS records_by_key ON records (topic, key, offset) WHERE key IS NOT NULL;
CREATE TABLE IF NOT EXISTS groups (
    topic TEXT NOT NULL,
    name TEXT NOT NULL,
    next_offset INTEGER NOT NULL,
    PRIMARY KEY (topic, name)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Swept:
    """One step of a compaction: how many records went, and where to go on (None: finished)."""

    deleted: int
    next_offset: int | None


def connect(path: Path) -> sqlite3.Connection:
    """Open the file, made if it is not there. Raises sqlite3.Error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        _to_wal(connection)
        # FULL syncs the write-ahead log at each commit: what was acknowledged survives a crash.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        # What a compaction drops is overwritten: a note may have been expunged.
        connection.execute("PRAGMA secure_delete = ON")
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'groups'").fetchone():
            connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
    except BaseException:
        connection.close()
        raise
    return connection


def _to_wal(connection: sqlite3.Connection) -> None:
    """Switch to the write-ahead log; SQLite does not wait by itself where two do so at once."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def provision(connection: sqlite3.Connection, topics: Sequence[Topic]) -> None:
    """Enter these topics, or their settings where they are there already."""
    connection.executemany(
        "INSERT INTO topics (name, compacted, retention_ms) VALUES (?, ?, ?) ON CONFLICT (name) "
        "DO UPDATE SET compacted = excluded.compacted, retention_ms = excluded.retention_ms",
        [(topic.name, topic.compacted, topic.retention_ms) for topic in topics],
    )


def append(connection: sqlite3.Connection, topic: str, entries: Sequence[Entry]) -> None:
    """Write entries at the end of a topic.

    Raises Unavailable where it is not provisioned, Unprocessable for an entry without a key where
    it is compacted.
    """
    row = connection.execute(
        "UPDATE topics SET next_offset = next_offset + ? WHERE name = ? "
        "RETURNING id, next_offset, compacted",
        (len(entries), topic),
    ).fetchone()
    if row is None:
        raise Unavailable(f"topic {topic} is not provisioned")
    topic_id, end, compacted = row
    if compacted and any(entry.key is None for entry in entries):
        raise Unprocessable(f"an entry without a key does not fit on {topic}, which is compacted")
    now = int(time.time() * 1000)
    connection.executemany(
        "INSERT INTO records (topic, offset, at, headers, key, value) VALUES (?, ?, ?, ?, ?, ?)",
        [
            (topic_id, offset, now, _dump(entry), entry.key, entry.value)
            for offset, entry in enumerate(entries, end - len(entries))
        ],
    )


def read(
    connection: sqlite3.Connection,
    topic: str,
    start: int,
    *,
    max_records: int,
    max_bytes: int,
    end: int | None = None,
) -> list[Record]:
    """Records from offset `start` on and before `end`, in order; one at least if there is any."""
    cursor = connection.execute(
        "SELECT offset, at, headers, key, value FROM records "
        "WHERE topic = (SELECT id FROM topics WHERE name = ?) AND offset >= ? AND offset < ? "
        "ORDER BY offset LIMIT ?",
        (topic, start, 2**62 if end is None else end, max_records),
    )
    records: list[Record] = []
    size = 0
    for offset, at, headers, key, value in cursor:
        size += len(key or b"") + len(value or b"")
        if records and size > max_bytes:
            break
        records.append(
            Record(
                topic=topic,
                partition=0,
                offset=offset,
                key=key,
                value=value,
                headers=_load(headers),
                timestamp_ms=at,
            )
        )
    return records


def end_offset(connection: sqlite3.Connection, topic: str) -> int:
    """The offset that the next record of a topic will get; 0 for an unknown topic."""
    row = connection.execute("SELECT next_offset FROM topics WHERE name = ?", (topic,)).fetchone()
    return int(row[0]) if row else 0


def committed(connection: sqlite3.Connection, topic: str, group: str) -> int:
    """Where a group goes on; 0 for a new one."""
    row = connection.execute(
        "SELECT next_offset FROM groups WHERE topic = ? AND name = ?", (topic, group)
    ).fetchone()
    return int(row[0]) if row else 0


def commit(connection: sqlite3.Connection, topic: str, group: str, next_offset: int) -> None:
    """Have a group go on at `next_offset`."""
    connection.execute(
        "INSERT INTO groups (topic, name, next_offset) VALUES (?, ?, ?) "
        "ON CONFLICT (topic, name) DO UPDATE SET next_offset = excluded.next_offset",
        (topic, group, next_offset),
    )


def lag(connection: sqlite3.Connection, topic: str, group: str) -> int:
    """Records that are there and that a group has not committed."""
    row = connection.execute(
        "SELECT count(*) FROM records "
        "WHERE topic = (SELECT id FROM topics WHERE name = ?) AND offset >= ?",
        (topic, committed(connection, topic, group)),
    ).fetchone()
    return int(row[0])


def sweep(connection: sqlite3.Connection, topic: str, start: int, older_than_ms: int) -> Swept:
    """Delete what a topic need not keep, in one window of offsets from `start` on.

    Of a compacted topic: records older than `older_than_ms` with a newer one of the same key. Of
    a topic with a retention: records older than that.
    """
    row = connection.execute(
        "SELECT topics.id, compacted, retention_ms, min(records.offset) FROM topics "
        "JOIN records ON records.topic = topics.id AND records.offset >= ? WHERE name = ?",
        (start, topic),
    ).fetchone()
    topic_id, compacted, retention_ms, first = row
    if first is None or not (compacted or retention_ms):
        return Swept(0, None)
    window = (topic_id, first, first + WINDOW)
    now = int(time.time() * 1000)
    deleted = 0
    if compacted:
        deleted += connection.execute(
            "DELETE FROM records WHERE topic = ? AND offset >= ? AND offset < ? AND at <= ? "
            "AND EXISTS (SELECT 1 FROM records AS newer WHERE newer.topic = records.topic "
            "AND newer.key = records.key AND newer.offset > records.offset)",
            (*window, now - older_than_ms),
        ).rowcount
    if retention_ms:
        deleted += connection.execute(
            "DELETE FROM records WHERE topic = ? AND offset >= ? AND offset < ? AND at <= ?",
            (*window, now - retention_ms),
        ).rowcount
    return Swept(deleted, first + WINDOW)


def erase(connection: sqlite3.Connection, key: bytes) -> int:
    """Delete all that lies under a key before its last null value, on every topic; how many went.

    The null values stay, for whoever has not read them yet; and so does what came after the last.
    """
    return connection.execute(
        # By topics, as the index of keys is: without them all of it would be read.
        "DELETE FROM records WHERE topic IN (SELECT id FROM topics) AND key = ? "
        "AND value IS NOT NULL AND offset < ("
        "SELECT max(nulls.offset) FROM records AS nulls WHERE nulls.topic = records.topic "
        "AND nulls.key = records.key AND nulls.value IS NULL)",
        (key,),
    ).rowcount


def _dump(entry: Entry) -> str:
    """Headers as JSON; Latin-1 has a character per byte, so any bytes come back unchanged."""
    if not entry.headers:
        return "{}"
    return json.dumps({name: value.decode("latin-1") for name, value in entry.headers.items()})


def _load(headers: str) -> dict[str, bytes]:
    if headers == "{}":
        return {}
    return {name: value.encode("latin-1") for name, value in json.loads(headers).items()}
