"""Composition root of ingest: its routes and its relay, alone or within another application."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Self

from fastapi import APIRouter, FastAPI

from schemas.topics import ALL
from services.ingest import correction_routes, http, language, original_routes, revise_routes
from services.ingest.formats.sandbox import warn_of_gaps
from services.ingest.relay import relay_forever
from services.ingest.room import Room
from services.runtime import metrics, openapi, problems
from services.runtime.access import gate
from services.runtime.access.sessions import Sessions
from services.runtime.guard import headers, limits
from services.runtime.health import health_router
from services.runtime.journal import Journal, install
from services.runtime.log import Log
from services.runtime.originals import Originals
from services.runtime.registry import Registry, aside
from services.runtime.settings import Settings


class Ingest:
    """The running part of ingest: while entered, its relay finishes what was left pending."""

    def __init__(self, registry: Registry, log: Log, settings: Settings) -> None:
        self.registry = registry
        self.log = log
        self.settings = settings
        folder = settings.originals_folder
        self.originals = None if folder is None else Originals(folder)
        self.room = Room(settings.documents_bytes)
        self._relay: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start the relay. Raises Unavailable where the folder of originals cannot be read."""
        warn_of_gaps()
        if self.originals is not None:
            await asyncio.to_thread(self.originals.sweep)
        await asyncio.to_thread(language.load)
        self._relay = asyncio.create_task(relay_forever(self.registry, self.log), name="relay")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop it; what it leaves is found at the next start."""
        if self._relay is not None:
            self._relay.cancel()
            with suppress(asyncio.CancelledError):
                await self._relay

    async def health(self) -> str | None:
        """None while the relay runs, else why it does not."""
        if self._relay is None or not self._relay.done():
            return None
        return "the relay of pending receipts has ended"


def routers(ingest: Ingest, settings: Settings) -> list[APIRouter]:
    """What ingest answers over HTTP."""
    return [
        http.router(ingest.registry, ingest.log, ingest.originals, ingest.room, settings),
        original_routes.router(ingest.registry, ingest.originals),
        correction_routes.router(ingest.registry, ingest.log, settings),
        revise_routes.router(ingest.registry, ingest.log, ingest.originals, ingest.room, settings),
    ]


def compose(registry: Registry, log: Log, settings: Settings) -> FastAPI:
    """The application of ingest on these engines, which it starts and stops.

    It does not start without its registry and its log; once started it outlives their outages.
    """
    ingest = Ingest(registry, log, settings)
    journal = Journal(registry, settings.journal_days)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(registry.migrate)
        await log.provision(ALL)
        await log.start()
        try:
            async with journal, ingest:
                yield
        finally:
            await log.stop()
            await asyncio.to_thread(registry.close)

    app = FastAPI(title="Valise : dépôt", lifespan=lifespan, openapi_url=None)
    openapi.install(app)
    problems.install(app)
    gate.install(app, gate.Gate(registry, sessions=Sessions(registry, settings)))
    install(app, journal)
    limits.install(app, settings)
    headers.install(app, settings)
    app.include_router(
        health_router(
            live={"relay": ingest.health, "journal": journal.health},
            ready={"log": log.ready, "registry": lambda: aside(registry.ready)},
        )
    )
    metrics.install(app)
    for routes in routers(ingest, settings):
        app.include_router(routes)
    return app
