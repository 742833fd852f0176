"""The registry: what needs transactions and unique keys (receipts, revisions, dead letters).

One code on SQLite and PostgreSQL. All methods are synchronous and short; asynchronous callers go
through `aside`. A database that is away raises Unavailable, within 5 s.
"""

from services.runtime.registry.aside import aside
from services.runtime.registry.rows import (
    Begun,
    DeadLetterRow,
    Key,
    Mark,
    ParkedRow,
    Pending,
    ReceiptRow,
    Submission,
)
from services.runtime.registry.store import Registry

__all__ = [
    "Begun",
    "DeadLetterRow",
    "Key",
    "Mark",
    "ParkedRow",
    "Pending",
    "ReceiptRow",
    "Registry",
    "Submission",
    "aside",
]
