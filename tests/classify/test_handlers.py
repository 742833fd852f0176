"""The journey of an event through classify, on a real log."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from schemas.events import ClassifiedNote, Kind, NoteEvent, decode, encode
from schemas.note import MarkedSpan
from schemas.topics import ALL, CLASSIFIED, SUBMITTED
from services.classify.handlers import processor
from services.classify.release import RELEASE
from services.runtime.errors import Unavailable
from services.runtime.log import MAX_HEADER_BYTES, Log, Record
from services.runtime.log.sqlite import SqliteLog
from services.runtime.worker import Done, Parked
from tests.builders import a_note, an_event

CLASSIFIED_DONE = Done("classified")


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[Log]:
    log = SqliteLog(tmp_path / "log.sqlite3")
    await log.provision(ALL)
    await log.start()
    yield log
    await log.stop()


def record(
    key: bytes | None, value: bytes | None, offset: int = 0, headers: dict[str, bytes] | None = None
) -> Record:
    return Record(SUBMITTED.name, 0, offset, key, value, headers or {}, 0)


def record_of(event: NoteEvent, offset: int = 0) -> Record:
    return record(str(event.note_id).encode(), encode(event), offset)


async def written(log: Log) -> list[Record]:
    return [one async for batch in log.replay(CLASSIFIED.name) for one in batch]


async def test_a_note_goes_on_whole_with_its_tags(log: Log) -> None:
    event = an_event(trace="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    assert await processor(log)([record_of(event)]) == [CLASSIFIED_DONE]
    (one,) = await written(log)
    assert one.key == str(event.note_id).encode()
    found = decode(ClassifiedNote, one.value or b"")
    assert found.note == event.note
    assert (found.event_id, found.revision, found.trace) == (event.event_id, 1, event.trace)
    assert found.classification.release == RELEASE
    assert [tag.theme for tag in found.classification.themes] == ["protection_sociale"]
    assert [tag.country for tag in found.classification.countries] == ["DE"]


async def test_a_note_with_a_marked_passage_goes_on_with_the_tags_of_the_rest_too(
    log: Log,
) -> None:
    body = "Les retraites allemandes sont réformées. Le Japon ferme des hôpitaux."
    passage = MarkedSpan(field="body", start=41, end=len(body), mark="Spécial France")
    event = an_event(a_note(body=body, marked_spans=[passage]))
    await processor(log)([record_of(event)])
    (one,) = await written(log)
    found = decode(ClassifiedNote, one.value or b"")
    assert [tag.country for tag in found.classification.countries] == ["DE", "JP"]
    (view,) = found.views
    assert view.hidden == (0,)
    assert [tag.country for tag in view.classification.countries] == ["DE"]
    assert [tag.theme for tag in view.classification.themes] == ["protection_sociale"]


async def test_the_order_of_a_counsellors_revisions_is_kept(log: Log) -> None:
    events = [
        an_event(revision=number, kind=Kind.RECTIFIED if number > 1 else Kind.SUBMITTED)
        for number in range(1, 31)
    ]
    await processor(log)([record_of(event, place) for place, event in enumerate(events)])
    revisions = [decode(ClassifiedNote, one.value or b"").revision for one in await written(log)]
    assert revisions == list(range(1, 31))


async def test_a_forgotten_note_is_forgotten_further_on(log: Log) -> None:
    key = str(uuid4()).encode()
    assert await processor(log)([record(key, None, headers={"why": b"expunged"})]) == [
        CLASSIFIED_DONE
    ]
    (one,) = await written(log)
    assert (one.key, one.value, one.headers["why"]) == (key, None, b"expunged")


async def test_bad_records_are_parked_and_the_good_ones_go_on(log: Log) -> None:
    good, other = an_event(), an_event(a_note(reference="BER-2026-0143"))
    key = str(good.note_id).encode()
    unknown = json.loads(encode(good)) | {"schema": 99}
    batch = [
        record(key, b"not json"),
        record_of(good),
        record(key, b"\xff\xfe"),
        record(key, b"{}"),
        record(key, json.dumps(unknown).encode()),
        record(None, encode(good)),
        record(b"no id", None),
        record(str(other.note_id).encode(), encode(good)),
        record_of(other),
    ]
    results = await processor(log)(batch)
    assert [isinstance(one, Parked) for one in results] == [True, False] + [True] * 6 + [False]
    reasons = [one.reason for one in results if isinstance(one, Parked)]
    assert all(reason.isascii() or "schema" in reason for reason in reasons)
    assert reasons[3].startswith("not an event of notes.submitted: schema")
    assert reasons[4] == reasons[5] == "the key is not a note id"
    assert reasons[6] == "the event is about another note than its key"
    ids = [decode(ClassifiedNote, one.value or b"").note_id for one in await written(log)]
    assert ids == [good.note_id, other.note_id]


async def test_a_key_in_another_spelling_of_the_id_is_written_in_one(log: Log) -> None:
    event = an_event()
    spelled = str(event.note_id).upper().encode()
    assert await processor(log)([record(spelled, encode(event))]) == [CLASSIFIED_DONE]
    assert (await written(log))[0].key == str(event.note_id).encode()


async def test_a_log_that_is_away_has_the_whole_batch_come_again(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    away = SqliteLog(tmp_path / "file" / "log.sqlite3")
    with pytest.raises(Unavailable):
        await processor(away)([record_of(an_event())])


async def test_an_entry_too_large_for_the_log_is_parked_alone(log: Log) -> None:
    fits, too_large = an_event(), an_event(a_note(reference="BER-2026-0144"))
    headers = {"padding": b"x" * (MAX_HEADER_BYTES + 1)}
    key = str(too_large.note_id).encode()
    results = await processor(log)([record_of(fits), record(key, encode(too_large), 1, headers)])
    assert results[0] == CLASSIFIED_DONE
    assert isinstance(results[1], Parked)
    (one,) = await written(log)
    assert one.key == str(fits.note_id).encode()
