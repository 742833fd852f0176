"""P16: search with everything that rights add, against the same search without any of it.

Both are the search service on one index in one process: embedded (tantivy, SQLite) and distributed
(Elasticsearch, PostgreSQL). Ours has the gate, limits, headers, journal, and the reader's audience
in every query; its peer knows one caller and asks the index for all that is in force.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from types import ModuleType
from typing import Any

import httpx
from fastapi import FastAPI, Request
from tantivy import Query as Tantivy

from benchmarks.engines import Engines
from benchmarks.indexing import drop
from benchmarks.notes import classified_notes, event
from benchmarks.pairs import Measured, Scale, p95
from benchmarks.searches import SEARCHES
from schemas.access import Caller
from schemas.query import Reader
from services.ingest.accept import content_hash
from services.runtime import problems
from services.runtime.access import gate, keys
from services.runtime.access.first import ORDER
from services.runtime.guard import headers, limits
from services.runtime.journal import Journal, install
from services.runtime.registry import Registry, Submission
from services.runtime.settings import Settings
from services.search import app as search
from services.search.index import Index, elastic_query, embedded_query
from services.search.index.elastic import ElasticIndex
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


@dataclass(frozen=True, slots=True)
class Place:
    """One deployment's engines: settings, index, and where its queries get a reader's rights."""

    name: str
    settings: Settings
    index: Index
    queries: ModuleType
    everything: Callable[[Reader], list[Any]]
    """What is in force, for whomever; of a note with passages the whole document."""


def embedded(engines: Engines) -> Place:
    """Tantivy and SQLite."""

    def everything(reader: Reader) -> list[Tantivy]:
        del reader
        return [embedded_query.notes_in_force()]

    settings = Settings(data=engines.folder())
    index = TantivyIndex(settings.data / "index")
    return Place("embedded", settings, index, embedded_query, everything)


def distributed(engines: Engines) -> Place:
    """Elasticsearch and PostgreSQL."""

    def everything(reader: Reader) -> list[dict[str, Any]]:
        del reader
        return [elastic_query.NOTES_IN_FORCE]

    settings = engines.settings()
    return Place("distributed", settings, ElasticIndex(settings), elastic_query, everything)


def measure(scale: Scale, engines: Engines) -> list[Measured]:
    """A result for each deployment: p95 with rights in parts of p95 without."""
    number = scale.of(4_000, 50_000)
    found = []
    for place_of in (embedded, distributed):
        place = place_of(engines)
        ours, peer = asyncio.run(_asked(place, number, scale.of(24, 40)))
        found.append(
            Measured("P16", f"search p95 with rights, limits and journal ÷ without, {place.name}",
                     p95(ours) / p95(peer), GOAL, better="lower", figures={
                         "ours_p95_ms": round(p95(ours), 2),
                         "without_p95_ms": round(p95(peer), 2),
                         "ours_p50_ms": round(median(ours), 2),
                         "without_p50_ms": round(median(peer), 2),
                         "notes": number, "searches": len(ours)})
        )  # fmt: skip
    return found


async def _asked(place: Place, number: int, rounds: int) -> tuple[list[float], list[float]]:
    """Milliseconds of each search, by rounds with rights and without; the first one warms up.

    What the journal took is written before the other's round: no peer waits for it.
    """
    found: tuple[list[float], list[float]] = ([], [])
    rights = place.queries.rights
    async with _served(place, number) as (guarded, open_to_all, journal):
        try:
            for turn in range(rounds + 1):
                # The one that is asked first finds colder caches: in turns.
                for at in (0, 1) if turn % 2 else (1, 0):
                    place.queries.rights = place.everything if at else rights
                    took = await _round(open_to_all if at else guarded, SEARCHES)
                    await journal.flush()
                    if turn:
                        found[at].extend(took)
        finally:
            place.queries.rights = rights
    return found


@asynccontextmanager
async def _served(
    place: Place, number: int
) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient, Journal]]:
    """A client of the service as it is, one of the service without all that, and the journal."""
    settings, index = place.settings, place.index
    registry = Registry(settings.registry_url)
    registry.migrate()
    secret = keys.new()
    registry.add_key(ORDER, secret.label, secret.hash, datetime.now(UTC))
    journal = Journal(registry, settings.journal_days)
    await index.start()
    try:
        for at in range(0, number, BATCH):
            made = classified_notes(min(BATCH, number - at), seed=16_000 + at)
            # As in service: a note that the registry has not makes every page ask twice.
            registry.begin([Submission(event(each.note), content_hash(each.note)) for each in made])
            await index.apply(made)
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
            yield ours, peer, journal
    finally:
        await index.stop()
        registry.close()
        if settings.elasticsearch:
            await drop(settings)


def _application(index: Index, registry: Registry, settings: Settings, door: gate.Gate) -> FastAPI:
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


async def _round(client: httpx.AsyncClient, searches: Sequence[str]) -> list[float]:
    """Milliseconds of each of these, one after the other."""
    took = []
    for asked in searches:
        before = time.perf_counter()
        answer = await client.get(f"/api/v1/search?{asked}")
        answer.raise_for_status()
        took.append((time.perf_counter() - before) * 1_000)
    return took
