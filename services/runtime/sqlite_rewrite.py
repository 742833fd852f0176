"""Rewriting a SQLite file, so that no byte of what was deleted is left in it.

SQLite leaves deleted rows where they were, in free pages and in the gaps of others, and older
states of pages in its write-ahead log. VACUUM writes the file anew from its live rows; a checkpoint
that truncates then empties the write-ahead log.
"""

import sqlite3
import time
from pathlib import Path

from services.runtime.errors import Unavailable

PATIENCE_SECONDS = 30.0
"""How long others may be in the way; they hold the file for a batch, some seconds at most."""
PAUSE_SECONDS = 0.1


def rewrite(path: Path) -> None:
    """Write the file anew and empty its write-ahead log. Others may have it open; their writing
    waits, or fails as while the disk is slow.

    Needs room for the file once more, in SQLite's temporary folder (SQLITE_TMPDIR) and beside it.
    Raises Unavailable where others do not let go of it, or the disk is full.
    """
    try:
        connection = sqlite3.connect(path, timeout=PATIENCE_SECONDS, isolation_level=None)
        try:
            connection.execute("VACUUM")
            _empty_the_log(connection)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise Unavailable(f"{path.name} cannot be rewritten: {error}") from error


def _empty_the_log(connection: sqlite3.Connection) -> None:
    """Readers of an older state keep the write-ahead log; each of them reads for moments only."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        if time.monotonic() > deadline:
            raise sqlite3.OperationalError("the write-ahead log is in use")
        time.sleep(PAUSE_SECONDS)
