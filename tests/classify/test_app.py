"""The classify service: its application on a log, as `valise run classify` serves it."""

import asyncio
import time
import uuid
from pathlib import Path

import httpx
import pytest
from fastapi import Request, Response

from schemas.events import ClassifiedNote, decode, encode
from schemas.topics import CLASSIFIED, SUBMITTED
from services.classify import app
from services.classify.preview import Tags
from services.runtime.errors import Unavailable
from services.runtime.log import Entry, Log
from services.runtime.log.sqlite import SqliteLog
from services.runtime.registry import Registry
from services.runtime.settings import Settings
from tests.builders import a_note, an_event

WITHIN = 60.0
SETTINGS = Settings()


async def no_documents(request: Request, tags: Tags) -> Response:
    raise AssertionError("nobody previews here")


async def journey(log: Log, settings: Settings) -> None:
    """A note appended to the log of a running service is classified, and the service is well."""
    served = app.compose(log, Registry(settings.registry_url), no_documents, settings)
    event = an_event(a_note(reference=f"BER-{uuid.uuid4()}"))
    async with served.router.lifespan_context(served):
        await log.append(
            SUBMITTED.name, [Entry(key=str(event.note_id).encode(), value=encode(event))]
        )
        until = time.monotonic() + WITHIN
        found: list[ClassifiedNote] = []
        while not found and time.monotonic() < until:
            await asyncio.sleep(0.05)
            found = [
                decode(ClassifiedNote, one.value or b"")
                async for batch in log.replay(CLASSIFIED.name)
                for one in batch
            ]
        assert [one.event_id for one in found] == [event.event_id]
        transport = httpx.ASGITransport(served)
        async with httpx.AsyncClient(transport=transport, base_url="http://valise") as client:
            for path in ("/health/live", "/health/ready"):
                assert (await client.get(path)).status_code == 200


async def test_the_service_classifies_what_comes_on_the_embedded_log(tmp_path: Path) -> None:
    await journey(SqliteLog(tmp_path / "log.sqlite3"), SETTINGS)


async def test_the_service_does_not_start_without_its_log(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    served = app.compose(
        SqliteLog(tmp_path / "file" / "log.sqlite3"),
        Registry(SETTINGS.registry_url),
        no_documents,
        SETTINGS,
    )
    with pytest.raises(Unavailable):
        async with served.router.lifespan_context(served):
            pass


@pytest.mark.live
async def test_the_service_classifies_what_comes_on_kafka(engine) -> None:  # type: ignore[no-untyped-def]
    from services.runtime.log.kafka import KafkaLog

    settings = Settings(kafka=engine("KAFKA"), topic_prefix=f"t{uuid.uuid4().hex[:8]}.")
    await journey(KafkaLog(settings), settings)
