"""For administrators over HTTP: dead letters, and expunging a note."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from schemas.access import Role
from schemas.administration import (
    DeadLetterDetail,
    DeadLetterPage,
    DeadLetterView,
    Expunged,
    ExpungeOrder,
    Replayed,
)
from schemas.journal import Action
from schemas.note import STORABLE
from services.runtime import problems
from services.runtime.access.gate import caller_of, needs
from services.runtime.journal import enter, record
from services.runtime.journal.given import given
from services.runtime.log import Log
from services.runtime.originals import Originals
from services.runtime.registry import LetterFilter, Registry
from services.runtime.registry.chain import Detail
from services.runtime.settings import Settings
from services.search import dead_letters
from services.search.expunge import Erase, Expunger
from services.search.index import Index

MAX_NUMBER = 2**31 - 1
MAX_SIZE = 100

Number = Annotated[int, Path(ge=1, le=MAX_NUMBER, description="Numéro de la mise à l'écart")]


def _wanted(
    service: Annotated[
        str | None,
        Query(max_length=64, pattern=STORABLE, description="Le service qui a mis à l'écart"),
    ] = None,
    reason: Annotated[
        str | None, Query(max_length=200, pattern=STORABLE, description="Une partie du motif")
    ] = None,
    note_id: Annotated[UUID | None, Query(description="La note en cause")] = None,
    replayed: Annotated[bool | None, Query(description="Déjà relancée, ou jamais")] = None,
) -> LetterFilter:
    return LetterFilter(service, reason, note_id, replayed)


Wanted = Annotated[LetterFilter, Depends(_wanted)]


def router(
    index: Index,
    registry: Registry,
    log: Log,
    settings: Settings,
    erase: Erase | None = None,
) -> APIRouter:
    """`/api/v1/dead-letters` and `/api/v1/notes/{id}/expunge`.

    `erase` as Expunger takes it.
    """
    folder = settings.originals_folder
    expunger = Expunger(
        index, registry, log, erase=erase, originals=Originals(folder) if folder else None
    )
    routes = APIRouter(
        prefix="/api/v1", tags=["administration"], dependencies=[needs(Role.ADMINISTER)]
    )

    @routes.get(
        "/dead-letters",
        summary="Ce qui n'a pas pu être traité, du plus récent au plus ancien",
        responses=problems.responses(422, 503),
    )
    async def listed(
        request: Request,
        wanted: Wanted,
        size: Annotated[int, Query(ge=1, le=MAX_SIZE)] = 20,
        before: Annotated[int | None, Query(ge=1, le=MAX_NUMBER)] = None,
    ) -> DeadLetterPage:
        record(request, Action.ADMINISTERED, "dead-letters", what="dead_letters_listed")
        return await dead_letters.page(registry, wanted, size, before)

    @routes.get(
        "/dead-letters/{number}",
        summary="Une mise à l'écart : motif, origine, octets, et que faire",
        responses=problems.responses(404, 422, 503),
    )
    async def shown(number: Number, request: Request) -> DeadLetterDetail:
        record(request, Action.ADMINISTERED, f"dead-letter:{number}", what="dead_letter_shown")
        caller = await caller_of(request, Role.ADMINISTER)
        return await dead_letters.detail(registry, number, caller)

    @routes.post(
        "/dead-letters/replay",
        summary="Relancer les mises à l'écart qui répondent aux filtres ; suite par « after »",
        responses=problems.responses(422, 503),
    )
    async def replay_many(
        request: Request, wanted: Wanted, after: Annotated[int, Query(ge=0, le=MAX_NUMBER)] = 0
    ) -> Replayed:
        await _ordered(request, "dead-letters", "dead_letters_replayed", after=after, **_of(wanted))
        return await dead_letters.replay_many(registry, log, index, wanted, after)

    @routes.post(
        "/dead-letters/{number}/replay",
        status_code=202,
        summary="Relancer une mise à l'écart",
        responses=problems.responses(404, 409, 422, 503),
    )
    async def replay(number: Number, request: Request) -> DeadLetterView:
        await dead_letters.check(registry, number)
        await _ordered(request, f"dead-letter:{number}", "dead_letter_replayed")
        return await dead_letters.replay_one(registry, log, index, number)

    @routes.post(
        "/notes/{note_id}/expunge",
        summary="Expurger une note : elle quitte le journal, le registre, l'index, les originaux",
        responses={
            202: {
                "model": Expunged,
                "description": "Elle n'est plus consultable ; refaire la demande pour achever",
            },
            **problems.responses(404, 409, 422, 503),
        },
    )
    async def expunge(
        note_id: Annotated[UUID, Path(description="Identifiant de la note")],
        order: ExpungeOrder,
        request: Request,
        response: Response,
    ) -> Expunged:
        reason = given(order.reason)
        await _ordered(request, note_id, "expunged", reason=reason)
        done = await expunger.expunge(note_id, reason)
        if done.finished_at is None:
            response.status_code = 202
        return done

    return routes


async def _ordered(request: Request, about: UUID | str, what: str, **details: Detail) -> None:
    """Enter this before the work: what it has done when it fails half-way, or its process dies,
    must not be without an entry. Raises Unavailable."""
    await enter(request, Action.ADMINISTERED, about, what=what, **details)


def _of(wanted: LetterFilter) -> dict[str, Detail]:
    """The filters of letters that were given."""
    chosen = {name: getattr(wanted, name) for name in ("service", "reason", "note_id", "replayed")}
    return {
        name: value if isinstance(value, bool) else str(value)
        for name, value in chosen.items()
        if value is not None
    }
