"""The journal of one process: what waits to be entered, and the task that writes it.

What changes nothing (a search, a note read) waits for the next batch, so that no answer waits for
the disk. What changes something is written before its answer. While the registry is away everything
waits; beyond MOST_WAITING no reading is answered any more, rather than one go unrecorded.
"""

import asyncio
import logging
import time
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Self
from uuid import uuid4

from schemas.journal import Action
from services.runtime.errors import Unavailable
from services.runtime.journal.unknown import Unknown
from services.runtime.registry import Draft, Head, Registry, aside
from services.runtime.registry.chain import written
from services.runtime.registry.journal import SERVICE

logger = logging.getLogger("valise.journal")

BATCH_SECONDS = 0.3
"""Between two batches: a process that is killed loses the readings of that long."""
BATCH = 500
"""Entries in one transaction, some milliseconds."""
MOST_WAITING = 10_000
"""Entries that wait at once: 10 MB, and minutes of a busy service."""
MOST_REFUSALS = 1_000
"""Of which refused accesses. Whoever knocks more often is counted: a flood must not keep readers
out."""
OMITTED_SECONDS = 60.0
"""Between two entries of those that were counted."""
HEAD_SECONDS = 3600.0
FIRST_PRUNE_SECONDS = 300.0
PRUNE_SECONDS = 24 * 3600.0


class Journal:
    """Enters what callers do; while entered itself, it writes, prunes, and logs the chain's head.

    `days` after which entries are removed.
    """

    def __init__(self, registry: Registry, days: int) -> None:
        self._registry = registry
        self._keep = timedelta(days=days)
        self._waiting: deque[Draft] = deque()
        self._taken = self._written = 0
        self._refusals = self._omitted = 0
        self._unknown = Unknown()
        self._omissions = _Due(0.0, OMITTED_SECONDS)
        self._one_at_a_time = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def take(self, draft: Draft) -> None:
        """Have this entered with the next batch. Raises Unavailable where too much waits."""
        if len(self._waiting) >= MOST_WAITING:
            raise Unavailable(f"{len(self._waiting)} entries of the journal are not written")
        self._add(draft)

    def enters_refusal(self, address: str) -> bool:
        """Whether one more refusal of somebody unknown at that address is entered by itself; else
        it is counted."""
        entered = self._unknown.enters(address)
        self._omitted += not entered
        return entered

    def take_refusal(self, draft: Draft) -> None:
        """Have this refusal entered with the next batch. One of somebody unknown is counted where
        too many wait; of somebody known raises Unavailable where too much does."""
        if draft.who:
            self.take(draft)
            self._refusals += 1
            return
        if self._refusals < MOST_REFUSALS and len(self._waiting) < MOST_WAITING:
            self._refusals += 1
            self._add(draft)
        else:
            self._omitted += 1

    async def enter(self, *drafts: Draft) -> None:
        """Have these written now. Raises Unavailable: then they wait for the registry."""
        for draft in drafts:
            self._add(draft)
        await self.flush()

    async def flush(self) -> None:
        """Write what waits. Raises Unavailable, and keeps it then."""
        goal = self._taken
        # Whoever comes meanwhile finds that the one who writes has taken theirs along.
        async with self._one_at_a_time:
            while self._written < goal:
                batch = list(islice(self._waiting, BATCH))
                await aside(self._registry.enter, batch)
                for draft in batch:
                    self._waiting.popleft()
                    self._refusals -= draft.action == Action.REFUSED
                self._written += len(batch)

    async def health(self) -> str | None:
        """None while entries are written, else why they are not."""
        if self._task is None or not self._task.done():
            return None
        return "the writer of the journal has ended"

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="journal")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Write what still waits, and log the head."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self._task
        self._enter_omitted(ended=True)
        try:
            await self.flush()
            await self._log_head()
        except Unavailable as error:
            logger.error(  # noqa: TRY400  (no trace: a finding)
                "%d entries of the journal are lost: %s", len(self._waiting), error.reason
            )

    def _add(self, draft: Draft) -> None:
        self._waiting.append(draft)
        self._taken += 1

    async def _run(self) -> None:
        heads, prunes = _Due(0.0, HEAD_SECONDS), _Due(FIRST_PRUNE_SECONDS, PRUNE_SECONDS)
        away = False
        while True:
            await asyncio.sleep(BATCH_SECONDS)
            try:
                self._enter_omitted()
                await self.flush()
                if heads.now():
                    await self._log_head()
                if prunes.now():
                    await self._prune()
            except Unavailable as error:
                if not away:
                    logger.warning("entries of the journal wait: %s", error.reason)
                away = True
            else:
                if away:
                    logger.info("the journal is written again")
                away = False

    def _enter_omitted(self, *, ended: bool = False) -> None:
        """Enter how many were counted; at the end at once, else once in a while."""
        if self._omitted and (ended or (self._refusals < MOST_REFUSALS and self._omissions.now())):
            details = written({"omitted": self._omitted})
            self._omitted = 0
            self._refusals += 1
            now = datetime.now(UTC)
            self._add(Draft(uuid4(), now, SERVICE, "Valise", Action.REFUSED, "", details, ""))

    async def _log_head(self) -> None:
        head: Head = await aside(self._registry.journal_head)
        logger.info("head of the journal: %s", head)

    async def _prune(self) -> None:
        now = datetime.now(UTC)
        while removed := await aside(self._registry.prune_journal, now - self._keep, now):
            logger.info("journal: %d entries older than %d days", removed, self._keep.days)


class _Due:
    """Something to be done `first` seconds from now, then every `every` seconds."""

    def __init__(self, first: float, every: float) -> None:
        self._every = every
        self._at = time.monotonic() + first

    def now(self) -> bool:
        """Whether it is time; then the next time is set."""
        if time.monotonic() < self._at:
            return False
        self._at = time.monotonic() + self._every
        return True
