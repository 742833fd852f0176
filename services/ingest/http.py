"""Notes over HTTP: `POST /api/v1/notes`, as JSON, as lines of JSON or as files."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import IO, Any

import anyio.lowlevel
from fastapi import APIRouter, Request, Response

from schemas.access import Role
from schemas.answers import IngestOutcome, LineAnswer, Problem, Receipt
from schemas.journal import Action
from schemas.note import Note
from services.ingest import answers, outcomes
from services.ingest.accept import Accepted, Refused, accept, defaulted_fields, traceparent
from services.ingest.body import JSON, MULTIPART, NDJSON, media_type, spooled, whole
from services.ingest.documents import Reading, read_metadata
from services.ingest.files import answer_lines, read_file, submit_documents, warnings
from services.ingest.form import FILE, METADATA, Form, read_form
from services.ingest.many import CHUNK_LINES, Manner, submit_lines
from services.ingest.room import Room
from services.ingest.streamed import Streamed
from services.ingest.submit import TooLarge, submit
from services.runtime import metrics, problems, tracing
from services.runtime.access.gate import caller_of, needs
from services.runtime.errors import Unavailable
from services.runtime.journal import enter_all, record, sender_of
from services.runtime.log import Log
from services.runtime.originals import Originals
from services.runtime.problems import ProblemError
from services.runtime.protection import WORDS
from services.runtime.registry import Begun, Registry
from services.runtime.settings import Settings

DEFAULTED = "Valise-Defaulted"
"""Header that names the fields which the sender guessed (a date taken from a file)."""

MARKING = {
    "type": "string",
    "default": "non_protege",
    "title": "Marking",
    "description": "Mention de protection, écrite librement (« Diffusion restreinte », « DR », "
    "« Spécial France », « Non protégé »…). Une mention inconnue vaut la plus stricte, et le reçu "
    "en avertit ; un document classifié est refusé.",
}
MARKED_WORDS = {
    "type": "array",
    "title": "Marked Words",
    "default": [],
    "description": "Passages à protéger, désignés par leurs mots, qui doivent se trouver une seule "
    "fois dans l'objet ou le texte : chacun devient un élément de « marked_spans ».",
    "items": {
        "type": "object",
        "required": ["mark", "words"],
        "additionalProperties": False,
        "properties": {
            "mark": {"type": "string", "description": "Mention, écrite librement."},
            "words": {"type": "string", "description": "Les mots du passage."},
        },
    },
}
logger = logging.getLogger(__name__)

TIME = metrics.STAGES.labels(outcomes.SERVICE, "request")
SPAN = f"POST {answers.NOTES}"


def router(
    registry: Registry, log: Log, originals: Originals | None, room: Room, settings: Settings
) -> APIRouter:
    """The route of submissions; without `originals`, documents are read and not kept; `room` is
    what those that are read at once may take."""
    routes = APIRouter(tags=["notes"], dependencies=[needs(Role.SUBMIT)])

    @routes.post(
        answers.NOTES,
        summary="Transmettre une note, ou plusieurs",
        status_code=answers.ACCEPTED,
        response_model=None,
        responses=_responses(),
        openapi_extra=_request(),
    )
    async def post_notes(request: Request) -> Response:
        given = traceparent(request.headers.get(tracing.HEADER))
        try:
            kind = media_type(request)
            manner = Manner(
                sender=await caller_of(request, Role.SUBMIT),
                line_limit=settings.max_body_bytes,
                named=sender_of(request),
                defaulted=defaulted_fields(request.headers.get(DEFAULTED)),
                trace=given,
                approved=settings.approved_levels,
            )
            if kind == NDJSON:
                file = await spooled(request, settings.max_ndjson_bytes)
                spool = AsyncExitStack()
                spool.enter_context(file)
                answered = _entered(request, _post_many(file, manner))
                return Streamed(answered, spool)
            form = await read_form(request, settings.max_file_bytes) if kind == MULTIPART else None
            raw = b"" if form else await whole(request, manner.line_limit)
        except Refused as refusal:
            return _refused(refusal, given)
        except ProblemError as error:
            outcomes.refused(error.problem, given)
            raise
        with TIME.time(), tracing.span(outcomes.SERVICE, SPAN, given) as trace:
            manner = replace(manner, trace=trace)
            try:
                if form:
                    return await _post_file(request, form, manner)
                return await _post_one(request, raw, manner)
            except Refused as refusal:
                return _refused(refusal, trace)

    async def _post_many(file: IO[bytes], manner: Manner) -> AsyncIterator[LineAnswer]:
        with tracing.span(outcomes.SERVICE, SPAN, manner.trace) as trace:
            async for each in submit_lines(registry, log, file, replace(manner, trace=trace)):
                yield each

    async def _post_one(request: Request, raw: bytes, manner: Manner) -> Response:
        # Off the event loop: a large note takes a while to read, others go on meanwhile.
        taken = await asyncio.to_thread(
            accept,
            raw,
            sender=manner.sender,
            now=datetime.now(UTC),
            trace=manner.trace,
            defaulted=manner.defaulted,
            approved=manner.approved,
        )
        (result,) = await submit(registry, log, [taken.submission], manner.named)
        return _answered(request, result, taken)

    async def _post_file(request: Request, form: Form, manner: Manner) -> Response:
        async with AsyncExitStack() as held:
            await held.enter_async_context(form)
            await held.enter_async_context(room.of(form.size, manner.sender.id))
            read = await read_file(
                form, read_metadata(form.metadata, manner.approved), manner, room.turns
            )
            if len(read) > 1:
                found = answer_lines(registry, log, originals, read, manner)
                return Streamed(_entered(request, found), held.pop_all())
            (one,) = read
            if isinstance(one.found, Problem):
                raise Refused(one.found)
            (result,) = await submit_documents(registry, log, originals, read, manner.named)
            assert not isinstance(result, Problem)
            warned = Accepted(one.found.submission, warnings(one, originals))
            return _answered(request, result, warned, one)

    return routes


def _answered(
    request: Request, result: Begun | TooLarge, taken: Accepted, read: Reading | None = None
) -> Response:
    """The answer to one note; `read` where it came as a document."""
    if isinstance(result, TooLarge):
        return problems.answer(answers.too_large())
    said = answers.conflict(result, taken.submission.event.note)
    if said is not None:
        return problems.answer(said)
    if result.outcome is IngestOutcome.DUPLICATE:
        record(request, Action.SUBMITTED, result.note_id, outcome=result.outcome.value)
    receipt = answers.receipt(result, taken.warnings)
    if read is not None:
        receipt = receipt.model_copy(update={"read": read.read})
    return Response(
        receipt.model_dump_json(by_alias=True, exclude_none=True),
        status_code=answers.status(result),
        media_type=JSON,
        headers={"Location": receipt.links.self_},
    )


async def _entered(request: Request, found: AsyncIterator[LineAnswer]) -> AsyncIterator[LineAnswer]:
    """These answers, once the journal has them, many at a time.

    Of a sender who hangs up, what was begun is finished and entered all the same.
    """
    batches = _batches(found, CHUNK_LINES)
    while True:
        await anyio.lowlevel.checkpoint_if_cancelled()
        with anyio.CancelScope(shield=True):
            some = await _next_entered(request, batches)
        if not some:
            return
        for each in some:
            yield each


async def _next_entered(
    request: Request, batches: AsyncIterator[list[LineAnswer]]
) -> list[LineAnswer]:
    """The next answers; none at the end. What is accepted the registry has entered already.

    A repetition that cannot be entered is answered with 503, and is entered when it is sent again.
    """
    some: list[LineAnswer] = await anext(batches, [])
    repeated = [
        (each.id, each.outcome.value)
        for each in some
        if each.id is not None and each.outcome is IngestOutcome.DUPLICATE
    ]
    try:
        await enter_all(request, Action.SUBMITTED, repeated)
    except Unavailable as error:
        logger.warning("unavailable: %s", error.reason)
        away = problems.away(error)
        return [
            answers.refused_line(each.line, away)
            if each.outcome is IngestOutcome.DUPLICATE
            else each
            for each in some
        ]
    return some


async def _batches(found: AsyncIterator[LineAnswer], size: int) -> AsyncIterator[list[LineAnswer]]:
    batch: list[LineAnswer] = []
    async for each in found:
        batch.append(each)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _refused(refusal: Refused, trace: str | None) -> Response:
    outcomes.refused(refusal.problem, trace)
    return problems.answer(refusal.problem)


def _responses() -> dict[int | str, dict[str, Any]]:
    return {
        202: {"model": Receipt, "description": "La note est reçue et durablement inscrite."},
        200: {
            "model": Receipt,
            "description": "La même note a déjà été reçue ; ou, pour un envoi en NDJSON ou un "
            "fichier de plusieurs documents (courriel, archive), une réponse par ligne.",
            "content": {NDJSON: {"schema": _inline(LineAnswer.model_json_schema())}},
        },
        **problems.responses(400, 409, 413, 415, 422, 503),
    }


def _request() -> dict[str, Any]:
    content = note_content()
    return {
        "requestBody": {"required": True, "content": {**content, NDJSON: content[JSON]}},
        "parameters": [
            {
                "name": DEFAULTED,
                "in": "header",
                "required": False,
                "description": "Champs que l'expéditeur a devinés (« date ») : ils ne comptent "
                "pas pour reconnaître une note déjà reçue.",
                "schema": {"type": "string", "enum": ["date"]},
            }
        ],
    }


def note_content() -> dict[str, Any]:
    """A note as it is sent, as JSON or as a document, for the OpenAPI document."""
    note = _note_schema()
    return {
        JSON: {"schema": note},
        MULTIPART: {"schema": _form(note), "encoding": {METADATA: {"contentType": JSON}}},
    }


def _form(note: dict[str, Any]) -> dict[str, Any]:
    fields = {name: part for name, part in note.items() if name not in ("required", "examples")}
    return {
        "type": "object",
        "required": [FILE],
        "properties": {
            FILE: {
                "type": "string",
                "format": "binary",
                "description": "Le document ; un courriel ou une archive ZIP en portent plusieurs.",
            },
            METADATA: fields
            | {
                "description": "Champs de la note, tous facultatifs : ils l'emportent sur ce que "
                "dit le document. Un champ nommé par Valise-Defaulted lui cède.",
            },
        },
    }


def _note_schema() -> dict[str, Any]:
    """The JSON Schema of a note as it is sent, in one piece: its marks are written freely."""
    note = _inline(Note.model_json_schema())
    note["properties"]["marking"] = MARKING
    note["properties"][WORDS] = MARKED_WORDS
    return note


def _inline(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without `$defs`: within an OpenAPI document their addresses would not hold."""
    parts = schema.pop("$defs", {})

    def resolved(value: Any) -> Any:
        if isinstance(value, list):
            return [resolved(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            part = parts[value["$ref"].rpartition("/")[2]]
            rest = {name: item for name, item in value.items() if name != "$ref"}
            return resolved(part | rest)
        return {name: resolved(item) for name, item in value.items()}

    found: dict[str, Any] = resolved(schema)
    return found
