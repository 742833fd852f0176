"""Room for documents: of all that are read at once, so many bytes are in memory, and no more.

A document waits on the disk until there is room. A note sent as JSON never waits here.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.runtime.errors import Unavailable

WAIT_SECONDS = 15.0
"""How long a document waits for room. It costs nobody anything meanwhile, and sending it again
costs a post with a slow line minutes; but no proxy's patience (60 s, usually) must end first."""

RETRY_AFTER_SECONDS = 15


class Room:
    """So many bytes, for whoever enters; one that is larger than all of it gets all of it."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._free = size
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def of(self, size: int) -> AsyncIterator[None]:
        """Room for so many bytes in the block. Raises Unavailable where there is none in time."""
        taken = min(size, self._size)
        await self._take(taken)
        try:
            yield
        finally:
            async with self._changed:
                self._free += taken
                self._changed.notify_all()

    async def _take(self, size: int) -> None:
        try:
            async with asyncio.timeout(WAIT_SECONDS), self._changed:
                await self._changed.wait_for(lambda: self._free >= size)
                self._free -= size
        except TimeoutError:
            raise Unavailable(
                "too many documents are being read", retry_after=RETRY_AFTER_SECONDS
            ) from None
