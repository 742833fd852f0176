"""What a rebuild promises, asked of both deployments' engines: nothing lost, nothing doubled, and
nobody who searches notices."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from elasticsearch import AsyncElasticsearch

from schemas.answers import State
from schemas.events import ClassifiedNote, Kind, encode
from schemas.query import Sort
from schemas.topics import ALL, CLASSIFIED
from services.runtime.errors import Unavailable
from services.runtime.log import Entry, Log
from services.runtime.log.kafka import KafkaLog
from services.runtime.log.sqlite import SqliteLog
from services.runtime.registry import BegunRevision, DeadLetterRow, Mark, Registry
from services.runtime.settings import Settings
from services.search.app import workers
from services.search.index import Applied, CursorExpired, Index, RebuildLost, Rejected
from services.search.index import elastic_rebuild as in_elasticsearch
from services.search.index.elastic import ElasticIndex
from services.search.index.embedded import TantivyIndex
from services.search.index.embedded_folder import exchange, filling
from services.search.rebuild import NotWhole, Progress, Step, rebuild
from tests.builders import a_classified_note, a_note
from tests.contract.log_places import eventually
from tests.runtime.registry_kit import rectification, submission
from tests.search.index.corpus import asked

NOTES = 2_000
PER_APPEND = 100


@dataclass
class Place:
    """Where one deployment's log and index are; members open and close them as processes do."""

    folder: Path
    settings: Settings
    opened: list[Index] = field(default_factory=list)
    logs: list[Log] = field(default_factory=list)

    @property
    def embedded(self) -> bool:
        return self.settings.elasticsearch is None

    async def index(self) -> Index:
        made: Index = (
            TantivyIndex(self.folder / "index") if self.embedded else ElasticIndex(self.settings)
        )
        await made.start()
        self.opened.append(made)
        return made

    async def closed(self, index: Index) -> None:
        await index.stop()
        self.opened.remove(index)

    async def log(self) -> Log:
        made: Log = (
            SqliteLog(self.folder / "log.sqlite3") if self.embedded else KafkaLog(self.settings)
        )
        await made.provision(ALL)
        self.logs.append(made)
        return made

    async def indexes(self) -> set[str]:
        """The names of all indexes that are there."""
        if self.embedded:
            return {each.name for each in self.folder.glob("index*")}
        async with AsyncElasticsearch(self.settings.elasticsearch) as client:
            return set(await client.indices.get(index=f"{self.settings.index}-*"))

    async def clear(self) -> None:
        for log in self.logs:
            await log.stop()
        for index in self.opened:
            await index.stop()
        if not self.embedded:
            async with AsyncElasticsearch(self.settings.elasticsearch) as client:
                for name in await self.indexes():
                    await client.indices.delete(index=name)


@pytest.fixture(params=["embedded", pytest.param("distributed", marks=pytest.mark.live)])
async def place(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    engine: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Place]:
    # Longer than these searches take.
    monkeypatch.setattr(in_elasticsearch, "GRACE_SECONDS", 2.0)
    given: dict[str, Any] = {}
    if request.param == "distributed":
        name = uuid4().hex[:12]
        given = {
            "kafka": engine("KAFKA"),
            "elasticsearch": engine("ELASTICSEARCH"),
            "index": f"test-{name}",
            "topic_prefix": f"{name}.",
            "partitions": 3,
        }
    place = Place(tmp_path, Settings.model_validate(given | {"data": tmp_path}))
    yield place
    await place.clear()


def state(number: int, revision: int = 1, **changes: Any) -> ClassifiedNote:
    note = a_note(
        reference=f"BER-{number:05}", date=date(2020, 1, 1) + timedelta(days=number % 2_000)
    )
    return a_classified_note(note, revision=revision, **changes)


def withdrawn(number: int) -> ClassifiedNote:
    return state(number, 2, kind=Kind.WITHDRAWN)


def event(note: ClassifiedNote) -> Entry:
    return Entry(str(note.note_id).encode(), encode(note))


def sole(folder: Path) -> str:
    """The name of the one index folder there."""
    (found,) = folder.glob("index*")
    return found.name


async def total(index: Index, **filters: Any) -> int:
    return (await index.search(asked("retraites", **filters))).total


# The new index and its exchange


async def test_searches_stay_on_the_old_index_until_nothing_is_missing_from_the_new_one(
    place: Place,
) -> None:
    index = await place.index()
    assert await index.apply([state(1), state(2), withdrawn(3)]) == [
        Applied.INDEXED,
        Applied.INDEXED,
        Applied.WITHDRAWN,
    ]
    await index.refresh()
    generation = index.generation
    new = await index.begin_rebuild()
    await new.apply([state(1), withdrawn(3), state(8), state(9)])
    await new.forget([state(9).note_id])
    await new.forget_before({state(1).note_id: 1, state(8).note_id: 2})
    assert await new.count() == 1
    assert await total(index) == 2
    async with new.exchange():
        live = asyncio.create_task(index.apply([state(4)]))
        await new.apply([state(2)])
        assert await total(index) == 2
        assert await index.get(state(2).note_id) is not None
        if not place.embedded:
            await live
    assert await live == [Applied.INDEXED]
    await new.discard_old()
    await index.refresh()
    assert await total(index) == await index.count() == 3
    assert await index.apply([state(3)]) == [Applied.STALE], "the tombstone came along"
    assert index.generation == generation
    assert len(await place.indexes()) == 1
    await place.closed(index)
    again = await place.index()
    assert again.generation == generation, "its reader goes on where it was"
    assert await again.count() == 3


async def test_a_note_asked_for_by_its_id_never_goes_back_to_an_older_state(place: Place) -> None:
    index = await place.index()
    await index.apply([state(1), state(2), state(3)])
    new = await index.begin_rebuild()
    await new.apply([state(1), state(2), state(3)])
    await index.apply([state(1, 2)])
    async with new.exchange():
        # What came meanwhile is in the old index only.
        found = await index.get(state(1).note_id)
        assert found is not None
        assert found.revision == 2
        later = asyncio.create_task(index.apply([state(2, 2)]))
        gone = asyncio.create_task(index.forget([state(3).note_id]))
        await new.apply([state(1, 2)])
        if not place.embedded:
            await asyncio.gather(later, gone)
            assert await index.get(state(3).note_id) is None
    await asyncio.gather(later, gone)
    for number, revision in ((1, 2), (2, 2)):
        found = await index.get(state(number).note_id)
        assert found is not None
        assert found.revision == revision
    assert await index.get(state(3).note_id) is None


async def test_what_is_abandoned_leaves_nothing_behind(place: Place) -> None:
    index = await place.index()
    await index.apply([state(1)])
    there = await place.indexes()
    new = await index.begin_rebuild()
    await new.apply([state(2)])
    await new.abandon()
    await new.abandon()
    assert await place.indexes() == there
    await index.refresh()
    assert (await index.count(), await index.get(state(2).note_id)) == (1, None)


async def test_a_rebuild_begun_again_starts_clean(place: Place) -> None:
    index = await place.index()
    await index.apply([state(1)])
    first = await index.begin_rebuild()
    await first.apply([state(7)])
    if place.embedded:
        # As a kill leaves it: the folder is there, and nobody holds it.
        await first.abandon()
        filling(place.folder / "index").mkdir()
        await place.closed(index)
        index = await place.index()
        assert await place.indexes() == {"index"}
    second = await index.begin_rebuild()
    assert await second.count() == 0
    if not place.embedded:
        with pytest.raises(RebuildLost):
            await first.apply([state(8)])
    await second.abandon()


async def test_a_reader_in_the_middle_of_a_list_goes_on_after_the_exchange(place: Place) -> None:
    index = await place.index()
    notes = [state(number) for number in range(60)]
    await index.apply(notes)
    await index.refresh()
    by_date: dict[str, Any] = {"sort": Sort.DATE, "size": 20}
    dated = await index.search(asked("retraites", **by_date))
    relevant = await index.search(asked("retraites", size=20))
    new = await index.begin_rebuild()
    await new.apply(notes)
    async with new.exchange():
        pass
    await new.discard_old()
    seen = {hit.id for hit in dated.hits}
    for _ in range(2):
        dated = await index.search(asked("retraites", **by_date, cursor=dated.next))
        seen |= {hit.id for hit in dated.hits}
    assert seen == {note.note_id for note in notes}
    with suppress(CursorExpired):
        following = await index.search(asked("retraites", size=20, cursor=relevant.next))
        assert not {hit.id for hit in following.hits} & {hit.id for hit in relevant.hits}
    assert (await index.search(asked("retraites"))).total == 60


async def test_a_distributed_exchange_cut_short_is_ended_by_the_next_start(place: Place) -> None:
    if place.embedded:
        pytest.skip("one process: the exchange is a matter of names, tested below")
    index = await place.index()
    await index.apply([state(1), state(2)])
    new = await index.begin_rebuild()
    await new.apply([state(1)])
    with pytest.raises(ZeroDivisionError):
        async with new.exchange():
            raise ZeroDivisionError
    await new.abandon()
    assert await index.apply([state(3)]) == [Applied.INDEXED], "writes go on, into the new one"
    other = await place.index()
    assert other.generation != index.generation, "what is missing comes from the log"
    await other.refresh()
    assert await total(other) == 2


@pytest.mark.parametrize("renamed", [1, 2])
async def test_an_embedded_exchange_cut_short_leaves_one_whole_index(
    renamed: int, tmp_path: Path
) -> None:
    path = tmp_path / "index"
    for folder in (path, filling(path)):
        index = TantivyIndex(folder)
        await index.start()
        await index.apply([state(1), state(2)])
        generation = index.generation
        await index.stop()
    # What `exchange` does, up to some point.
    filling(path).rename(path.with_name("index.filled"))
    if renamed == 2:
        path.rename(path.with_name("index.old"))
    index = TantivyIndex(path)
    await index.start()
    assert await index.count() == 2
    assert (index.generation == generation) == (renamed == 2)
    assert sole(tmp_path) == "index"
    await index.stop()
    filling(path).mkdir()
    exchange(path, "kept")
    assert not filling(path).exists()


# The rebuild, from the log


async def test_the_new_index_is_what_the_log_says(place: Place) -> None:
    index, log = await place.index(), await place.log()
    await index.apply([state(5), state(6)])
    await log.append(
        CLASSIFIED.name,
        [
            *map(event, (state(1), state(2), state(3, 2), state(3), withdrawn(4))),
            Entry(str(state(2).note_id).encode(), None),
            Entry(b"no note", b"no event"),
            *map(event, (state(5, 4), state(6, 4))),
            Entry(str(state(5).note_id).encode(), None),
            Entry(str(state(6).note_id).encode(), None),
            event(state(6)),
        ],
    )
    told: list[Progress] = []
    done = await rebuild(log, index, tell=told.append)
    assert done.model_dump(exclude={"seconds"}) == {
        "complete": True,
        "notes": 3,
        "withdrawn": 1,
        "records": 12,
        "refused": 0,
        "unreadable": 1,
    }
    assert [one.step for one in told][:1] == [Step.READ]
    assert {one.step for one in told} >= {Step.CHECK, Step.EXCHANGE, Step.CLEAN}
    await index.refresh()
    assert await total(index) == await index.count() == 3
    found = {number: await index.get(state(number).note_id) for number in range(1, 7)}
    assert {number: note and note.revision for number, note in found.items()} == {
        1: 1, 2: None, 3: 2, 4: 2, 5: None, 6: 1,
    }  # fmt: skip


async def test_a_log_with_nothing_in_it_empties_no_index(place: Place) -> None:
    index, log = await place.index(), await place.log()
    await index.apply([state(1)])
    await index.refresh()
    with pytest.raises(NotWhole):
        await rebuild(log, index)
    assert await total(index) == 1
    assert len(await place.indexes()) == 1


class Losing(TantivyIndex):
    """An index whose new one has lost a note by the time that it is checked."""

    async def begin_rebuild(self) -> Any:
        new = await super().begin_rebuild()
        apply = new.apply

        async def losing(notes: Any) -> list[Applied | Rejected]:
            done = await apply(notes)
            await new.forget([notes[0].note_id])
            return done

        new.apply = losing  # type: ignore[method-assign]
        return new


async def test_an_index_that_is_not_whole_is_never_put_in_place(tmp_path: Path) -> None:
    index, log = Losing(tmp_path / "index"), SqliteLog(tmp_path / "log.sqlite3")
    await index.start()
    await log.provision(ALL)
    notes = [state(number) for number in range(5)]
    await index.apply(notes)
    await log.append(CLASSIFIED.name, list(map(event, notes)))
    with pytest.raises(NotWhole, match="holds 4 notes, the log 5"):
        await rebuild(log, index)
    assert await index.count() == 5
    assert sole(tmp_path) == "index"
    await log.stop()
    await index.stop()


async def test_a_rebuild_that_is_stopped_changes_nothing(place: Place) -> None:
    index, log = await place.index(), await place.log()
    await index.apply([state(1)])
    await log.append(CLASSIFIED.name, [event(state(1)), event(state(2))])
    stopping = asyncio.Event()
    stopping.set()
    assert not (await rebuild(log, index, stopping=stopping)).complete
    await index.refresh()
    assert await index.count() == 1
    assert len(await place.indexes()) == 1


class Gone(SqliteLog):
    """A log whose file cannot be read in the middle of a replay, twice."""

    failures = 2

    async def replay(self, *args: Any, **options: Any) -> AsyncIterator[Any]:
        async for records in super().replay(*args, **options):
            yield records
            if self.failures:
                self.failures -= 1
                raise Unavailable("gone for a moment")


async def test_a_log_that_is_away_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    index, log = TantivyIndex(tmp_path / "index"), Gone(tmp_path / "log.sqlite3")
    await index.start()
    await log.provision(ALL)
    await log.append(CLASSIFIED.name, [event(state(number)) for number in range(1_000)])
    done = await rebuild(log, index)
    assert (done.notes, done.records, await index.count()) == (1_000, 1_000, 1_000)
    await log.stop()
    await index.stop()


async def test_a_note_whose_restriction_was_parked_is_not_in_the_new_index(place: Place) -> None:
    registry = Registry(place.settings.registry_url)
    await asyncio.to_thread(registry.migrate)
    (begun,) = registry.begin([submission()])
    registry.mark_received([begun.key])
    registry.mark_indexed([Mark(begun.note_id, 1, State.INDEXED, datetime.now(UTC))])
    restricted = registry.begin_revision(rectification(special_france=True))
    assert isinstance(restricted, BegunRevision)
    registry.mark_received([restricted.key])
    registry.park(
        DeadLetterRow(
            origin="notes.classified/0/7",
            service="search",
            reason="refused",
            at=datetime.now(UTC),
            value=restricted.waiting[-1].event,
        )
    )
    index, log = await place.index(), await place.log()
    open_to_all = a_classified_note(a_note())
    await log.append(CLASSIFIED.name, [event(open_to_all), event(state(2))])
    assert (await rebuild(log, index, registry=registry)).notes == 1
    await index.refresh()
    assert (await index.count(), await total(index)) == (1, 1)
    assert await index.get(open_to_all.note_id) is None
    registry.close()


# While people write and read


class Model:
    """What the log says of each note: its highest version since it was last forgotten."""

    def __init__(self) -> None:
        self.versions: dict[UUID, int] = {}
        self.in_force: set[UUID] = set()

    def take(self, note: ClassifiedNote) -> Entry:
        if note.version > self.versions.get(note.note_id, 0):
            self.versions[note.note_id] = note.version
            self.in_force.discard(note.note_id)
            self.in_force |= set() if note.withdrawn else {note.note_id}
        return event(note)

    def forget(self, note_id: UUID) -> Entry:
        self.versions[note_id] = 0
        self.in_force.discard(note_id)
        return Entry(str(note_id).encode(), None)


@asynccontextmanager
async def indexing(place: Place, log: Log, index: Index) -> AsyncIterator[Any]:
    """The search service's own reader of the log, as it runs in the deployment."""
    registry = Registry(place.settings.registry_url)
    await asyncio.to_thread(registry.migrate)
    worker = workers(log, index, registry, place.settings)[0]
    worker.subscribe()
    await log.start()
    yield worker
    assert await worker.health() is None
    await log.stop()
    await asyncio.to_thread(registry.close)


async def write(log: Log, model: Model, ended: asyncio.Event, chance: random.Random) -> None:
    """New notes, new revisions, and of Madrid's also some withdrawn and forgotten."""
    number = NOTES
    while not ended.is_set():
        entries = []
        for _ in range(5):
            number += 1
            madrid = a_note(post="madrid", reference=f"MAD-{chance.randrange(1_000)}")
            known = model.versions.get(madrid.id, 0) >> 40
            kind = chance.choice((Kind.SUBMITTED, Kind.RECTIFIED, Kind.WITHDRAWN))
            entries.append(model.take(state(number)))
            entries.append(model.take(state(chance.randrange(NOTES), 1 + chance.randrange(9))))
            entries.append(
                model.take(a_classified_note(madrid, revision=known + 1, kind=kind))
                if chance.random() < 0.9
                else model.forget(madrid.id)
            )
        await log.append(CLASSIFIED.name, entries)
        await asyncio.sleep(0.1)


async def look(
    index: Index, totals: list[int], ended: asyncio.Event, chance: random.Random
) -> None:
    """Search and open notes; the totals found."""
    while not ended.is_set():
        page = await index.search(asked("retraites", post=["berlin"]))
        assert page.hits
        totals.append(page.total)
        assert await index.get(state(chance.randrange(NOTES)).note_id) is not None


async def test_nothing_is_lost_or_doubled_and_nobody_notices(place: Place) -> None:
    chance, model, totals, ended = random.Random(14), Model(), list[int](), asyncio.Event()
    index, log, writing = await place.index(), await place.log(), await place.log()
    first = [model.take(state(number)) for number in range(NOTES)]
    for at in range(0, NOTES, PER_APPEND):
        await log.append(CLASSIFIED.name, first[at : at + PER_APPEND])
    async with indexing(place, log, index) as worker:
        await eventually(lambda: worker.counts["indexed"] >= NOTES)
        await index.refresh()
        people = [
            asyncio.create_task(write(writing, model, ended, chance)),
            asyncio.create_task(look(index, totals, ended, chance)),
        ]
        try:
            assert (await rebuild(log, index)).complete
        finally:
            ended.set()
            await asyncio.gather(*people)
        written = sum([len(batch) async for batch in log.replay(CLASSIFIED.name)])
        handled = ("indexed", "stale", "duplicate", "withdrawn")
        await eventually(lambda: sum(worker.counts[one] for one in handled) >= written)
    await index.refresh()
    assert len(totals) > 10
    assert totals == sorted(totals), "the total never falls"
    assert totals[0] >= NOTES
    assert await index.count() == len(model.in_force)
    some = {*chance.sample(sorted(model.versions), 300), *list(model.versions)[NOTES:][-300:]}
    for one in some:
        note = await index.get(one)
        assert (note.version if note else 0) == model.versions[one]
    assert len(await place.indexes()) == 1
