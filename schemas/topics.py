"""The topics of the log: their names, keys, partitions and retention, who writes and who reads."""

from dataclasses import dataclass

DAY_MS = 24 * 3600 * 1000

COMPACTION_LAG_MS = 7 * DAY_MS
"""A week: no live consumer that is less than a week behind misses an event."""

DEAD_RETENTION_MS = 365 * DAY_MS

PARTITIONS = 12
"""Divides evenly among 1, 2, 3, 4, 6 or 12 workers; see docs/architecture.md."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `compacted` keeps the latest event per key for ever; else `retention_ms` holds."""

    name: str
    key: str
    partitions: int
    compacted: bool
    retention_ms: int | None
    writer: str
    readers: tuple[str, ...]
    purpose: str


SUBMITTED = Topic(
    name="notes.submitted",
    key="note id",
    partitions=PARTITIONS,
    compacted=True,
    retention_ms=None,
    writer="ingest",
    readers=("classify",),
    purpose="Every accepted change of a note, with the whole note.",
)
CLASSIFIED = Topic(
    name="notes.classified",
    key="note id",
    partitions=PARTITIONS,
    compacted=True,
    retention_ms=None,
    writer="classify",
    readers=("search",),
    purpose="The same events with the classifier's tags and their evidence.",
)


def dead(topic: Topic, writer: str) -> Topic:
    """The dead-letter topic of a topic: what `writer` could never process, kept a year."""
    return Topic(
        name=f"{topic.name}.dead",
        key="key of the original record",
        partitions=1,
        compacted=False,
        retention_ms=DEAD_RETENTION_MS,
        writer=writer,
        readers=("search",),
        purpose=f"Records of {topic.name} that can never succeed, with reason, origin and bytes.",
    )


SUBMITTED_DEAD = dead(SUBMITTED, writer="classify")
CLASSIFIED_DEAD = dead(CLASSIFIED, writer="search")

ALL = (SUBMITTED, CLASSIFIED, SUBMITTED_DEAD, CLASSIFIED_DEAD)
