"""An administrator's desk: search and classify's worker on one log, in one process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from schemas.events import NoteEvent, encode
from schemas.topics import CLASSIFIED, SUBMITTED
from services.classify.app import worker as classify_worker
from services.runtime.dead_letters import DeadLetter
from services.runtime.log import Entry, Record
from services.runtime.log.sqlite import SqliteLog
from services.runtime.registry import Key, LetterFilter, LetterRow, Registry, Submission
from services.runtime.settings import Settings
from services.search import app as search
from services.search.index.embedded import TantivyIndex
from tests.contract.log_places import eventually
from tests.keys import HEADERS, admit_everything

READER = {SUBMITTED.name: "classify", CLASSIFIED.name: "search"}


class Desk:
    """The parts of a deployment, and an administrator's client."""

    def __init__(self, data: Path) -> None:
        settings = Settings(data=data)
        self.data = data
        self.log = SqliteLog(data / "log.sqlite3")
        self.registry = Registry(settings.registry_url)
        self.index = TantivyIndex(data / "index")
        self.app = search.compose(self.index, self.registry, self.log, settings)
        self.classify = classify_worker(self.log, settings)
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="http://valise.test", headers=HEADERS
        )

    def receive(self, *events: NoteEvent) -> None:
        """Have the registry know these notes as ingest would have told it."""
        bare = [
            NoteEvent(**{name: getattr(event, name) for name in NoteEvent.model_fields})
            for event in events
        ]
        self.registry.begin([Submission(event, f"hash of {event.note_id}") for event in bare])
        self.registry.mark_received([Key(event.note_id, event.revision) for event in bare])

    async def write(self, topic: str, key: Any, event: NoteEvent | bytes | None) -> None:
        """Append an event, or what is none, to a topic."""
        value = encode(event) if isinstance(event, NoteEvent) else event
        await self.log.append(topic, [Entry(str(key).encode(), value)])

    async def park(
        self, topic: str, key: Any, event: NoteEvent | bytes, reason: str, *, offset: int = 1000
    ) -> int:
        """Have a service of a former release have parked that record; the letter's number."""
        value = encode(event) if isinstance(event, NoteEvent) else event
        known = {letter.id for letter in self.letters()}
        record = Record(topic, 0, offset, str(key).encode(), value, {"trace": b"00-ab"}, 0)
        letter = DeadLetter.of(record, reason=reason, service=READER[topic], at=datetime.now(UTC))
        await self.log.append(f"{topic}.dead", [letter.entry()])

        def kept() -> int | None:
            return next((each.id for each in self.letters() if each.id not in known), None)

        return int(await eventually(kept))

    def letters(self) -> list[LetterRow]:
        """All letters, newest first."""
        return self.registry.letters(LetterFilter(), 100)

    async def get(self, path: str, **parameters: Any) -> Any:
        """What the API answers, which must be 200."""
        answer = await self.http.get(f"/api/v1{path}", params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: Any = None, **parameters: Any) -> httpx.Response:
        """What the API answers."""
        return await self.http.post(f"/api/v1{path}", params=parameters, json=body)

    async def last(self, topic: str, key: Any) -> bytes | None:
        """The value that lies last under a key; fails where nothing does."""
        found: dict[bytes | None, bytes | None] = {}
        async for batch in self.log.replay(topic):
            found |= {record.key: record.value for record in batch}
        return found[str(key).encode()]


@asynccontextmanager
async def open_desk(data: Path, *, classifying: bool = True) -> AsyncIterator[Desk]:
    """The desk, its workers reading; without classify's where it is away."""
    desk = Desk(data)
    admit_everything(desk.registry)
    if classifying:
        desk.classify.subscribe()
    async with desk.app.router.lifespan_context(desk.app), desk.http:
        yield desk
