"""Preview: the tags that a text would get (`POST /api/v1/preview`). Nothing of it is kept.

The classify service has the classifier at hand. The embedded server has it in its child processes
only: there a process of its own is started at the first preview and ended when none comes any more.
"""

import asyncio
import json
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from schemas.access import Role
from schemas.answers import Preview
from schemas.classification import Classification
from schemas.draft import Draft
from schemas.marks import Level, Marks
from services.runtime import marks, problems
from services.runtime.access.gate import needs
from services.runtime.errors import Unavailable
from services.runtime.french import complaints
from services.runtime.guard.limits import counts_itself
from services.runtime.inspection import refuse_inspection
from services.runtime.marked_passages import look
from services.runtime.problems import ProblemError
from services.runtime.protection import (
    Protection,
    Unmarkable,
    in_our_words,
    of_words,
    protection,
    words_to_mark,
)
from services.runtime.settings import Settings
from services.runtime.told import NDJSON

logger = logging.getLogger("valise.classify")

PATH = "/api/v1/preview"
JSON = "application/json"
MULTIPART = "multipart/form-data"

IDLE_SECONDS = 300.0
"""After that long without a preview its process ends: it holds 400 MB, and starts in seconds."""

Classify = Callable[[str, str, str | None], Awaitable[Classification]]
"""The tags of a subject and a body, sent by a post (None: unknown)."""


Tags = Callable[[Draft], Awaitable[Preview]]
"""The tags of a draft. Raises Unavailable."""

Documents = Callable[[Request, Tags], Awaitable[Response]]
"""The answer to a request that holds a file (`multipart/form-data`): classify reads none itself."""


async def here(subject: str, body: str, post: str | None) -> Classification:
    """The classification by this process, in a thread."""
    from services.classify.classifier import classify_texts  # noqa: PLC0415

    return await asyncio.to_thread(classify_texts, subject, body, post)


class Apart:
    """The classification by a process of its own, which is there while previews come."""

    def __init__(self, idle_seconds: float = IDLE_SECONDS) -> None:
        self._idle_seconds = idle_seconds
        self._pool: ProcessPoolExecutor | None = None
        self._asked = 0
        self._end: asyncio.TimerHandle | None = None

    async def __call__(self, subject: str, body: str, post: str | None) -> Classification:
        """The tags; the first time it takes some seconds. Raises Unavailable."""
        if self._end is not None:
            self._end.cancel()
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                1, mp_context=multiprocessing.get_context("spawn"), initializer=_in_process
            )
            logger.info("preview: process started")
        pool = self._pool
        self._asked += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                pool, _classified, subject, body, post
            )
        except BrokenProcessPool:
            # Killed, for want of memory perhaps: the next preview starts another.
            if self._pool is pool:
                self.stop()
            raise Unavailable("the preview's process has ended") from None
        finally:
            self._asked -= 1
            if self._pool is not None and not self._asked:
                loop = asyncio.get_running_loop()
                self._end = loop.call_later(self._idle_seconds, self.stop)

    @property
    def running(self) -> bool:
        """Whether there is a process now."""
        return self._pool is not None

    def stop(self) -> None:
        """End the process, without waiting for it. Never raises."""
        if self._end is not None:
            self._end.cancel()
            self._end = None
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None


def router(classify: Classify, documents: Documents, settings: Settings) -> APIRouter:
    """The route of previews."""
    routes = APIRouter(tags=["notes"], dependencies=[needs(Role.READ, Role.SUBMIT)])

    async def tags(draft: Draft) -> Preview:
        found = await classify(draft.subject, draft.body, draft.post)
        return Preview(
            subject=draft.subject,
            body=draft.body,
            release=found.release,
            themes=found.themes,
            countries=found.countries,
            organisations=found.organisations,
        )

    @routes.post(
        PATH,
        response_model=None,
        summary="Ce qui serait lu dans un document, les thèmes et pays qu'un texte recevrait ; "
        "rien n'en est conservé",
        responses={
            200: {
                "model": Preview,
                "description": "Les thèmes, pays et organismes trouvés ; pour un fichier de "
                "plusieurs documents (courriel, archive), une réponse par ligne.",
                "content": {NDJSON: {"schema": {"type": "object"}}},
            },
            **problems.responses(400, 413, 415, 422, 503),
        },
        openapi_extra=_request(),
    )
    async def post_preview(request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == MULTIPART:
            return await documents(request, tags)
        if kind != JSON:
            raise ProblemError(
                415,
                detail=f"Types admis : {JSON} (une note) et {MULTIPART} (un document).",
                headers={"Accept-Post": f"{JSON}, {MULTIPART}"},
            )
        # Off the event loop: a large note takes a while to read, others go on meanwhile.
        raw = await _body(request, settings.max_body_bytes)
        draft, held = await asyncio.to_thread(read_draft, raw, settings.approved_levels)
        found = (await tags(draft)).model_copy(update=held.as_fields())
        return Response(found.model_dump_json(exclude_none=True), media_type=JSON)

    return routes


def read_draft(raw: bytes, approved: frozenset[Level] = frozenset()) -> tuple[Draft, Protection]:
    """The text to tag in the bytes of a JSON body, and the protection that it would have.

    Raises ProblemError: 400 for no JSON, 422, also for a classified document.
    """
    given = _given(raw)
    seen = _checked(marks.of_fields(given), approved)
    warned: tuple[str, ...] = ()
    wanted: list[dict[str, str]] = []
    try:
        if isinstance(given, dict):
            warned = in_our_words(given)
            wanted = words_to_mark(given)
            raw = json.dumps(given).encode()
        draft = Draft.model_validate_json(raw)
        draft = draft.model_copy(update={"marked_spans": of_words(draft, wanted)})
    except Unmarkable as error:
        raise ProblemError(422, errors=[{"field": error.field, "detail": str(error)}]) from None
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        if errors[0]["type"] == "json_invalid":
            raise ProblemError(400, "JSON non valide") from None
        raise ProblemError(422, errors=complaints(errors)) from None
    found = look(draft.subject, draft.body)
    _checked(found.marks, approved)
    return draft, protection(draft, found, seen).also(warned)


def _given(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None  # no JSON, which the reading of the draft says


def _checked(found: Marks, approved: frozenset[Level]) -> Marks:
    """Return these marks. Raises ProblemError where they are a document's that may not be kept."""
    refused = marks.refused(found, approved)
    if refused is not None:
        raise ProblemError.of(refused)
    return found


async def _body(request: Request, limit: int) -> bytes:
    counts_itself(request)
    raw = bytearray()
    try:
        async for part in request.stream():
            raw += part
            if len(raw) > limit:
                raise ProblemError(413)
    except ClientDisconnect:
        raise ProblemError(400, detail="L'envoi a été interrompu.") from None
    return bytes(raw)


def _classified(subject: str, body: str, post: str | None) -> Classification:
    from services.classify.classifier import classify_texts  # noqa: PLC0415

    return classify_texts(subject, body, post)


def _in_process() -> None:
    """The preview's process ends with the one that started it, and by nothing else."""
    refuse_inspection()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, name="parent", daemon=True).start()


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _request() -> dict[str, Any]:
    return {
        "requestBody": {
            "required": True,
            "content": {
                JSON: {
                    "schema": Draft.model_json_schema()
                    | {"example": {"subject": "Réforme des retraites", "body": "…"}}
                },
                MULTIPART: {
                    "schema": {
                        "type": "object",
                        "required": ["file"],
                        "properties": {
                            "file": {"type": "string", "format": "binary"},
                            "metadata": {
                                "type": "object",
                                "description": "Champs de la note, comme pour un dépôt.",
                            },
                        },
                    },
                    "encoding": {"metadata": {"contentType": JSON}},
                },
            },
        }
    }
