"""Bulk writes to Elasticsearch, item by item: what was taken, what is old, what is refused.

Only what the server asks to be sent again is sent again, with a growing pause.
"""

import asyncio
import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from elasticsearch import AsyncElasticsearch
from pydantic_core import to_json

from schemas.events import ClassifiedNote, version
from services.runtime.errors import Unavailable
from services.search.document import OTHER_FIELDS, VIEWS, WHOLE, documents, other_views
from services.search.index import Applied, Rejected

CHUNK_BYTES = 8 * 1024 * 1024
"""Bytes of one bulk request: Elasticsearch's own advice is 5 to 15 MB, and a node of 1 GB answers
429 sooner above it."""
CHUNK_NOTES = 100
"""And notes of one: half a batch, so that two requests share it."""
AT_ONCE = 2
"""Requests under way at once: while the node indexes one, the other is written, sent and read."""
WRITE_SECONDS = 20
"""A bulk of 8 MB takes a small node some seconds while it merges."""
TRIES = 5
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 2.0
"""Five tries take 3 s on average and 5 s at most: a short squeeze passes unseen, a long one is for
the caller, who keeps the order and waits longer."""

TEXTS = (*OTHER_FIELDS, *OTHER_FIELDS.values())
"""Fields of a document that have a note's text: two of these four."""

_CONFLICT = 409
_NOT_FOUND = 404
_AGAIN = frozenset({429, 500, 502, 503, 504})


Key = tuple[int, int]
"""A document among those to be written: the place of its note, and its view."""


@dataclass(frozen=True, slots=True)
class Write:
    """One document of a note's state, under its own id, as two lines of a bulk request."""

    note: ClassifiedNote
    view: int
    lines: tuple[bytes, bytes]

    @property
    def id(self) -> str:
        """That of the document."""
        return document_id(self.note.note_id, self.view)

    @property
    def size(self) -> int:
        """Bytes that it takes in the request."""
        return sum(map(len, self.lines))


def document_id(note_id: UUID, view: int) -> str:
    """The engine's id of a note's document: the note's own for the whole one."""
    return str(note_id) if view == WHOLE else f"{note_id}~{view}"


def prepared(note: ClassifiedNote) -> list[Write] | Rejected:
    """The writes of this state under its external version, or why it can never be written."""
    try:
        made = documents(note)
        return [_write_of(note, each) for each in [*made, *other_views(note, made)]]
    except (ValueError, TypeError) as error:
        return Rejected(f"not a document: {error}")


def _write_of(note: ClassifiedNote, made: dict[str, Any]) -> Write:
    action = {
        "index": {
            "_id": document_id(note.note_id, made["view"]),
            "version": made["version"],
            "version_type": "external",
        }
    }
    return Write(note, made["view"], (json.dumps(action).encode(), to_json(slim(made))))


async def write_in_turn(
    client: AsyncElasticsearch, alias: str, notes: Sequence[ClassifiedNote]
) -> list[Applied | Rejected]:
    """Write these states; one outcome each, in order. Raises Unavailable.

    Several states of one note go in several rounds, so that each finds the one before it.
    """
    outcomes: dict[int, Applied | Rejected] = {}
    rounds: list[dict[int, ClassifiedNote]] = []
    seen: dict[UUID, int] = {}
    for at, note in enumerate(notes):
        turn = seen[note.note_id] = seen.get(note.note_id, -1) + 1
        if turn == len(rounds):
            rounds.append({})
        rounds[turn][at] = note
    patient = client.options(request_timeout=WRITE_SECONDS)
    for states in rounds:
        answers = await write_all(patient, alias, list(states.values()))
        outcomes |= dict(zip(states, answers, strict=True))
    return [outcomes[at] for at in range(len(notes))]


async def delete_all(client: AsyncElasticsearch, alias: str, note_ids: Sequence[UUID]) -> None:
    """Remove these notes, tombstones included. Raises Unavailable where one was not deleted."""
    await _delete(client, alias, ({"_id": name} for name in _document_ids(note_ids)))


async def delete_before(
    client: AsyncElasticsearch, alias: str, revisions: Mapping[UUID, int]
) -> None:
    """Remove those of these notes that stand in an earlier revision than the one given.

    By the engine's own versions: what is written under a higher one stays, and can be written
    after. Raises Unavailable where one was not deleted.
    """
    await _delete(
        client,
        alias,
        (
            {"_id": name, "version": version(number, 0, 0) - 1, "version_type": "external"}
            for note_id, number in revisions.items()
            for name in _document_ids([note_id])
        ),
    )


async def _delete(
    client: AsyncElasticsearch, alias: str, documents: Iterable[dict[str, Any]]
) -> None:
    deletions = [{"delete": each} for each in documents]
    if not deletions:
        return
    answer = await client.bulk(index=alias, operations=deletions, require_alias=True)
    errors = [
        item["delete"]["error"]
        for item in answer["items"]
        if "error" in item["delete"] and item["delete"]["status"] != _CONFLICT
    ]
    if errors:
        raise Unavailable(f"{len(errors)} documents were not deleted: {errors[0]}")


def _document_ids(note_ids: Iterable[UUID]) -> Iterator[str]:
    return (document_id(note_id, view) for note_id in note_ids for view in (WHOLE, *VIEWS))


async def write_all(
    client: AsyncElasticsearch, alias: str, notes: Sequence[ClassifiedNote]
) -> list[Applied | Rejected]:
    """Write these states, no two of the same note; one outcome each, in order.

    As no note is in two requests, these may pass each other. Raises Unavailable when some were not
    taken after several tries.
    """
    outcomes: dict[Key, Applied | Rejected] = {}
    waiting: dict[Key, Write] = {}
    sending: list[asyncio.Task[dict[Key, Applied | Rejected]]] = []
    free = asyncio.Semaphore(AT_ONCE)

    async def written(chunk: dict[Key, Write]) -> dict[Key, Applied | Rejected]:
        async with free:
            return await _write(client, alias, chunk)

    def send(writes: dict[Key, Write]) -> None:
        sending.extend(asyncio.create_task(written(chunk)) for chunk in _chunks(writes))

    try:
        for first in range(0, len(notes), CHUNK_NOTES):
            # In a thread, while the node is busy with the notes before.
            made = await asyncio.to_thread(_all_prepared, notes[first : first + CHUNK_NOTES])
            fresh: dict[Key, Write] = {}
            for at, writes in enumerate(made, first):
                if isinstance(writes, Rejected):
                    outcomes[at, WHOLE] = writes
                else:
                    fresh |= {(at, write.view): write for write in writes}
            waiting |= fresh
            send(fresh)
        for attempt in range(TRIES):
            # All have ended before one's failure is told: none writes on behind the caller's back.
            answers = await asyncio.gather(*sending, return_exceptions=True)
            for answer in answers:
                if isinstance(answer, BaseException):
                    raise answer
                outcomes |= answer
            waiting = {key: write for key, write in waiting.items() if key not in outcomes}
            if not waiting:
                return _of_notes(outcomes, len(notes))
            if attempt < TRIES - 1:
                await asyncio.sleep(_pause(attempt))
                sending.clear()
                send(waiting)
    finally:
        for task in sending:
            task.cancel()
        if sending:
            await asyncio.wait(sending)
    raise Unavailable(f"Elasticsearch did not take {len(waiting)} of {len(notes)} documents")


def _all_prepared(notes: Sequence[ClassifiedNote]) -> list[list[Write] | Rejected]:
    return [prepared(note) for note in notes]


def _of_notes(outcomes: dict[Key, Applied | Rejected], count: int) -> list[Applied | Rejected]:
    """The outcome of each note: that of its whole document, unless another one was refused."""
    found = {at: outcomes[at, WHOLE] for at in range(count)}
    found |= {at: each for (at, _), each in outcomes.items() if isinstance(each, Rejected)}
    return [found[at] for at in range(count)]


def slim(made: dict[str, Any]) -> dict[str, Any]:
    """The document with the event's text left out where it stands in fields of its own, and the
    event where the whole document has it.
    """
    if made["view"] != WHOLE:
        return {name: value for name, value in made.items() if name != "event"}
    if not any(name in made for name in TEXTS):
        return made
    note = {k: v for k, v in made["event"]["note"].items() if k not in OTHER_FIELDS}
    return made | {"event": made["event"] | {"note": note}}


def whole(source: dict[str, Any]) -> dict[str, Any]:
    """The event of a stored document, with its text back in."""
    event: dict[str, Any] = source["event"]
    fields = ((name, field) for name, other in OTHER_FIELDS.items() for field in (name, other))
    text = {name: source[field] for name, field in fields if field in source}
    return event | {"note": event["note"] | text}


async def _write(
    client: AsyncElasticsearch, alias: str, chunk: dict[Key, Write]
) -> dict[Key, Applied | Rejected]:
    """Outcomes of those items that have one; the others are to be sent again."""
    lines: list[Any] = [line for write in chunk.values() for line in write.lines]
    answer = await client.bulk(index=alias, operations=lines, require_alias=True)
    outcomes: dict[Key, Applied | Rejected] = {}
    conflicts: dict[Key, Write] = {}
    for (at, write), item in zip(chunk.items(), answer["items"], strict=True):
        result = item["index"]
        status = result["status"]
        if status < 300:
            outcomes[at] = Applied.WITHDRAWN if write.note.withdrawn else Applied.INDEXED
        elif status == _CONFLICT:
            conflicts[at] = write
        elif status == _NOT_FOUND:
            raise Unavailable(f"the alias {alias} leads to no index: start the service again")
        elif status not in _AGAIN:
            outcomes[at] = Rejected(_why(result["error"]))
    return outcomes | await _compared(client, alias, conflicts)


async def _compared(
    client: AsyncElasticsearch, alias: str, conflicts: dict[Key, Write]
) -> dict[Key, Applied | Rejected]:
    """Stale or duplicate, by the version that is there. A note forgotten since is sent again."""
    if not conflicts:
        return {}
    ids = [write.id for write in conflicts.values()]
    answer = await client.mget(index=alias, ids=ids, source=False)
    stored = {doc["_id"]: doc["_version"] for doc in answer["docs"] if doc.get("found")}
    outcomes: dict[Key, Applied | Rejected] = {}
    for at, write in conflicts.items():
        version = stored.get(write.id)
        if version is not None:
            same = version == write.note.version
            outcomes[at] = Applied.DUPLICATE if same else Applied.STALE
    return outcomes


def _chunks(waiting: dict[Key, Write]) -> Iterator[dict[Key, Write]]:
    chunk: dict[Key, Write] = {}
    size = 0
    for at, write in waiting.items():
        if chunk and (len(chunk) == CHUNK_NOTES or size + write.size > CHUNK_BYTES):
            yield chunk
            chunk, size = {}, 0
        chunk[at] = write
        size += write.size
    if chunk:
        yield chunk


def _pause(attempt: int) -> float:
    """Seconds before the next try: growing, capped, and spread so that writers part ways."""
    longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * float(2**attempt))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311


def _why(error: dict[str, Any]) -> str:
    cause = error.get("caused_by", {}).get("reason")
    return ": ".join(part for part in (error.get("type"), error.get("reason"), cause) if part)
