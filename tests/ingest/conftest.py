"""An ingest service for each test, on a registry and a log of its own."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from schemas.events import NoteEvent, decode
from schemas.topics import SUBMITTED
from services.ingest.app import compose
from services.runtime import web
from services.runtime.log import Log, Record
from services.runtime.log.sqlite import SqliteLog
from services.runtime.registry import Registry
from services.runtime.settings import Settings
from tests.keys import HEADERS, admit_everything

BERLIN = {
    "post": "berlin",
    "reference": "BER-2026-0142",
    "date": "2026-03-04",
    "subject": "Réforme des retraites : le rapport de la commission",
    "body": "La commission allemande propose de porter l'âge de départ à 68 ans.",
}


@dataclass
class Office:
    """A running ingest service and what lies behind it."""

    app: FastAPI
    client: httpx.AsyncClient
    registry: Registry
    log: Log
    data: Path

    async def send(self, **changes: Any) -> httpx.Response:
        """Submit Berlin's note; fields can be changed."""
        return await self.client.post("/api/v1/notes", json=BERLIN | changes)

    async def send_raw(
        self, content: Any, kind: str = "application/json", **headers: str
    ) -> httpx.Response:
        """Submit these bytes as that type."""
        return await self.client.post(
            "/api/v1/notes", content=content, headers={"Content-Type": kind, **headers}
        )

    async def send_lines(self, *lines: bytes, **headers: str) -> list[dict[str, Any]]:
        """Submit these lines as NDJSON; the answers."""
        response = await self.send_raw(b"\n".join(lines), "application/x-ndjson", **headers)
        assert response.status_code == 200, response.text
        assert response.headers["Content-Type"] == "application/x-ndjson"
        return [httpx.Response(200, text=line).json() for line in response.text.splitlines()]

    async def logged(self) -> list[NoteEvent]:
        """All events that the log has, in its order."""
        return [decode(NoteEvent, record.value or b"") for record in await self.records()]

    async def records(self) -> list[Record]:
        """All records of the log."""
        return [each async for batch in self.log.replay(SUBMITTED.name) for each in batch]

    @contextmanager
    def away(self, name: str) -> Iterator[None]:
        """The `log` or the `registry` takes no writes: another program holds its file."""
        other = sqlite3.connect(self.data / f"{name}.sqlite3", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")
            other.close()


def engines(data: Path) -> tuple[Registry, SqliteLog]:
    """A registry and a log in that folder."""
    return Registry(f"sqlite:///{data / 'registry.sqlite3'}"), SqliteLog(data / "log.sqlite3")


@asynccontextmanager
async def open_office(data: Path, **settings: Any) -> AsyncIterator[Office]:
    """An ingest service on engines in that folder."""
    registry, log = engines(data)
    admit_everything(registry)
    app = compose(registry, log, Settings(data=data, **settings))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=transport, base_url="http://valise", timeout=60, headers=HEADERS
        ) as client,
    ):
        yield Office(app, client, registry, log, data)


@asynccontextmanager
async def listening(app: FastAPI) -> AsyncIterator[str]:
    """The address of that application behind a real HTTP server (started and stopped with it)."""
    with web.listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        server = web.Server(app)
        async with app.router.lifespan_context(app):
            task = asyncio.create_task(server.serve([listener]))
            try:
                yield f"http://127.0.0.1:{port}"
            finally:
                server.should_exit = True
                await task


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with open_office(tmp_path) as found:
        yield found
