"""Many documents at once: memory for some of them, a moment's patience for the others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.ingest import room
from services.ingest.form import SPOOL_BYTES
from services.ingest.formats import apart
from services.ingest.room import Room
from services.runtime.errors import Unavailable
from tests.contract.log_places import eventually
from tests.ingest.conftest import open_office
from tests.ingest.test_files import html, kept, send


async def test_a_document_waits_until_another_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Room(100)
    entered: list[int] = []

    async def stay(size: int, leave: asyncio.Event) -> None:
        async with place.of(size):
            entered.append(size)
            await leave.wait()

    first, second = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as posts:
        posts.create_task(stay(60, first))
        posts.create_task(stay(50, second))
        posts.create_task(stay(40, second))
        await asyncio.sleep(0.01)
        assert entered == [60, 40]  # one that is small enough does not wait for a large one
        monkeypatch.setattr(room, "WAIT_SECONDS", 0.05)
        with pytest.raises(Unavailable):
            await stay(1, second)
        first.set()
        await asyncio.sleep(0.01)
        assert entered == [60, 40, 50]
        second.set()
    await stay(1_000, second)  # larger than all the room: alone in it
    assert entered[-1] == 1_000


@asynccontextmanager
async def nobody_reads() -> AsyncIterator[asyncio.Semaphore]:
    """All who read documents are busy with others; the turns for which one waits."""
    turns = asyncio.Semaphore(apart.AT_ONCE)
    apart._turns[asyncio.get_running_loop()] = turns
    for _ in range(apart.AT_ONCE):
        await turns.acquire()
    try:
        yield turns
    finally:
        for _ in range(apart.AT_ONCE):
            turns.release()


async def test_a_counsellor_whose_document_finds_no_room_is_asked_to_send_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "WAIT_SECONDS", 0.2)
    size = SPOOL_BYTES * 2
    async with open_office(tmp_path, documents_bytes=size) as office:
        large = [html(f"BER-{number}") + b" " * size for number in (1, 2)]
        async with nobody_reads() as turns:
            first = asyncio.create_task(send(office, "un.html", large[0], {"post": "berlin"}))
            await eventually(lambda: turns._waiters)  # it has the room
            second = await send(office, "deux.html", large[1], {"post": "berlin"})
            assert second.status_code == 503
            assert int(second.headers["Retry-After"]) > 0
            assert (await office.send()).status_code == 202  # text does not wait for documents
        assert (await first).status_code == 202
        again = await send(office, "deux.html", large[1], {"post": "berlin"})
        assert again.status_code == 202
        assert len(kept(office)) == 2
