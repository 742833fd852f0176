"""Whether the disk has room: a warning when it gets low, no new notes before it is full.

A log that hits a full disk half-way loses nothing, but stops everything; below the hard limit only
the door is shut, and what was accepted still finds its way to the index.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

from fastapi import Request

from services.runtime.errors import Unavailable
from services.runtime.reasons import RETRY_AFTER_SECONDS, nothing_kept

logger = logging.getLogger(__name__)

HARD_SHARE = 4
"""New notes are refused below a quarter of the limit at which the warning comes."""

COPIES = 5
"""A note's bytes are written that often at most before it is found: registry, two topics, the
write-ahead log, the index."""

LOOK_SECONDS = 10.0


class Disk:
    """The file system under the data folder, looked at anew by each call."""

    def __init__(
        self,
        folder: Path,
        low_bytes: int,
        statvfs: Callable[[Path], os.statvfs_result] = os.statvfs,
    ) -> None:
        self._folder = folder
        self._low = low_bytes
        self._hard = low_bytes // HARD_SHARE
        self._statvfs = statvfs

    def free(self) -> int:
        """Bytes that this process may still write. Raises Unavailable where nobody knows."""
        try:
            found = self._statvfs(self._folder)
        except OSError as error:
            raise Unavailable(f"the data folder does not answer: {error}") from error
        return found.f_bavail * found.f_frsize

    async def warning(self) -> str | None:
        """None while there is room, else how little is left and what follows from it."""
        return self._said(self.free())

    async def admit(self, request: Request) -> None:
        """Let a request with new notes in, as a dependency of its route. Raises Unavailable."""
        length = request.headers.get("content-length", "")
        size = int(length) if length.isdecimal() else 0
        if request.method == "POST" and self.free() - COPIES * size < self._hard:
            raise Unavailable(
                "the disk is nearly full", RETRY_AFTER_SECONDS, nothing_kept("disque presque plein")
            )

    async def watch(self) -> None:
        """Say in the log when the disk gets low, when it shuts the door, and when it is well."""
        state = 0
        while True:
            try:
                state = self.told(state)
            except Unavailable as error:
                logger.warning("disk: %s", error.reason)
            await asyncio.sleep(LOOK_SECONDS)

    def told(self, before: int) -> int:
        """0 with room, 1 low, 2 shut; said in the log where it is not what it was before."""
        free = self.free()
        now = (free < self._low) + (free < self._hard)
        if now > before:
            logger.warning("disk low: %s", self._said(free))
        elif now < before:
            logger.info("disk: %s", self._said(free) or f"{free >> 20} MiB free, enough")
        return now

    def _said(self, free: int) -> str | None:
        if free >= self._low:
            return None
        said = f"{free >> 20} MiB free, low below {self._low >> 20} MiB"
        return f"{said}: new notes are refused" if free < self._hard else said
