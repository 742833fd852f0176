"""The search API: search, one note, its trace, and the feeds."""

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi import Query as Parameter
from fastapi.responses import JSONResponse, Response, StreamingResponse

from schemas.access import Caller, Me, Role
from schemas.answers import MissingReferences, NoteView, Problem, Revisions, SearchPage, Trace
from schemas.correction import LabelledNote
from schemas.events import MAX_REVISION
from schemas.journal import Action
from schemas.marks import audience_of
from schemas.note import STORABLE
from schemas.query import Query
from schemas.vocabulary import PostCode
from services.runtime import metrics, problems
from services.runtime.access.gate import caller_of, needs
from services.runtime.journal import record
from services.runtime.problems import ProblemError
from services.runtime.registry import Registry
from services.runtime.settings import Settings
from services.search import notes
from services.search.citations import Missing, links_for, missing_for
from services.search.corrections import labelled_notes
from services.search.feeds import rendered
from services.search.freshness import Freshness, State, has_copy, unchanged
from services.search.index import CursorExpired, CursorInvalid, Index, Page
from services.search.parameters import FieldError, WrongParameters, openapi_parameters, query_of
from services.search.reader import reader_of
from services.search.revisions import revisions_for
from services.search.seal import Seal
from services.search.superseded import in_force
from services.search.topics import MEDIA, Format, Topic, UnknownTopic, topic_of

REVALIDATE = "private, no-cache"
"""Kept, but asked for again each time: a withdrawn note must not live on in a cache."""

FOLLOWING = (Role.READ, Role.SUBMIT)
"""Roles that see a note: readers by their clearance, a post its own."""

NDJSON = "application/x-ndjson"

NoteId = Annotated[str, Path(description="Identifiant de la note")]
FeedPath = Annotated[
    str,
    # What a route takes ends at the first line.
    Path(pattern=r"^[^\n]*$", description="Le fil et sa forme, par exemple sante/DE.atom"),
]
Before = Annotated[
    int | None,
    Parameter(ge=1, le=MAX_REVISION, description="Valeur « next » de la page précédente"),
]
CitingPost = Annotated[PostCode | None, Parameter(description="Poste dont les notes citent")]
After = Annotated[
    str | None,
    Parameter(
        max_length=1_500, pattern=STORABLE, description="Valeur « next » de la page précédente"
    ),
]
MISSING_PAGE = "missing"
"""The kind of cursor by which a page of missing references leads to the next one."""
FOREIGN_PAGE = (
    "Le paramètre « after » n'est pas la suite de cette liste : reprenez la valeur « next » de la "
    "page précédente."
)


def api(index: Index, registry: Registry) -> APIRouter:
    """`/api/v1`: search, notes and traces, for programs."""
    router = APIRouter(prefix="/api/v1", tags=["search"], dependencies=[needs(*Role)])
    seal = Seal(registry)

    @router.get(
        "/search",
        response_model=SearchPage,
        summary="Les notes qui répondent à des mots et à des filtres",
        responses=_problems(410, 422, 503),
        openapi_extra={"parameters": openapi_parameters()},
    )
    async def search(request: Request) -> Response:
        query = await asked(request)
        started = time.perf_counter()
        page = await found(index, registry, query, seal)
        searched(request, query, page)
        shown = answer(page, took_ms=round((time.perf_counter() - started) * 1000))
        # As bytes: the framework would take the page apart and check it once more: 66 ms a page.
        return Response(shown.model_dump_json(by_alias=True), media_type="application/json")

    @router.get(
        "/notes/{note_id}",
        response_model=NoteView,
        summary="Une note, ses thèmes, ses pays et leurs justifications",
        responses=_problems(404, 410, 503),
    )
    async def note(note_id: NoteId, request: Request) -> Response:
        caller = await caller_of(request, *FOLLOWING)
        event = await notes.note_for(caller, note_id, index, registry)
        cited = await links_for(caller, event, index, registry)
        record(request, Action.READ, event.note_id, what="note", revision=event.revision)
        headers = {"ETag": notes.etag(event, cited.stamp), "Cache-Control": REVALIDATE}
        if unchanged(request.headers, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        view = notes.view(event, cited)
        return JSONResponse(view.model_dump(mode="json", by_alias=True), headers=headers)

    @router.get(
        "/notes/{note_id}/trace",
        response_model=Trace,
        summary="Le parcours d'une note : reçue, classée, indexée, ou mise de côté et pourquoi",
        responses=_problems(404, 503),
    )
    async def trace(note_id: NoteId, request: Request) -> Trace:
        caller = await caller_of(request, *FOLLOWING)
        found = await notes.trace_for(caller, note_id, index, registry)
        record(request, Action.READ, found.id, what="trace")
        return found

    @router.get(
        "/notes/{note_id}/revisions",
        response_model=Revisions,
        summary="Les révisions d'une note, la plus récente d'abord, et ce que chacune change",
        responses=_problems(404, 410, 422, 503),
    )
    async def revisions(note_id: NoteId, request: Request, before: Before = None) -> Response:
        caller = await caller_of(request, *FOLLOWING)
        latest, found = await revisions_for(caller, note_id, registry, before)
        record(request, Action.READ, latest.note_id, what="revisions")
        headers = {"Cache-Control": REVALIDATE}
        return Response(found.model_dump_json(), media_type="application/json", headers=headers)

    @router.get(
        "/missing-references",
        response_model=MissingReferences,
        summary="Les références citées par les notes d'un poste et qu'aucune note ne porte",
        dependencies=[needs(Role.READ)],
        responses=_problems(422, 503),
    )
    async def missing(
        request: Request, post: CitingPost = None, after: After = None
    ) -> MissingReferences:
        caller = await caller_of(request, Role.READ)
        record(request, Action.READ, post or "", what="missing_references")
        place = None if after is None else await _opened(seal, after)
        found, last = await missing_for(caller, post, place, index, registry)
        following = None if last is None else await seal.close(MISSING_PAGE, "/".join(last))
        return MissingReferences(missing=found, next=following)

    @router.get(
        "/corrections",
        response_class=Response,
        summary="Les notes corrigées par leurs lecteurs, une par ligne, pour l'apprentissage",
        responses={
            200: {
                "description": "Une note corrigée par ligne. Un envoi interrompu est incomplet.",
                "content": {NDJSON: {"schema": _labelled_schema()}},
            },
            **_problems(503),
        },
    )
    async def corrections(request: Request) -> Response:
        lines = _lines(labelled_notes(await caller_of(request, Role.READ), index, registry))
        # The first one now: where an engine is away, that can still be answered with 503.
        first = await anext(lines, b"")
        record(request, Action.DOWNLOADED, what="corrections")
        return StreamingResponse(
            _rejoined(first, lines), media_type=NDJSON, headers={"Cache-Control": REVALIDATE}
        )

    @router.get(
        "/me",
        response_model=Me,
        summary="Ce que le service sait de qui l'interroge",
        responses=_problems(503),
    )
    async def me(request: Request) -> Me:
        caller = await caller_of(request, *Role)
        return Me(
            id=caller.id,
            name=caller.name,
            roles=sorted(caller.roles),
            posts=sorted(caller.posts),
            markings=sorted(caller.reader.markings),
            special_france=caller.reader.special_france,
        )

    return router


async def _lines(notes: AsyncIterator[LabelledNote]) -> AsyncIterator[bytes]:
    async for note in notes:
        yield note.model_dump_json().encode() + b"\n"


async def _rejoined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """All of it. What is raised on the way breaks the answer off: its reader sees no end of it."""
    yield first
    async for line in rest:
        yield line


def feeds(index: Index, registry: Registry, settings: Settings) -> APIRouter:
    """`/feeds`: every topic and every search as Atom and as JSON Feed."""
    router = APIRouter(tags=["feeds"], dependencies=[needs(Role.READ)])
    freshness = Freshness()
    seal = Seal(registry)

    async def shown_to(caller: Caller, state: State) -> State:
        return replace(state, etag=await seal.tag(state.etag, caller.id))

    async def feed(path: FeedPath, request: Request) -> Response:
        reader = await reader_of(request)
        caller = await caller_of(request, Role.READ)
        try:
            topic, form = topic_of(path, request.query_params.multi_items(), reader)
        except UnknownTopic as unknown:
            raise ProblemError(404, "Fil inconnu", str(unknown)) from None
        except WrongParameters as wrong:
            raise refused(wrong) from None
        now = datetime.now(UTC)
        base = base_of(request, settings)
        address = base + topic.path(form)
        # What one audience gets is not what another one has kept.
        kept = f"{address} {audience_of(reader)}"
        stamp = await index.stamp(topic.query)
        state, body = freshness.known(kept, stamp), None
        shown = None if state is None else await shown_to(caller, state)
        if shown is None or not unchanged(request.headers, shown.etag, shown.since):
            page = await found(index, registry, topic.query)
            # Notes with some of the words are an answer to a person, not what a feed follows.
            body = rendered(form, topic, base, () if page.relaxed else page.hits)
            shown = await shown_to(caller, freshness.keep(kept, stamp, body, now))
        _followed(request, topic, form, shown)
        headers = shown.headers(now) | {"Cache-Control": REVALIDATE}
        if body is None or unchanged(request.headers, shown.etag, shown.since):
            return Response(status_code=304, headers=headers)
        return Response(body, media_type=f"{MEDIA[form]}; charset=utf-8", headers=headers)

    router.get(
        "/feeds/{path:path}",
        summary="Un fil : all, {theme}, {theme}/{pays}, country/{pays} ou search, .atom ou .json",
        response_class=Response,
        responses={
            200: {"content": {media_type: {} for media_type in MEDIA.values()}},
            304: {"description": "Rien de nouveau"},
            **_problems(404, 422, 503),
        },
    )(feed)
    router.head("/feeds/{path:path}", include_in_schema=False)(feed)
    return router


async def _opened(seal: Seal, after: str) -> Missing:
    """Where a page of missing references goes on. Raises ProblemError (422), Unavailable."""
    try:
        post, _, reference = (await seal.open(MISSING_PAGE, after)).partition("/")
    except CursorInvalid:
        raise refused(WrongParameters([FieldError("after", FOREIGN_PAGE)])) from None
    return post, reference


async def asked(request: Request) -> Query:
    """The query in a request's address, for its reader. Raises ProblemError (422)."""
    reader = await reader_of(request)
    try:
        return query_of(request.query_params.multi_items(), reader)
    except WrongParameters as wrong:
        raise refused(wrong) from None


async def found(index: Index, registry: Registry, query: Query, seal: Seal | None = None) -> Page:
    """Return the page of a query, without the hits that were restricted since they were indexed.

    `seal` where the query's cursor comes from outside and the next one goes there. Raises
    ProblemError: 410 for an old cursor, 422 for a foreign or altered one; Unavailable.
    """
    try:
        if seal is not None:
            query = await seal.opened(query)
        with metrics.SEARCH.time():
            page = await index.search(query)
            page = await in_force(query, page, registry)
        return page if seal is None else await seal.closed(page)
    except CursorExpired:
        raise ProblemError(
            410,
            "Page expirée",
            "Cette suite de résultats n'est plus disponible : reprenez la recherche au début.",
        ) from None
    except CursorInvalid:
        wrong = FieldError(
            "cursor",
            "Le paramètre « cursor » n'est pas la suite de cette recherche : reprenez la valeur "
            "« next » de la page précédente, avec les mêmes paramètres.",
        )
        raise refused(WrongParameters([wrong])) from None


def searched(request: Request, query: Query, page: Page) -> None:
    """Have the journal tell of a search: its words, its filters, and how many notes it found."""
    record(request, Action.SEARCHED, **_wanted(query), hits=page.total)


def _followed(request: Request, topic: Topic, form: Format, shown: State) -> None:
    """Have the journal tell of a feed: of one with words as of a search, whatever the answer; of
    another unless the caller has it already."""
    wanted = _wanted(topic.query)
    if topic.query.words:
        record(request, Action.SEARCHED, feed=form.value, **wanted)
    elif not has_copy(request.headers, shown.etag):
        record(request, Action.FOLLOWED, topic.name, form=form.value, **wanted)


def _wanted(query: Query) -> dict[str, Any]:
    """What a query asks for, without who asks and how it is shown."""
    said = query.model_dump(
        mode="json", exclude={"reader", "size", "sort", "cursor"}, exclude_defaults=True
    )
    return said | ({"next_page": True} if query.cursor else {})


def refused(wrong: WrongParameters) -> ProblemError:
    """The 422 that says all that is wrong with a query string."""
    return ProblemError(
        422,
        "Paramètres refusés",
        str(wrong),
        errors=[error.as_json() for error in wrong.errors],
    )


def answer(page: Page, took_ms: int) -> SearchPage:
    """A page of the index as the API answers it."""
    return SearchPage(
        total=page.total,
        total_is_exact=page.total_is_exact,
        relaxed=page.relaxed,
        took_ms=took_ms,
        hits=list(page.hits),
        facets={name: list(counts) for name, counts in page.facets.items()},
        next=page.next,
    )


def base_of(request: Request, settings: Settings) -> str:
    """The service's own address, no slash at the end: as set, else as the request found it.

    Only where the server knows its names, which is the embedded one: elsewhere a request's Host
    may be anything.
    """
    stated = settings.distributed or "public_url" in settings.model_fields_set
    return (settings.public_url if stated else str(request.base_url)).rstrip("/")


def _labelled_schema() -> dict[str, Any]:
    """The schema of an exported line; its parts are those of a note's, in the same document."""
    schema = LabelledNote.model_json_schema(ref_template="#/components/schemas/{model}")
    return {name: part for name, part in schema.items() if name != "$defs"}


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {
        status: {
            "description": REASONS[status],
            "content": {problems.MEDIA_TYPE: {"schema": Problem.model_json_schema()}},
        }
        for status in statuses
    }


REASONS = {
    404: "Inconnu, ou non consultable",
    410: "N'est plus disponible",
    422: "Paramètre inconnu ou valeur refusée",
    503: "Momentanément indisponible (Retry-After)",
}
