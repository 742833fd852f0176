"""How much one process does at once, and for whom.

A caller is counted once the gate knows it, so nobody spends what is another's. Who shows wrong keys
is slowed down by address; keys that this process has seen to be good go on from there.
"""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from services.runtime import metrics
from services.runtime.guard.bodies import Bounded
from services.runtime.guard.buckets import Buckets
from services.runtime.problems import ProblemError, responses
from services.runtime.settings import Settings

EXEMPT = frozenset({"/health/live", "/health/ready", "/metrics"})
"""For machines that must be answered when nobody else is."""

QUEUE = 64
QUEUE_SECONDS = 2.0
"""How many requests wait for a place, and how long: a peak is ridden out, an overload is told."""

MAX_QUERY_BYTES = 16 * 1024
"""Words (1,000 characters of 12 bytes at most, percent-encoded) and a cursor (4,000) fit in."""
MAX_PARAMETERS = 1_000
"""Each filter may be repeated 100 times; a form of the pages sends a few dozen."""


class Limits:
    """What one process admits. One for each application; see `install`."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._rates = Buckets(settings.rate, settings.burst, clock)
        self._failures = Buckets(settings.failures / 60, settings.failures, clock)
        self._most = settings.at_once
        self._most_of_caller = settings.caller_at_once
        self._free = asyncio.Semaphore(self._most)
        self._waiting = 0
        self.under_way: Counter[str] = Counter()

    async def enter(self) -> None:
        """Take a place, at once or after a short wait. Raises ProblemError (503)."""
        if self._free.locked():
            if self._waiting >= QUEUE:
                raise refusal("busy", 503)
            self._waiting += 1
            try:
                async with asyncio.timeout(QUEUE_SECONDS):
                    await self._free.acquire()
            except TimeoutError:
                raise refusal("busy", 503) from None
            finally:
                self._waiting -= 1
        else:
            await self._free.acquire()

    def leave(self, caller: str | None) -> None:
        """Give the place back."""
        self._free.release()
        if caller is not None:
            self.under_way[caller] -= 1
            if not self.under_way[caller]:
                del self.under_way[caller]

    def admit(self, caller: str) -> None:
        """Count a request of the caller's. Raises ProblemError (429)."""
        if self.under_way[caller] >= self._most_of_caller:
            raise refusal("at_once", 429)
        wait = self._rates.take(caller)
        if wait:
            raise refusal("rate", 429, wait)
        self.under_way[caller] += 1

    def failed(self, address: str) -> None:
        """Note that somebody there showed a key that is none."""
        self._failures.take(address)

    def check_failures(self, address: str) -> None:
        """Raises ProblemError (429) where too many wrong keys came from there."""
        wait = self._failures.wait(address)
        if wait:
            raise refusal("failures", 429, wait)


class Visit:
    """One request, as the limits know it."""

    def __init__(self, limits: Limits, address: str) -> None:
        self.limits = limits
        self.address = address
        self.caller: str | None = None
        self.counts_itself = False

    def by(self, caller: str) -> None:
        """The gate knows who asks. Raises ProblemError (429)."""
        self.limits.admit(caller)
        self.caller = caller


def visit_of(request: Request) -> Visit | None:
    """The request's visit; None in an application without limits, and for what is exempt."""
    return getattr(request.state, "visit", None)


def counts_itself(request: Request) -> None:
    """Leave the size of this request's body to its route, which reads it in parts."""
    visit = visit_of(request)
    if visit is not None:
        visit.counts_itself = True


def refusal(kind: str, status: int, wait: float = 1.0, detail: str | None = None) -> ProblemError:
    """The problem for what is refused, counted by its kind; `wait` is in seconds."""
    metrics.REFUSED.labels(kind).inc()
    later = {"Retry-After": str(max(1, math.ceil(wait)))} if status in (429, 503) else None
    return ProblemError(status, detail=detail, headers=later)


def install(app: FastAPI, settings: Settings) -> None:
    """Have the application keep to its limits, and its OpenAPI document tell of them.

    After `gate.install`.
    """
    app.add_middleware(_Limited, limits=Limits(settings))
    documented = app.openapi

    def with_answers() -> dict[str, Any]:
        document = documented()
        for path, operations in document.get("paths", {}).items():
            if path in EXEMPT:
                continue
            for operation in operations.values():
                body = (400, 408, 413) if "requestBody" in operation else ()
                for status, said in responses(414, 422, 429, 503, *body).items():
                    operation["responses"].setdefault(str(status), said)
        return document

    app.openapi = with_answers  # type: ignore[method-assign]


class _Limited:
    """ASGI middleware: a place for each request, its query string and its body within bounds."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in EXEMPT:
            await self._app(scope, receive, send)
            return
        try:
            _check_query(scope["query_string"])
            await self._limits.enter()
        except ProblemError as error:
            # As a page for people, where the application does so.
            handled = scope["app"].exception_handlers[ProblemError](Request(scope), error)
            await (await handled)(scope, receive, send)
            return
        visit = Visit(self._limits, (scope.get("client") or ("",))[0])
        scope.setdefault("state", {})["visit"] = visit
        try:
            await self._app(scope, Bounded.around(receive, scope, visit), send)
        finally:
            self._limits.leave(visit.caller)


def _check_query(query: bytes) -> None:
    if len(query) > MAX_QUERY_BYTES:
        raise refusal("query", 414)
    if query.count(b"&") >= MAX_PARAMETERS:
        raise refusal("query", 422, detail=f"{MAX_PARAMETERS} paramètres au plus.")
