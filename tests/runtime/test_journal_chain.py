"""What was done to the journal shows, and where."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from schemas.journal import JournalCheck
from services.runtime.journal.check import Check, parse_head
from services.runtime.registry.chain import (
    EMPTY,
    MOST_DETAILS,
    EntryRow,
    Head,
    chained,
    link,
    written,
)
from tests.runtime.journal_kit import a_draft

ENTRIES = chained(EMPTY, [a_draft(about=f"note {each}") for each in range(1, 11)])


def checked(rows: list[EntryRow], noted: Head | None = None) -> JournalCheck:
    check = Check(noted=noted)
    check.feed(rows)
    return check.result()


def faulty(rows: list[EntryRow], noted: Head | None = None) -> list[int]:
    found = checked(rows, noted)
    assert found.whole == (not found.faults)
    return [fault.number for fault in found.faults]


def renumbered(rows: list[EntryRow]) -> list[EntryRow]:
    return [replace(row, number=number) for number, row in enumerate(rows, start=1)]


def head_of(rows: list[EntryRow]) -> Head:
    return Head(rows[-1].number, rows[-1].hash)


def test_a_journal_that_nobody_touched_is_whole_and_names_its_head() -> None:
    found = checked(ENTRIES)
    assert (found.whole, found.entries, found.first) == (True, 10, 1)
    assert found.head == str(head_of(ENTRIES)) == f"10:{ENTRIES[-1].hash}"


def test_an_empty_journal_is_whole() -> None:
    found = checked([])
    assert (found.whole, found.entries, found.first, found.head) == (True, 0, None, None)


@given(
    at=st.integers(0, 9),
    field=st.sampled_from(["who", "name", "action", "object", "details", "address", "at", "id"]),
)
def test_a_changed_entry_is_named_whatever_was_changed(at: int, field: str) -> None:
    other = {"at": datetime(2020, 1, 1, tzinfo=UTC), "id": uuid4()}.get(field, "autre")
    rows = list(ENTRIES)
    rows[at] = replace(rows[at], draft=replace(rows[at].draft, **{field: other}))
    assert faulty(rows) == [at + 1]


def test_an_entry_changed_along_with_its_hash_shows_at_the_next_one() -> None:
    rows = list(ENTRIES)
    draft = replace(rows[3].draft, who="key:9")
    rows[3] = EntryRow(4, draft, link(rows[2].hash, 4, draft))
    assert faulty(rows) == [5]


@given(at=st.integers(0, 8))
def test_a_removed_entry_is_named(at: int) -> None:
    rows = ENTRIES[:at] + ENTRIES[at + 1 :]
    found = checked(rows)
    assert [fault.number for fault in found.faults] == [at + 1]
    assert found.faults[0].detail == f"L'entrée {at + 1} manque."


def test_an_entry_removed_with_the_rest_moved_up_is_named() -> None:
    assert faulty(renumbered(ENTRIES[:4] + ENTRIES[5:]))[0] == 5


def test_an_entry_that_was_put_in_is_named() -> None:
    (strange,) = chained(Head(4, ENTRIES[3].hash), [a_draft(about="ajoutée")])
    assert faulty(renumbered([*ENTRIES[:4], strange, *ENTRIES[4:]]))[0] == 6
    unbound = replace(strange, hash="f" * 64)
    assert faulty(renumbered([*ENTRIES[:4], unbound, *ENTRIES[4:]]))[0] == 5


@given(st.sampled_from([(a, b) for a in range(10) for b in range(a + 1, 10)]))
def test_two_swapped_entries_are_named(places: tuple[int, int]) -> None:
    rows = list(ENTRIES)
    a, b = places
    rows[a], rows[b] = rows[b], rows[a]
    assert {a + 1, b + 1} <= set(faulty(renumbered(rows)))


def test_removing_the_newest_entries_shows_by_a_head_noted_elsewhere() -> None:
    rows = ENTRIES[:7]
    assert checked(rows).whole
    found = checked(rows, noted=head_of(ENTRIES))
    assert [fault.detail for fault in found.faults] == ["Les entrées 8 à 10 manquent."]


def test_a_journal_written_anew_from_some_entry_on_shows_by_a_head_noted_elsewhere() -> None:
    anew = [replace(row.draft, who="key:9") for row in ENTRIES[5:]]
    rows = ENTRIES[:5] + chained(head_of(ENTRIES[:5]), anew)
    assert checked(rows).whole
    assert faulty(rows, noted=head_of(ENTRIES[:8])) == [8]
    assert checked(rows, noted=head_of(ENTRIES[:5])).whole


def test_a_journal_begins_at_its_first_entry_or_behind_what_a_pruning_names() -> None:
    pruned = a_draft(
        "pruned", "4", details=written({"hash": ENTRIES[3].hash, "entries": 4}), who="valise"
    )
    (anchor,) = chained(head_of(ENTRIES), [pruned])
    rows = [*ENTRIES[4:], anchor]
    assert faulty(rows) == [1]
    check = Check(anchor)
    check.feed(rows)
    found = check.result()
    assert (found.whole, found.first, found.entries) == (True, 5, 7)
    further = Check(anchor)
    further.feed(rows[1:])
    assert [fault.number for fault in further.result().faults] == [5]


def test_an_anchor_that_was_tampered_with_shows() -> None:
    pruned = a_draft("pruned", "4", details="nothing readable")
    (anchor,) = chained(head_of(ENTRIES), [pruned])
    check = Check(anchor)
    check.feed([*ENTRIES[4:], anchor])
    assert not check.result().whole


def test_many_faults_are_told_up_to_a_number() -> None:
    rows = [replace(row, hash="0" * 64) for row in chained(EMPTY, [a_draft()] * 200)]
    assert len(checked(rows).faults) == 50


def test_the_hash_is_the_same_whatever_the_zone_in_which_the_moment_is_said() -> None:
    draft = a_draft()
    paris = replace(draft, at=draft.at.astimezone(timezone(timedelta(hours=2))))
    assert link("", 1, draft) == link("", 1, paris)


def test_long_details_are_cut_and_say_so() -> None:
    codes = ["DE"] * 5_000
    text = written({"hits": 3, "country": codes, "words": "retraites " * 100})
    assert json.loads(text) == {"hits": 3, "words": "retraites " * 100, "cut": True}
    assert len(written({"country": codes, "words": "é" * 90_000})) <= MOST_DETAILS
    unseen = "%E2%80%8B" * 1_000  # the longest words that a search takes, of no-width spaces
    assert json.loads(written({"words": unseen, "hits": 3})) == {"words": unseen, "hits": 3}


def test_a_noted_head_is_read_as_it_is_logged() -> None:
    head = head_of(ENTRIES)
    assert parse_head(f" {head} ") == head
    for wrong in ("", "12", "12:", f"x:{head.hash}", f"12:{head.hash}0", "12:" + "G" * 64):
        assert parse_head(wrong) is None
