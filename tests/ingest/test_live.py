"""Ingest on real Kafka and PostgreSQL."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import make_url

from schemas.answers import State
from schemas.vocabulary import subthemes
from services.ingest.app import compose
from services.runtime.log.kafka import KafkaLog
from services.runtime.registry import Registry
from services.runtime.settings import Settings
from tests.ingest.conftest import BERLIN, Office
from tests.keys import HEADERS, admit_everything
from tests.runtime.registry_kit import Line, own_schema, rendered

pytestmark = pytest.mark.live


@pytest.fixture
def line(engine: Callable[[str], str]) -> Iterator[tuple[Line, str]]:
    """A line to PostgreSQL, and the address of an own schema through it."""
    with own_schema(engine("DATABASE")) as schema:
        url = make_url(schema)
        line = Line(url.host or "127.0.0.1", url.port or 5432)
        yield line, rendered(url.set(host="127.0.0.1", port=line.port))
        line.close()


@pytest.fixture
async def office(
    tmp_path: Path, engine: Callable[[str], str], line: tuple[Line, str]
) -> AsyncIterator[Office]:
    settings = Settings(
        data=tmp_path,
        kafka=engine("KAFKA"),
        elasticsearch="http://127.0.0.1:9",  # ingest never asks it
        database=line[1],
        topic_prefix=f"test-{uuid4().hex[:12]}.",
    )
    registry, log = Registry(settings.registry_url), KafkaLog(settings)
    admit_everything(registry)
    app = compose(registry, log, settings)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=transport, base_url="http://valise", timeout=60, headers=HEADERS
        ) as client,
    ):
        yield Office(app, client, registry, log, tmp_path)


async def test_a_note_is_in_kafka_when_its_receipt_says_so(office: Office) -> None:
    assert (await office.client.get("/health/ready")).status_code == 200
    assert (await office.send()).status_code == 202
    (event,) = await office.logged()
    assert event.note.subject == BERLIN["subject"]
    assert (await office.send()).json()["outcome"] == "duplicate"
    assert (await office.send(subject="Apprentissage")).status_code == 409
    receipt = office.registry.receipt(event.note_id)
    assert receipt is not None
    assert receipt.state is State.RECEIVED


async def test_corrections_at_once_are_all_in_kafka_and_the_last_one_stands(
    office: Office,
) -> None:
    note = (await office.send()).json()["id"]
    codes = list(subthemes())[:8]
    answers = await asyncio.gather(
        *(
            office.client.post(
                f"/api/v1/notes/{note}/corrections", json={"themes": [code], "countries": []}
            )
            for code in codes
        )
    )
    assert [each.status_code for each in answers] == [202] * 8
    assert sorted(each.json()["correction"] for each in answers) == list(range(1, 9))
    events = await office.logged()
    assert {event.correction for event in events} == set(range(9))
    assert events[-1].correction == 8


async def test_a_thousand_lines_are_a_thousand_notes(office: Office) -> None:
    sent = [json.dumps(BERLIN | {"reference": f"BER-{n}"}).encode() for n in range(1_000)]
    answers = await office.send_lines(*sent, sent[0])
    assert [each["status"] for each in answers] == [202] * 1_000 + [200]
    assert len({event.note_id for event in await office.logged()}) == 1_000


async def test_ingest_outlives_an_outage_of_postgresql(
    office: Office, line: tuple[Line, str]
) -> None:
    assert (await office.send()).status_code == 202
    line[0].cut()
    response = await office.send(reference="BER-2")
    assert response.status_code == 503
    assert response.headers["Retry-After"]
    assert (await office.client.get("/health/ready")).status_code == 503
    line[0].mend()
    assert (await office.send(reference="BER-2")).status_code == 202
    assert len(await office.logged()) == 2


async def test_ingest_answers_while_postgresql_is_silent(
    office: Office, line: tuple[Line, str]
) -> None:
    line[0].freeze()
    assert (await office.send()).status_code == 503
    line[0].thaw()
    assert (await office.send()).status_code in {200, 202}
    assert len({event.event_id for event in await office.logged()}) == 1
