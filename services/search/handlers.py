"""What the search service does with each record of the log: into the index, or into the registry.

The index decides by version what is new; the registry is told afterwards, and told again when a
crash came between, so that a receipt never says less than what a search shows.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from uuid import UUID

from schemas.answers import State
from schemas.events import ClassifiedNote, UnreadableEvent, decode
from services.runtime.dead_letters import DeadLetter
from services.runtime.errors import Unprocessable
from services.runtime.log import Record
from services.runtime.registry import DeadLetterRow, Mark, Registry, aside
from services.runtime.worker import Done, Parked, Process
from services.search.index import Applied, Index, Rejected

logger = logging.getLogger(__name__)

SERVICE = "search"
DEAD_ENDING = ".dead"

Result = Done | Parked
Read = ClassifiedNote | UUID | Parked
"""What a record turned out to be: a state of a note, a note to forget, or nothing of ours."""


def processor(index: Index, registry: Registry) -> Process:
    """How `notes.classified` is processed: every readable state goes to the index, in order.

    Outcomes: indexed, withdrawn, duplicate, stale; a note that is forgotten counts as withdrawn.
    Parked: what is not an event, an event under another note's key, what the index can never take.
    The process raises Unavailable where the index or the registry is away.
    """

    async def process(records: Sequence[Record]) -> Sequence[Result]:
        results: list[Result] = []
        for kind, group in groupby(map(_read, records), key=type):
            run = list(group)
            if kind is ClassifiedNote:
                notes = [note for note in run if isinstance(note, ClassifiedNote)]
                results += await _index(index, registry, notes)
            elif kind is UUID:
                await index.forget([note_id for note_id in run if isinstance(note_id, UUID)])
                results += [Done(Applied.WITHDRAWN.value) for _ in run]
            else:
                results += [parked for parked in run if isinstance(parked, Parked)]
        return results

    return process


def letter_keeper(registry: Registry) -> Process:
    """How the dead-letter topics are processed: each letter is kept in the registry, once.

    A letter about a dead letter is what this very process failed at before: it stays on its topic,
    and an error line says so, as keeping it there again would never end.
    """

    async def process(records: Sequence[Record]) -> Sequence[Result]:
        for record in records:
            row = _letter(record)
            if row is not None:
                await aside(registry.park, row)
        return [Done("parked") for _ in records]

    return process


def _read(record: Record) -> Read:
    try:
        key = UUID((record.key or b"").decode("ascii"))
    except ValueError:
        return Parked("the key is not a note id")
    if record.value is None:
        return key
    try:
        note = decode(ClassifiedNote, record.value)
    except UnreadableEvent as error:
        return Parked(f"not an event of notes.classified: {error}")
    if note.note_id != key:
        return Parked("the event is about another note than its key")
    return note


async def _index(index: Index, registry: Registry, notes: Sequence[ClassifiedNote]) -> list[Result]:
    applied = await index.apply(notes)
    now = datetime.now(UTC)
    marks = [
        Mark(note.note_id, note.revision, _state(note), now)
        for note, outcome in zip(notes, applied, strict=True)
        if not isinstance(outcome, Rejected) and outcome is not Applied.STALE
    ]
    if marks:
        await aside(registry.mark_indexed, marks)
    return [
        Parked(f"refused by the index: {outcome.reason}")
        if isinstance(outcome, Rejected)
        else Done(outcome.value)
        for outcome in applied
    ]


def _state(note: ClassifiedNote) -> State:
    return State.WITHDRAWN if note.withdrawn else State.INDEXED


def _letter(record: Record) -> DeadLetterRow | None:
    """The row for a record of a dead-letter topic; None for a letter about a dead letter.

    A record that is no dead letter is kept as it is, as one that somebody should look into.
    """
    try:
        letter = DeadLetter.from_record(record)
    except Unprocessable as error:
        return DeadLetterRow(
            origin=record.origin,
            service=SERVICE,
            reason=error.reason,
            at=datetime.fromtimestamp(record.timestamp_ms / 1000, UTC),
            key=record.key,
            value=record.value,
            headers=record.headers,
        )
    if letter.topic.endswith(DEAD_ENDING):
        logger.error("dead letter not kept: %s: %s", letter.origin, letter.reason)
        return None
    return DeadLetterRow(
        origin=letter.origin,
        service=letter.service,
        reason=letter.reason,
        at=letter.at,
        key=letter.key,
        value=letter.value,
        headers=letter.headers,
    )
