"""The registry: what needs transactions and unique keys (receipts, revisions, corrections,
dead letters).

One code on SQLite and PostgreSQL. All methods are synchronous and short; asynchronous callers go
through `aside`. A database that is away raises Unavailable, within 5 s.
"""

from services.runtime.registry.aside import aside
from services.runtime.registry.rows import (
    Begun,
    BegunCorrection,
    CorrectionRow,
    CorrectionSubmission,
    DeadLetterRow,
    Key,
    Mark,
    Obstacle,
    ParkedRow,
    Pending,
    ReceiptRow,
    Submission,
)
from services.runtime.registry.store import Registry

__all__ = [
    "Begun",
    "BegunCorrection",
    "CorrectionRow",
    "CorrectionSubmission",
    "DeadLetterRow",
    "Key",
    "Mark",
    "Obstacle",
    "ParkedRow",
    "Pending",
    "ReceiptRow",
    "Registry",
    "Submission",
    "aside",
]
