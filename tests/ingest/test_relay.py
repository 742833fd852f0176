"""The relay: what a crash or an outage left pending reaches the log."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from schemas.answers import State
from schemas.events import NoteEvent, decode
from schemas.topics import SUBMITTED
from services.ingest.app import Ingest
from services.ingest.relay import relay_forever, relay_once
from services.ingest.submit import TooLarge, submit
from services.runtime.errors import Unprocessable
from services.runtime.log import Entry
from services.runtime.log.sqlite import SqliteLog
from services.runtime.registry import Registry
from services.runtime.settings import Settings
from tests.ingest.conftest import Office, engines
from tests.runtime.registry_kit import submission

PATIENCE_SECONDS = 60


@asynccontextmanager
async def running_relay(registry: Registry, log: SqliteLog) -> AsyncIterator[None]:
    task = asyncio.create_task(relay_forever(registry, log, age=0, pause=0.05))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until_received(registry: Registry, reference: str = "BER-2026-0142") -> None:
    wanted = submission(reference=reference).event.note_id
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            found = await asyncio.to_thread(registry.receipt, wanted)
            if found is not None and found.state is State.RECEIVED:
                return
            await asyncio.sleep(0.02)


async def until_logged(log: SqliteLog, count: int) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if len(set(await references(log))) >= count:
                return
            await asyncio.sleep(0.02)


async def references(log: SqliteLog) -> list[str]:
    return [
        decode(NoteEvent, record.value or b"").note.reference
        async for batch in log.replay(SUBMITTED.name)
        for record in batch
    ]


async def test_a_kill_between_registry_and_log_loses_nothing(tmp_path: Path) -> None:
    killed = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tests.ingest.dies_before_append", str(tmp_path)],
        timeout=PATIENCE_SECONDS,
    )
    assert killed.returncode == -signal.SIGKILL
    registry, log = engines(tmp_path)
    await log.provision([SUBMITTED])
    await log.start()
    left = registry.receipt(submission().event.note_id)
    assert left is not None
    assert left.state is State.PENDING
    assert await references(log) == []
    async with running_relay(registry, log):
        await until_received(registry)
    assert await references(log) == ["BER-2026-0142"]
    await log.stop()
    registry.close()


async def test_a_service_that_is_told_to_stop_stops_whatever_its_relay_does(
    tmp_path: Path,
) -> None:
    registry, log = engines(tmp_path)
    registry.migrate()
    await log.provision([SUBMITTED])
    async with asyncio.timeout(PATIENCE_SECONDS):
        for turn in range(150):
            async with Ingest(registry, log, Settings(data=tmp_path)):
                # Stopped at another point of its first look each time.
                await asyncio.sleep(turn * 0.000_03)
    await log.stop()
    registry.close()


async def test_an_outage_of_the_log_is_waited_out(office: Office) -> None:
    assert isinstance(office.log, SqliteLog)
    with office.away("log"):
        response = await office.send()
        assert response.status_code == 503
    async with running_relay(office.registry, office.log):
        await until_received(office.registry)
    assert "BER-2026-0142" in await references(office.log)
    assert (await office.send()).json()["state"] == "received"


async def test_an_outage_of_the_registry_does_not_end_the_relay(office: Office) -> None:
    assert isinstance(office.log, SqliteLog)
    office.registry.begin([submission()])
    with office.away("registry"):
        relay = running_relay(office.registry, office.log)
        await relay.__aenter__()
        # It writes to the log first, and then cannot say so.
        await until_logged(office.log, 1)
    await until_received(office.registry)
    await relay.__aexit__(None, None, None)


async def test_a_note_still_on_its_way_is_left_to_its_request(office: Office) -> None:
    office.registry.begin([submission()])
    assert await relay_once(office.registry, office.log, age=60) == 0
    assert await relay_once(office.registry, office.log, age=0) == 1
    assert await relay_once(office.registry, office.log, age=0) == 0


async def test_more_than_one_batch_is_finished(office: Office) -> None:
    assert isinstance(office.log, SqliteLog)
    office.registry.begin([submission(reference=f"BER-{number}") for number in range(230)])
    async with running_relay(office.registry, office.log):
        await until_logged(office.log, 230)


class NarrowLog(SqliteLog):
    """A log that takes no entry above 2,000 bytes, as a broker with such a limit."""

    async def append(self, topic: str, entries: Sequence[Entry]) -> None:
        """Raises Unprocessable where one is larger."""
        if any(len(entry.value or b"") > 2_000 for entry in entries):
            raise Unprocessable("too large")
        await super().append(topic, entries)


@pytest.fixture
async def narrow(tmp_path: Path) -> AsyncIterator[tuple[Registry, SqliteLog]]:
    registry, log = engines(tmp_path)[0], NarrowLog(tmp_path / "log.sqlite3")
    registry.migrate()
    await log.provision([SUBMITTED])
    await log.start()
    yield registry, log
    await log.stop()
    registry.close()


async def test_a_note_the_log_can_never_take_is_refused_and_its_neighbours_are_not(
    narrow: tuple[Registry, SqliteLog],
) -> None:
    registry, log = narrow
    sent = [
        submission(reference="BER-1"),
        submission(reference="BER-2", body="mot " * 2_000),
        submission(reference="BER-3"),
    ]
    first, second, third = await submit(registry, log, sent)
    assert not isinstance(first, TooLarge)
    assert isinstance(second, TooLarge)
    assert not isinstance(third, TooLarge)
    assert first.state is third.state is State.RECEIVED
    assert registry.receipt(sent[1].event.note_id) is None
    assert await references(log) == ["BER-1", "BER-3"]


async def test_the_relay_does_not_try_for_ever_what_the_log_can_never_take(
    narrow: tuple[Registry, SqliteLog],
) -> None:
    registry, log = narrow
    registry.begin(
        [submission(reference="BER-1", body="mot " * 2_000), submission(reference="BER-2")]
    )
    assert await relay_once(registry, log, age=0) == 2
    assert await relay_once(registry, log, age=0) == 0
    assert await references(log) == ["BER-2"]
