"""Many documents at once: memory for some of them, a moment's patience for the others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from services.ingest import app, room
from services.ingest.form import SPOOL_BYTES
from services.ingest.formats.turns import AT_ONCE, Asker, Turns
from services.ingest.room import Room
from services.runtime.errors import Unavailable
from tests.contract.log_places import eventually
from tests.ingest.conftest import open_office
from tests.ingest.test_files import html, kept, send


async def test_a_document_waits_until_another_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Room(100)
    entered: list[int] = []

    async def stay(size: int, leave: asyncio.Event) -> None:
        async with place.of(size, f"key:{size}"):
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


async def test_one_callers_documents_leave_room_for_the_next_caller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room, "WAIT_SECONDS", 0.05)
    place = Room(100)
    async with place.of(30, "key:1"), place.of(20, "key:1"):
        with pytest.raises(Unavailable):
            async with place.of(1, "key:1"):
                pass
        async with place.of(50, "key:2"):
            pass
    async with place.of(100, "key:1"):
        pass  # what is large has all of it where nothing else of theirs is there


@asynccontextmanager
async def nobody_reads(turns: Turns) -> AsyncIterator[None]:
    """All who read documents are busy with others."""
    async with AsyncExitStack() as busy:
        for caller in range(AT_ONCE):
            await busy.enter_async_context(turns.turn(Asker(f"other:{caller}")))
        yield


async def test_a_counsellor_whose_document_finds_no_room_is_asked_to_send_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "WAIT_SECONDS", 0.2)
    turns = Turns()
    monkeypatch.setattr(app, "Room", lambda size: Room(size, turns))
    size = SPOOL_BYTES * 2
    async with open_office(tmp_path, documents_bytes=size) as office:
        large = [html(f"BER-{number}") + b" " * size for number in (1, 2)]
        async with nobody_reads(turns):
            first = asyncio.create_task(send(office, "un.html", large[0], {"post": "berlin"}))
            await eventually(lambda: turns.waiting)  # it has the room
            second = await send(office, "deux.html", large[1], {"post": "berlin"})
            assert second.status_code == 503
            assert int(second.headers["Retry-After"]) > 0
            assert (await office.send()).status_code == 202  # text does not wait for documents
        assert (await first).status_code == 202
        again = await send(office, "deux.html", large[1], {"post": "berlin"})
        assert again.status_code == 202
        assert len(kept(office)) == 2
