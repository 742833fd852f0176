"""What classify does with each record of `notes.submitted`: its tags, onto `notes.classified`."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from schemas.events import NoteEvent, UnreadableEvent, classified, decode, encode
from schemas.topics import CLASSIFIED
from services.classify.classifier import classify
from services.classify.views import shortened_views
from services.runtime import metrics, tracing
from services.runtime.errors import Unprocessable
from services.runtime.log import Entry, Log, Record
from services.runtime.worker import Done, Parked, Process

SERVICE = "classify"
DONE = Done("classified")
TIME = metrics.STAGES.labels(SERVICE, "classify")
PIECE = 25
"""Notes classified between two appends: some tenths of a second, so that the log is never waited
for, and what a piece costs beside its notes is little."""

Read = tuple[Entry, Done] | Parked


def processor(log: Log) -> Process:
    """How `notes.submitted` is processed: each event goes on with its tags, in order.

    A null value (forget this note) goes on as it is. Parked: what is not an event, or stands under
    another key than its note's. The process raises Unavailable where the log is away.
    """

    async def process(records: Sequence[Record]) -> Sequence[Done | Parked]:
        results: list[Done | Parked] = []
        sending: asyncio.Task[list[Done | Parked]] | None = None
        try:
            for at in range(0, len(records), PIECE):
                # Off the event loop: the log's heartbeats go on while notes are classified, and the
                # piece before is on its way to the log.
                read = await asyncio.to_thread(_all_classified, records[at : at + PIECE])
                if sending is not None:
                    results += await sending
                sending = asyncio.create_task(_append(log, read))
            if sending is not None:
                results += await sending
        finally:
            if sending is not None and not sending.done():
                sending.cancel()
                await asyncio.wait([sending])
        return results

    return process


def _all_classified(records: Sequence[Record]) -> list[Read]:
    return [_classified(record) for record in records]


async def _append(log: Log, read: Sequence[Read]) -> list[Done | Parked]:
    """Append what is not parked; the outcomes. Raises Unavailable."""
    try:
        await log.append(CLASSIFIED.name, [one[0] for one in read if not isinstance(one, Parked)])
    except Unprocessable:
        return [await _alone(log, one) for one in read]
    return [one if isinstance(one, Parked) else one[1] for one in read]


async def _alone(log: Log, one: Read) -> Done | Parked:
    """An entry of the batch does not fit: it alone is parked."""
    if isinstance(one, Parked):
        return one
    try:
        await log.append(CLASSIFIED.name, [one[0]])
    except Unprocessable as error:
        return Parked(error.reason, one[1].revision, one[1].trace)
    return one[1]


def _classified(record: Record) -> Read:
    """What to append for a record, or why it can never be classified."""
    try:
        note_id = UUID((record.key or b"").decode("ascii"))
    except ValueError:
        return Parked("the key is not a note id")
    key = str(note_id).encode()
    if record.value is None:
        return Entry(key=key, value=None, headers=record.headers), DONE
    try:
        event = decode(NoteEvent, record.value)
    except UnreadableEvent as error:
        return Parked(f"not an event of notes.submitted: {error}")
    if event.note_id != note_id:
        return Parked("the event is about another note than its key", event.revision, event.trace)
    began_ns = time.time_ns()
    with TIME.time():
        found, views = classify(event.note), shortened_views(event.note, classify)
        value = encode(classified(event, found, datetime.now(UTC), views))
    trace = tracing.finished(
        SERVICE,
        "classify",
        tracing.parent_of(record, event.trace),
        began_ns,
        {"valise.note_id": str(note_id), "valise.revision": event.revision},
    )
    entry = Entry(key=key, value=value, headers={**record.headers, **tracing.headers(trace)})
    return entry, Done(DONE.outcome, event.revision, event.trace)
