"""The body of a request: whose it is before it is waited for, how large where its route does not
count, how slowly it may come."""

import asyncio
import time
from typing import Protocol

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope

from services.runtime import metrics
from services.runtime.errors import Unavailable
from services.runtime.problems import ProblemError

MAX_BYTES = 64 * 1024
"""For routes that read the body whole before they look at it: orders of administrators."""

PATIENCE_SECONDS = 10.0
SLOWEST = 1024.0
"""Bytes a second: of a body that a route counts itself, each KiB gives one more second."""


class Sender(Protocol):
    """What says who sends a body, and whether its route counts it itself."""

    counts_itself: bool

    async def before_body(self) -> None:
        """Raises ProblemError (401, 429), Unavailable where nobody has to wait for the body."""
        ...


class Bounded:
    """An ASGI `receive` that ends a request whose body is too large (413), too slow (408), or
    somebody's whom nobody knows (401)."""

    def __init__(self, receive: Receive, declared: int, visit: Sender) -> None:
        self._receive = receive
        self._declared = declared
        self._visit = visit
        self._received = 0
        self._waited = 0.0
        self._asked = self._ended = False

    @classmethod
    def around(cls, receive: Receive, scope: Scope, visit: Sender) -> Receive:
        """The `receive` of a request: the same one where no body comes."""
        headers = dict(scope["headers"])
        given = headers.get(b"content-length", b"0")
        length = int(given) if given.isdigit() else 0
        if not length and b"transfer-encoding" not in headers:
            return receive
        return cls(receive, length, visit)

    async def __call__(self) -> Message:
        """The next part. Raises HTTPException: the framework passes that one on as it is."""
        if self._ended:
            # From now on this waits for the client to hang up.
            return await self._receive()
        self._check_size(self._declared)
        await self._ask()
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

    async def _ask(self) -> None:
        """Once, before the first part is waited for: is it known who sends this?"""
        if self._asked:
            return
        self._asked = True
        try:
            await self._visit.before_body()
        except ProblemError as error:
            raise HTTPException(error.problem.status, headers=error.headers) from error
        except Unavailable as error:
            later = {"Retry-After": str(error.retry_after)}
            raise HTTPException(503, headers=later) from error

    def _check_size(self, size: int) -> None:
        if size > MAX_BYTES and not self._visit.counts_itself:
            metrics.REFUSED.labels("body").inc()
            raise HTTPException(413)
