"""What a service may rely on from the log, on SQLite and on Kafka alike."""

import asyncio
import json
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence

import pytest

from schemas.topics import SUBMITTED, SUBMITTED_DEAD
from services.runtime.errors import Unavailable, Unprocessable
from services.runtime.log import MAX_ENTRY_BYTES, Entry, Log, Record, Redeliver, StopConsuming
from tests.contract.log_places import (
    PLACES,
    TOPIC,
    Place,
    eventually,
    opened,
    running,
    sqlite_place,
)


@pytest.fixture(params=PLACES)
async def place(request: pytest.FixtureRequest, tmp_path) -> AsyncIterator[Place]:
    async with opened(request.param, tmp_path) as place:
        yield place


class Reader:
    """A group's handler that takes everything and remembers it."""

    def __init__(self) -> None:
        self.batches: list[Sequence[Record]] = []

    async def __call__(self, records: Sequence[Record]) -> None:
        self.batches.append(records)

    @property
    def records(self) -> list[Record]:
        return [record for batch in self.batches for record in batch]

    @property
    def values(self) -> list[bytes | None]:
        return [record.value for record in self.records]


def notes(count: int, posts: int = 1) -> list[Entry]:
    """Entries numbered from 0, on the keys of so many notes."""
    return [
        Entry(b"note-%d" % (number % posts), b"%d" % number, {"numero": b"%d" % number})
        for number in range(count)
    ]


def by_key(records: Sequence[Record]) -> dict[bytes | None, list[int]]:
    found: dict[bytes | None, list[int]] = defaultdict(list)
    for record in records:
        found[record.key].append(int(record.value or b"-1"))
    return dict(found)


def in_order(count: int, posts: int) -> dict[bytes, list[int]]:
    return {b"note-%d" % post: list(range(post, count, posts)) for post in range(posts)}


async def everything(log: Log, topic: str = TOPIC) -> list[Record]:
    return [record async for batch in log.replay(topic) for record in batch]


# Order, groups, commits


async def test_the_changes_of_each_note_arrive_in_the_order_in_which_they_were_sent(place: Place):
    log = await place.provisioned()
    reader = Reader()
    log.subscribe(TOPIC, "classify", reader, max_records=7)
    async with running(log):
        sent = notes(200, posts=11)
        for start in range(0, 200, 50):
            await log.append(TOPIC, sent[start : start + 50])
        await eventually(lambda: len(reader.records) >= 200)
    assert by_key(reader.records) == in_order(200, 11)
    assert max(len(batch) for batch in reader.batches) <= 7
    assert {record.topic for record in reader.records} == {TOPIC}
    assert all(record.headers["numero"] == record.value for record in reader.records)


async def test_each_group_gets_every_note(place: Place):
    log = await place.provisioned()
    classify, search = Reader(), Reader()
    log.subscribe(TOPIC, "classify", classify)
    log.subscribe(TOPIC, "search", search)
    async with running(log):
        await log.append(TOPIC, notes(30, posts=4))
        await eventually(lambda: len(classify.records) >= 30 and len(search.records) >= 30)
    assert by_key(classify.records) == by_key(search.records) == in_order(30, 4)


async def test_a_group_that_comes_late_begins_at_the_first_note(place: Place):
    log = await place.provisioned()
    await log.append(TOPIC, notes(10))
    reader = Reader()
    log.subscribe(TOPIC, "rattrapage", reader)
    async with running(log):
        await eventually(lambda: len(reader.records) >= 10)
    assert by_key(reader.records) == in_order(10, 1)


async def test_a_member_that_comes_back_goes_on_where_the_group_stopped(place: Place):
    first = await place.provisioned()
    await first.append(TOPIC, notes(20, posts=5))
    before = Reader()
    subscription = first.subscribe(TOPIC, "classify", before)
    async with running(first):
        await eventually(lambda: len(before.records) >= 20)
        assert await eventually(lambda: _is_zero(subscription.lag()))
    second = place.member()
    after = Reader()
    second.subscribe(TOPIC, "classify", after)
    async with running(second):
        await second.append(TOPIC, [Entry(b"note-0", b"20")])
        await eventually(lambda: after.records)
    assert after.values == [b"20"]


async def _is_zero(lag) -> bool:
    return await lag == 0


async def test_the_lag_counts_what_is_not_committed(place: Place):
    log = await place.provisioned()
    release = asyncio.Event()

    async def wait_then_take(records: Sequence[Record]) -> None:
        await release.wait()

    subscription = log.subscribe(TOPIC, "classify", wait_then_take, max_records=5)
    async with running(log):
        await log.append(TOPIC, notes(20, posts=5))
        assert await eventually(lambda: _is(subscription.lag(), 20))
        release.set()
        assert await eventually(lambda: _is(subscription.lag(), 0))
    assert subscription.failure is None


async def _is(lag, wanted: int) -> bool:
    return await lag == wanted


# Again, after a failure


async def test_a_batch_that_cannot_be_taken_now_comes_again_before_anything_behind_it(place: Place):
    log = await place.provisioned()
    refusals = random.Random(20260304)
    taken: list[Record] = []
    refused = 0

    async def refuse_often(records: Sequence[Record]) -> None:
        nonlocal refused
        if refusals.random() < 0.4:
            refused += 1
            raise Redeliver("the index is away")
        taken.extend(records)

    log.subscribe(TOPIC, "search", refuse_often, max_records=9)
    async with running(log):
        for start in range(0, 400, 80):
            await log.append(TOPIC, notes(400, posts=13)[start : start + 80])
        await eventually(lambda: len(taken) >= 400)
    assert refused > 5
    # Nothing lost, nothing twice, nothing before what it follows.
    assert by_key(taken) == in_order(400, 13)
    for partition in {record.partition for record in taken}:
        offsets = [record.offset for record in taken if record.partition == partition]
        assert offsets == list(range(len(offsets)))


async def test_the_log_waits_as_long_as_the_handler_asks_before_it_delivers_again(place: Place):
    log = await place.provisioned()
    tries: list[float] = []

    async def refuse_once(records: Sequence[Record]) -> None:
        tries.append(time.monotonic())
        if len(tries) == 1:
            raise Redeliver("the index is away", after=0.5)

    log.subscribe(TOPIC, "search", refuse_once)
    async with running(log):
        await log.append(TOPIC, notes(1))
        await eventually(lambda: len(tries) == 2)
    assert tries[1] - tries[0] >= 0.45


async def test_stopping_does_not_wait_for_the_end_of_a_long_pause(place: Place):
    log = await place.provisioned()
    asked = asyncio.Event()

    async def refuse(records: Sequence[Record]) -> None:
        asked.set()
        raise Redeliver("the index is away", after=3_600)

    log.subscribe(TOPIC, "search", refuse)
    await log.start()
    await log.append(TOPIC, notes(1))
    await asyncio.wait_for(asked.wait(), 60)
    started = time.monotonic()
    await log.stop()
    assert time.monotonic() - started < 8


async def test_a_batch_cut_short_by_a_stop_is_delivered_to_the_next_member(place: Place):
    first = await place.provisioned()
    await first.append(TOPIC, notes(5))
    begun = asyncio.Event()

    async def never_ends(records: Sequence[Record]) -> None:
        begun.set()
        await asyncio.Event().wait()

    first.subscribe(TOPIC, "classify", never_ends)
    await first.start()
    await asyncio.wait_for(begun.wait(), 60)
    started = time.monotonic()
    await first.stop()
    assert time.monotonic() - started < 8
    second = place.member()
    reader = Reader()
    second.subscribe(TOPIC, "classify", reader)
    async with running(second):
        await eventually(lambda: len(reader.records) >= 5)
    assert by_key(reader.records) == in_order(5, 1)


async def test_what_a_killed_member_had_in_hand_is_delivered_to_another(place: Place):
    log = await place.provisioned()
    await log.append(TOPIC, notes(6))
    doomed = await place.process("hold")
    line = await asyncio.wait_for(doomed.stdout.readline(), 60)
    assert json.loads(line)[0] == "0"
    reader = Reader()
    log.subscribe(TOPIC, "classify", reader)
    starting = asyncio.create_task(log.start())
    doomed.kill()
    await doomed.wait()
    await starting
    await eventually(lambda: len(reader.records) >= 6)
    assert by_key(reader.records) == in_order(6, 1)


async def test_a_second_member_waits_its_turn_and_takes_over(place: Place):
    first, second = await place.provisioned(), place.member()
    one, two = Reader(), Reader()
    first.subscribe(TOPIC, "classify", one)
    second.subscribe(TOPIC, "classify", two)
    await first.start()
    await second.start()
    await first.append(TOPIC, notes(60, posts=12))
    await eventually(lambda: len(one.records) + len(two.records) >= 60)
    # Each note's changes went to one member, in order, and nothing went to both.
    shared = by_key(one.records) | by_key(two.records)
    assert shared == in_order(60, 12)
    assert len(one.records) + len(two.records) == 60
    await first.stop()
    seen = len(two.records)
    await second.append(TOPIC, notes(24, posts=12))
    await eventually(lambda: len(two.records) >= seen + 24)
    assert by_key(two.records[seen:]) == in_order(24, 12)


async def test_members_come_and_go_and_no_note_is_lost_or_taken_twice(place: Place):
    taken: list[Record] = []

    async def take_slowly(records: Sequence[Record]) -> None:
        await asyncio.sleep(0.02)
        taken.extend(records)

    log = await place.provisioned()
    log.subscribe(TOPIC, "classify", take_slowly, max_records=10)
    await log.start()
    sent = notes(600, posts=20)
    for round_ in range(3):
        other = place.member()
        other.subscribe(TOPIC, "classify", take_slowly, max_records=10)
        await log.append(TOPIC, sent[round_ * 200 : round_ * 200 + 100])
        await other.start()
        await log.append(TOPIC, sent[round_ * 200 + 100 : round_ * 200 + 200])
        await other.stop()
    await eventually(lambda: len(taken) >= 600)
    assert by_key(taken) == in_order(600, 20)


async def test_a_consumer_that_stops_itself_says_so_and_gets_nothing_more(place: Place):
    log = await place.provisioned()
    calls = 0

    async def give_up(records: Sequence[Record]) -> None:
        nonlocal calls
        calls += 1
        raise StopConsuming("five in a row")

    subscription = log.subscribe(TOPIC, "classify", give_up, max_records=2)
    async with running(log):
        await log.append(TOPIC, notes(50, posts=9))
        await eventually(lambda: subscription.failure is not None)
        await log.append(TOPIC, notes(5))
        # Another member gets everything: nothing was committed.
        other = place.member()
        reader = Reader()
        other.subscribe(TOPIC, "classify", reader)
        async with running(other):
            await eventually(lambda: len(reader.records) >= 55)
    assert isinstance(subscription.failure, StopConsuming)
    assert calls == 1


async def test_a_handler_that_fails_outright_is_reported_and_commits_nothing(place: Place):
    log = await place.provisioned()

    async def fail(records: Sequence[Record]) -> None:
        raise ZeroDivisionError

    subscription = log.subscribe(TOPIC, "classify", fail)
    async with running(log):
        await log.append(TOPIC, notes(3))
        await eventually(lambda: isinstance(subscription.failure, ZeroDivisionError))
    other = place.member()
    reader = Reader()
    other.subscribe(TOPIC, "classify", reader)
    async with running(other):
        await eventually(lambda: len(reader.records) >= 3)


# What is written


async def test_a_replay_gives_everything_up_to_the_end_as_it_stood(place: Place):
    log = await place.provisioned()
    await log.append(TOPIC, notes(50, posts=8))
    replayed: list[Record] = []
    async for batch in log.replay(TOPIC, max_records=10):
        if not replayed:
            await log.append(TOPIC, [Entry(b"note-0", b"99")])
        assert 0 < len(batch) <= 10
        replayed.extend(batch)
    assert by_key(replayed) == in_order(50, 8)
    assert len(await everything(log)) == 51


async def test_a_replay_may_go_on_where_another_one_ended(place: Place):
    log = await place.provisioned()
    await log.append(TOPIC, notes(20, posts=4))
    before = await everything(log)
    start: dict[int, int] = {}
    for record in before:
        start[record.partition] = record.offset + 1
    await log.append(TOPIC, notes(7, posts=4))
    behind = [record async for batch in log.replay(TOPIC, start=start) for record in batch]
    origins = {record.origin for record in await everything(log)}
    assert {record.origin for record in behind} == origins - {one.origin for one in before}
    assert len(behind) == 7


async def test_a_replay_of_an_empty_topic_ends_at_once(place: Place):
    log = await place.provisioned()
    assert await everything(log) == []


async def test_a_note_to_be_forgotten_is_not_taken_for_an_empty_one(place: Place):
    log = await place.provisioned()
    reader = Reader()
    log.subscribe(TOPIC, "search", reader)
    async with running(log):
        await log.append(TOPIC, [Entry(b"note", b""), Entry(b"note", None)])
        await eventually(lambda: len(reader.records) >= 2)
    assert reader.values == [b"", None]
    assert [record.value for record in await everything(log)] == [b"", None]


async def test_only_what_has_a_key_fits_on_a_topic_that_is_compacted(place: Place):
    log = await place.provisioned()
    with pytest.raises(Unprocessable, match="key"):
        await log.append(TOPIC, [Entry(None, b"sans clef")])
    await log.append(SUBMITTED_DEAD.name, [Entry(None, b"sans clef")])
    (record,) = await everything(log, SUBMITTED_DEAD.name)
    assert (record.key, record.value) == (None, b"sans clef")
    assert await everything(log) == []


async def test_keys_values_and_headers_come_back_byte_for_byte(place: Place):
    log = await place.provisioned()
    all_bytes = bytes(range(256))
    reader = Reader()
    log.subscribe(TOPIC, "search", reader)
    async with running(log):
        entry = Entry(all_bytes, all_bytes * 3, {"octets": all_bytes, "vide": b"", "é": b"x"})
        before = int(time.time() * 1000)
        await log.append(TOPIC, [entry])
        await eventually(lambda: reader.records)
    (record,) = reader.records
    assert (record.key, record.value) == (entry.key, entry.value)
    assert dict(record.headers) == entry.headers
    assert before - 1_000 <= record.timestamp_ms <= time.time() * 1000 + 1_000


async def test_the_largest_note_passes_and_a_larger_one_is_refused(place: Place):
    log = await place.provisioned()
    largest = Entry(b"note", b"x" * (MAX_ENTRY_BYTES - 4), {"header": b"y" * 100_000})
    await log.append(TOPIC, [largest, largest])
    for refused in (Entry(b"note", b"x" * MAX_ENTRY_BYTES), Entry(None, None)):
        with pytest.raises(Unprocessable):
            await log.append(TOPIC, [Entry(b"note", b"bonne"), refused])
    assert [len(record.value) for record in await everything(log)] == [len(largest.value)] * 2
    reader = Reader()
    log.subscribe(TOPIC, "search", reader)
    async with running(log):
        await eventually(lambda: len(reader.records) >= 2)
    assert reader.records[0].value == largest.value


async def test_topics_can_be_provisioned_again_without_harm(place: Place):
    log = await place.provisioned()
    await log.append(TOPIC, notes(3))
    await log.provision([SUBMITTED, SUBMITTED_DEAD])
    assert len(await everything(log)) == 3


async def test_a_log_that_answers_is_ready(place: Place):
    log = await place.provisioned()
    assert await log.ready()


async def test_a_new_note_is_delivered_promptly_to_an_idle_consumer(place: Place):
    log = await place.provisioned()
    reader = Reader()
    log.subscribe(TOPIC, "classify", reader)
    async with running(log):
        await log.append(TOPIC, notes(1))
        await eventually(lambda: reader.records)
        waits = []
        for number in range(5):
            started = time.monotonic()
            await log.append(TOPIC, [Entry(b"note", b"%d" % number)])
            await eventually(lambda seen=number + 2: len(reader.records) >= seen)
            waits.append(time.monotonic() - started)
    assert sorted(waits)[2] < 1.0


async def test_stopping_twice_or_before_the_start_does_no_harm(place: Place):
    log = await place.provisioned()
    log.subscribe(TOPIC, "classify", Reader())
    await log.stop()
    await log.stop()


async def test_a_topic_that_nobody_provisioned_takes_nothing(tmp_path):
    place = sqlite_place(tmp_path)
    log = place.member()
    with pytest.raises(Unavailable, match="not provisioned"):
        await log.append("notes.inconnues", notes(1))
    await place.close()
