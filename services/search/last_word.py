"""Having the newest state of a note be the last that the log says of it.

The log keeps the latest event of a key and drops the others: whoever writes there beside ingest (a
replay, an expunging) must leave nothing older behind what is newer. What is newer, the registry
knows: a state is in it before it is in the log.
"""

from uuid import UUID

from schemas.topics import SUBMITTED
from services.runtime.log import Entry, Log
from services.runtime.registry import Key, Registry, aside


async def settle(log: Log, registry: Registry, note_id: UUID, written: Key | None) -> None:
    """After `written` (None: a null value) was written for that note: write what is newer again.

    Written twice, an event is applied once. Raises Unavailable.
    """
    newest = await aside(registry.newest, note_id)
    while newest is not None and (written is None or newest.key > written):
        await log.append(SUBMITTED.name, [Entry(key_of(note_id), newest.event)])
        written = newest.key
        newest = await aside(registry.newest, note_id)


async def restore(log: Log, registry: Registry, note_id: UUID) -> None:
    """After something on the log that must not stand: write the newest state of the note behind
    it, or the null value where there is none. Raises Unavailable."""
    newest = await aside(registry.newest, note_id)
    if newest is None:
        await log.append(SUBMITTED.name, [Entry(key_of(note_id), None)])
    await settle(log, registry, note_id, None)


def key_of(note_id: UUID) -> bytes:
    """The key of a note on the log."""
    return str(note_id).encode()
