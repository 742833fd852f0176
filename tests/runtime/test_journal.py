"""The journal in the registry, on SQLite and on PostgreSQL."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from schemas.journal import JournalCheck
from services.runtime.errors import Unavailable
from services.runtime.journal.check import Check
from services.runtime.registry import Draft, Head, JournalFilter, Registry
from services.runtime.registry import journal as journal_rows
from services.runtime.registry.database import Database
from tests.runtime.journal_kit import a_draft

ALL = JournalFilter()
YEAR = timedelta(days=365)


def checked(registry: Registry, noted: Head | None = None) -> JournalCheck:
    check = Check(registry.journal_anchor(), noted)
    check.feed(registry.journal_after(0, 10**9, 10**6))
    return check.result()


def aged(days: int, **fields: object) -> Draft:
    return a_draft(at=datetime.now(UTC) - timedelta(days=days), **fields)


def numbers(registry: Registry, wanted: JournalFilter = ALL) -> list[int]:
    return [row.number for row in registry.journal_page(wanted)]


def spoil(url: str, statement: str) -> None:
    """Do what the triggers forbid, as someone can who may drop them."""
    database = Database(url)
    with database.writing() as connection:
        if database.is_sqlite:
            connection.execute(text("DROP TRIGGER IF EXISTS journal_no_update"))
            connection.execute(text("DROP TRIGGER IF EXISTS journal_no_delete"))
        else:
            connection.execute(text("DROP TRIGGER IF EXISTS journal_no_change ON journal"))
        connection.execute(text(statement))
    database.close()


def write_some(url: str, writer: int) -> None:
    """Enter forty batches of one to three entries; for a process of its own."""
    registry = Registry(url)
    for turn in range(40):
        drafts = [a_draft(who=f"key:{writer}") for _ in range(1 + turn % 3)]
        while True:
            try:
                registry.enter(drafts)
            except Unavailable:
                continue
            break
    registry.close()


def test_entries_are_numbered_from_one_and_kept_as_they_were_given(registry: Registry) -> None:
    assert registry.journal_head() == Head(0, "0" * 64)
    first, second = a_draft(about=uuid4()), a_draft("searched")
    head = registry.enter([first, second])
    newest, oldest = registry.journal_page(ALL)
    assert (oldest.number, newest.number) == (1, 2)
    assert (oldest.draft, newest.draft) == (first, second)
    assert head == registry.journal_head() == (2, newest.hash)
    assert checked(registry, head).whole


def test_an_entry_that_is_written_again_after_an_outage_is_there_once(registry: Registry) -> None:
    drafts = [a_draft(), a_draft()]
    registry.enter(drafts[:1])
    head = registry.enter(drafts)
    assert registry.enter(drafts) == head
    assert numbers(registry) == [2, 1]


def test_entries_are_found_by_who_did_what_to_what_and_when(registry: Registry) -> None:
    note = uuid4()
    registry.enter(
        [
            aged(3, action="searched"),
            aged(2, about=note),
            aged(1, about=note, who="key:7"),
            aged(0, action="administered", about="key:7"),
        ]
    )
    two_days = datetime.now(UTC) - timedelta(days=2, minutes=-1)
    assert numbers(registry, JournalFilter(who="key:7")) == [3]
    assert numbers(registry, JournalFilter(action="searched")) == [1]
    assert numbers(registry, JournalFilter(object=str(note))) == [3, 2]
    assert numbers(registry, JournalFilter(since=two_days)) == [4, 3]
    assert numbers(registry, JournalFilter(until=two_days)) == [2, 1]
    pages = [registry.journal_page(ALL, before, 3) for before in (None, 2)]
    assert [[row.number for row in page] for page in pages] == [[4, 3, 2], [1]]


def test_writers_in_several_threads_leave_no_gap_and_no_fork(registry: Registry, url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda writer: write_some(url, writer), range(4)))
    found = checked(registry)
    assert (found.whole, found.entries) == (True, 4 * 79)


def test_writers_in_several_processes_leave_no_gap_and_no_fork(
    registry: Registry, url: str
) -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(3, mp_context=context) as pool:
        list(pool.map(write_some, [url] * 3, range(3)))
    found = checked(registry)
    assert (found.whole, found.entries) == (True, 3 * 79)


@pytest.mark.parametrize(
    ("done", "named"),
    [
        ("UPDATE journal SET who = 'key:9' WHERE number = 3", [3]),
        ("DELETE FROM journal WHERE number = 3", [3]),
        ("UPDATE journal SET object = 'autre', hash = 'f' WHERE number = 5", [5]),
    ],
)
def test_what_was_done_in_the_database_shows(
    registry: Registry, url: str, done: str, named: list[int]
) -> None:
    head = registry.enter([a_draft() for _ in range(5)])
    assert checked(registry, head).whole
    spoil(url, done)
    assert sorted({fault.number for fault in checked(registry, head).faults}) == named


def test_the_newest_entry_removed_shows_by_the_noted_head_alone(
    registry: Registry, url: str
) -> None:
    head = registry.enter([a_draft() for _ in range(3)])
    spoil(url, "DELETE FROM journal WHERE number = 3")
    assert checked(registry).whole
    assert [fault.number for fault in checked(registry, head).faults] == [3]


@pytest.mark.parametrize(
    "done",
    ["UPDATE journal SET who = 'key:9'", "DELETE FROM journal WHERE number = 1"],
)
def test_the_database_refuses_to_change_and_to_delete_entries(
    registry: Registry, url: str, done: str
) -> None:
    registry.enter([a_draft()])
    database = Database(url)
    with pytest.raises((DBAPIError, Unavailable)), database.writing() as connection:
        connection.execute(text(done))
    database.close()
    assert checked(registry).whole


def test_the_oldest_entries_go_when_they_are_too_old_and_the_rest_stays_whole(
    registry: Registry,
) -> None:
    registry.enter([aged(400), aged(380), aged(10), aged(370), aged(1)])
    now = datetime.now(UTC)
    assert registry.prune_journal(now - YEAR, now) == 2
    assert numbers(registry) == [6, 5, 4, 3]
    newest = registry.journal_page(ALL)[0].draft
    assert (newest.action, newest.object, newest.who) == ("pruned", "2", "valise")
    found = checked(registry)
    assert (found.whole, found.first) == (True, 3)
    assert registry.prune_journal(now - YEAR, now) == 0
    assert numbers(registry) == [6, 5, 4, 3]


def test_after_a_pruning_what_is_left_cannot_be_deleted(registry: Registry, url: str) -> None:
    registry.enter([aged(400), aged(10), aged(1)])
    now = datetime.now(UTC)
    registry.prune_journal(now - YEAR, now)
    database = Database(url)
    with pytest.raises((DBAPIError, Unavailable)), database.writing() as connection:
        connection.execute(text("DELETE FROM journal WHERE number = 2"))
    database.close()
    assert numbers(registry) == [4, 3, 2]


def test_an_old_prefix_removed_by_hand_shows(registry: Registry, url: str) -> None:
    registry.enter([aged(400), aged(390), aged(10), aged(1)])
    now = datetime.now(UTC)
    registry.prune_journal(now - timedelta(days=395), now)
    spoil(url, "DELETE FROM journal WHERE number <= 3")
    assert [fault.number for fault in checked(registry).faults] == [2]


def test_many_old_entries_go_piece_by_piece_even_all_of_them(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_rows, "PRUNED_AT_ONCE", 4)
    registry.enter([aged(400) for _ in range(10)])
    now = datetime.now(UTC)
    removed = []
    while count := registry.prune_journal(now - YEAR, now):
        removed.append(count)
    assert removed == [4, 4, 2]
    assert checked(registry).whole
    assert numbers(registry) == [13, 12, 11]


def test_an_emptied_table_shows_by_the_noted_head(registry: Registry, url: str) -> None:
    head = registry.enter([a_draft(), a_draft()])
    spoil(url, "DELETE FROM journal")
    assert [fault.number for fault in checked(registry, head).faults] == [1]
