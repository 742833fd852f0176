"""Rebuild over HTTP: `POST /api/v1/index/rebuild`, told line by line while it runs."""

import asyncio
import logging
from typing import Any

from fastapi import APIRouter, Request, Response

from schemas.access import Role
from schemas.answers import Problem
from schemas.journal import Action
from services.runtime import problems
from services.runtime.access.gate import needs
from services.runtime.errors import Unavailable
from services.runtime.journal import enter
from services.runtime.log import Log
from services.runtime.problems import ProblemError, problem
from services.runtime.registry import Registry
from services.runtime.told import NDJSON, RETRY_AFTER_SECONDS, Told, not_from_a_page, told
from services.search.index import Index, RebuildLost
from services.search.rebuild import Line, NotWhole, Progress, rebuild

logger = logging.getLogger("valise.search")

PATH = "/api/v1/index/rebuild"

EXIT_SECONDS = 1.5
"""What a rebuild gets to end the batch in hand when its server stops, and again to end broken off:
the server itself has 10 s, and the log is stopped after this. What is left over goes at the next
start."""

ENDED = "La reconstruction s'est interrompue ; l'index en place continue de servir. La relancer."


class Rebuilds:
    """The rebuild of this server: one at a time."""

    def __init__(self, log: Log, index: Index, registry: Registry) -> None:
        self._log = log
        self._index = index
        self._registry = registry
        self._run: Run | None = None

    def begin(self) -> "Run":
        """A rebuild that has begun. Raises ProblemError (409) while another has not ended."""
        if self._run is not None and not self._run.ended:
            raise ProblemError(
                409,
                "Reconstruction en cours",
                "Une reconstruction est déjà en cours ; recommencer quand elle sera terminée.",
                headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
            )
        self._run = Run(self._log, self._index, self._registry)
        return self._run

    async def stop(self) -> None:
        """End a rebuild that goes on, within EXIT_SECONDS. Never raises."""
        if self._run is not None:
            await self._run.stop()


class Run:
    """One rebuild and what it says."""

    def __init__(self, log: Log, index: Index, registry: Registry) -> None:
        self._lines: asyncio.Queue[Line | None] = asyncio.Queue()
        self._stopping = asyncio.Event()
        self._task = asyncio.create_task(self._work(log, index, registry), name="rebuild")
        self.problem: Problem | None = None
        """The problem in which it ended, once that was said."""

    @property
    def ended(self) -> bool:
        """Whether nothing of it goes on."""
        return self._task.done()

    async def line(self) -> bytes:
        """What it says next; empty once it has ended."""
        said = await self._lines.get()
        if said is None:
            return b""
        self.problem = said.problem
        return said.model_dump_json(exclude_none=True).encode() + b"\n"

    def leave(self) -> None:
        """Nobody listens any more: it gives the new index up, unless that is being put in place."""
        self._stopping.set()

    async def stop(self) -> None:
        """End it, broken off where it takes longer than EXIT_SECONDS. Never raises."""
        self.leave()
        _, late = await asyncio.wait([self._task], timeout=EXIT_SECONDS)
        if late:
            logger.warning("rebuild: not ended in time, broken off: to be run again")
            self._task.cancel()
            await asyncio.wait([self._task], timeout=EXIT_SECONDS)

    async def _work(self, log: Log, index: Index, registry: Registry) -> None:
        def tell(progress: Progress) -> None:
            self._lines.put_nowait(Line(progress=progress))

        last = Line(problem=problem(500, detail=ENDED))
        try:
            done = await rebuild(log, index, tell=tell, stopping=self._stopping, registry=registry)
            last = Line(summary=done)
        except Unavailable as error:
            logger.warning("rebuild: given up: %s", error.reason)
            last = Line(problem=problem(503))
        except RebuildLost:
            logger.warning("rebuild: given up: another one has begun")
            last = Line(problem=problem(409, "Reconstruction remplacée", LOST))
        except NotWhole as error:
            logger.error("rebuild: given up: %s", error)  # noqa: TRY400  (no trace: a finding)
            last = Line(problem=problem(500, "Nouvel index incomplet", not_whole(error)))
        except Exception:
            logger.exception("rebuild: failed")
        finally:
            self._lines.put_nowait(last)
            self._lines.put_nowait(None)


LOST = (
    "Le nouvel index a disparu : une autre reconstruction a commencé depuis. "
    "L'index en place n'a pas changé."
)


def not_whole(error: NotWhole) -> str:
    """What is said of an index that was not put in place."""
    return (
        f"Le nouvel index a {error.held} notes au lieu de {error.wanted}. Il a été abandonné ; "
        "l'index en place n'a pas changé."
    )


def rebuilding(rebuilds: Rebuilds) -> APIRouter:
    """The route of rebuilding. For administrators, as that of reclassification."""
    routes = APIRouter(tags=["administration"], dependencies=[needs(Role.ADMINISTER)])

    @routes.post(
        PATH,
        summary="Refaire l'index à partir du journal, sans interrompre la recherche",
        status_code=200,
        response_class=Told,
        response_model=None,
        responses=_responses(),
    )
    async def post_rebuild(request: Request) -> Response:
        not_from_a_page(request)
        await enter(request, Action.ADMINISTERED, "index", what="rebuild")
        return await told(rebuilds.begin())

    return routes


def _responses() -> dict[int | str, dict[str, Any]]:
    return {
        200: {
            "model": Line,
            "description": "Une ligne JSON à la fois : « progress » pendant le travail, puis "
            "« summary », ou « problem ». Si la connexion est coupée avant l'échange, le nouvel "
            "index est abandonné ; relancer recommence proprement.",
            "content": {NDJSON: {"schema": {"type": "object"}}},
        },
        **problems.responses(403, 409, 500, 503),
    }
