"""The embedded log keeps what it acknowledged: killed, crowded, locked or full."""

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.topics import SUBMITTED, SUBMITTED_DEAD, Topic, dead
from services.runtime.errors import Unavailable
from services.runtime.log import Entry, Record, sqlite_file
from services.runtime.log.sqlite import SqliteLog
from tests.contract.log_places import TOPIC, Place, eventually, opened, running


@pytest.fixture
async def place(tmp_path) -> AsyncIterator[Place]:
    async with opened("sqlite", tmp_path) as place:
        yield place


async def everything(log: SqliteLog, topic: str = TOPIC) -> list[Record]:
    return [record async for batch in log.replay(topic) for record in batch]


def numbers(records: Sequence[Record]) -> list[int]:
    return [int(record.value or b"-1") for record in records]


@pytest.mark.parametrize("acknowledged", [1, 37, 250])
async def test_a_sender_killed_in_the_middle_loses_nothing_that_was_acknowledged(
    place: Place, acknowledged: int
):
    log = await place.provisioned()
    sender = await place.process("send")
    said: set[int] = set()
    while len(said) < acknowledged:
        said.add(int(await asyncio.wait_for(sender.stdout.readline(), 60)))
    sender.kill()
    said.update(int(line) for line in (await sender.communicate())[0].split())
    kept = await everything(log)
    assert said <= set(numbers(kept))
    assert [record.offset for record in kept] == list(range(len(kept)))
    await log.append(TOPIC, [Entry(b"note", b"1000000")])
    after = await everything(log)
    assert after[-1].offset == len(kept)
    check = sqlite3.connect(place.spec["sqlite"])
    assert check.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    check.close()


async def test_two_processes_write_at_once_and_one_reads_it_all(place: Place):
    log = await place.provisioned()
    seen: list[Record] = []

    async def take(records: Sequence[Record]) -> None:
        seen.extend(records)

    log.subscribe(TOPIC, "classify", take)
    async with running(log):
        sender = await place.process("send")
        ours = 0
        while len(seen) < 300:
            await log.append(TOPIC, [Entry(b"ici", b"%d" % (2_000_000 + ours))])
            ours += 1
            assert ours < 100_000
        sender.kill()
        said = {int(line) for line in (await sender.communicate())[0].split()}
        mine = set(range(2_000_000, 2_000_000 + ours))
        await eventually(lambda: said | mine <= set(numbers(seen)))
    assert [record.offset for record in seen] == list(range(len(seen)))
    assert [n for n in numbers(seen) if n >= 2_000_000] == sorted(mine)


async def test_many_small_notes_at_once_share_their_commits(place: Place):
    log = await place.provisioned()
    commits = await log.read(_data_version)
    await asyncio.gather(
        *(log.append(TOPIC, [Entry(b"note-%d" % number, b"%d" % number)]) for number in range(500))
    )
    kept = await everything(log)
    assert sorted(numbers(kept)) == list(range(500))
    # What another connection sees of it: far fewer changes than notes.
    assert await log.read(_data_version) - commits < 100


def _data_version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


async def test_a_locked_file_is_unavailable_within_five_seconds_and_then_works_again(place: Place):
    log = await place.provisioned()
    other = sqlite3.connect(place.spec["sqlite"], isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    with pytest.raises(Unavailable):
        await log.append(TOPIC, [Entry(b"note", b"1")])
    assert 3 < time.monotonic() - started < 25
    assert await log.ready()
    other.execute("ROLLBACK")
    other.close()
    await log.append(TOPIC, [Entry(b"note", b"2")])
    assert numbers(await everything(log)) == [2]


async def test_a_full_disk_is_unavailable_and_loses_nothing_that_was_acknowledged(place: Place):
    log = await place.provisioned()
    await log.append(TOPIC, [Entry(b"note", b"1")])
    writer, _ = await log._opened()
    pages = await writer.run(lambda connection: _limit(connection, 0))
    await writer.run(lambda connection: _limit(connection, pages + 10))
    with pytest.raises(Unavailable, match="full"):
        await log.append(TOPIC, [Entry(b"note", b"9" * 200_000)])
    assert numbers(await everything(log)) == [1]
    await writer.run(lambda connection: _limit(connection, pages + 10_000))
    await log.append(TOPIC, [Entry(b"note", b"2")])
    kept = await everything(log)
    assert (numbers(kept), [record.offset for record in kept]) == ([1, 2], [0, 1])


def _limit(connection: sqlite3.Connection, pages: int) -> int:
    if not pages:
        return int(connection.execute("PRAGMA page_count").fetchone()[0])
    return int(connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()[0])


async def test_a_file_that_cannot_be_opened_is_unavailable(tmp_path):
    for path in (tmp_path, tmp_path / "autre" / "log.sqlite3"):
        if not path.exists():
            path.parent.write_text("un fichier, pas un dossier")
        log = SqliteLog(path)
        with pytest.raises(Unavailable):
            await log.start()
        with pytest.raises(Unavailable):
            await log.append(TOPIC, [Entry(b"note", b"1")])
        assert not await log.ready()
        await log.stop()


async def test_a_file_that_is_no_log_is_unavailable(tmp_path):
    path = tmp_path / "log.sqlite3"
    path.write_bytes(b"ceci n'est pas une base " * 1_000)
    log = SqliteLog(path)
    with pytest.raises(Unavailable, match="cannot be opened"):
        await log.provision([SUBMITTED])
    await log.stop()


async def test_one_call_too_many_takes_nobody_else_down(place: Place):
    log = await place.provisioned()
    good = [log.append(TOPIC, [Entry(b"note", b"%d" % number)]) for number in range(20)]
    bad = [log.append("notes.inconnues", [Entry(b"note", b"x")]) for _ in range(5)]
    outcomes = await asyncio.gather(*good, *bad, return_exceptions=True)
    assert outcomes[:20] == [None] * 20
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes[20:])
    kept = await everything(log)
    assert sorted(numbers(kept)) == list(range(20))
    assert [record.offset for record in kept] == list(range(20))


async def test_a_stopped_log_can_be_opened_again_and_goes_on_counting(place: Place):
    log = await place.provisioned()
    await log.append(TOPIC, [Entry(b"note", b"0")])
    await log.stop()
    again = place.member()
    await again.append(TOPIC, [Entry(b"note", b"1")])
    assert [record.offset for record in await everything(again)] == [0, 1]


async def test_a_batch_of_large_notes_is_cut_before_it_fills_the_memory(place: Place):
    log = await place.provisioned()
    for number in range(5):
        await log.append(TOPIC, [Entry(b"note-%d" % number, b"x" * 10_000_000)])
    sizes = [len(batch) async for batch in log.replay(TOPIC)]
    assert sizes == [3, 2]


# Compaction


async def test_compaction_keeps_the_latest_state_of_each_note_and_its_offset(place: Place):
    log = await place.provisioned()
    for revision in range(3):
        for note in ("rome", "oslo", "lima"):
            await log.append(TOPIC, [Entry(note.encode(), b"%d" % revision)])
    await log.append(TOPIC, [Entry(b"oslo", None)])
    assert await log.compact(TOPIC, older_than_ms=0) == 7
    kept = [(record.offset, record.key, record.value) for record in await everything(log)]
    assert kept == [(6, b"rome", b"2"), (8, b"lima", b"2"), (9, b"oslo", None)]
    assert await log.compact(TOPIC, older_than_ms=0) == 0
    await log.append(TOPIC, [Entry(b"rome", b"3")])
    assert (await everything(log))[-1].offset == 10


async def test_compaction_leaves_what_a_slow_consumer_may_still_need(place: Place):
    log = await place.provisioned()
    await log.append(TOPIC, [Entry(b"rome", b"1"), Entry(b"rome", b"2")])
    assert await log.compact(TOPIC) == 0
    assert numbers(await everything(log)) == [1, 2]


async def test_offsets_are_not_given_twice_even_when_the_last_record_was_deleted(place: Place):
    short = dead(SUBMITTED, writer="classify")
    short = Topic(**{**_fields(short), "retention_ms": 1})
    log = await place.provisioned(short)
    await log.append(short.name, [Entry(b"rome", b"1"), Entry(b"rome", b"2")])
    await asyncio.sleep(0.01)
    assert await log.compact(short.name) == 2
    assert await everything(log, short.name) == []
    await log.append(short.name, [Entry(b"rome", b"3")])
    assert [record.offset for record in await everything(log, short.name)] == [2]


def _fields(topic: Topic) -> dict:
    return {name: getattr(topic, name) for name in Topic.__dataclass_fields__}


async def test_dead_letters_are_not_compacted_by_key(place: Place):
    log = await place.provisioned()
    await log.append(SUBMITTED_DEAD.name, [Entry(b"rome", b"1"), Entry(b"rome", b"2")])
    assert await log.compact(SUBMITTED_DEAD.name, older_than_ms=0) == 0
    assert len(await everything(log, SUBMITTED_DEAD.name)) == 2


async def test_a_consumer_in_the_middle_of_what_was_compacted_goes_on_behind_it(place: Place):
    log = await place.provisioned()
    await log.append(TOPIC, [Entry(b"rome", b"%d" % number) for number in range(100)])
    await log.compact(TOPIC, older_than_ms=0)
    seen: list[Record] = []

    async def take(records: Sequence[Record]) -> None:
        seen.extend(records)

    subscription = log.subscribe(TOPIC, "classify", take)
    async with running(log):
        await eventually(lambda: seen)
        assert await eventually(lambda: _caught_up(subscription))
    assert numbers(seen) == [99]


async def _caught_up(subscription) -> bool:
    return await subscription.lag() == 0


@given(
    st.lists(
        st.tuples(st.sampled_from([b"a", b"b", b"c", b"d"]), st.none() | st.binary(max_size=3)),
        max_size=40,
    ),
    st.integers(min_value=1, max_value=7),
)
def test_what_compaction_leaves_rebuilds_the_same_state_as_everything(tmp_path, changes, window):
    path = tmp_path / os.urandom(8).hex()
    connection = sqlite_file.connect(path)
    sqlite_file.provision(connection, [SUBMITTED])
    for key, value in changes:
        sqlite_file.append(connection, TOPIC, [Entry(key, value)])
    before = sqlite_file.read(connection, TOPIC, 0, max_records=100, max_bytes=10**6)
    start: int | None = 0
    original, sqlite_file.WINDOW = sqlite_file.WINDOW, window
    try:
        while start is not None:
            start = sqlite_file.sweep(connection, TOPIC, start, older_than_ms=0).next_offset
    finally:
        sqlite_file.WINDOW = original
    after = sqlite_file.read(connection, TOPIC, 0, max_records=100, max_bytes=10**6)
    connection.close()
    assert {r.key: r.value for r in after} == {r.key: r.value for r in before}
    assert len(after) == len({r.key for r in before})
    assert set(map(repr, after)) <= set(map(repr, before))
