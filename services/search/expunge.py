"""Expunging: a note that must not be here leaves every store, and does not come back.

In this order, each step safe to repeat, so that an expunging which was cut short is finished by
asking for it again:

1. its original documents; then, in one transaction, every row of the registry, and the journal's
   entry: from here on nothing sends it again, and late events of it are judged by that entry;
2. null values on the log: on `notes.classified`, so that it is out of every answer at once; on
   `notes.submitted`, whence classify hands them on behind whatever it has in hand;
3. once these have come through: its words leave the files of the index, the log, the registry.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import UUID

from schemas.administration import Expunged
from schemas.topics import CLASSIFIED, CLASSIFIED_DEAD, SUBMITTED, SUBMITTED_DEAD
from services.runtime.dead_letters import EXPUNGED
from services.runtime.log import Entry, Log
from services.runtime.originals import Originals
from services.runtime.problems import ProblemError
from services.runtime.registry import ExpungedRow, Registry, aside
from services.search import last_word
from services.search.index import Index

FORGOTTEN_SECONDS = 30.0
"""How long the null values get to come through; usually they take less than a second."""
LOOK_SECONDS = 0.1

Erase = Callable[[bytes], Awaitable[None]]
"""Have nothing left in the log's files of what lies under a key; raises Unavailable."""


class Expunger:
    """Expunges notes, one at a time, from the parts of one deployment.

    `erase` is None where the log drops superseded events by itself (Kafka's compaction),
    `originals` where this service has no access to original documents.
    """

    def __init__(
        self,
        index: Index,
        registry: Registry,
        log: Log,
        *,
        erase: Erase | None = None,
        originals: Originals | None = None,
        patience: float = FORGOTTEN_SECONDS,
    ) -> None:
        self._index = index
        self._registry = registry
        self._log = log
        self._erase = erase
        self._originals = originals
        self._patience = patience
        self._one_at_a_time = asyncio.Lock()

    async def expunge(self, note_id: UUID, reason: str) -> Expunged:
        """Expunge that note; what the journal says of it then.

        Unfinished where the null values do not come through in time (classify is away, say): then
        it is out of every answer, and asking again finishes it. Of a note that was expunged
        before, what may have come late is removed. Raises ProblemError: 404 for a note of which
        nothing is known, 409 where its original documents cannot be reached. Raises Unavailable.
        """
        async with self._one_at_a_time:
            last = await aside(self._registry.expunged, note_id)
            there = await aside(self._registry.knows, note_id)
            there = there or await self._index.get(note_id) is not None
            if not there and last is None:
                raise ProblemError(
                    404, "Note introuvable", "Aucune note reçue ne porte cet identifiant."
                )
            if there or last is None or last.finished_at is None:
                last = await self._forget(note_id, reason)
            else:
                await self._null_letters(last)
            if await self._forgotten(note_id):
                await self._leave_the_files(note_id)
                await aside(self._registry.mark_erased, note_id, last.id, datetime.now(UTC))
            entry = await aside(self._registry.expunged, note_id)
            return said(entry or last)

    async def _forget(self, note_id: UUID, reason: str) -> ExpungedRow:
        """Steps 1 and 2."""
        addresses = await aside(self._registry.own_originals, note_id)
        if addresses and self._originals is None:
            raise ProblemError(
                409,
                "Originaux hors d'atteinte",
                "Des documents d'origine de cette note sont conservés dans un dossier auquel ce "
                "service n'a pas accès : lui donner VALISE_ORIGINALS, puis recommencer.",
            )
        for address in addresses:
            assert self._originals is not None
            await asyncio.to_thread(self._originals.remove, address)
        entry = await aside(self._registry.expunge, note_id, reason, datetime.now(UTC))
        null = _null(entry)
        # Bare: what tells that all is forgotten is the other one, when it comes through classify.
        await self._log.append(CLASSIFIED.name, [Entry(null.key, None)])
        await self._log.append(SUBMITTED.name, [null])
        await self._null_letters(entry)
        # Its post may have sent it anew in between.
        await last_word.settle(self._log, self._registry, note_id, None)
        return entry

    async def _null_letters(self, entry: ExpungedRow) -> None:
        """What was parked of it until now is to be erased too."""
        for letters in (SUBMITTED_DEAD, CLASSIFIED_DEAD):
            await self._log.append(letters.name, [_null(entry)])

    async def _forgotten(self, note_id: UUID) -> bool:
        """Whether the null value has come through the whole pipeline; waits for it a while."""
        deadline = time.monotonic() + self._patience
        while True:
            entry = await aside(self._registry.expunged, note_id)
            if entry is None or entry.forgotten_at is not None:
                return entry is not None
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(LOOK_SECONDS)

    async def _leave_the_files(self, note_id: UUID) -> None:
        """Step 3."""
        await self._index.purge()
        if self._erase is not None:
            await self._erase(last_word.key_of(note_id))
        await asyncio.to_thread(self._registry.erase)


def _null(entry: ExpungedRow) -> Entry:
    """The null value that stands for this entry of the journal."""
    return Entry(last_word.key_of(entry.note_id), None, {EXPUNGED: str(entry.id).encode()})


def said(entry: ExpungedRow) -> Expunged:
    """A journal entry as the API answers it."""
    return Expunged(
        id=entry.note_id, at=entry.at, reason=entry.reason, finished_at=entry.finished_at
    )
