"""The pages for people: search, one note, the list of feeds, and errors they can read.

Server-rendered, no script, nothing from elsewhere: the headers say so to the browser.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from schemas.access import Caller
from schemas.answers import Problem
from schemas.events import MAX_REVISION, ClassifiedNote
from schemas.journal import Action
from schemas.query import Query
from services.runtime import problems
from services.runtime.access import forgery
from services.runtime.access.gate import Gate, caller_of
from services.runtime.access.originals import original_for
from services.runtime.errors import Unavailable
from services.runtime.journal import record
from services.runtime.registry import OriginalRow, Registry
from services.search import french, notes
from services.search.citations import links_for
from services.search.feeds_page import feeds_view
from services.search.freshness import etag, unchanged
from services.search.http import FOLLOWING, REVALIDATE, asked, found, searched
from services.search.index import Index
from services.search.note_page import note_page
from services.search.reader import reader_of
from services.search.revisions import revisions_for
from services.search.revisions_page import revisions_page
from services.search.seal import Seal
from services.search.search_page import search_view, told
from services.search.sign_in.target import sign_in_address

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": REVALIDATE,
}

FOR_PROGRAMS = ("/api/", "/feeds/", "/health/", "/metrics", "/openapi.json", "/static/")
"""Paths whose errors stay `application/problem+json`, whoever asks."""

YEAR_SECONDS = 365 * 24 * 3600
"""For files whose address holds their content's hash."""


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file of the pages: its bytes, type and ETag."""

    content: bytes
    media_type: str
    etag: str

    @property
    def version(self) -> str:
        """What its address carries, so that a new release is never shown with an old style."""
        return self.etag.strip('"')[:12]


def _static(name: str, media_type: str) -> StaticFile:
    content = (files("services.search") / "static" / name).read_bytes()
    return StaticFile(content, media_type, etag(content))


STATIC = {
    "valise.css": _static("valise.css", "text/css; charset=utf-8"),
    "valise.svg": _static("valise.svg", "image/svg+xml"),
}

TEMPLATES = Environment(
    loader=PackageLoader("services.search"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.globals["static"] = lambda name: f"/static/{name}?v={STATIC[name].version}"
TEMPLATES.globals["french"] = french
TEMPLATES.globals["told"] = told


def pages(index: Index, registry: Registry) -> APIRouter:
    """`/`, `/notes/{id}`, its revisions, `/fils` and what they are made of."""
    router = APIRouter(include_in_schema=False)
    seal = Seal(registry)

    async def search(request: Request) -> Response:
        query = await asked(request)
        page = await found(index, registry, query, seal)
        searched(request, query, page)
        return html(request, "search.html", view=search_view(query, page))

    async def note(request: Request) -> Response:
        caller = await caller_of(request, *FOLLOWING)
        event = await notes.note_for(caller, request.path_params["note_id"], index, registry)
        journey = await notes.journey(event, registry)
        cited = await links_for(caller, event, index, registry)
        original = await _original(caller, event, registry)
        record(request, Action.READ, event.note_id, what="note", revision=event.revision)
        # Off the event loop: a report of hundreds of pages takes a while to lay out.
        return await asyncio.to_thread(
            lambda: html(request, "note.html", view=note_page(event, journey, cited, original))
        )

    async def revisions(request: Request) -> Response:
        before = _before(request.query_params.get("before"))
        caller = await caller_of(request, *FOLLOWING)
        note_id = request.path_params["note_id"]
        latest, page = await revisions_for(caller, note_id, registry, before)
        record(request, Action.READ, latest.note_id, what="revisions")
        return html(request, "revisions.html", view=revisions_page(latest, page, before))

    async def feeds(request: Request) -> Response:
        page = await found(index, registry, Query(reader=await reader_of(request), size=1))
        record(request, Action.FOLLOWED, what="list")
        return html(request, "feeds.html", view=feeds_view(page))

    router.add_route("/", search, methods=["GET"])
    router.add_route("/notes/{note_id}", note, methods=["GET"])
    router.add_route("/notes/{note_id}/revisions", revisions, methods=["GET"])
    router.add_route("/fils", feeds, methods=["GET"])
    router.add_route("/static/{name}", static_file, methods=["GET"])
    return router


async def _original(
    caller: Caller, event: ClassifiedNote, registry: Registry
) -> OriginalRow | None:
    """The document of a note that is shown, for who may have it; none without the registry."""
    try:
        return await original_for(caller, event.note_id, registry)
    except Unavailable:
        return None


def _before(given: str | None) -> int | None:
    """The revision before which a page begins. Raises ProblemError (422)."""
    if given is None:
        return None
    if not (given.isascii() and given.isdecimal() and 1 <= int(given[:9]) <= MAX_REVISION):
        raise problems.ProblemError(
            422, detail="Le paramètre « before » est un numéro de révision."
        )
    return int(given[:9])


async def static_file(request: Request) -> Response:
    """A file of the pages; kept for a year where its address names this very content."""
    name = request.path_params["name"]
    file = STATIC.get(name)
    if file is None:
        raise problems.ProblemError(404)
    named = request.query_params.get("v") == file.version
    headers = {
        "ETag": file.etag,
        "Cache-Control": f"public, max-age={YEAR_SECONDS}, immutable" if named else "no-cache",
        "X-Content-Type-Options": "nosniff",
    }
    if unchanged(request.headers, file.etag):
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks at a page; `csrf` is for the forms of a browser that signed in."""

    name: str
    csrf: str | None


def visitor_of(request: Request) -> Visitor | None:
    """Who was let in for this request; None where nobody was asked."""
    caller: Caller | None = getattr(request.state, "caller", None)
    if caller is None:
        return None
    gate: Gate = request.app.state.gate
    by_key = "Authorization" in request.headers
    secret = None if gate.sessions is None or by_key else gate.sessions.secret(request)
    return Visitor(caller.name, None if secret is None else forgery.token(secret))


def html(
    request: Request,
    template: str,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **context: Any,
) -> Response:
    """A page: the template filled in, under the headers that keep it to itself."""
    content = TEMPLATES.get_template(template).render(visitor=visitor_of(request), **context)
    return HTMLResponse(content, status, headers={**HEADERS, **(headers or {})})


def install_errors(app: FastAPI) -> None:
    """Show the application's problems as pages to those who browse.

    Call after `problems.install`: each of its answers stays what it is for programs, and is the
    same in HTML for a browser that asked for a page.
    """
    for raised, handler in list(app.exception_handlers.items()):
        app.exception_handlers[raised] = _for_people(handler)


def wants_page(request: Request) -> bool:
    """Whether an error is better told as a page: a browser asked for something meant for people."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(
        FOR_PROGRAMS
    )


def _for_people(
    handler: Callable[[Request, Any], Response | Awaitable[Response]],
) -> Callable[[Request, Any], Awaitable[Response]]:
    async def handle(request: Request, error: Exception) -> Response:
        answered = handler(request, error)
        response = await answered if isinstance(answered, Awaitable) else answered
        if response.headers.get("content-type") != problems.MEDIA_TYPE or not wants_page(request):
            return response
        if response.status_code == 401:
            return RedirectResponse(
                sign_in_address(request), 303, headers={"Cache-Control": "no-store"}
            )
        kept = {
            name: response.headers[name]
            for name in ("retry-after", "allow")
            if name in response.headers
        }
        problem = Problem.model_validate_json(bytes(response.body))
        return html(
            request,
            "error.html",
            response.status_code,
            {**kept, "Vary": "Accept"},
            problem=problem,
            again=_again(request) if response.status_code == 410 else None,
        )

    return handle


def _again(request: Request) -> str | None:
    """For a page of results that expired: the same search from its beginning."""
    if request.url.path != "/":
        return None
    return str(request.url.remove_query_params("cursor").replace(scheme="", netloc=""))
