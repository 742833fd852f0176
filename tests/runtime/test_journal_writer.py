"""What waits for the journal is written in batches, outlives an outage, and is never dropped."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.runtime.errors import Unavailable
from services.runtime.journal import Journal, unknown, writer
from services.runtime.registry import Draft, Head, JournalFilter, Registry
from tests.contract.log_places import eventually
from tests.runtime.access.test_gate import Clock
from tests.runtime.journal_kit import a_draft

ALL = JournalFilter()


class Interrupted(Registry):
    """A registry that is away while it is said to be, and counts its transactions."""

    away = False
    transactions = 0

    def enter(self, drafts: Sequence[Draft]) -> Head:
        if self.away:
            raise Unavailable("away")
        self.transactions += 1
        return super().enter(drafts)


@pytest.fixture
def registry(tmp_path: Path) -> Interrupted:
    found = Interrupted(f"sqlite:///{tmp_path / 'registry.sqlite3'}")
    found.migrate()
    return found


@pytest.fixture
def journal(registry: Registry) -> Journal:
    return Journal(registry, 365)


def count(registry: Registry) -> int:
    return registry.journal_head().number


async def test_readings_are_written_together(registry: Interrupted, journal: Journal) -> None:
    for _ in range(30):
        journal.take(a_draft())
    assert count(registry) == 0
    await journal.flush()
    assert (count(registry), registry.transactions) == (30, 1)


async def test_a_change_is_written_at_once_and_takes_along_what_waits(
    registry: Interrupted, journal: Journal
) -> None:
    journal.take(a_draft("searched"))
    await journal.enter(a_draft("administered"))
    actions = [row.draft.action for row in registry.journal_page(ALL)]
    assert actions == ["administered", "searched"]


async def test_changes_that_come_together_share_transactions(
    registry: Interrupted, journal: Journal
) -> None:
    await asyncio.gather(*(journal.enter(a_draft("submitted")) for _ in range(50)))
    assert count(registry) == 50
    assert registry.transactions < 10


async def test_entries_outlive_an_outage_of_the_registry(
    registry: Interrupted, journal: Journal
) -> None:
    registry.away = True
    journal.take(a_draft())
    with pytest.raises(Unavailable):
        await journal.enter(a_draft("submitted"))
    assert count(registry) == 0
    registry.away = False
    await journal.flush()
    assert count(registry) == 2


async def test_when_too_much_waits_a_reader_is_refused_rather_than_not_recorded(
    registry: Interrupted, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MOST_WAITING", 5)
    registry.away = True
    for _ in range(5):
        journal.take(a_draft())
    with pytest.raises(Unavailable):
        journal.take(a_draft())
    registry.away = False
    await journal.flush()
    journal.take(a_draft())


async def test_a_flood_of_refusals_is_counted_and_keeps_no_reader_out(
    registry: Interrupted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MOST_REFUSALS", 3)
    monkeypatch.setattr(writer, "MOST_WAITING", 6)
    journal = Journal(registry, 365)
    async with journal:
        for _ in range(100):
            journal.take_refusal(a_draft("refused", who="", name=""))
        journal.take(a_draft())
        await eventually(lambda: count(registry) >= 5)
    entries = [row.draft for row in registry.journal_page(ALL)]
    assert [each.action for each in entries].count("refused") == 4
    assert entries[0].details == '{"omitted":97}'


async def test_the_running_journal_writes_by_itself_and_at_its_end(
    registry: Interrupted, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "valise.journal"):
        async with journal:
            journal.take(a_draft())
            await eventually(lambda: count(registry) == 1)
            assert await journal.health() is None
            journal.take(a_draft())
    assert count(registry) == 2
    assert f"head of the journal: {registry.journal_head()}" in caplog.messages


async def test_what_cannot_be_written_at_the_end_is_said(
    registry: Interrupted, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    async with journal:
        registry.away = True
        journal.take(a_draft())
    assert "1 entries of the journal are lost: away" in caplog.messages


async def test_a_writer_that_has_ended_shows_in_its_health(
    registry: Interrupted, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> None:
        raise ValueError("a bug")

    monkeypatch.setattr(journal, "flush", broken)
    with contextlib.suppress(ValueError):
        async with journal:
            await asyncio.sleep(2 * writer.BATCH_SECONDS)
            assert await journal.health() == "the writer of the journal has ended"


async def test_old_entries_are_pruned_by_the_running_journal(
    registry: Interrupted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "FIRST_PRUNE_SECONDS", 0.0)
    long_ago = datetime.now(UTC) - timedelta(days=31)
    registry.enter([a_draft(at=long_ago), a_draft(at=long_ago), a_draft()])
    async with Journal(registry, 30):
        await eventually(lambda: count(registry) == 4)
    assert [row.number for row in registry.journal_page(ALL)] == [4, 3]


async def test_a_refusal_of_somebody_known_is_entered_however_many_wait(
    registry: Interrupted, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MOST_REFUSALS", 3)
    for _ in range(10):
        journal.take_refusal(a_draft("refused", who="", name=""))
        journal.take_refusal(a_draft("refused"))
    await journal.flush()
    entered = [row.draft.who for row in registry.journal_page(ALL)]
    assert (entered.count(""), entered.count("key:2")) == (2, 10)


async def test_what_was_counted_is_entered_once_a_minute_and_at_the_end(
    registry: Interrupted, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unknown, "OF_ADDRESS", 0)
    async with journal:
        assert not journal.enters_refusal("10.0.0.1")
        await eventually(lambda: count(registry) == 1)
        for _ in range(7):
            assert not journal.enters_refusal("10.0.0.1")
        await asyncio.sleep(3 * writer.BATCH_SECONDS)
        assert count(registry) == 1
    entries = [row.draft for row in registry.journal_page(ALL)]
    assert [each.details for each in entries] == ['{"omitted":7}', '{"omitted":1}']
    assert {(each.who, each.action) for each in entries} == {("valise", "refused")}


def test_of_an_address_so_many_refusals_a_minute_are_entered() -> None:
    clock = Clock()
    refusals = unknown.Unknown(clock)

    def entered(address: str) -> int:
        return sum(refusals.enters(address) for _ in range(100))

    assert entered("10.0.0.1") == unknown.OF_ADDRESS
    assert entered("10.0.0.2") == unknown.OF_ADDRESS
    assert entered("::ffff:10.0.0.1") == 0
    assert entered("2001:db8::1") == unknown.OF_ADDRESS
    assert entered("2001:db8::2") == 0, "of the same network"
    clock.now += unknown.SECONDS
    assert entered("10.0.0.1") == unknown.OF_ADDRESS


def test_the_addresses_of_which_refusals_are_entered_are_bounded() -> None:
    refusals = unknown.Unknown(Clock())
    entered = [refusals.enters(f"10.0.{number // 250}.{number % 250}") for number in range(5_000)]
    assert sum(entered) == len(refusals.entered) == unknown.MOST_ADDRESSES
    assert refusals.enters("10.0.0.1")
    assert not refusals.enters("10.9.9.9")
