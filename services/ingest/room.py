"""Room for documents: of all that are read at once, so many bytes are in memory, and no more.

A document waits on the disk until there is room. A note sent as JSON never waits here. One caller's
documents have half of the room at most, so that the next caller's finds some.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.ingest.formats.turns import Turns
from services.runtime.errors import Unavailable

WAIT_SECONDS = 15.0
"""How long a document waits for room. It costs nobody anything meanwhile, and sending it again
costs a post with a slow line minutes; but no proxy's patience (60 s, usually) must end first."""

RETRY_AFTER_SECONDS = 15


SHARE_OF_CALLER = 2


class Room:
    """So many bytes, for whoever enters, and the turns in which what is there is read."""

    def __init__(self, size: int, turns: Turns | None = None) -> None:
        """Without `turns`, those of its own."""
        self.turns = turns or Turns()
        self._size = size
        self._free = size
        self._of_caller: Counter[str] = Counter()
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def of(self, size: int, caller: str) -> AsyncIterator[None]:
        """Room for so many bytes in the block; a document larger than all of it gets all of it.

        Raises Unavailable where there is none in time.
        """
        taken = min(size, self._size)
        await self._take(taken, caller)
        try:
            yield
        finally:
            async with self._changed:
                self._free += taken
                self._of_caller[caller] -= taken
                if not self._of_caller[caller]:
                    del self._of_caller[caller]
                self._changed.notify_all()

    async def _take(self, size: int, caller: str) -> None:
        try:
            async with asyncio.timeout(WAIT_SECONDS), self._changed:
                await self._changed.wait_for(lambda: self._has(size, caller))
                self._free -= size
                self._of_caller[caller] += size
        except TimeoutError:
            raise Unavailable(
                "too many documents are being read", retry_after=RETRY_AFTER_SECONDS
            ) from None

    def _has(self, size: int, caller: str) -> bool:
        """Whether there is room, and the caller has this alone or with it no more than a share."""
        its = self._of_caller[caller]
        return self._free >= size and (not its or its + size <= self._size // SHARE_OF_CALLER)
