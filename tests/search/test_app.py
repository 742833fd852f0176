"""The search service as a whole, on the embedded engines: from the log to the reader."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from schemas.events import encode
from schemas.topics import CLASSIFIED, SUBMITTED_DEAD
from services.runtime.log import Entry
from services.runtime.log.sqlite import SqliteLog
from services.runtime.registry import Registry
from services.runtime.settings import Settings
from services.search import app as search
from services.search.index.embedded import TantivyIndex
from tests.keys import HEADERS, admit_everything
from tests.search import corpus
from tests.search.test_handlers import bad_records, dead

BOUND_SECONDS = 30
"""A note is searchable within a second; a busy machine may take many times that."""


class Service:
    """The running application, the log that it reads, and a reader."""

    def __init__(self, folder: Path) -> None:
        settings = Settings(data=folder)
        self.log = SqliteLog(folder / "log.sqlite3")
        self.registry = Registry(settings.registry_url)
        admit_everything(self.registry)
        self.index = TantivyIndex(folder / "index")
        self.app = search.compose(self.index, self.registry, self.log, settings)
        self.reader = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="http://valise.test", headers=HEADERS
        )


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """The service, started."""
    service = Service(tmp_path)
    async with service.app.router.lifespan_context(service.app), service.reader:
        yield service


async def eventually(found: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it is so; fails after BOUND_SECONDS."""
    async with asyncio.timeout(BOUND_SECONDS):
        while not await found():  # noqa: ASYNC110  (what is awaited is outside this process)
            await asyncio.sleep(0.02)


async def test_notes_on_the_log_are_found_and_followed_and_bad_records_kept_with_reasons(
    service: Service,
) -> None:
    # The log itself refuses an entry without a key.
    bad = [record for record in bad_records().values() if record.key is not None]
    good = [Entry(str(note.note_id).encode(), encode(note)) for note in corpus.ALL]
    mixed = [
        entry
        for record, note in zip(bad, good * 2, strict=False)
        for entry in (Entry(record.key, record.value), note)
    ]
    await service.log.append(CLASSIFIED.name, mixed)

    async def all_there() -> bool:
        page = (await service.reader.get("/api/v1/search")).json()
        letters = await asyncio.to_thread(service.registry.dead_letters)
        return page["total"] == len(corpus.ALL) and len(letters) == len(bad)

    await eventually(all_there)
    letters = await asyncio.to_thread(service.registry.dead_letters)
    assert {letter.value for letter in letters} == {record.value for record in bad}
    assert {letter.service for letter in letters} == {"search"}
    feed = (await service.reader.get("/feeds/sante.json")).json()
    assert [item["title"] for item in feed["items"]] == [corpus.MEDICAMENTS.note.subject]


async def test_what_classify_parked_is_kept_too(service: Service) -> None:
    letter = dead(bad_records()["not JSON"], "not JSON")
    await service.log.append(SUBMITTED_DEAD.name, [Entry(letter.key, letter.value, letter.headers)])

    async def kept() -> bool:
        return bool(await asyncio.to_thread(service.registry.dead_letters))

    await eventually(kept)
    address = f"/api/v1/notes/{corpus.RETRAITES.note_id}/trace"
    assert (await service.reader.get(address)).status_code == 404


async def test_the_service_says_that_it_is_well_and_when_it_is_not(service: Service) -> None:
    for path in ("/health/live", "/health/ready"):
        answer = await service.reader.get(path)
        assert answer.status_code == 200, answer.text
    await service.index.stop()

    async def unready() -> bool:
        return (await service.reader.get("/health/ready")).status_code == 503

    # What was found a moment ago is believed that long.
    await eventually(unready)
    answer = await service.reader.get("/health/ready")
    assert answer.json()["checks"]["registry"] == "ok"
    assert answer.json()["checks"]["index"] != "ok"
    await service.index.start()


async def test_nothing_of_the_service_loads_a_page_from_elsewhere(service: Service) -> None:
    for path in ("/docs", "/redoc"):
        assert (await service.reader.get(path)).status_code == 404
