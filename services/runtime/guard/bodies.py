"""The body of a request: how large where its route does not count, how slowly it may come."""

import asyncio
import time
from typing import Protocol

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope

from services.runtime import metrics

MAX_BYTES = 64 * 1024
"""For routes that read the body whole before they look at it: orders of administrators."""

PATIENCE_SECONDS = 10.0
SLOWEST = 1024.0
"""Bytes a second: of a body that a route counts itself, each KiB gives one more second."""


class Counting(Protocol):
    """What says whether the route counts the body itself."""

    counts_itself: bool


class Bounded:
    """An ASGI `receive` that ends a request whose body is too large (413) or too slow (408)."""

    def __init__(self, receive: Receive, declared: int, visit: Counting) -> None:
        self._receive = receive
        self._declared = declared
        self._visit = visit
        self._received = 0
        self._waited = 0.0
        self._ended = False

    @classmethod
    def around(cls, receive: Receive, scope: Scope, visit: Counting) -> Receive:
        """The `receive` of a request: the same one where no body comes."""
        headers = dict(scope["headers"])
        if b"content-length" not in headers and b"transfer-encoding" not in headers:
            return receive
        length = headers.get(b"content-length", b"0")
        return cls(receive, int(length) if length.isdigit() else 0, visit)

    async def __call__(self) -> Message:
        """The next part. Raises HTTPException: the framework passes that one on as it is."""
        if self._ended:
            # From now on this waits for the client to hang up.
            return await self._receive()
        self._check_size(self._declared)
        allowed = PATIENCE_SECONDS
        if self._visit.counts_itself:
            allowed += self._received / SLOWEST
        began = time.monotonic()
        try:
            async with asyncio.timeout(allowed - self._waited):
                message = await self._receive()
        except TimeoutError:
            metrics.REFUSED.labels("slow").inc()
            raise HTTPException(408, headers={"Connection": "close"}) from None
        self._waited += time.monotonic() - began
        self._received += len(message.get("body", b""))
        self._ended = not message.get("more_body", False)
        self._check_size(self._received)
        return message

    def _check_size(self, size: int) -> None:
        if size > MAX_BYTES and not self._visit.counts_itself:
            metrics.REFUSED.labels("body").inc()
            raise HTTPException(413)
