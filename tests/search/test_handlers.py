"""What becomes of each record of the log: one outcome each, and the receipts told."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from schemas.answers import State
from schemas.events import ClassifiedNote, Kind, NoteEvent, encode
from schemas.query import PUBLIC, Query
from schemas.topics import CLASSIFIED_DEAD, SUBMITTED_DEAD
from services.runtime.dead_letters import DeadLetter
from services.runtime.errors import Unavailable
from services.runtime.log import Record
from services.runtime.registry import Key, Submission
from services.runtime.worker import Done, Parked
from services.search.handlers import letter_keeper, processor
from tests.search import corpus
from tests.search.site import Site, record, records


def receive(site: Site, *notes: ClassifiedNote) -> None:
    """Have the registry know these notes as ingest would have told it."""
    submitted = [
        NoteEvent(**{name: getattr(note, name) for name in NoteEvent.model_fields})
        for note in notes
    ]
    site.registry.begin([Submission(event, f"hash of {event.note_id}") for event in submitted])
    site.registry.mark_received([Key(event.note_id, event.revision) for event in submitted])


def state(site: Site, note: ClassifiedNote) -> State:
    receipt = site.registry.receipt(note.note_id)
    assert receipt is not None
    return receipt.state


async def found(site: Site) -> set[UUID]:
    await site.index.refresh()
    page = await site.index.search(Query(reader=PUBLIC, size=100))
    return {hit.id for hit in page.hits}


async def test_a_counsellor_s_note_is_indexed_and_its_receipt_says_so(empty_site: Site) -> None:
    receive(empty_site, corpus.RETRAITES)
    assert await empty_site.take(corpus.RETRAITES) == [Done("indexed")]
    assert state(empty_site, corpus.RETRAITES) is State.INDEXED


async def test_the_same_event_again_is_a_duplicate_and_still_tells_the_receipt(
    empty_site: Site,
) -> None:
    receive(empty_site, corpus.RETRAITES)
    await empty_site.index.apply([corpus.RETRAITES])  # and then the process died
    assert state(empty_site, corpus.RETRAITES) is State.RECEIVED
    assert await empty_site.take(corpus.RETRAITES) == [Done("duplicate")]
    assert state(empty_site, corpus.RETRAITES) is State.INDEXED


async def test_a_late_event_is_stale_and_changes_nothing(empty_site: Site) -> None:
    newer = corpus.tagged(corpus.RETRAITES.note, release=2)
    assert await empty_site.take(newer, corpus.RETRAITES) == [Done("indexed"), Done("stale")]
    kept = await empty_site.index.get(newer.note_id)
    assert kept is not None
    assert kept.version == newer.version


async def test_a_withdrawn_note_is_out_of_every_search_and_stays_out(empty_site: Site) -> None:
    withdrawn = corpus.tagged(corpus.RETRAITES.note, revision=2, kind=Kind.WITHDRAWN)
    outcomes = await empty_site.take(corpus.RETRAITES, withdrawn, corpus.RETRAITES)
    assert outcomes == [Done("indexed"), Done("withdrawn"), Done("stale")]
    assert await found(empty_site) == set()


async def test_a_null_value_makes_the_index_forget_the_note_where_it_stands_in_the_order(
    empty_site: Site,
) -> None:
    (again,) = records(corpus.RETRAITES)
    forget = record(again.key, None)
    process = processor(empty_site.index, empty_site.registry)
    assert await process([again, forget]) == [Done("indexed"), Done("withdrawn")]
    assert await empty_site.index.get(corpus.RETRAITES.note_id) is None
    assert await process([forget, again]) == [Done("withdrawn"), Done("indexed")]
    assert await found(empty_site) == {corpus.RETRAITES.note_id}


def bad_records() -> dict[str, Record]:
    """Every kind of record that is no state of a note."""
    key = str(corpus.RETRAITES.note_id).encode()
    value = encode(corpus.RETRAITES)
    return {
        "no key": record(None, value),
        "a key that is no id": record(b"berlin", value),
        "a key that is not text": record(b"\xff" * 16, value),
        "another note's key": record(str(uuid4()).encode(), value),
        "not JSON": record(key, b"Bonjour"),
        "not UTF-8": record(key, b"\xff\xfe{}"),
        "empty": record(key, b""),
        "a list": record(key, b"[]"),
        "an unknown version": record(key, value.replace(b'"schema":1', b'"schema":99')),
        "an unknown field": record(key, value.replace(b'"schema":1', b'"schema":1,"x":1')),
        "not classified": record(key, encode(NoteEvent.model_validate(
            {name: getattr(corpus.RETRAITES, name) for name in NoteEvent.model_fields}
        ))),
        "far too nested": record(key, b"[" * 100_000),
    }  # fmt: skip


async def test_bad_records_are_parked_one_by_one_and_the_good_ones_indexed(
    empty_site: Site,
) -> None:
    bad = bad_records()
    mixed = [
        one for pair in zip(bad.values(), records(*corpus.ALL) * 2, strict=True) for one in pair
    ]
    results = await processor(empty_site.index, empty_site.registry)(mixed)
    for what, result in zip(bad, results[::2], strict=True):
        assert isinstance(result, Parked), what
        assert len(result.reason) > 10, what
    expected = [Done("indexed")] * len(corpus.ALL) + [Done("duplicate")] * len(corpus.ALL)
    assert results[1::2] == expected
    assert await found(empty_site) == {note.note_id for note in corpus.ALL}


async def test_a_batch_waits_where_the_index_is_away(empty_site: Site) -> None:
    receive(empty_site, corpus.RETRAITES)
    await empty_site.index.stop()
    with pytest.raises(Unavailable):
        await empty_site.take(corpus.RETRAITES)
    assert state(empty_site, corpus.RETRAITES) is State.RECEIVED
    await empty_site.index.start()
    assert await empty_site.take(corpus.RETRAITES) == [Done("indexed")]


def dead(
    original: Record, reason: str = "not an event", topic: str = SUBMITTED_DEAD.name
) -> Record:
    """The record of a dead-letter topic that says why the original was parked."""
    entry = DeadLetter.of(
        original, reason=reason, service="classify", at=datetime(2026, 3, 4, tzinfo=UTC)
    ).entry()
    return record(entry.key, entry.value, topic=topic, headers=dict(entry.headers))


async def test_a_dead_letter_is_kept_once_with_its_reason_origin_and_bytes(
    empty_site: Site,
) -> None:
    original = record(
        str(corpus.RETRAITES.note_id).encode(), b"{", topic="notes.submitted", offset=7
    )
    keep = letter_keeper(empty_site.registry, empty_site.index)
    receive(empty_site, corpus.RETRAITES)
    assert await keep([dead(original), dead(original)]) == [Done("parked"), Done("parked")]
    (kept,) = empty_site.registry.dead_letters()
    assert (kept.origin, kept.reason, kept.value) == ("notes.submitted/0/7", "not an event", b"{")
    assert kept.note_id == corpus.RETRAITES.note_id


async def test_what_is_no_dead_letter_on_its_topic_is_kept_for_somebody_to_look_into(
    empty_site: Site,
) -> None:
    stray = record(b"?", b"stray", topic=CLASSIFIED_DEAD.name, offset=3)
    assert await letter_keeper(empty_site.registry, empty_site.index)([stray]) == [Done("parked")]
    (kept,) = empty_site.registry.dead_letters()
    assert kept.origin == "notes.classified.dead/0/3"
    assert kept.value == b"stray"
    assert "not a dead letter" in kept.reason


async def test_a_letter_about_a_dead_letter_goes_no_further(
    empty_site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    letter = dead(record(b"?", b"x", topic=SUBMITTED_DEAD.name, offset=1), reason="unexpected")
    assert await letter_keeper(empty_site.registry, empty_site.index)([letter]) == [Done("parked")]
    assert empty_site.registry.dead_letters() == []
    assert "notes.submitted.dead/0/1" in caplog.text
