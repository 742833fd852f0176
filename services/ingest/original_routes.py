"""Original documents over HTTP: `GET /api/v1/notes/{id}/original`."""

import asyncio
import re
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response

from schemas.access import Role
from schemas.journal import Action
from services.ingest import answers
from services.runtime import problems
from services.runtime.access.gate import caller_of, needs
from services.runtime.access.originals import cover_for, original_for
from services.runtime.journal import record
from services.runtime.originals import Originals
from services.runtime.problems import ProblemError
from services.runtime.registry import Registry

PATH = f"{answers.NOTES}/{{note_id}}/original"
COVER = f"{answers.NOTES}/{{note_id}}/cover"
PLAIN = "application/octet-stream"

_TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,99}/[a-z0-9][a-z0-9.+-]{0,99}", re.ASCII)
_UNSAFE = re.compile(r'[^A-Za-z0-9 ._-]|"')

NoteId = Annotated[str, Path(description="Identifiant de la note")]


def router(registry: Registry, originals: Originals | None) -> APIRouter:
    """The route of originals; without a store there are none."""
    routes = APIRouter(tags=["notes"], dependencies=[needs(Role.READ, Role.SUBMIT)])

    @routes.get(
        PATH,
        summary="Le document d'origine de la dernière révision d'une note",
        response_class=Response,
        responses={
            200: {
                "description": "Le document tel qu'il a été envoyé.",
                "content": {PLAIN: {"schema": {"type": "string", "format": "binary"}}},
            },
            304: {"description": "Le document n'a pas changé."},
            **problems.responses(404, 503),
        },
    )
    async def original(note_id: NoteId, request: Request) -> Response:
        return await given(request, note_id, "original")

    @routes.get(
        COVER,
        summary="Le courriel qui n'a fait qu'apporter la dernière révision d'une note",
        response_class=Response,
        responses={
            200: {
                "description": "Le courriel tel qu'il a été envoyé ; de plusieurs, l'un d'eux.",
                "content": {PLAIN: {"schema": {"type": "string", "format": "binary"}}},
            },
            304: {"description": "Le courriel n'a pas changé."},
            **problems.responses(404, 503),
        },
    )
    async def cover(note_id: NoteId, request: Request) -> Response:
        return await given(request, note_id, "cover")

    async def given(request: Request, note_id: str, what: str) -> Response:
        caller = await caller_of(request, Role.READ, Role.SUBMIT)
        wanted = _id(note_id)
        found = original_for if what == "original" else cover_for
        row = None if originals is None else await found(caller, wanted, registry)
        if row is None or originals is None:
            raise _absent()
        record(request, Action.DOWNLOADED, wanted, what=what)
        headers = {
            "ETag": f'"{row.sha256}"',
            "Cache-Control": "private, no-cache",
            "Content-Disposition": disposition(row.name),
            # Whatever a browser thinks of it: a file to keep, nothing to run.
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox; default-src 'none'",
        }
        if headers["ETag"] in request.headers.get("If-None-Match", ""):
            return Response(status_code=304, headers=headers)
        content = await asyncio.to_thread(originals.get, row.sha256)
        if content is None:
            raise _absent()
        kind = row.media_type if _TYPE.fullmatch(row.media_type) else PLAIN
        # As a header: the framework would add a charset that the document may not have.
        return Response(content, headers=headers | {"Content-Type": kind})

    return routes


def disposition(name: str) -> str:
    """`Content-Disposition` for a download under that name (RFC 6266): plain, and as it is."""
    plain = _UNSAFE.sub("_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _absent() -> ProblemError:
    return ProblemError(
        404,
        "Original absent",
        "Aucun document d'origine n'est conservé pour la dernière révision de cette note.",
    )


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise _absent() from None
