"""Composition root of search: its routes and workers, alone or within another application."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from schemas.topics import ALL, CLASSIFIED, CLASSIFIED_DEAD, SUBMITTED_DEAD
from services.runtime import metrics, openapi, problems
from services.runtime.access import gate
from services.runtime.access.sessions import Sessions
from services.runtime.guard import headers, limits
from services.runtime.health import health_router
from services.runtime.journal import Journal, install
from services.runtime.log import Log
from services.runtime.registry import Registry, aside
from services.runtime.settings import Settings
from services.runtime.worker import Worker
from services.search import administration, http, journal_http, keys_http, pages, post_notes
from services.search.handlers import SERVICE, letter_keeper, processor
from services.search.index import Index
from services.search.rebuild_http import Rebuilds, rebuilding
from services.search.sign_in import routes as sign_in
from services.search.superseded import withhold

GROUP = "search"
"""The beginning of the groups under which this service reads. That of the notes ends in the index's
generation: an index that was made anew gets the whole log."""

READS = (CLASSIFIED, SUBMITTED_DEAD, CLASSIFIED_DEAD)
"""The topics that it reads, one worker each."""

BATCH = 400
"""Notes per batch: two pieces, so that one is read while the other is indexed."""

LETTERS_AT_ONCE = 20
"""Dead letters per batch: each may be as large as the largest note."""


def routers(index: Index, registry: Registry, settings: Settings) -> list[APIRouter]:
    """What search answers over HTTP: the API, the feeds, the pages."""
    return [
        post_notes.router(registry),
        keys_http.router(registry),
        journal_http.router(registry),
        http.api(index, registry),
        http.feeds(index, registry, settings),
        pages.pages(index, registry),
        sign_in.router(settings),
    ]


def install_pages(app: FastAPI) -> None:
    """Have the application's errors shown as pages to people; after `problems.install`."""
    pages.install_errors(app)


def workers(log: Log, index: Index, registry: Registry, settings: Settings) -> list[Worker]:
    """Who reads the log for search, in the order of READS: notes into the index, dead letters
    into the registry."""
    indexer = Worker(
        service=SERVICE,
        log=log,
        topic=CLASSIFIED,
        dead=CLASSIFIED_DEAD,
        group=lambda: f"{GROUP}.{index.generation}",
        process=processor(index, registry, log),
        max_records=BATCH,
        stall_seconds=settings.stall_seconds,
    )
    keepers = [
        Worker(
            service=SERVICE,
            log=log,
            topic=letters,
            dead=letters,
            # A group per topic: one group over two would rebalance both whenever one joins.
            group=f"{GROUP}.{letters.name}",
            process=letter_keeper(registry, index),
            max_records=LETTERS_AT_ONCE,
            stall_seconds=settings.stall_seconds,
        )
        for letters in READS[1:]
    ]
    return [indexer, *keepers]


def compose(index: Index, registry: Registry, log: Log, settings: Settings) -> FastAPI:
    """The application of search on these engines, which it starts and stops."""
    reading = workers(log, index, registry, settings)
    rebuilds = Rebuilds(log, index, registry)
    journal = Journal(registry, settings.journal_days)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(registry.migrate)
        await log.provision(ALL)
        await index.start()
        await withhold(index, registry)
        for worker in reading:
            worker.subscribe()
        await log.start()
        try:
            async with journal:
                yield
        finally:
            await rebuilds.stop()
            await log.stop()
            await index.stop()
            await asyncio.to_thread(registry.close)

    app = FastAPI(title="Valise : recherche", lifespan=lifespan, openapi_url=None)
    openapi.install(app)
    problems.install(app)
    gate.install(app, gate.Gate(registry, sessions=Sessions(registry, settings)))
    install(app, journal)
    limits.install(app, settings)
    headers.install(app, settings)
    app.include_router(
        health_router(
            live={
                **{topic.name: worker.health for topic, worker in zip(READS, reading, strict=True)},
                "journal": journal.health,
            },
            ready={
                "index": index.ready,
                "registry": lambda: aside(registry.ready),
                "log": log.ready,
            },
        )
    )
    metrics.install(app, reading)
    for routes in (
        *routers(index, registry, settings),
        rebuilding(rebuilds),
        administration.router(index, registry, log, settings),
    ):
        app.include_router(routes)
    install_pages(app)
    return app
