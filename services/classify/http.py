"""Reclassification over HTTP: `POST /api/v1/reclassify`, told line by line while it runs.

The work is done by a process of its own at a low priority (`child`), on either deployment.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, Query, Request, Response

from schemas.access import Role
from schemas.answers import Problem
from schemas.journal import Action
from services.classify.reclassify import Line
from services.runtime import problems
from services.runtime.access.gate import needs
from services.runtime.journal import enter
from services.runtime.problems import ProblemError, problem
from services.runtime.told import NDJSON, RETRY_AFTER_SECONDS, Told, not_from_a_page, told

logger = logging.getLogger("valise.classify")

PATH = "/api/v1/reclassify"
COMMAND = (sys.executable, "-m", "services.classify.child", "reclassify")

LINE_BYTES = 4 * 1024 * 1024
"""Longest line of an answer: a summary with every tag there is has 0.1 MB."""

EXIT_SECONDS = 4.0
"""What a run gets to end when its server stops: the server itself has 10 s."""

ENDED = problem(
    500, detail="Le reclassement s'est interrompu. Le relancer : il reprend où il s'est arrêté."
)


class Runs:
    """The reclassification of this server: one at a time, in a process of its own."""

    def __init__(
        self, env: Mapping[str, str] | None = None, command: Sequence[str] = COMMAND
    ) -> None:
        """`env` is added to this process's environment."""
        self._env = dict(env or {})
        self._command = list(command)
        self._starting = asyncio.Lock()
        self._run: Run | None = None

    async def begin(self, dry_run: bool) -> "Run":
        """A run that has begun. Raises ProblemError (409) while another has not ended."""
        async with self._starting:
            if self._run is not None and not self._run.ended:
                raise ProblemError(
                    409,
                    "Reclassement en cours",
                    "Un reclassement est déjà en cours ; recommencer quand il sera terminé.",
                    headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
                )
            process = await asyncio.create_subprocess_exec(
                *self._command,
                *(["--dry-run"] if dry_run else []),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=os.environ | self._env,
                limit=LINE_BYTES,
                # Ctrl-C in the server's terminal is the server's business, which tells this one.
                start_new_session=True,
            )
            logger.info("reclassify: process %d started", process.pid)
            self._run = Run(process)
            return self._run

    async def stop(self) -> None:
        """End a run that goes on, within EXIT_SECONDS. Never raises."""
        if self._run is not None:
            await self._run.stop()


class Run:
    """One reclassification in its process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._last = Line()
        self._leaving: asyncio.Task[None] | None = None

    @property
    def ended(self) -> bool:
        """Whether its process is gone."""
        return self._process.returncode is not None

    async def line(self) -> bytes:
        """What it says next; empty once it has ended. A sudden end is said as a problem."""
        assert self._process.stdout is not None
        said = await self._process.stdout.readline()
        if said:
            self._last = Line.model_validate_json(said)
            return said
        code = await self._process.wait()
        if self._last.summary or self._last.problem:
            return b""
        logger.error("reclassify: ended with code %d", code)
        self._last = Line(problem=ENDED)
        return self._last.model_dump_json(exclude_none=True).encode() + b"\n"

    @property
    def problem(self) -> Problem | None:
        """The problem in which it ended."""
        return self._last.problem

    def leave(self) -> None:
        """Nobody listens any more: it stops, once what it published has been brought to its end."""
        if self._leaving is None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._leaving = asyncio.create_task(self._heard_out())

    async def stop(self) -> None:
        """End it; kill it where that takes longer than EXIT_SECONDS."""
        self.leave()
        try:
            async with asyncio.timeout(EXIT_SECONDS):
                await self._process.wait()
        except TimeoutError:
            logger.warning("reclassify: not ended in time, killed: to be run again")
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    async def _heard_out(self) -> None:
        """Read to the end, so that it never waits for a reader."""
        assert self._process.stdout is not None
        while await self._process.stdout.read(LINE_BYTES):
            pass
        await self._process.wait()


def router(runs: Runs) -> APIRouter:
    """The route of reclassification, for administrators."""
    routes = APIRouter(tags=["administration"], dependencies=[needs(Role.ADMINISTER)])

    @routes.post(
        PATH,
        summary="Reclasser toutes les notes avec la version présente du classement",
        status_code=200,
        response_class=Told,
        response_model=None,
        responses=_responses(),
    )
    async def post_reclassify(
        request: Request,
        dry_run: bool = Query(False, description="Ne rien publier : dire ce qui changerait."),
    ) -> Response:
        not_from_a_page(request)
        await enter(request, Action.ADMINISTERED, "notes", what="reclassify", dry_run=dry_run)
        return await told(await runs.begin(dry_run))

    return routes


def _responses() -> dict[int | str, dict[str, Any]]:
    return {
        200: {
            "model": Line,
            "description": "Une ligne JSON à la fois : « progress » pendant le travail, puis "
            "« summary », ou « problem ». Si la connexion est coupée, le travail s'arrête "
            "proprement ; le relancer le reprend.",
            "content": {NDJSON: {"schema": {"type": "object"}}},
        },
        **problems.responses(403, 409, 422, 500, 503),
    }
