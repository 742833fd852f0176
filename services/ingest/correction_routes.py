"""Readers' corrections over HTTP: `POST /api/v1/notes/{id}/corrections`."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from schemas.access import Role
from schemas.answers import CorrectionReceipt, IngestOutcome
from schemas.correction import Correction
from schemas.journal import Action
from services.ingest import answers, outcomes
from services.ingest.accept import Refused, traceparent
from services.ingest.body import JSON, media_type, whole
from services.ingest.correct import correct, read_correction
from services.ingest.submit import TooLarge
from services.runtime import metrics, problems, tracing
from services.runtime.access.gate import caller_of, needs
from services.runtime.access.rights import audience_for, sees_whole
from services.runtime.journal import record, sender_of
from services.runtime.log import Log
from services.runtime.problems import ProblemError
from services.runtime.registry import Obstacle, Registry, aside
from services.runtime.settings import Settings

MAX_BYTES = 64 * 1024
"""A correction with every theme and every country and the longest comment has a quarter of it."""

TIME = metrics.STAGES.labels(outcomes.SERVICE, "request")
PATH = f"{answers.NOTES}/{{note_id}}/corrections"

NoteId = Annotated[str, Path(description="Identifiant de la note")]


def router(registry: Registry, log: Log, settings: Settings) -> APIRouter:
    """The route of corrections."""
    routes = APIRouter(tags=["notes"], dependencies=[needs(Role.READ)])

    @routes.post(
        PATH,
        summary="Corriger les thèmes et les pays d'une note",
        status_code=answers.ACCEPTED,
        response_model=None,
        responses=_responses(),
        openapi_extra=_request(),
    )
    async def post_correction(note_id: NoteId, request: Request) -> Response:
        given = traceparent(request.headers.get(tracing.HEADER))
        try:
            await _check_reader(request, note_id)
            media_type(request, {JSON: "une correction"})
            sent = read_correction(
                await whole(request, MAX_BYTES),
                answers.note_id_of(note_id),
                now=datetime.now(UTC),
                if_match=request.headers.get("If-Match"),
                approved=settings.approved_levels,
            )
        except Refused as refusal:
            outcomes.refused(refusal.problem, given)
            return problems.answer(refusal.problem)
        except ProblemError as error:
            outcomes.refused(error.problem, given)
            raise
        with TIME.time(), tracing.span(outcomes.SERVICE, f"POST {PATH}", given) as trace:
            result = await correct(registry, log, replace(sent, trace=trace), sender_of(request))
        if isinstance(result, TooLarge):
            return problems.answer(answers.too_large())
        if isinstance(result, Obstacle):
            said = answers.not_corrected(result)
            outcomes.refused(said, given)
            return problems.answer(said)
        if result.outcome is IngestOutcome.DUPLICATE:
            record(
                request,
                Action.CORRECTED,
                result.note_id,
                outcome=result.outcome.value,
                correction=result.correction,
            )
        receipt = answers.correction_receipt(result)
        return Response(
            receipt.model_dump_json(by_alias=True),
            status_code=answers.status(result),
            media_type=JSON,
            headers={"Location": receipt.links.self_},
        )

    async def _check_reader(request: Request, note_id: str) -> None:
        """Raises ProblemError for who may not read the note (404), or not all of it (403)."""
        caller = await caller_of(request, Role.READ)
        kept = await aside(registry.history, answers.note_id_of(note_id), limit=1)
        note = kept[0].event.note if kept else None
        if note is None or audience_for(caller, note) is None:
            raise answers.not_there()
        if not sees_whole(caller, note):
            raise ProblemError(
                403,
                detail="Cette note a des passages réservés que vous ne pouvez pas lire : ses "
                "étiquettes sont à corriger par qui la lit en entier.",
            )

    return routes


def _responses() -> dict[int | str, dict[str, Any]]:
    return {
        202: {
            "model": CorrectionReceipt,
            "description": "La correction est reçue et durablement inscrite.",
        },
        200: {
            "model": CorrectionReceipt,
            "description": "Ces thèmes et ces pays sont déjà ceux de la correction en vigueur.",
        },
        **problems.responses(400, 404, 410, 412, 413, 415, 422, 503),
    }


def _request() -> dict[str, Any]:
    return {
        "requestBody": {
            "required": True,
            "content": {JSON: {"schema": Correction.model_json_schema()}},
        },
        "parameters": [
            {
                "name": "If-Match",
                "in": "header",
                "required": False,
                "description": "ETag de la note telle qu'elle a été lue : la correction n'est "
                "prise que si la note n'a été ni rectifiée ni corrigée depuis.",
                "schema": {"type": "string"},
            }
        ],
    }
