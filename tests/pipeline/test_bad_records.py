"""Every kind of bad record among good ones: the good ones are found, each bad one is parked.

The bad records are written straight to the log, past ingest, as a faulty program would.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import create_engine, text

from schemas.events import encode
from schemas.note import Note
from schemas.topics import SUBMITTED
from services.runtime.log import Entry, Log
from services.runtime.log.kafka import KafkaLog
from services.runtime.log.sqlite import SqliteLog
from services.runtime.settings import Settings
from tests.builders import an_event
from tests.pipeline.corpus import samples
from tests.pipeline.deployments import Deployment, Embedded, deployment_of, running
from tests.pipeline.test_kills import total, wait_until

GOOD = [an_event(Note.model_validate(sample)) for sample in samples()]


REASONS = {
    "empty": "JSON",
    "not JSON": "JSON",
    "not UTF-8": "JSON",
    "not an event": "event_id",
    "unknown version": "schema",
    "unknown field": "ajout",
    "unknown kind": "kind",
    "foreign key": "another note than its key",
    "foreign id": "not the id of this post and reference",
    "not an id": "not a note id",
    "deep nesting": "JSON",
    "ten megabytes": "JSON",
}
"""What an administrator must find in the reason of each."""


def bad_records() -> dict[str, Entry]:
    """One entry for each way in which a record can be bad."""
    event = an_event(Note.model_validate(samples()[0] | {"reference": "MAUVAISE"}))
    good = encode(event)
    key = str(event.note_id).encode()
    return {
        "empty": Entry(key, b""),
        "not JSON": Entry(key, b"Monsieur le Ministre,"),
        "not UTF-8": Entry(key, b'{"schema": 1, "note": "\xe9\xff"}'),
        "not an event": Entry(key, b'{"schema": 1}'),
        "unknown version": Entry(key, good.replace(b'"schema":1', b'"schema":99')),
        "unknown field": Entry(key, good.replace(b'"schema":1', b'"schema":1,"ajout":true')),
        "unknown kind": Entry(key, good.replace(b'"submitted"', '"brûlée"'.encode())),
        "foreign key": Entry(str(uuid4()).encode(), good),
        "foreign id": Entry(key, good.replace(b'"MAUVAISE"', b'"AUTRE"')),
        "not an id": Entry(b"sans identifiant", good),
        "deep nesting": Entry(key, b'{"note":' * 5_000),
        "ten megabytes": Entry(key, b"x" * 10_000_000),
    }


@dataclass
class Pipeline:
    """A running deployment, its log, and the URL of its registry."""

    deployment: Deployment
    settings: Settings

    def log(self) -> Log:
        if self.settings.distributed:
            return KafkaLog(self.settings)
        return SqliteLog(self.settings.data / "log.sqlite3")


@pytest.fixture(params=["embedded", pytest.param("distributed", marks=pytest.mark.live)])
def pipeline(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pipeline]:
    deployment = deployment_of(request.param, tmp_path, "bad", request)
    if isinstance(deployment, Embedded):
        settings = Settings(data=deployment.data)
    else:
        settings = Settings.from_env(deployment.env)
    with running(deployment):
        yield Pipeline(deployment, settings)


async def test_good_notes_are_found_and_each_bad_record_is_parked_with_its_reason(
    pipeline: Pipeline,
) -> None:
    bad = bad_records()
    mixed: list[Entry] = []
    for number, event in enumerate(GOOD):
        mixed.append(Entry(str(event.note_id).encode(), encode(event)))
        mixed += list(bad.values())[number : number + 1]
    assert len(mixed) == len(GOOD) + len(bad)

    log = pipeline.log()
    await log.start()
    try:
        await log.append(SUBMITTED.name, mixed)
    finally:
        await log.stop()

    await asyncio.to_thread(wait_until, lambda: total(pipeline.deployment) == len(GOOD), 60)
    await asyncio.to_thread(wait_until, lambda: len(letters(pipeline.settings)) == len(bad), 30)
    parked = letters(pipeline.settings)
    expected = sorted((entry.value or b"", REASONS[name]) for name, entry in bad.items())
    for (value, reason, origin), (sent, wanted) in zip(sorted(parked), expected, strict=True):
        assert value == sent
        assert wanted in reason
        assert SUBMITTED.name in origin
    async with httpx.AsyncClient() as http:
        live = await http.get(f"{pipeline.deployment.search}/health/live")
    assert live.status_code == 200


def letters(settings: Settings) -> list[tuple[bytes, str, str]]:
    """Value, reason and origin of the parked records of this deployment, from its registry."""
    engine = create_engine(settings.registry_url)
    try:
        with engine.connect() as connection:
            rows = connection.execute(text("SELECT value, reason, origin FROM dead_letters"))
            return [(bytes(value), reason, origin) for value, reason, origin in rows]
    finally:
        engine.dispose()
