"""The registry: what needs transactions and unique keys (receipts, revisions, corrections,
dead letters, keys, sessions, the journal).

One code on SQLite and PostgreSQL. All methods are synchronous and short; asynchronous callers go
through `aside`. A database that is away raises Unavailable, within 5 s.
"""

from services.runtime.registry.aside import aside
from services.runtime.registry.chain import Draft, EntryRow, Head
from services.runtime.registry.journal import JournalFilter
from services.runtime.registry.keys import KeyRow, LastAdministrator, caller_with
from services.runtime.registry.rows import (
    Begun,
    BegunCorrection,
    BegunRevision,
    CitationRow,
    CitingRow,
    CorrectionRow,
    CorrectionSubmission,
    DeadLetterRow,
    ExpungedRow,
    HeldNote,
    Key,
    LetterFilter,
    LetterRow,
    Mark,
    MissingRow,
    Obstacle,
    OriginalRow,
    ParkedRow,
    Pending,
    ReceiptRow,
    RevisionRow,
    RevisionSubmission,
    Sender,
    Shown,
    Submission,
    Superseded,
)
from services.runtime.registry.sessions import SessionRow
from services.runtime.registry.store import Registry

__all__ = [
    "Begun",
    "BegunCorrection",
    "BegunRevision",
    "CitationRow",
    "CitingRow",
    "CorrectionRow",
    "CorrectionSubmission",
    "DeadLetterRow",
    "Draft",
    "EntryRow",
    "ExpungedRow",
    "Head",
    "HeldNote",
    "JournalFilter",
    "Key",
    "KeyRow",
    "LastAdministrator",
    "LetterFilter",
    "LetterRow",
    "Mark",
    "MissingRow",
    "Obstacle",
    "OriginalRow",
    "ParkedRow",
    "Pending",
    "ReceiptRow",
    "Registry",
    "RevisionRow",
    "RevisionSubmission",
    "Sender",
    "SessionRow",
    "Shown",
    "Submission",
    "Superseded",
    "aside",
    "caller_with",
]
