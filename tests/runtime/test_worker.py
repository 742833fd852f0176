"""What becomes of each record: done, parked, tried again, or left because the bug is ours."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.topics import SUBMITTED, SUBMITTED_DEAD
from services.runtime.dead_letters import DeadLetter
from services.runtime.errors import Unavailable
from services.runtime.log import Entry, Log, Record, StopConsuming
from services.runtime.worker import Backoff, Done, Parked, Worker
from tests.contract.log_places import PLACES, TOPIC, Place, eventually, opened, running

QUICK = Backoff(first=0.01, limit=0.05)


@pytest.fixture(params=PLACES)
async def place(request: pytest.FixtureRequest, tmp_path) -> AsyncIterator[Place]:
    async with opened(request.param, tmp_path) as place:
        yield place


@pytest.fixture
async def file(tmp_path) -> AsyncIterator[Place]:
    async with opened("sqlite", tmp_path) as place:
        yield place


def worker(log: Log, process, **options) -> Worker:
    made = Worker(
        service="classify",
        log=log,
        topic=SUBMITTED,
        dead=SUBMITTED_DEAD,
        group="classify",
        process=process,
        **{"backoff": QUICK, **options},
    )
    made.subscribe()
    return made


def notes(*values: str) -> list[Entry]:
    """One entry per note; `rome:7` is the value 7 of the note rome."""
    return [
        Entry(value.partition(":")[0].encode(), value.encode(), {"trace": b"abc"})
        for value in values
    ]


async def dead_letters(log: Log) -> list[DeadLetter]:
    return [
        DeadLetter.from_record(record)
        async for batch in log.replay(SUBMITTED_DEAD.name)
        for record in batch
    ]


def value(record: Record) -> str:
    return (record.value or b"").decode("utf-8", "replace")


def finished(made: Worker) -> int:
    return sum(count for outcome, count in made.counts.items() if outcome != "retried")


# Parked


async def test_bad_records_are_parked_one_by_one_and_the_good_ones_pass(place: Place, caplog):
    caplog.set_level(logging.INFO)
    log = await place.provisioned()
    passed: list[str] = []

    async def process(records: Sequence[Record]) -> list[Done | Parked]:
        results: list[Done | Parked] = []
        for record in records:
            try:
                note = (record.value or b"").decode()
            except UnicodeDecodeError as error:
                results.append(Parked(f"not UTF-8: {error}"))
                continue
            passed.append(note)
            results.append(Done("classified"))
        return results

    made = worker(log, process, max_records=50)
    poison = [b"\xff\xfe", b"\x80" * 1_000]
    entries = notes(*(f"note-{number % 5}:{number}" for number in range(40)))
    entries[7:7] = [Entry(b"rome", poison[0], {"octets": b"\xff"})]
    entries[23:23] = [Entry(b"madrid", poison[1])]
    async with running(log):
        await log.append(TOPIC, entries)
        await eventually(lambda: finished(made) >= 42)
        assert await made.health() is None
    assert made.counts == {"classified": 40, "parked": 2}
    assert len(passed) == 40
    letters = {letter.value: letter for letter in await dead_letters(log)}
    assert set(letters) == set(poison)
    letter = letters[poison[0]]
    assert letter.reason.startswith("not UTF-8")
    assert (letter.service, letter.key, letter.headers) == (
        "classify",
        b"rome",
        {"octets": b"\xff"},
    )
    where = {record.origin: record.value async for batch in log.replay(TOPIC) for record in batch}
    assert where[letter.origin] == poison[0]
    assert any(letter.origin in record.getMessage() for record in caplog.records)


async def test_nothing_is_committed_while_the_dead_letters_cannot_be_written(file: Place):
    log = await file.provisioned(SUBMITTED)

    async def refuse(records: Sequence[Record]) -> list[Parked]:
        return [Parked("no such genre") for _ in records]

    made = worker(log, refuse)
    async with running(log):
        await log.append(TOPIC, notes("rome:1", "rome:2"))
        await eventually(lambda: made.counts["retried"] >= 6)
        assert made.counts["parked"] == 0
        assert await made.health() is None
        await log.provision([SUBMITTED_DEAD])
        await eventually(lambda: made.counts["parked"] == 2)
    assert [letter.value for letter in await dead_letters(log)] == [b"rome:1", b"rome:2"]


async def test_a_record_too_large_for_the_dead_letters_is_parked_without_its_content(file: Place):
    log = await file.provisioned()

    async def refuse(records: Sequence[Record]) -> list[Parked]:
        return [Parked("too long") for _ in records]

    made = worker(log, refuse)
    # 512 KB of headers fit, and leave no room for ours.
    full = Entry(b"rome", b"texte", {"h": b"x" * (512 * 1024 - 1)})
    async with running(log):
        await log.append(TOPIC, [*notes("oslo:1"), full])
        await eventually(lambda: made.counts["parked"] == 2)
    small, large = await dead_letters(log)
    assert small.value == b"oslo:1"
    assert (large.key, large.value, large.headers) == (b"rome", b"", {})
    assert large.reason == "5 bytes not parked; too long"


# Tried again


async def test_while_an_engine_is_away_a_batch_is_tried_again_in_order_and_said_once(
    place: Place, caplog
):
    caplog.set_level(logging.INFO)
    log = await place.provisioned()
    taken: list[str] = []
    tries = 0

    async def process(records: Sequence[Record]) -> list[Done]:
        nonlocal tries
        tries += 1
        if 2 <= tries < 8:
            raise Unavailable("elasticsearch is away")
        taken.extend(value(record) for record in records)
        return [Done("indexed") for _ in records]

    made = worker(log, process, max_records=4)
    async with running(log):
        await log.append(TOPIC, notes(*(f"rome:{number}" for number in range(20))))
        await eventually(lambda: finished(made) >= 20)
    assert taken == [f"rome:{number}" for number in range(20)]
    assert made.counts["indexed"] == 20
    assert made.counts["retried"] >= 6
    assert await dead_letters(log) == []
    said = [record.getMessage() for record in caplog.records]
    assert sum("elasticsearch is away" in line for line in said) == 1
    assert sum("going on after 6 tries" in line for line in said) == 1


async def test_each_new_reason_to_wait_is_said(file: Place, caplog):
    log = await file.provisioned()
    reasons = iter(["no route", "no route", "disk full", "disk full", "no route"])

    async def process(records: Sequence[Record]) -> list[Done]:
        if reason := next(reasons, None):
            raise Unavailable(reason)
        return [Done("indexed") for _ in records]

    made = worker(log, process)
    async with running(log):
        await log.append(TOPIC, notes("rome:1"))
        await eventually(lambda: made.counts["indexed"] == 1)
    said = [record.getMessage().rpartition(": ")[2] for record in caplog.records]
    assert [line for line in said if line in ("no route", "disk full")] == [
        "no route",
        "disk full",
        "no route",
    ]


@given(st.integers(min_value=1, max_value=10_000))
def test_the_wait_between_tries_doubles_up_to_its_limit(failures: int):
    backoff = Backoff(first=0.1, limit=10.0)
    step = min(10.0, 0.1 * 2.0 ** min(failures - 1, 100))
    assert step / 2 <= backoff.delay(failures) <= step


# Bugs


async def test_a_note_that_trips_over_a_bug_is_parked_after_three_tries_and_the_rest_pass(
    place: Place,
):
    log = await place.provisioned()
    tried: Counter[str] = Counter()
    passed: list[str] = []

    async def process(records: Sequence[Record]) -> list[Done]:
        if len(records) == 1:
            tried[value(records[0])] += 1
        if any(value(record) == "rome:3" for record in records):
            raise ZeroDivisionError("a mean of nothing")
        passed.extend(value(record) for record in records)
        return [Done("classified") for _ in records]

    made = worker(log, process, max_records=10)
    # The same note's next revision waits for the outcome of the one before it.
    sent = [f"oslo:{number}" for number in range(3)] + ["rome:3", "rome:4", "oslo:5"]
    await log.append(TOPIC, notes(*sent))
    async with running(log):
        await eventually(lambda: finished(made) >= 6)
        assert await made.health() is None
    assert made.counts == {"classified": 5, "parked": 1}
    assert tried["rome:3"] <= 4
    (letter,) = await dead_letters(log)
    assert letter.reason == "unexpected: ZeroDivisionError: a mean of nothing"
    assert letter.value == b"rome:3"
    assert sorted(passed) == sorted(set(sent) - {"rome:3"})


async def test_a_bug_in_every_note_stops_the_worker_and_parks_nothing(place: Place, caplog):
    log = await place.provisioned()
    calls = 0

    async def process(records: Sequence[Record]) -> list[Done]:
        nonlocal calls
        calls += 1
        raise KeyError("lexicon")

    made = worker(log, process, max_records=10)
    await log.append(TOPIC, notes(*(f"note-{number}:x" for number in range(30))))
    async with running(log):
        reason = await eventually(made.health)
        assert "5 unexpected exceptions in a row" in reason
        assert "KeyError" in reason
    assert calls == 5
    assert await dead_letters(log) == []
    assert finished(made) == 0
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len([record for record in errors if "in a row" in record.getMessage()]) == 1
    # Whoever comes next, with the bug mended, gets everything.
    mended = place.member()

    async def good(records: Sequence[Record]) -> list[Done]:
        return [Done("classified") for _ in records]

    after = worker(mended, good)
    async with running(mended):
        await eventually(lambda: after.counts["classified"] == 30)


async def test_a_single_note_that_always_fails_stops_the_worker_after_five_tries(file: Place):
    log = await file.provisioned()
    calls = 0

    async def process(records: Sequence[Record]) -> list[Done]:
        nonlocal calls
        calls += 1
        raise KeyError("lexicon")

    made = worker(log, process)
    await log.append(TOPIC, notes("rome:1"))
    async with running(log):
        await eventually(made.health)
    assert calls == 5
    assert await dead_letters(log) == []


async def test_a_wrong_number_of_results_is_a_bug_and_loses_nothing(file: Place):
    log = await file.provisioned()

    async def forgetful(records: Sequence[Record]) -> list[Done]:
        return [Done("classified") for _ in records[:-1]]

    made = worker(log, forgetful)
    await log.append(TOPIC, notes("rome:1", "oslo:2"))
    async with running(log):
        reason = await eventually(made.health)
    assert "0 results for 1 records" in reason
    assert finished(made) == 0
    assert await dead_letters(log) == []


async def test_an_engine_that_goes_away_while_culprits_are_sought_parks_nobody_by_mistake(
    file: Place,
):
    log = await file.provisioned()
    away = 3

    async def process(records: Sequence[Record]) -> list[Done]:
        nonlocal away
        if any(value(record) == "rome:1" for record in records):
            raise ZeroDivisionError
        if away:
            away -= 1
            raise Unavailable("elasticsearch is away")
        return [Done("indexed") for _ in records]

    made = worker(log, process)
    await log.append(TOPIC, notes("lima:0", "rome:1", "oslo:2"))
    async with running(log):
        await eventually(lambda: finished(made) >= 3)
    assert made.counts["indexed"] == 2
    assert [letter.value for letter in await dead_letters(log)] == [b"rome:1"]


_CODES = st.lists(
    st.tuples(st.sampled_from("ABC"), st.sampled_from("gggggpb")), min_size=1, max_size=12
)


@given(_CODES)
def test_every_record_ends_in_exactly_one_outcome_or_the_worker_stops(codes):
    """Good (g), parked (p) and tripping (b) records in any mixture, without a log in between."""
    log = _Shelf()
    records = [
        Record("notes.submitted", 0, place, key.encode(), code.encode(), {}, 0)
        for place, (key, code) in enumerate(codes)
    ]
    done: list[int] = []
    alone: list[int] = []

    async def process(batch: Sequence[Record]) -> list[Done | Parked]:
        if len(batch) == 1:
            alone.append(batch[0].offset)
        if any(record.value == b"b" for record in batch):
            raise ZeroDivisionError
        done.extend(record.offset for record in batch)
        return [Parked("bad") if record.value == b"p" else Done("ok") for record in batch]

    made = worker(log, process)  # type: ignore[arg-type]
    bugs = [record.offset for record in records if record.value == b"b"]
    try:
        asyncio.run(made._handle(records))
    except StopConsuming:
        assert bugs
        assert len(alone) >= 4
        assert log.entries == []
        return
    assert len(bugs) < len(records), "a bug in every record parks none"
    outcomes = Counter({"ok": 0, "parked": 0})
    outcomes.update("ok" if code == "g" else "parked" for _, code in codes)
    assert +outcomes == +made.counts
    letters = {int(entry.headers["valise-origin"].rsplit(b"/")[-1]): entry for entry in log.entries}
    assert sorted(letters) == [record.offset for record in records if record.value != b"g"]
    assert all(letters[place].headers["valise-reason"].startswith(b"unexp") for place in bugs)
    for key in "ABC":
        for offsets in (done, alone):
            mine = [offset for offset in offsets if records[offset].key == key.encode()]
            assert mine == sorted(mine)


class _Shelf:
    """The part of a log that a handler called by hand needs: where dead letters go."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def subscribe(self, *args, **options) -> None:
        return None

    async def append(self, topic: str, entries: Sequence[Entry]) -> None:
        for entry in entries:
            entry.check()
        self.entries.extend(entries)


# Liveness


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


async def test_a_worker_stuck_in_a_batch_is_not_live(place: Place):
    log = await place.provisioned()
    clock, begun, release = Clock(), asyncio.Event(), asyncio.Event()

    async def process(records: Sequence[Record]) -> list[Done]:
        begun.set()
        await release.wait()
        return [Done("classified") for _ in records]

    made = worker(log, process, stall_seconds=60, clock=clock)
    async with running(log):
        assert await made.health() is None
        await log.append(TOPIC, notes("rome:1"))
        await asyncio.wait_for(begun.wait(), 60)
        clock.now += 59
        assert await made.health() is None
        clock.now += 2
        assert await made.health() == "a batch has been in hand for 61 s"
        release.set()
        await eventually(lambda: made.counts["classified"] == 1)
        assert await eventually(lambda: _well(made))


async def _well(made: Worker) -> bool:
    return await made.health() is None


async def test_a_worker_that_gets_nothing_though_there_is_something_is_not_live(file: Place):
    """What a silently stalled consumer looks like: a lag, and no batch."""
    log = await file.provisioned()
    clock = Clock()

    async def process(records: Sequence[Record]) -> list[Done]:
        return [Done("classified") for _ in records]

    made = worker(log, process, stall_seconds=60, clock=clock)
    subscription = made._subscription
    async with running(log):
        await log.append(TOPIC, notes("rome:1"))
        await eventually(lambda: made.counts["classified"] == 1)
        await eventually(lambda: _lag_is(subscription, 0))
        clock.now += 3_600
        assert await made.health() is None, "a quiet hour is no stall"
        subscription._task.cancel()
        await asyncio.wait([subscription._task])
        subscription._holding = True
        await log.append(TOPIC, notes("rome:2"))
        assert await made.health() is None, "it may just have arrived"
        clock.now += 59
        assert await made.health() is None
        clock.now += 2
        assert await made.health() == "no progress for 61 s, 1 records behind"


async def _lag_is(subscription, wanted: int) -> bool:
    return await subscription.lag() == wanted


async def test_a_worker_that_waits_for_an_engine_which_is_away_is_live(file: Place):
    log = await file.provisioned()
    clock = Clock()

    async def process(records: Sequence[Record]) -> list[Done]:
        clock.now += 30
        raise Unavailable("elasticsearch is away")

    made = worker(log, process, stall_seconds=60, clock=clock)
    async with running(log):
        await log.append(TOPIC, notes("rome:1"))
        for tries in range(5, 30, 5):
            await eventually(lambda tries=tries: made.counts["retried"] >= tries)
            assert await made.health() is None


async def test_a_worker_without_a_place_in_a_group_is_not_live(file: Place):
    log = await file.provisioned()

    async def process(records: Sequence[Record]) -> list[Done]:
        return []

    made = Worker(
        service="search",
        log=log,
        topic=SUBMITTED,
        dead=SUBMITTED_DEAD,
        group="search",
        process=process,
    )
    assert await made.health() == "not subscribed"
