"""P16: search with everything that rights add, against the same search without any of it.

Both are the search service on one embedded index in one process. Ours has the gate, the limits,
the headers, the journal and the reader's audience in every query; its peer knows one caller and
asks the index for all that is in force.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from fastapi import FastAPI, Request
from tantivy import Query as Tantivy

from benchmarks.engines import Engines
from benchmarks.notes import classified_notes
from benchmarks.pairs import Measured, Scale, p95
from benchmarks.searches import SEARCHES
from schemas.access import Caller
from schemas.query import Reader
from services.runtime import problems
from services.runtime.access import gate, keys
from services.runtime.access.first import ORDER
from services.runtime.guard import headers, limits
from services.runtime.journal import Journal, install
from services.runtime.registry import Registry
from services.runtime.settings import Settings
from services.search import app as search
from services.search.index import embedded_query
from services.search.index.embedded import TantivyIndex

GOAL = 1.1
BATCH = 200


class OneCaller(gate.Gate):
    """A gate that everybody passes as the administrator."""

    async def caller(self, request: Request) -> Caller:
        """The administrator, whatever is shown."""
        del request
        rights = ORDER.rights
        return Caller(
            id="key:1", name="x", roles=rights.roles, posts=rights.posts, reader=rights.reader("x")
        )


def everything(reader: Reader) -> list[Tantivy]:
    """What is in force, for whomever; of a note with passages the whole document."""
    del reader
    return [embedded_query.notes_in_force()]


def measure(scale: Scale, engines: Engines) -> list[Measured]:
    """One result: p95 with rights in parts of p95 without."""
    number = scale.of(4_000, 50_000)
    ours, peer = asyncio.run(_asked(engines.folder(), number, scale.of(12, 40)))
    return [
        Measured("P16", "search p95 with rights, limits and journal ÷ without, embedded",
                 p95(ours) / p95(peer), GOAL, better="lower", figures={
                     "ours_p95_ms": round(p95(ours), 2), "without_p95_ms": round(p95(peer), 2),
                     "ours_p50_ms": round(median(ours), 2),
                     "without_p50_ms": round(median(peer), 2),
                     "notes": number, "searches": len(ours)}),
    ]  # fmt: skip


async def _asked(folder: Path, number: int, rounds: int) -> tuple[list[float], list[float]]:
    """Milliseconds of each search, with rights and without in turn; the first round warms up."""
    found: tuple[list[float], list[float]] = ([], [])
    rights = embedded_query.rights
    async with _served(folder, number) as (guarded, open_to_all):
        try:
            for turn in range(rounds + 1):
                for asked in SEARCHES:
                    # The one that is asked first finds colder caches: in turns.
                    for at in (0, 1) if turn % 2 else (1, 0):
                        embedded_query.rights = everything if at else rights
                        took = await _timed(open_to_all if at else guarded, asked)
                        if turn:
                            found[at].append(took)
        finally:
            embedded_query.rights = rights
    return found


@asynccontextmanager
async def _served(
    folder: Path, number: int
) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    """A client of the service as it is, and one of the service without all that."""
    settings = Settings(data=folder)
    registry = Registry(settings.registry_url)
    registry.migrate()
    secret = keys.new()
    registry.add_key(ORDER, secret.label, secret.hash, datetime.now(UTC))
    index = TantivyIndex(folder / "index")
    journal = Journal(registry, settings.journal_days)
    await index.start()
    try:
        for at in range(0, number, BATCH):
            await index.apply(classified_notes(min(BATCH, number - at), seed=16_000 + at))
        await index.refresh()
        guarded, open_to_all = (
            _application(index, registry, settings, door)
            for door in (gate.Gate(registry), OneCaller(registry))
        )
        install(guarded, journal)
        limits.install(guarded, settings)
        headers.install(guarded, settings)
        shown = {"Authorization": f"Bearer {secret}"}
        async with journal, _client(guarded, shown) as ours, _client(open_to_all, {}) as peer:
            yield ours, peer
    finally:
        await index.stop()
        registry.close()


def _application(
    index: TantivyIndex, registry: Registry, settings: Settings, door: gate.Gate
) -> FastAPI:
    application = FastAPI()
    problems.install(application)
    gate.install(application, door)
    for routes in search.routers(index, registry, settings):
        application.include_router(routes)
    return application


def _client(application: FastAPI, shown: dict[str, str]) -> Any:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(application), base_url="http://valise.test", headers=shown
    )


async def _timed(client: httpx.AsyncClient, asked: str) -> float:
    before = time.perf_counter()
    answer = await client.get(f"/api/v1/search?{asked}")
    answer.raise_for_status()
    return (time.perf_counter() - before) * 1_000
