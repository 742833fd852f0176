"""Changes of notes in the journal, on SQLite and on PostgreSQL: each once, by whoever sent it."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from schemas.answers import State
from services.runtime.registry import (
    BegunCorrection,
    BegunRevision,
    JournalFilter,
    Key,
    Mark,
    Registry,
    Sender,
)
from services.runtime.registry.database import Database
from services.runtime.registry.tables import corrections, revisions
from tests.builders import a_note
from tests.runtime.registry_kit import correction, rectification, submission, withdrawal

BERLIN = Sender("key:4", "Poste de Berlin", "10.1.2.3")
CAMILLE = Sender("person:7", "Camille Lemaire", "10.1.2.4")
LATER = timedelta(days=1)
NOTE = a_note().id


def entered(registry: Registry) -> list[tuple[str, str, str, dict[str, object]]]:
    """Who did what and from where, and the details, in the order of entry."""
    return [
        (row.draft.who, row.draft.action, row.draft.address, json.loads(row.draft.details))
        for row in reversed(registry.journal_page(JournalFilter(), limit=1_000))
    ]


def named(url: str) -> int:
    """How many rows still name their sender."""
    database = Database(url)
    with database.reading() as connection:
        found = sum(
            connection.scalar(
                sa.select(sa.func.count()).select_from(table).where(table.c.sender.is_not(None))
            )
            or 0
            for table in (revisions, corrections)
        )
    database.close()
    return found


def test_each_change_is_entered_once_by_its_sender_and_the_name_is_removed(
    registry: Registry, url: str
) -> None:
    registry.begin([submission()], BERLIN)
    corrected = registry.begin_correction(correction("sante"), CAMILLE)
    revised = registry.begin_revision(rectification(subject="Autre"), BERLIN)
    withdrawn = registry.begin_revision(withdrawal(), BERLIN)
    assert isinstance(corrected, BegunCorrection)
    assert isinstance(revised, BegunRevision)
    assert isinstance(withdrawn, BegunRevision)
    assert entered(registry) == []
    assert named(url) == 4
    keys = [Key(NOTE, 1), corrected.key, revised.key, withdrawn.key]
    for _ in range(2):
        assert registry.mark_received(keys) == []
    accepted = {"outcome": "accepted"}
    assert entered(registry) == [
        ("key:4", "submitted", "10.1.2.3", accepted),
        ("person:7", "corrected", "10.1.2.4", accepted | {"correction": 1}),
        ("key:4", "rectified", "10.1.2.3", accepted | {"revision": 2}),
        ("key:4", "withdrawn", "10.1.2.3", accepted | {"revision": 3}),
    ]
    assert named(url) == 0


def test_a_change_that_is_not_the_newest_in_the_log_yet_is_not_entered(registry: Registry) -> None:
    registry.begin([submission()], BERLIN)
    revised = registry.begin_revision(rectification(subject="Autre"), BERLIN)
    assert isinstance(revised, BegunRevision)
    assert len(registry.mark_received([Key(NOTE, 1)])) == 1
    assert entered(registry) == []
    registry.mark_received([Key(NOTE, 1), revised.key])
    assert [action for _, action, _, _ in entered(registry)] == ["submitted", "rectified"]


def test_what_was_forgotten_or_sent_by_nobody_in_particular_is_not_entered(
    registry: Registry,
) -> None:
    registry.begin([submission()], BERLIN)
    registry.abandon(Key(NOTE, 1))
    registry.begin([submission()])
    registry.mark_received([Key(NOTE, 1)])
    assert entered(registry) == []


def test_what_the_index_had_first_is_entered_when_somebody_looks(registry: Registry) -> None:
    now = datetime.now(UTC)
    registry.begin([submission()], BERLIN)
    assert registry.enter_left(now + LATER) == 0, "the log may not have it"
    registry.mark_indexed([Mark(NOTE, 1, State.INDEXED, now)])
    assert registry.enter_left(now - LATER) == 0, "its own request may still enter it"
    assert registry.enter_left(now + LATER) == 1
    assert registry.enter_left(now + LATER) == 0
    assert entered(registry) == [("key:4", "submitted", "10.1.2.3", {"outcome": "accepted"})]


def test_many_who_finish_the_same_changes_at_once_enter_each_once(registry: Registry) -> None:
    sent = [submission(reference=f"BER-{number}") for number in range(40)]
    keys = [each.key for each in registry.begin(sent, BERLIN)]
    now = datetime.now(UTC)
    registry.mark_indexed([Mark(key.note_id, 1, State.INDEXED, now) for key in keys[::2]])

    def finish(number: int) -> None:
        if number % 2:
            registry.enter_left(now + LATER)
        else:
            registry.mark_received(keys if number % 4 else keys[::-1])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(finish, range(16)))
    registry.enter_left(now + LATER)
    objects = [row.draft.object for row in registry.journal_page(JournalFilter(), limit=1_000)]
    assert sorted(objects) == sorted(str(key.note_id) for key in keys)
