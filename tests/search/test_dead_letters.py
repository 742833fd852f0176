"""What an administrator can do about records that could not be processed."""

import base64
import json
import sqlite3
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from schemas.access import Role
from schemas.answers import State
from schemas.events import ClassifiedNote, Kind, NoteEvent, decode, encode
from schemas.topics import CLASSIFIED, SUBMITTED
from services.runtime.dead_letters import LETTER
from services.runtime.errors import Unavailable
from services.runtime.log import Entry
from services.runtime.registry import JournalFilter, Key
from services.runtime.registry.rows import UNHEARD
from services.search import last_word
from services.search.dead_letters import HINTS, OTHERWISE, hint
from tests.builders import a_classified_note, a_note, an_event
from tests.contract.log_places import eventually
from tests.keys import a_key
from tests.runtime.registry_kit import correction
from tests.search import corpus
from tests.search.desk import Desk, open_desk

NOTE = corpus.RETRAITES
REFUSED = "refused by the index: a field that it does not know"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path) as opened:
        yield opened


async def parked(desk: Desk, event: ClassifiedNote = NOTE) -> int:
    """Have search have parked this note, though it is a good one; the letter's number."""
    desk.receive(event)
    number = await desk.park(CLASSIFIED.name, event.note_id, event, REFUSED)
    receipt = desk.registry.receipt(event.note_id)
    assert receipt is not None
    assert receipt.state is State.PARKED
    return number


async def test_a_letter_replayed_after_the_fix_succeeds_and_shows_as_settled(desk: Desk) -> None:
    number = await parked(desk)
    answer = await desk.post(f"/dead-letters/{number}/replay")
    assert answer.status_code == 202
    assert answer.json()["replays"] == 1

    async def settled() -> bool:
        return bool((await desk.get(f"/dead-letters/{number}"))["state"] == "settled")

    await eventually(settled)
    trace = await desk.get(f"/notes/{NOTE.note_id}/trace")
    assert trace["state"] == "indexed"
    (step,) = [step for step in trace["steps"] if step["step"] == "parked"]
    assert step["detail"].endswith("(relancée 1 fois)")
    await desk.index.refresh()
    assert (await desk.get("/search", q="retraites"))["total"] == 1
    again = await desk.post("/dead-letters/replay")
    assert again.json() == {"replayed": 0, "refused": [], "next": None}


async def test_a_letter_that_fails_again_is_the_same_letter_with_its_latest_reason(
    desk: Desk,
) -> None:
    number = await desk.park(CLASSIFIED.name, "berlin", b"{", "the key of a former release")
    for times in (1, 2):
        assert (await desk.post(f"/dead-letters/{number}/replay")).status_code == 202

        def came_back(times: int = times) -> bool:
            (letter,) = desk.letters()
            return (letter.replays, letter.returns) == (times, times)

        await eventually(came_back)
    (letter,) = (await desk.get("/dead-letters"))["letters"]
    assert (letter["number"], letter["state"], letter["replays"]) == (number, "parked", 2)
    assert letter["reason"] == "the key is not a note id"
    assert letter["origin"] == f"{CLASSIFIED.name}/0/1000"
    assert letter["replayed_at"] is not None


async def test_a_letter_that_came_back_is_parked_though_its_note_is_indexed(desk: Desk) -> None:
    desk.receive(NOTE)
    await desk.write(CLASSIFIED.name, NOTE.note_id, NOTE)
    await eventually(lambda: desk.index.get(NOTE.note_id))
    number = await desk.park(CLASSIFIED.name, "berlin", NOTE, "the key is not a note id")
    await desk.post(f"/dead-letters/{number}/replay")
    await eventually(lambda: desk.letters()[0].returns)
    letter = await desk.get(f"/dead-letters/{number}")
    assert (letter["state"], letter["note_state"], letter["replays"]) == ("parked", "indexed", 1)


async def test_a_character_that_no_database_keeps_is_refused(desk: Desk) -> None:
    for path in (
        "/dead-letters?reason=%00",
        "/dead-letters?service=%00",
        "/missing-references?after=berlin/%00",
        "/notes?post=berlin&after=%00",
    ):
        assert (await desk.http.get(f"/api/v1{path}")).status_code == 422, path
    assert (await desk.post("/dead-letters/replay", reason="\0")).status_code == 422
    desk.receive(NOTE)
    assert (
        await desk.post(f"/notes/{NOTE.note_id}/expunge", {"reason": "a\0b"})
    ).status_code == 422
    assert desk.registry.knows(NOTE.note_id)


async def test_what_a_replayed_record_becomes_on_the_next_topic_is_another_letter(
    desk: Desk,
) -> None:
    first = f"{SUBMITTED.name}/0/7"
    headers = {LETTER: first.encode()}
    await desk.log.append(CLASSIFIED.name, [Entry(b"berlin", b"[]", headers)])
    await eventually(desk.letters)
    assert desk.letters()[0].origin == f"{CLASSIFIED.name}/0/0"


async def test_an_administrator_lists_page_by_page_and_filters(desk: Desk) -> None:
    numbers = [
        await desk.park(CLASSIFIED.name, NOTE.note_id, b"{", "not an event: 100 %"),
        await desk.park(SUBMITTED.name, uuid4(), b"\xff\xfe", "not an event of notes.submitted"),
        await desk.park(CLASSIFIED.name, uuid4(), b"[]", REFUSED),
    ]

    async def listed(**wanted: object) -> list[int]:
        return [each["number"] for each in (await desk.get("/dead-letters", **wanted))["letters"]]

    first = await desk.get("/dead-letters", size=2)
    assert [each["number"] for each in first["letters"]] == [numbers[2], numbers[1]]
    assert await listed(size=2, before=first["next"]) == [numbers[0]]
    assert await listed(service="classify") == [numbers[1]]
    assert await listed(reason="NOT AN EVENT") == [numbers[1], numbers[0]]
    assert await listed(reason="0 %") == [numbers[0]]
    assert await listed(note_id=str(NOTE.note_id)) == [numbers[0]]
    await desk.post("/dead-letters/replay", reason="refused")
    assert await listed(replayed=True) == [numbers[2]]
    assert await listed(replayed=False) == [numbers[1], numbers[0]]
    assert (await desk.http.get("/api/v1/dead-letters?size=0")).status_code == 422
    assert (await desk.http.get("/api/v1/dead-letters?note_id=x")).status_code == 422


async def test_a_letter_is_shown_with_its_bytes_headers_and_what_to_do(desk: Desk) -> None:
    text = await desk.park(SUBMITTED.name, "clé", "né à Zürich".encode(), "not an event of x")
    shown = await desk.get(f"/dead-letters/{text}")
    assert shown["value"] == {"encoding": "text", "data": "né à Zürich"}
    assert shown["key"] == {"encoding": "text", "data": "clé"}
    assert shown["headers"] == {"trace": {"encoding": "text", "data": "00-ab"}}
    assert (shown["bytes"], shown["note_id"], shown["note_state"]) == (14, None, None)
    assert shown["hint"].startswith("Ces octets")
    raw = await desk.park(SUBMITTED.name, "x", b"\xff\x00", "unexpected: KeyError")
    value = (await desk.get(f"/dead-letters/{raw}"))["value"]
    assert base64.b64decode(value["data"]) == b"\xff\x00"
    assert value["encoding"] == "base64"
    for path in ("/dead-letters/999", "/dead-letters/999999999999999999999"):
        assert (await desk.http.get(f"/api/v1{path}")).status_code in (404, 422)
    assert (await desk.post("/dead-letters/999/replay")).status_code == 404


def test_each_class_of_reason_has_its_own_advice() -> None:
    assert hint("refused by the index: mapper_parsing_exception").startswith("L'index refuse")
    assert hint("unexpected: KeyError: 'x'").startswith("Le programme")
    assert hint("the key is not a note id").startswith("La clé")
    assert hint("12000001 bytes not parked; the entry has …").startswith("L'enregistrement")
    assert hint("something new") == OTHERWISE
    assert len({said for _, said in HINTS}) == len(HINTS)


async def test_nothing_older_or_unreadable_is_put_behind_a_note_s_newest_state(
    desk: Desk,
) -> None:
    desk.receive(NOTE)
    await desk.write(CLASSIFIED.name, NOTE.note_id, NOTE)
    reclassified = corpus.tagged(NOTE.note, release=9)
    await desk.write(CLASSIFIED.name, NOTE.note_id, reclassified)

    async def newest() -> bool:
        kept = await desk.index.get(NOTE.note_id)
        return kept is not None and kept.version == reclassified.version

    await eventually(newest)
    other = an_event(a_note(reference="BER-2026-9"))
    letters = [
        await desk.park(CLASSIFIED.name, NOTE.note_id, NOTE, REFUSED, offset=1),
        await desk.park(CLASSIFIED.name, NOTE.note_id, b"{", REFUSED, offset=2),
        await desk.park(SUBMITTED.name, NOTE.note_id, other, REFUSED, offset=3),
        await desk.park(SUBMITTED.name, NOTE.note_id, b"", "9 bytes not parked", offset=4),
        await desk.park("notes.submitted", NOTE.note_id, b"{", "x", offset=5),
    ]
    for number in letters:
        refused = await desk.post(f"/dead-letters/{number}/replay")
        assert refused.status_code == 409, number
        assert refused.json()["title"] == "Relance sans objet"
    many = (await desk.post("/dead-letters/replay")).json()
    assert [each["number"] for each in many["refused"]] == letters
    assert await desk.last(CLASSIFIED.name, NOTE.note_id) == encode(reclassified)
    assert {letter.replays for letter in desk.letters()} == {0}


async def test_a_state_that_came_while_a_letter_was_replayed_is_written_behind_it(
    desk: Desk,
) -> None:
    desk.receive(NOTE)
    desk.registry.begin_correction(correction("sante.hopital", note_id=NOTE.note_id))
    await last_word.settle(desk.log, desk.registry, NOTE.note_id, Key(NOTE.note_id, 1))
    last = await desk.last(SUBMITTED.name, NOTE.note_id)
    assert decode(NoteEvent, last or b"").kind is Kind.CORRECTED
    desk.receive(other := an_event(a_note(reference="BER-2026-9")))
    await last_word.settle(desk.log, desk.registry, other.note_id, Key(other.note_id, 1))
    with pytest.raises(KeyError):
        await desk.last(SUBMITTED.name, other.note_id)


async def test_a_letter_that_was_lost_on_its_way_is_parked_again_and_replayed_with_the_others(
    desk: Desk,
) -> None:
    number = await parked(desk)
    # Killed between counting the replay and writing it.
    desk.registry.mark_replayed(number, datetime.now(UTC))
    assert (await desk.get(f"/dead-letters/{number}"))["state"] == "replayed"
    assert (await desk.post("/dead-letters/replay")).json()["replayed"] == 0
    desk.registry.mark_replayed(number, datetime.now(UTC) - UNHEARD - timedelta(seconds=1))
    assert (await desk.get(f"/dead-letters/{number}"))["state"] == "parked"
    assert (await desk.post("/dead-letters/replay")).json()["replayed"] == 1

    async def settled() -> bool:
        return bool((await desk.get(f"/dead-letters/{number}"))["state"] == "settled")

    await eventually(settled)
    assert (await desk.post("/dead-letters/replay")).json()["replayed"] == 0


async def test_a_letter_whose_replay_cannot_be_written_stays_parked(desk: Desk) -> None:
    number = await parked(desk)
    other = sqlite3.connect(desk.data / "log.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert (await desk.post(f"/dead-letters/{number}/replay")).status_code == 503
    other.close()
    (letter,) = desk.letters()
    assert (letter.replays, letter.returns) == (1, 1)


async def test_an_administrator_who_may_not_read_a_note_does_not_read_it_as_a_letter(
    desk: Desk,
) -> None:
    note = a_classified_note(a_note(marking="diffusion_restreinte"))
    number = await desk.park(CLASSIFIED.name, note.note_id, note, "refused by the index: x")
    assert (await desk.get(f"/dead-letters/{number}"))["value"] is not None
    desk.http.headers.update(a_key(desk.registry, Role.ADMINISTER))
    shown = await desk.get(f"/dead-letters/{number}")
    assert shown["value"] is None
    assert "lire en entier" in shown["hint"]


@pytest.mark.parametrize("several", [False, True], ids=["one", "several"])
async def test_a_replay_is_entered_before_it_writes_anything(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, several: bool
) -> None:
    number = await parked(desk)

    async def ended(_topic: str, _entries: Sequence[Entry]) -> None:
        raise Unavailable("killed here")

    monkeypatch.setattr(desk.log, "append", ended)
    path = "/dead-letters/replay" if several else f"/dead-letters/{number}/replay"
    filters = {"reason": "refused", "replayed": "false"} if several else {}
    assert (await desk.post(path, **filters)).status_code == 503
    (entry,) = desk.registry.journal_page(JournalFilter(action="administered"))
    assert (entry.draft.who, entry.draft.object) == (
        "key:1",
        "dead-letters" if several else f"dead-letter:{number}",
    )
    assert json.loads(entry.draft.details) == (
        {"what": "dead_letters_replayed", "after": 0, "reason": "refused", "replayed": False}
        if several
        else {"what": "dead_letter_replayed"}
    )
