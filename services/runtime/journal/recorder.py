"""What is recorded of a request: routes say what they do, and it is entered as they are answered.

A route calls `record`; nothing is entered for an answer that tells of an error, but for refused
access, which is entered whatever the route (of unknown callers within the bounds of `unknown`).
Long work is entered by `enter` before it begins. A change of a note is entered by the registry,
whoever finishes it: the route hands it `sender_of`.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schemas.access import Caller
from schemas.journal import READINGS, Action
from services.runtime import problems
from services.runtime.errors import Unavailable
from services.runtime.journal.given import address_of, encoded, given, given_detail
from services.runtime.journal.writer import Journal
from services.runtime.registry import Draft, Sender
from services.runtime.registry.chain import Detail, written

REFUSED = (401, 403)
MOST_NAME = 200
"""Characters of who it was and of what it was about, as the registry takes them."""
MOST_METHOD = 20
"""Characters of a method: anybody can invent one as long as all headers may be."""
MOST_TRIED = 200
"""Characters of the address at which access was refused."""


def install(app: FastAPI, journal: Journal) -> None:
    """Have the application's answers entered in this journal."""
    app.state.journal = journal
    app.add_middleware(_Recorder, journal=journal)


def record(request: Request, action: Action, about: UUID | str = "", /, **details: Detail) -> None:
    """Enter this once the request is answered without an error.

    `about` is the note or whatever else was at stake; details never hold a note's text.
    """
    draft = _draft(request, action, about, details)
    _drafts(request).append(draft)


async def enter(
    request: Request, action: Action, about: UUID | str = "", /, **details: Detail
) -> None:
    """Enter this now, before the work begins. Raises Unavailable."""
    await _journal(request).enter(_draft(request, action, about, details))


async def enter_all(request: Request, action: Action, each: Sequence[tuple[UUID, Detail]]) -> None:
    """Enter this about each of several notes, with its outcome. Raises Unavailable."""
    drafts = [_draft(request, action, about, {"outcome": outcome}) for about, outcome in each]
    await _journal(request).enter(*drafts)


def sender_of(request: Request) -> Sender:
    """Who asks, as the journal names them for a change that the registry enters."""
    caller: Caller | None = getattr(request.state, "caller", None)
    return Sender(
        who=encoded(caller.id)[:MOST_NAME] if caller else "",
        name=given(caller.name)[:MOST_NAME] if caller else "",
        address=_address(request),
    )


class _Recorder:
    """ASGI middleware: enters what the route recorded before its answer goes out."""

    def __init__(self, app: ASGIApp, journal: Journal) -> None:
        self._app = app
        self._journal = journal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})
        withheld = False

        async def entered(message: Message) -> None:
            nonlocal withheld
            if message["type"] == "http.response.start":
                try:
                    await self._enter(Request(scope), message["status"])
                except Unavailable as error:
                    withheld = True
                    await problems.unavailable(error)(scope, receive, send)
            if not withheld:
                await send(message)

        await self._app(scope, receive, entered)

    async def _enter(self, request: Request, status: int) -> None:
        if status in REFUSED:
            known = getattr(request.state, "caller", None) is not None
            if not (known or self._journal.enters_refusal(_address(request))):
                return
            tried = f"{request.method[:MOST_METHOD]} {address_of(request.scope)[:MOST_TRIED]}"
            details: dict[str, Detail] = {"tried": tried, "status": status}
            self._journal.take_refusal(_draft(request, Action.REFUSED, "", details))
        elif status < 400:
            drafts = _drafts(request)
            for draft in drafts:
                if draft.action in READINGS:
                    self._journal.take(draft)
            if changes := [draft for draft in drafts if draft.action not in READINGS]:
                await self._journal.enter(*changes)


def _draft(
    request: Request, action: Action, about: UUID | str, details: dict[str, Detail]
) -> Draft:
    sender = sender_of(request)
    return Draft(
        id=uuid4(),
        at=datetime.now(UTC),
        who=sender.who,
        name=sender.name,
        action=action.value,
        object=given(str(about))[:MOST_NAME],
        details=written({name: given_detail(value) for name, value in details.items()}),
        address=sender.address,
    )


def _drafts(request: Request) -> list[Draft]:
    if not hasattr(request.state, "recorded"):
        request.state.recorded = []
    drafts: list[Draft] = request.state.recorded
    return drafts


def _journal(request: Request) -> Journal:
    journal: Journal = request.app.state.journal
    return journal


def _address(request: Request) -> str:
    """The client's address; empty where it is unknown, or nothing that a proxy should have said."""
    host = request.client.host if request.client else ""
    return host[:64] if host.isascii() and host.isprintable() else ""
