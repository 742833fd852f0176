"""A post's own notes: where each is, and why it was set aside if it was. Read in the registry."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from schemas.access import Role
from schemas.answers import NotePlace, PostNotes, State
from schemas.journal import Action
from schemas.note import STORABLE, Line
from schemas.vocabulary import PostCode
from services.runtime import problems
from services.runtime.access.gate import caller_of, needs
from services.runtime.journal import record
from services.runtime.problems import ProblemError
from services.runtime.registry import ReceiptRow, Registry, aside
from services.search.document import links

PATH = "/api/v1/notes"
USUAL, MOST = 50, 200


def router(registry: Registry) -> APIRouter:
    """`GET /api/v1/notes`."""
    routes = APIRouter(tags=["notes"], dependencies=[needs(Role.SUBMIT, Role.ADMINISTER)])

    @routes.get(
        PATH,
        response_model=PostNotes,
        summary="Les notes d'un poste, dans l'ordre des références, et où en est chacune",
        responses=problems.responses(422, 503),
    )
    async def notes_of_post(
        request: Request,
        post: Annotated[PostCode, Query(description="Le poste, par exemple berlin")],
        state: Annotated[list[State] | None, Query(description="Un état, ou plusieurs")] = None,
        reference: Annotated[Line | None, Query(description="Une seule référence")] = None,
        after: Annotated[
            str | None,
            Query(description="« next » de la page précédente", max_length=200, pattern=STORABLE),
        ] = None,
        size: Annotated[int, Query(ge=1, le=MOST)] = USUAL,
    ) -> PostNotes:
        # Without a word of what they say; but references and numbers are the post's own matter.
        caller = await caller_of(request, Role.SUBMIT, Role.ADMINISTER)
        if not caller.submits_for(post) and not caller.may(Role.ADMINISTER):
            raise ProblemError(403, detail="Un poste ne voit que le suivi de ses propres notes.")
        rows = await aside(
            registry.of_post,
            post,
            states=state or (),
            reference=reference,
            after=after,
            limit=size + 1,
        )
        record(request, Action.READ, post, what="notes_of_post")
        return page(post, rows, size)

    return routes


def page(post: str, rows: list[ReceiptRow], size: int) -> PostNotes:
    """The first `size` of these rows as the API answers them; there is a next page where there are
    more."""
    shown = rows[:size]
    return PostNotes(
        post=post,
        notes=[_place(row) for row in shown],
        next=shown[-1].reference if len(rows) > size else None,
    )


def _place(row: ReceiptRow) -> NotePlace:
    return NotePlace(
        id=row.note_id,
        reference=row.reference,
        revision=row.revision,
        state=row.state,
        received_at=row.received_at,
        indexed_at=row.indexed_at,
        parked_at=row.parked_at,
        parked_reason=row.parked_reason,
        links=links(row.note_id),
    )
