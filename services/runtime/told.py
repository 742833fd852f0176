"""Work that goes on while it is told over HTTP, a line of JSON at a time."""

from collections.abc import AsyncIterator
from typing import Protocol

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from schemas.answers import Problem
from services.runtime import problems
from services.runtime.problems import ProblemError

NDJSON = "application/x-ndjson"
RETRY_AFTER_SECONDS = 30


class Run(Protocol):
    """One piece of work that has begun."""

    @property
    def problem(self) -> Problem | None:
        """The problem in which it ended, once that was said."""

    async def line(self) -> bytes:
        """What it says next; empty once it has ended."""

    def leave(self) -> None:
        """Nobody listens any more: it is to stop. May be said again, and once it has ended."""


class Told(StreamingResponse):
    """Passes on what a run says; a client that goes away stops the run."""

    media_type = NDJSON

    def __init__(self, run: Run, first: bytes) -> None:
        super().__init__(_lines(run, first))
        self._run = run

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._run.leave()


async def told(run: Run) -> Response:
    """What the run says, line by line; where it begins with a problem, that as the answer."""
    try:
        first = await run.line()
    except BaseException:
        run.leave()
        raise
    if run.problem is not None:
        run.leave()
        away = {"Retry-After": str(RETRY_AFTER_SECONDS)} if run.problem.status == 503 else {}
        return problems.answer(run.problem, away)
    return Told(run, first)


def not_from_a_page(request: Request) -> None:
    """Raises ProblemError (403) for a request of a web page: whoever wrote that page must not start
    an administrator's work in his browser.
    """
    if "origin" in request.headers:
        raise ProblemError(403, detail="Cette adresse ne s'appelle pas depuis une page web.")


async def _lines(run: Run, first: bytes) -> AsyncIterator[bytes]:
    line = first
    while line:
        yield line
        line = await run.line()
