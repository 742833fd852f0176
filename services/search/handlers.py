"""What the search service does with each record of the log: into the index, or into the registry.

The index decides by version what is new; the registry is told afterwards, and told again when a
crash came between, so that a receipt never says less than what a search shows.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby, zip_longest
from uuid import UUID

from schemas.answers import State
from schemas.events import ClassifiedNote, Kind, UnreadableEvent, decode
from services.runtime import metrics, tracing
from services.runtime.dead_letters import EXPUNGED, DeadLetter
from services.runtime.errors import Unprocessable
from services.runtime.log import Log, Record
from services.runtime.registry import DeadLetterRow, Mark, Registry, aside
from services.runtime.registry.letters import about
from services.runtime.worker import Done, Parked, Process
from services.search import last_word
from services.search.index import Applied, Index, Rejected
from services.search.superseded import withhold

logger = logging.getLogger(__name__)

SERVICE = "search"
DEAD_ENDING = ".dead"
TIME = metrics.STAGES.labels(SERVICE, "index")
PIECE = 200
"""Records read ahead while those before are indexed."""

Result = Done | Parked
Read = ClassifiedNote | UUID | Parked
"""What a record turned out to be: a state of a note, a note to forget, or nothing of ours."""


def processor(index: Index, registry: Registry, log: Log | None = None) -> Process:
    """How `notes.classified` is processed: every readable state goes to the index, in order.

    Outcomes: indexed, withdrawn, duplicate, stale; a note that is forgotten counts as withdrawn,
    and so does a late state of an expunged one: it is not indexed, and `log`, where given, gets
    what is to stand behind it.
    Parked: what is not an event, an event under another note's key, what the index can never take.
    The process raises Unavailable where the index or the registry is away.
    """

    async def process(records: Sequence[Record]) -> Sequence[Result]:
        results: list[Result] = []
        pieces = [records[at : at + PIECE] for at in range(0, len(records), PIECE)]
        ahead = _reading(pieces[0])
        for piece, following in zip_longest(pieces, pieces[1:]):
            read = await ahead
            if following:
                ahead = _reading(following)
            results += await _applied(index, registry, log, piece, read)
        return results

    return process


def letter_keeper(registry: Registry, index: Index) -> Process:
    """How the dead-letter topics are processed: each letter is kept in the registry, once. A note
    that it leaves without a revision which restricts it leaves the index, until that is replayed.

    The null value of an expunged note is for the log alone: its letters have left the registry.
    A letter about a dead letter is what this very process failed at before: it stays on its topic,
    and an error line says so, as keeping it there again would never end.
    """

    async def process(records: Sequence[Record]) -> Sequence[Result]:
        results: list[Result] = []
        notes: set[UUID] = set()
        for record in records:
            if record.value is None and EXPUNGED in record.headers:
                results.append(Done(Applied.WITHDRAWN.value))
                continue
            row = _letter(record)
            if row is not None:
                await aside(registry.park, row)
                note_id, _ = about(row)
                notes |= {note_id} if note_id is not None else set()
            results.append(Done("parked"))
        if notes:
            await withhold(index, registry, notes)
        return results

    return process


def _reading(records: Sequence[Record]) -> "asyncio.Future[list[Read]]":
    """Off the event loop, and while the index is busy with the piece before."""
    return asyncio.ensure_future(asyncio.to_thread(lambda: list(map(read_record, records))))


async def _applied(
    index: Index,
    registry: Registry,
    log: Log | None,
    records: Sequence[Record],
    read: Sequence[Read],
) -> list[Result]:
    """Runs of the same kind go to the index together, one run after the other."""
    results: list[Result] = []
    pairs = zip(records, read, strict=True)
    for kind, group in groupby(pairs, key=lambda pair: type(pair[1])):
        run = list(group)
        if kind is ClassifiedNote:
            notes = [note for _, note in run if isinstance(note, ClassifiedNote)]
            began_ns = time.time_ns()
            with TIME.time():
                done = await _index_admitted(index, registry, log, notes)
            results += done
            _trace([record for record, _ in run], notes, done, began_ns)
        elif kind is UUID:
            await index.forget([note_id for _, note_id in run if isinstance(note_id, UUID)])
            await _tell_forgotten(registry, [record for record, _ in run])
            results += [Done(Applied.WITHDRAWN.value) for _ in run]
        else:
            results += [parked for _, parked in run if isinstance(parked, Parked)]
    return results


def read_record(record: Record) -> Read:
    """What a record of `notes.classified` is; raises nothing."""
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
        return Parked("the event is about another note than its key", note.revision, note.trace)
    return note


async def _tell_forgotten(registry: Registry, nulls: Sequence[Record]) -> None:
    """The journal learns which expungings have been all the way through the log."""
    for record in nulls:
        number = record.headers.get(EXPUNGED, b"")
        if record.key is not None and number.isdigit():
            note_id = UUID(record.key.decode("ascii"))
            await aside(registry.mark_forgotten, note_id, int(number), datetime.now(UTC))


async def _index_admitted(
    index: Index, registry: Registry, log: Log | None, notes: Sequence[ClassifiedNote]
) -> list[Result]:
    """Index these, but for what is left of expunged notes, and for what a later revision keeps
    from readers: it is as good as stale."""
    barred = await aside(registry.barred, {note.note_id for note in notes})
    late = {
        at
        for at, note in enumerate(notes)
        if note.note_id in barred and note.received_at <= barred[note.note_id]
    }
    if late:
        # Of one that the registry has, its post has sent it anew: what is in it is written again,
        # and must not be late for ever.
        there = await aside(registry.received_when, {notes[at].note_id for at in late})
        late = {at for at in late if notes[at].received_at != there.get(notes[at].note_id)}
    left_out = dict.fromkeys(await aside(registry.outdated, notes), Applied.STALE)
    left_out |= dict.fromkeys(late, Applied.WITHDRAWN)
    if not left_out:
        return await _index(index, registry, notes)
    if log is not None:
        for note_id in sorted({notes[at].note_id for at in late}):
            await last_word.restore(log, registry, note_id)
    admitted = [note for at, note in enumerate(notes) if at not in left_out]
    done = iter(await _index(index, registry, admitted) if admitted else ())
    return [
        Done(left_out[at].value, note.revision, note.trace) if at in left_out else next(done)
        for at, note in enumerate(notes)
    ]


async def _index(index: Index, registry: Registry, notes: Sequence[ClassifiedNote]) -> list[Result]:
    applied = await index.apply(notes)
    now = datetime.now(UTC)
    marks = [
        Mark(note.note_id, note.revision, _state(note), now, note.correction)
        for note, outcome in zip(notes, applied, strict=True)
        if not isinstance(outcome, Rejected) and outcome is not Applied.STALE
    ]
    if marks:
        await aside(registry.mark_indexed, marks)
        # What restricts one of them may have been parked while it was written.
        await withhold(index, registry, {mark.note_id for mark in marks})
    for note, outcome in zip(notes, applied, strict=True):
        if outcome is Applied.INDEXED and note.kind is not Kind.RECLASSIFIED:
            # Two machines' clocks can differ by more than a note's journey.
            metrics.END_TO_END.observe(max(0.0, (now - note.at).total_seconds()))
    return [
        Parked(f"refused by the index: {outcome.reason}", note.revision, note.trace)
        if isinstance(outcome, Rejected)
        else Done(outcome.value, note.revision, note.trace)
        for note, outcome in zip(notes, applied, strict=True)
    ]


def _trace(
    records: Sequence[Record],
    notes: Sequence[ClassifiedNote],
    results: Sequence[Result],
    began_ns: int,
) -> None:
    """A span for each note of a batch: all took as long as the batch."""
    for record, note, result in zip(records, notes, results, strict=True):
        tracing.finished(
            SERVICE,
            "index",
            tracing.parent_of(record, note.trace),
            began_ns,
            {
                "valise.note_id": str(note.note_id),
                "valise.revision": note.revision,
                "valise.outcome": result.outcome if isinstance(result, Done) else "parked",
                "valise.batch": len(records),
            },
        )


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
        origin=letter.first_origin,
        again=letter.first_origin != letter.origin,
        service=letter.service,
        reason=letter.reason,
        at=letter.at,
        key=letter.key,
        value=letter.value,
        headers=letter.headers,
    )
