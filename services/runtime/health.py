"""Health for machines: is this process alive, and is it ready to serve."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic

from fastapi import APIRouter
from fastapi.responses import JSONResponse

Check = Callable[[], Awaitable[str | bool | None]]
"""Looks at one thing: None or True where it is well, else False or the reason."""

LIMIT_SECONDS = 3.0
"""All checks run at once and none takes longer, so that a probe of 5 s gets its answer."""

REMEMBERED_SECONDS = 1.0
"""Checks of readiness cost 9 ms, and anybody may ask as often as he likes: they run once in that
time, whatever they found."""

OK = "ok"


def health_router(
    *,
    live: Mapping[str, Check],
    ready: Mapping[str, Check],
    warn: Mapping[str, Check] | None = None,
    limit: float = LIMIT_SECONDS,
) -> APIRouter:
    """`/health/live` and `/health/ready`, each from named checks.

    Answers 200, or 503 where a check fails, raises or takes longer than `limit` seconds:
    `{"status": "ok" | "down", "checks": {name: "ok" | reason}}`. What the checks of `warn` find
    stands beside them, under `warnings`, and changes nothing of the verdict. What those of
    `ready` and `warn` found is believed for REMEMBERED_SECONDS.
    """
    readiness = _Briefly({**ready, **(warn or {})}, limit)
    router = APIRouter(tags=["health"], responses={503: {"description": "It does not"}})

    @router.get("/health/live", summary="Whether this process gets anywhere")
    async def answer_live() -> JSONResponse:
        return _answer(await run_checks(live, limit))

    @router.get("/health/ready", summary="Whether this process can serve now")
    async def answer_ready() -> JSONResponse:
        return _answer(await readiness.found(), warn or {})

    return router


class _Briefly:
    """Checks whose results are believed for a moment; all who ask meanwhile get the same."""

    def __init__(self, checks: Mapping[str, Check], limit: float) -> None:
        self._checks = checks
        self._limit = limit
        self._one_at_a_time = asyncio.Lock()
        self._found: dict[str, str] = {}
        self._until = -math.inf

    async def found(self) -> dict[str, str]:
        """What they found, at most REMEMBERED_SECONDS ago."""
        async with self._one_at_a_time:
            if monotonic() >= self._until:
                self._found = await run_checks(self._checks, self._limit)
                self._until = monotonic() + REMEMBERED_SECONDS
            return self._found


async def run_checks(checks: Mapping[str, Check], limit: float = LIMIT_SECONDS) -> dict[str, str]:
    """`ok` or the reason for each check, all run at once. Never raises."""
    verdicts = await asyncio.gather(*(_verdict(check, limit) for check in checks.values()))
    return dict(zip(checks, verdicts, strict=True))


async def _verdict(check: Check, limit: float) -> str:
    try:
        async with asyncio.timeout(limit):
            found = await check()
    except TimeoutError:
        return f"no answer within {limit:g} s"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if found is None or found is True:
        return OK
    return found or "does not answer"


def _answer(found: Mapping[str, str], warn: Mapping[str, Check] | None = None) -> JSONResponse:
    verdicts = {name: said for name, said in found.items() if name not in (warn or {})}
    warnings = {name: said for name, said in found.items() if name not in verdicts}
    well = all(verdict == OK for verdict in verdicts.values())
    content = {"status": OK if well else "down", "checks": verdicts}
    return JSONResponse(
        content | ({"warnings": warnings} if warn else {}),
        status_code=200 if well else 503,
        headers={"Cache-Control": "no-store"},
    )
