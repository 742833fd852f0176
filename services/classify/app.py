"""Composition root of classify: its worker on a log, and the small application that carries it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from schemas.topics import ALL, SUBMITTED, SUBMITTED_DEAD
from services.classify import http, preview
from services.classify.classifier import warm_up
from services.classify.handlers import SERVICE, processor
from services.runtime import metrics, openapi, problems
from services.runtime.access import gate
from services.runtime.access.sessions import Sessions
from services.runtime.guard import headers, limits
from services.runtime.health import health_router
from services.runtime.journal import Journal, install
from services.runtime.log import Log
from services.runtime.registry import Registry
from services.runtime.settings import Settings
from services.runtime.worker import Worker

GROUP = "classify"
"""The group under which every process of this service reads."""

BATCH = 100
"""Records at once: a quarter of a second of work, so that a stop or a kill redoes little."""


def worker(log: Log, settings: Settings) -> Worker:
    """Who reads `notes.submitted` for classify."""
    return Worker(
        service=SERVICE,
        log=log,
        topic=SUBMITTED,
        dead=SUBMITTED_DEAD,
        group=GROUP,
        process=processor(log),
        max_records=BATCH,
        stall_seconds=settings.stall_seconds,
    )


def compose(
    log: Log, registry: Registry, documents: preview.Documents, settings: Settings
) -> FastAPI:
    """The application of classify on this log, which it starts and stops.

    The registry is for callers' keys and the journal alone: the worker does without it.
    `documents` previews files.
    Starting raises Misconfigured where the language model is missing, Unavailable without the log.
    """
    reading = worker(log, settings)
    runs = http.Runs()
    journal = Journal(registry, settings.journal_days)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(warm_up)
        await log.provision(ALL)
        reading.subscribe()
        await log.start()
        try:
            async with journal:
                yield
        finally:
            await asyncio.gather(runs.stop(), log.stop(), return_exceptions=True)
            await asyncio.to_thread(registry.close)

    app = FastAPI(title="Valise : classement", lifespan=lifespan, openapi_url=None)
    openapi.install(app)
    problems.install(app)
    gate.install(app, gate.Gate(registry, sessions=Sessions(registry, settings)))
    install(app, journal)
    limits.install(app, settings)
    headers.install(app, settings)
    app.include_router(
        health_router(
            live={SUBMITTED.name: reading.health, "journal": journal.health},
            ready={"log": log.ready},
        )
    )
    app.include_router(http.router(runs))
    app.include_router(preview.router(preview.here, documents, settings))
    metrics.install(app, [reading])
    return app
