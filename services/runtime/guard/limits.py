"""How much one process does at once, and for whom.

A caller is counted once the gate knows it, so nobody spends what is another's. Until then an
address has a share of the places, and no body is waited for. Who shows wrong keys is slowed down by
address; keys that this process has seen to be good go on from there.
"""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from schemas.access import Caller
from services.runtime import metrics
from services.runtime.errors import Unavailable
from services.runtime.guard.addresses import counted_as
from services.runtime.guard.bodies import Bounded
from services.runtime.guard.buckets import Buckets
from services.runtime.guard.heads import without_quoted_cookies
from services.runtime.problems import ProblemError, responses
from services.runtime.settings import Settings

PEER = "peer"
"""Under this name the state of a request has its connection, where a protocol of ours made it."""

EXEMPT = frozenset({"/health/live", "/health/ready", "/metrics"})
"""For machines that must be answered when nobody else is."""

QUEUE = 64
QUEUE_SECONDS = 2.0
"""How many requests wait for a place, and how long: a peak is ridden out, an overload is told."""

SHARE_OF_ADDRESS = 4
SHARE_OF_UNKNOWN = 2
"""Of all places, those of one address and those of all addresses together may have a fourth and a
half while the gate does not know who asks: that takes it milliseconds, and a sign-in form 10 s."""

MAX_QUERY_BYTES = 16 * 1024
"""Words (1,000 characters of 12 bytes at most, percent-encoded) and a cursor (4,000) fit in."""
MAX_PARAMETERS = 1_000
"""Each filter may be repeated 100 times; a form of the pages sends a few dozen."""


class Doorkeeper(Protocol):
    """The gate, as far as limits know it (`services.runtime.access.gate`)."""

    async def recognise(self, request: Request) -> Caller:
        """Who asks, by the credentials alone; nothing is read of the body.

        Raises ProblemError (401, 429), Unavailable.
        """
        ...


class Peer(Protocol):
    """The connection of a request, as far as limits know it (`guard.protocol`)."""

    def known(self) -> None:
        """Somebody known has spoken on it."""
        ...


class Limits:
    """What one process admits. One for each application; see `install`."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._rates = Buckets(settings.rate, settings.burst, clock)
        self._failures = Buckets(settings.failures / 60, settings.failures, clock)
        self._most = settings.at_once
        self._most_of_caller = settings.caller_at_once
        self._most_of_address = max(1, settings.at_once // SHARE_OF_ADDRESS)
        self._most_unknown = max(1, settings.at_once // SHARE_OF_UNKNOWN)
        self._free = asyncio.Semaphore(self._most)
        self._waiting = 0
        self.under_way: Counter[str] = Counter()
        self.unknown: dict[str, int] = {}
        self._all_unknown = 0

    async def enter(self, visit: "Visit") -> None:
        """Take a place, at once or after a short wait. Raises ProblemError (429, 503)."""
        unknown = self.unknown.get(visit.address, 0)
        if unknown < self._most_of_address and self._all_unknown < self._most_unknown:
            visit.shares = True
            self.unknown[visit.address] = unknown + 1
            self._all_unknown += 1
        elif not await _is_known(visit):
            raise refusal("address", 429)
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
        visit.placed = True

    def leave(self, visit: "Visit") -> None:
        """Give back what the visit has taken."""
        self.no_share(visit)
        if visit.placed:
            self._free.release()
        if visit.caller is not None:
            self.under_way[visit.caller] -= 1
            if not self.under_way[visit.caller]:
                del self.under_way[visit.caller]

    def no_share(self, visit: "Visit") -> None:
        """The visit is no longer one of its address's unknown ones."""
        if visit.shares:
            visit.shares = False
            self._all_unknown -= 1
            left = self.unknown.pop(visit.address) - 1
            if left:
                self.unknown[visit.address] = left

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


async def _is_known(visit: "Visit") -> bool:
    """Whether the gate knows who asks. Raises ProblemError (429)."""
    try:
        await visit.recognise()
    except Unavailable:
        return False
    except ProblemError as error:
        if error.problem.status != 401:
            raise
        return False
    return visit.caller is not None


class Visit:
    """One request, as the limits know it."""

    def __init__(self, limits: Limits, scope: Scope) -> None:
        self.limits = limits
        self.address = counted_as((scope.get("client") or ("",))[0])
        self.caller: str | None = None
        self.counts_itself = False
        self.from_anybody = False
        self.placed = self.shares = False
        self._scope: Scope = scope

    def by(self, caller: str) -> None:
        """The gate knows who asks, which counts once. Raises ProblemError (429)."""
        if self.caller is not None:
            return
        self.limits.admit(caller)
        self.caller = caller
        self.limits.no_share(self)
        peer: Peer | None = self._scope["state"].get(PEER)
        if peer is not None:
            peer.known()

    async def recognise(self) -> None:
        """Have the gate say who asks, where it has not yet. Raises ProblemError, Unavailable."""
        gate: Doorkeeper | None = getattr(self._scope["app"].state, "gate", None)
        if gate is not None and self.caller is None:
            self.by((await gate.recognise(Request(self._scope))).id)

    def end(self) -> None:
        """Give back what was taken, the scope too: it holds the visit, which would be a cycle."""
        self.limits.leave(self)
        self._scope = {}

    async def before_body(self) -> None:
        """Know who sends a body before it is waited for. Raises ProblemError, Unavailable."""
        if not self.from_anybody:
            await self.recognise()


def visit_of(request: Request) -> Visit | None:
    """The request's visit; None in an application without limits, and for what is exempt."""
    return getattr(request.state, "visit", None)


def counts_itself(request: Request) -> None:
    """Leave the size of this request's body to its route, which reads it in parts."""
    visit = visit_of(request)
    if visit is not None:
        visit.counts_itself = True


def from_anybody(request: Request) -> None:
    """Wait for this request's body whoever sends it: that is how one becomes known."""
    visit = visit_of(request)
    if visit is not None:
        visit.from_anybody = True


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
        if scope["type"] == "http":
            scope["headers"] = without_quoted_cookies(scope["headers"])
        if scope["type"] != "http" or scope["path"] in EXEMPT:
            await self._app(scope, receive, send)
            return
        visit = Visit(self._limits, scope)
        scope.setdefault("state", {})["visit"] = visit
        try:
            try:
                _check_query(scope["query_string"])
                await self._limits.enter(visit)
            except ProblemError as error:
                # As a page for people, where the application does so.
                handled = scope["app"].exception_handlers[ProblemError](Request(scope), error)
                await (await handled)(scope, receive, send)
                return
            await self._app(scope, Bounded.around(receive, scope, visit), send)
        finally:
            visit.end()


def _check_query(query: bytes) -> None:
    if len(query) > MAX_QUERY_BYTES:
        raise refusal("query", 414)
    if query.count(b"&") >= MAX_PARAMETERS:
        raise refusal("query", 422, detail=f"{MAX_PARAMETERS} paramètres au plus.")
