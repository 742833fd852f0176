"""The preview of documents: read as those that are sent are read, tagged, and nothing kept.

Who serves previews has the classifier (`services.classify.preview`) and is handed this reader by
its composition root.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from fastapi import Request, Response
from pydantic import ValidationError

from schemas import vocabulary
from schemas.access import Role
from schemas.answers import Preview, PreviewLine, Problem
from schemas.draft import Draft
from schemas.marks import NONE
from services.ingest.accept import DECLARED, STATED, Refused, defaulted_fields
from services.ingest.body import JSON
from services.ingest.documents import Reading, read_metadata
from services.ingest.files import read_file
from services.ingest.form import read_form
from services.ingest.formats.sandbox import warn_of_gaps
from services.ingest.http import DEFAULTED
from services.ingest.many import Manner
from services.ingest.room import Room
from services.ingest.streamed import Streamed
from services.runtime import problems
from services.runtime.access.gate import caller_of
from services.runtime.errors import Unavailable
from services.runtime.marked_passages import look
from services.runtime.protection import protection
from services.runtime.settings import Settings

logger = logging.getLogger(__name__)

Tags = Callable[[Draft], Awaitable[Preview]]
"""The tags of a draft. Raises Unavailable."""

Documents = Callable[[Request, Tags], Awaitable[Response]]
"""The answer to a request that holds a file to preview."""


def documents(room: Room, settings: Settings) -> Documents:
    """The preview of the documents in a form; `room` is what those that are read at once may
    take."""
    warn_of_gaps()

    async def answered(request: Request, tags: Tags) -> Response:
        try:
            return await previewed(request, tags)
        except Refused as refusal:
            return problems.answer(refusal.problem)

    async def previewed(request: Request, tags: Tags) -> Response:
        manner = Manner(
            sender=await caller_of(request, Role.READ, Role.SUBMIT),
            line_limit=settings.max_body_bytes,
            defaulted=defaulted_fields(request.headers.get(DEFAULTED)),
            approved=settings.approved_levels,
            preview=True,
        )
        form = await read_form(request, settings.max_file_bytes)
        async with AsyncExitStack() as held:
            await held.enter_async_context(form)
            await held.enter_async_context(room.of(form.size, manner.sender.id))
            read = await read_file(
                form, read_metadata(form.metadata, manner.approved), manner, room.turns
            )
            if len(read) > 1:
                return Streamed(_lines(read, tags), held.pop_all())
            (one,) = read
            found = await _tagged(one, tags)
        if isinstance(found, Problem):
            return problems.answer(found)
        return Response(found.model_dump_json(exclude_none=True), media_type=JSON)

    return answered


async def _lines(read: list[Reading], tags: Tags) -> AsyncIterator[PreviewLine]:
    """A line for each document; once the classifier is away, 503 for all that come after."""
    away: Problem | None = None
    for number, each in enumerate(read, start=1):
        name = each.name or None
        try:
            found = away or await _tagged(each, tags)
        except Unavailable as error:
            # Starting again for each of the others would take longer than asking once more.
            logger.warning("unavailable from document %d on: %s", number, error.reason)
            found = away = problems.away(error)
        if isinstance(found, Problem):
            yield PreviewLine(line=number, name=name, status=found.status, problem=found)
        else:
            yield PreviewLine(line=number, name=name, status=200, preview=found)


async def _tagged(reading: Reading, tags: Tags) -> Preview | Problem:
    """The preview of one document; the problem of one that holds nothing to tag."""
    refused = reading.found if isinstance(reading.found, Problem) else None
    warned = () if isinstance(reading.found, Problem) else reading.found.warnings
    draft = await asyncio.to_thread(_draft, reading)
    if draft is None:
        assert refused is not None, "what ingest takes can be tagged"
        return refused
    found = await tags(draft)
    return found.model_copy(
        update={
            "name": reading.name,
            "read": reading.read,
            "warnings": list(warned),
            "problem": refused,
        }
        | _protected(reading, draft)
    )


def _protected(reading: Reading, draft: Draft) -> dict[str, Any]:
    """The protection that the note would have, as fields of the answer; of one that would be
    refused, why, too."""
    if isinstance(reading.found, Problem):
        seen = reading.document.marks if reading.document else NONE
        return protection(draft, look(draft.subject, draft.body), seen).as_fields()
    note = reading.found.submission.event.note
    return {name: getattr(note, name) for name in STATED}


def _draft(reading: Reading) -> Draft | None:
    """What can be tagged of a document, be it no note that ingest would take; None: nothing."""
    fields = {name: value for name, value in reading.fields.items() if name not in DECLARED}
    post = fields.pop("post", None)
    if isinstance(post, str) and post in vocabulary.posts():
        fields["post"] = post
    try:
        return Draft.model_validate(fields)
    except ValidationError:
        return None
