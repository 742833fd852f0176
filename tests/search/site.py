"""The search service in a folder of its own, as its readers see it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from schemas.access import Role
from schemas.events import ClassifiedNote, encode
from schemas.topics import CLASSIFIED
from services.runtime import problems
from services.runtime.access import gate
from services.runtime.access.sessions import Sessions
from services.runtime.guard import headers, limits
from services.runtime.journal import Journal, install
from services.runtime.log import Record
from services.runtime.registry import Registry
from services.runtime.settings import Settings
from services.runtime.worker import Done, Parked
from services.search import app as search
from services.search.handlers import processor
from services.search.index import Index
from services.search.index.embedded import TantivyIndex
from tests.keys import HEADERS, a_key, admit_everything


class Site:
    """An index, a registry, the application on them, and a reader's client."""

    def __init__(self, folder: Path, index: Index | None = None, **settings: object) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.settings = Settings.model_validate({"data": folder, **settings})
        self.registry = Registry(self.settings.registry_url)
        self.index = index or TantivyIndex(folder / "index")
        self.app = FastAPI(docs_url=None, redoc_url=None)
        problems.install(self.app)
        gate.install(
            self.app, gate.Gate(self.registry, sessions=Sessions(self.registry, self.settings))
        )
        self.journal = Journal(self.registry, self.settings.journal_days)
        install(self.app, self.journal)
        limits.install(self.app, self.settings)
        headers.install(self.app, self.settings)
        for routes in search.routers(self.index, self.registry, self.settings):
            self.app.include_router(routes)
        search.install_pages(self.app)
        self.reader = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, raise_app_exceptions=False),
            base_url="http://valise.test",
            headers=HEADERS,
        )

    async def take(self, *notes: ClassifiedNote) -> Sequence[Done | Parked]:
        """Have the service process these classified notes, and make them visible."""
        results = await processor(self.index, self.registry)(records(*notes))
        await self.index.refresh()
        return results

    async def get(self, address: str, **given: str) -> httpx.Response:
        """What a reader's program gets at this address."""
        named = {name.replace("_", "-"): value for name, value in given.items()}
        return await self.reader.get(address, headers=named)

    def read_by(self, *roles: Role, **rights: Any) -> None:
        """From now on the client is another one: by default a reader of what bears no mark."""
        self.reader.headers.update(a_key(self.registry, *(roles or (Role.READ,)), **rights))

    async def browse(self, address: str) -> httpx.Response:
        """What a person's browser gets at this address."""
        return await self.get(address, accept="text/html,application/xhtml+xml,*/*;q=0.8")


def records(*notes: ClassifiedNote, first: int = 0) -> list[Record]:
    """The notes as they lie on `notes.classified`."""
    return [
        record(str(note.note_id).encode(), encode(note), offset=first + at)
        for at, note in enumerate(notes)
    ]


def record(
    key: bytes | None,
    value: bytes | None,
    *,
    offset: int = 0,
    topic: str = CLASSIFIED.name,
    headers: dict[str, bytes] | None = None,
) -> Record:
    """One record of a topic."""
    return Record(topic, 0, offset, key, value, headers or {}, 1_772_000_000_000)


@asynccontextmanager
async def open_site(
    folder: Path, index: Index | None = None, **settings: object
) -> AsyncIterator[Site]:
    """A running site, on the index given or else the embedded one; closed afterwards."""
    site = Site(folder, index, **settings)
    admit_everything(site.registry)
    await site.index.start()
    try:
        yield site
    finally:
        await site.reader.aclose()
        await site.index.stop()
        site.registry.close()
