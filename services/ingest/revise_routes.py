"""A note's revisions over HTTP: `PUT` (rectify) and `DELETE` (withdraw) `/api/v1/notes/{id}`."""

from collections.abc import Set
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from schemas.access import Caller, Role
from schemas.answers import IngestOutcome, Problem, Receipt
from schemas.events import NoteEvent
from schemas.journal import Action
from services.ingest import answers, outcomes
from services.ingest.accept import Refused, defaulted_fields, traceparent
from services.ingest.body import JSON, MULTIPART, media_type, whole
from services.ingest.documents import Reading, read_metadata
from services.ingest.files import keep_original, read_file, warnings
from services.ingest.form import Form, read_form
from services.ingest.formats.turns import Turns
from services.ingest.http import DEFAULTED, note_content
from services.ingest.many import Manner
from services.ingest.revise import (
    read_rectification,
    rectification,
    revise,
    under_its_reference,
    withdrawal,
)
from services.ingest.room import Room
from services.ingest.submit import TooLarge
from services.runtime import metrics, problems, tracing
from services.runtime.access.gate import caller_of, needs
from services.runtime.journal import record, sender_of
from services.runtime.log import Log
from services.runtime.originals import Originals
from services.runtime.problems import ProblemError
from services.runtime.registry import Obstacle, Registry, RevisionSubmission, Submission, aside
from services.runtime.settings import Settings

TIME = metrics.STAGES.labels(outcomes.SERVICE, "request")
PATH = f"{answers.NOTES}/{{note_id}}"

NoteId = Annotated[str, Path(description="Identifiant de la note")]
Major = Annotated[
    bool,
    Query(
        description="Rectification majeure : une correction des thèmes et des pays faite par un "
        "lecteur ne vaut plus, et les abonnés sont avertis. Mineure (`false`) : elle reste."
    ),
]


STAYS = ("genre", "author", "addressees", "action", "declared_themes", "declared_countries")
"""Fields of a note that a document sent in its place leaves as they are."""

TAKEN = {JSON: "une note", MULTIPART: "un document, et au besoin ses métadonnées"}


def router(
    registry: Registry, log: Log, originals: Originals | None, room: Room, settings: Settings
) -> APIRouter:
    """The routes of revisions; `originals` and `room` as for submissions."""
    routes = APIRouter(tags=["notes"], dependencies=[needs(Role.SUBMIT)])

    @routes.put(
        PATH,
        summary="Rectifier une note, ou rétablir une note retirée",
        status_code=answers.ACCEPTED,
        response_model=None,
        responses=_responses(400, 404, 409, 412, 413, 415, 422, 428, 503),
        openapi_extra=_rectification(),
    )
    async def put_note(note_id: NoteId, request: Request, major: Major = True) -> Response:
        given = traceparent(request.headers.get(tracing.HEADER))
        try:
            sender, latest = await _known(request, note_id)
            before = latest.note
            if media_type(request, TAKEN) == MULTIPART:
                return await _from_document(request, sender, latest, major, given)
            sent, warned = read_rectification(
                await whole(request, settings.max_body_bytes),
                before,
                now=datetime.now(UTC),
                if_match=_if_match(request),
                major=major,
                defaulted=defaulted_fields(request.headers.get(DEFAULTED)),
                sender=sender,
                approved=settings.approved_levels,
            )
        except Refused as refusal:
            return _refused(refusal.problem, given)
        except ProblemError as error:
            outcomes.refused(error.problem, given)
            raise
        return await _revised(request, Action.RECTIFIED, sent, warned, given)

    @routes.delete(
        PATH,
        summary="Retirer une note",
        status_code=answers.ACCEPTED,
        response_model=None,
        responses=_responses(404, 410, 412, 428, 503),
        openapi_extra={"parameters": [IF_MATCH]},
    )
    async def delete_note(note_id: NoteId, request: Request) -> Response:
        given = traceparent(request.headers.get(tracing.HEADER))
        try:
            _, before = await _known(request, note_id)
            sent = withdrawal(before.note_id, now=datetime.now(UTC), if_match=_if_match(request))
        except ProblemError as error:
            outcomes.refused(error.problem, given)
            raise
        return await _revised(request, Action.WITHDRAWN, sent, (), given)

    async def _known(request: Request, note_id: str) -> tuple[Caller, NoteEvent]:
        """Who asks, who may change that note, and its latest event. Raises ProblemError (404): not
        known to the post."""
        sender = await caller_of(request, Role.SUBMIT)
        kept = await aside(registry.history, answers.note_id_of(note_id), limit=1)
        if not kept or not sender.submits_for(kept[0].event.note.post):
            raise answers.not_there()
        return sender, kept[0].event

    async def _from_document(
        request: Request, sender: Caller, latest: NoteEvent, major: bool, given: str | None
    ) -> Response:
        """A document in the place of the note: read as one that is sent, its original kept. Raises
        Refused, ProblemError, Unavailable."""
        async with AsyncExitStack() as held:
            form = await held.enter_async_context(await read_form(request, settings.max_file_bytes))
            await held.enter_async_context(room.of(form.size, sender.id))
            manner = Manner(
                sender=sender,
                line_limit=settings.max_body_bytes,
                defaulted=defaulted_fields(request.headers.get(DEFAULTED)),
                trace=given,
                approved=settings.approved_levels,
            )
            one, taken, stated = await _read_document(form, latest, manner, room.turns)
            sent, warned = rectification(
                under_its_reference(taken.event.note, latest.note),
                latest.note,
                now=datetime.now(UTC),
                if_match=_if_match(request),
                major=major,
                stated=stated,
                defaulted=taken.defaulted,
                warned=warnings(one, originals),
                guessed=frozenset(taken.event.guessed),
            )
            return await _revised(request, Action.RECTIFIED, sent, warned, given, one)

    async def _revised(
        request: Request,
        action: Action,
        sent: RevisionSubmission,
        warned: tuple[str, ...],
        given: str | None,
        read: Reading | None = None,
    ) -> Response:
        """The answer to a revision; `read` where it came as a document."""
        span = f"{request.method} {PATH}"
        with TIME.time(), tracing.span(outcomes.SERVICE, span, given) as trace:
            result = await revise(registry, log, replace(sent, trace=trace), sender_of(request))
        if isinstance(result, TooLarge):
            return problems.answer(answers.too_large())
        if isinstance(result, Obstacle):
            return _refused(answers.not_revised(result), given)
        if result.outcome is IngestOutcome.DUPLICATE:
            record(
                request,
                action,
                result.note_id,
                outcome=result.outcome.value,
                revision=result.revision,
            )
        if read is not None and originals is not None:
            await keep_original(registry, originals, result.key, read)
        receipt = answers.revision_receipt(result, tuple(dict.fromkeys(warned)))
        if read is not None:
            receipt = receipt.model_copy(update={"read": read.read})
        return Response(
            receipt.model_dump_json(by_alias=True, exclude_none=True),
            status_code=answers.status(result),
            media_type=JSON,
            headers={"Location": receipt.links.self_},
        )

    return routes


async def _read_document(
    form: Form, latest: NoteEvent, manner: Manner, turns: Turns
) -> tuple[Reading, Submission, Set[str]]:
    """The one document in a form, the note that it is in the place of the latest, and the fields
    that its sender states beside it. Raises Refused, Unavailable."""
    stated = read_metadata(form.metadata, manner.approved)
    known = latest.note.model_dump(mode="json", include={"post", "reference", "date", *STAYS})
    guessed = manner.defaulted | ({"date"} - stated.keys())
    manner = replace(manner, defaulted=guessed)
    stays = {"date"} - stated.keys() - set(latest.guessed)
    read = await read_file(form, known | stated, manner, turns, stays)
    if len(read) > 1:
        raise Refused(answers.one_document())
    (one,) = read
    if isinstance(one.found, Problem):
        raise Refused(one.found)
    return one, one.found.submission, stated.keys()


def _refused(said: Problem, trace: str | None) -> Response:
    outcomes.refused(said, trace)
    return problems.answer(said)


def _if_match(request: Request) -> str:
    """The header. Raises ProblemError 428 where there is none."""
    header = request.headers.get("If-Match")
    if header is None or not header.strip():
        raise ProblemError(
            428,
            detail="Indiquez dans If-Match l'ETag de la note telle que vous l'avez lue : elle ne "
            "sera modifiée que si elle n'a pas changé depuis.",
        )
    return header


IF_MATCH: dict[str, Any] = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "ETag de la note telle qu'elle a été lue (révision.correction.classement ; le "
    "classement n'est pas comparé). La réponse 410 d'une note retirée le porte aussi.",
    "schema": {"type": "string"},
    "example": '"1.0.3"',
}


def _responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {
        202: {"model": Receipt, "description": "La révision est reçue et durablement inscrite."},
        200: {"model": Receipt, "description": "La dernière révision dit déjà la même chose."},
        **problems.responses(*statuses),
    }


def _rectification() -> dict[str, Any]:
    return {
        "requestBody": {"required": True, "content": note_content()},
        "parameters": [
            IF_MATCH,
            {
                "name": DEFAULTED,
                "in": "header",
                "required": False,
                "description": "Champs que l'expéditeur a devinés (« date ») : la note garde les "
                "siens.",
                "schema": {"type": "string", "enum": ["date"]},
            },
        ],
    }
