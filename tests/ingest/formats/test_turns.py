"""Turns for reading files: who goes first, who lets others pass, and how long anybody waits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.ingest.formats import Unreadable, extract, turns
from services.ingest.formats.apart import extract_apart
from services.ingest.formats.turns import WAITING_OF_CALLER, Asker, Turn, Turns
from services.runtime.errors import Unavailable
from tests.contract.log_places import eventually
from tests.ingest.formats.making import zipped

A, B, C = (Asker(caller) for caller in "abc")
PREVIEW = Asker("p", preview=True)


class Line:
    """Who waits and who has had a turn, in order."""

    def __init__(self, asked: Turns) -> None:
        self.turns = asked
        self.had: list[str] = []
        self.go_on: dict[int, asyncio.Event] = {}
        self.tasks: list[asyncio.Task[None]] = []

    async def ask(self, asker: Asker, name: str = "") -> asyncio.Event:
        """Ask for a turn, which lasts until the event is set."""
        done = asyncio.Event()

        async def wait() -> None:
            async with self.turns.turn(asker):
                self.had.append(name or asker.caller)
                await done.wait()

        self.tasks.append(asyncio.create_task(wait()))
        await settled()
        return done


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@asynccontextmanager
async def line(**given: bool) -> AsyncIterator[Line]:
    made = Line(Turns(**given))
    try:
        yield made
    finally:
        for task in made.tasks:
            task.cancel()
        await asyncio.gather(*made.tasks, return_exceptions=True)
    assert not made.turns.waiting
    assert not made.turns._held
    assert not made.turns._served


@pytest.fixture
def due(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every turn is due at once."""
    monkeypatch.setattr(turns, "QUICK_SECONDS", 0.0)


async def test_previews_leave_a_place_for_submissions() -> None:
    async with line() as queue:
        for _ in range(6):
            await queue.ask(PREVIEW)
        assert queue.had == ["p"]
        await queue.ask(A)
        assert queue.had == ["p", "a"]


async def test_where_no_submission_comes_previews_have_all_places() -> None:
    async with line(for_submissions=False) as queue:
        for _ in range(3):
            await queue.ask(PREVIEW)
        assert queue.had == ["p", "p"]


async def test_submissions_go_before_previews_and_callers_take_turns() -> None:
    async with line() as queue:
        first, second = await queue.ask(A, "a1"), await queue.ask(A, "a2")
        await queue.ask(PREVIEW)
        third = await queue.ask(A, "a3")
        await queue.ask(A, "a4")
        fourth = await queue.ask(B, "b1")
        await queue.ask(B, "b2")
        first.set()
        await settled()
        assert queue.had[2:] == ["b1"], "who has none goes first"
        second.set()
        await settled()
        assert queue.had[3:] == ["a3"]
        third.set()
        await settled()
        fourth.set()
        await settled()
        assert queue.had[4:] == ["a4", "b2"]


async def test_who_has_waited_long_enough_is_no_longer_put_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with line() as queue:
        first = await queue.ask(A)
        await queue.ask(B)
        await queue.ask(PREVIEW)
        await queue.ask(C)
        monkeypatch.setattr(turns, "AGED_SECONDS", 0.0)
        first.set()
        await settled()
        assert queue.had == ["a", "b", "p"]


@pytest.mark.usefixtures("due")
async def test_a_turn_ends_for_another_caller_and_not_for_ones_own() -> None:
    asked = Turns()
    async with asked.turn(A) as first, asked.turn(A) as second, line() as queue:
        queue.turns = asked
        await queue.ask(A)
        await queue.ask(PREVIEW)
        await asyncio.sleep(0.01)
        assert not first.over.is_set()
        assert not second.over.is_set()
        await queue.ask(B)
        assert first.over.is_set()
        assert not second.over.is_set(), "one waits: one ends"
        for task in queue.tasks:
            task.cancel()
        await asyncio.gather(*queue.tasks, return_exceptions=True)
        queue.tasks, queue.turns = [], Turns()


async def test_what_is_slow_leaves_a_place_for_what_is_quick() -> None:
    async with line() as queue:
        await queue.ask(A.slower(), "slow")
        await queue.ask(B.slower(), "slow too")
        await queue.ask(C, "quick")
        assert queue.had == ["slow", "quick"]


async def test_a_wait_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "WAIT_SECONDS", 0.02)
    async with line() as queue:
        await queue.ask(A)
        await queue.ask(B)
        with pytest.raises(Unavailable) as told:
            async with queue.turns.turn(C):
                pass
        assert told.value.retry_after > 0


async def test_so_many_of_a_caller_wait_and_no_more() -> None:
    async with line() as queue:
        for _ in range(2 + WAITING_OF_CALLER):
            await queue.ask(A)
        with pytest.raises(Unavailable):
            async with queue.turns.turn(A):
                pass
        await queue.ask(B)
        assert queue.turns.waiting == WAITING_OF_CALLER + 1


async def test_who_hangs_up_as_the_turn_comes_keeps_no_place() -> None:
    async with line() as queue:
        first = await queue.ask(A)
        await queue.ask(B)
        await queue.ask(C)
        first.set()
        queue.tasks[-1].cancel()
        await settled()
        await queue.ask(A, "next")
        assert queue.had[-1] == "next"


async def test_a_slow_archive_lets_others_pass_and_is_read_to_its_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    (tmp_path / "slow.py").write_text(
        "import sys, time\n"
        "from services.ingest.formats import child, documents, sandbox\n"
        "read = documents.read\n"
        "def slow(part):\n"
        "    if part.name.startswith('slow.zip'):\n"
        f"        open({str(begun)!r}, 'a').write(part.name + ' ')\n"
        "        time.sleep(0.5)\n"
        "    return read(part)\n"
        "documents.read = slow\n"
        "sandbox.confine = lambda *_: False\n"  # it notes what it reads
        "child.main(sys.stdin.buffer, sys.stdout.buffer)\n"
    )
    monkeypatch.setattr("services.ingest.formats.apart.PROGRAM", (str(tmp_path / "slow.py"),))
    monkeypatch.setattr(turns, "QUICK_SECONDS", 0.1)
    archive = zipped({f"{name}.txt": f"Note {name}\n\nRetraites." for name in "abc"})
    asked, ended = Turns(1), []

    async def read(data: bytes, name: str, asker: Asker) -> None:
        assert await extract_apart(data, name, None, asked, asker) == extract(data, name)
        ended.append(name)

    async with asyncio.TaskGroup() as all_of_them:
        all_of_them.create_task(read(archive, "slow.zip", A))
        await eventually(begun.exists)
        all_of_them.create_task(read(b"Note\n\nRetraites.", "quick.txt", B))
    assert ended == ["quick.txt", "slow.zip"]
    read_in_all = begun.read_text().split()
    assert read_in_all.count("slow.zip/c.txt") == 1
    assert len(read_in_all) > 3, "it was ended in the midst of a document, which was read anew"


class Once(Turns):
    """Gives one turn, which is over with the first document, and no other."""

    given = False

    @asynccontextmanager
    async def turn(self, asker: Asker) -> AsyncIterator[Turn]:
        if self.given:
            raise Unavailable("no turn")
        self.given = True
        turn = Turn(asker.slower())
        turn.over.set()
        yield turn


async def test_a_file_whose_next_turn_does_not_come_keeps_what_was_read() -> None:
    archive = zipped({f"{name}.txt": f"Note {name}\n\nRetraites." for name in "abc"})
    first, rest = await extract_apart(archive, "n.zip", None, Once())
    assert first == extract(archive, "n.zip")[0]
    assert isinstance(rest, Unreadable)
    assert (rest.status, rest.name) == (422, "n.zip")
    assert "qui manquent" in rest.detail


async def test_a_file_that_gets_no_turn_at_all_is_to_be_sent_again() -> None:
    never = Once()
    never.given = True
    with pytest.raises(Unavailable):
        await extract_apart(b"Note", "n.txt", None, never)
