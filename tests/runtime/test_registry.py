"""The registry, on SQLite and on PostgreSQL: one suite."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import given
from hypothesis import strategies as st

from schemas.answers import IngestOutcome, State
from schemas.events import Kind, NoteEvent, decode, encode
from schemas.note import note_id
from services.runtime.access.rights import Restriction, Sight
from services.runtime.errors import Misconfigured, Unavailable
from services.runtime.registry import (
    Begun,
    BegunCorrection,
    BegunRevision,
    DeadLetterRow,
    Key,
    Mark,
    Obstacle,
    Registry,
    RevisionSubmission,
    Shown,
    Submission,
    Superseded,
    migrate,
)
from services.runtime.registry.database import Database
from services.runtime.registry.letters import about
from services.runtime.registry.tables import metadata, notes, revisions
from tests.builders import a_note, an_event
from tests.runtime.registry_kit import (
    correction,
    rectification,
    submission,
    withdraw,
    withdrawal,
)

LATER = timedelta(days=1)
ALL = Sight((0, 1, 2, 3))


def now() -> datetime:
    return datetime.now(UTC)


def outcomes(found: list[Begun]) -> list[str]:
    return [each.outcome.value for each in found]


def in_the_log(registry: Registry, *submissions: Submission) -> list[Key]:
    """Begin them and say that the log has them."""
    keys = [each.key for each in registry.begin(submissions)]
    registry.mark_received(keys)
    return keys


def letter(value: bytes | None, **changes: Any) -> DeadLetterRow:
    fields: dict[str, Any] = {
        "origin": f"notes.submitted/0/{uuid4().int % 10**9}",
        "service": "classify",
        "reason": "not an event",
        "at": now(),
        "value": value,
    }
    return DeadLetterRow(**(fields | changes))


class TestBegin:
    def test_a_new_note_is_accepted_and_pending(self, registry: Registry) -> None:
        sent = submission()
        (begun,) = registry.begin([sent])
        assert (begun.outcome, begun.state) == (IngestOutcome.ACCEPTED, State.PENDING)
        assert begun.revision == 1
        assert decode(NoteEvent, begun.event) == sent.event

    def test_the_same_note_again_is_a_duplicate_that_hands_out_the_first_event(
        self, registry: Registry
    ) -> None:
        first, again = submission(), submission()
        assert first.event.event_id != again.event.event_id
        registry.begin([first])
        (begun,) = registry.begin([again])
        assert begun.outcome is IngestOutcome.DUPLICATE
        assert decode(NoteEvent, begun.event) == first.event

    def test_other_content_under_the_same_reference_conflicts_and_names_the_fields(
        self, registry: Registry
    ) -> None:
        first = submission()
        registry.begin([first])
        (begun,) = registry.begin([submission(subject="Apprentissage", genre="breve")])
        assert begun.outcome is IngestOutcome.CONFLICT
        assert begun.differs == ("subject", "genre")
        assert begun.event == b""
        assert registry.revision(first.event.note_id, 1) == first.event

    def test_a_conflict_leaves_the_state_of_the_note_alone(self, registry: Registry) -> None:
        (key,) = in_the_log(registry, submission())
        registry.begin([submission(subject="Apprentissage")])
        found = registry.receipt(key.note_id)
        assert found is not None
        assert (found.state, found.revision) == (State.RECEIVED, 1)

    def test_a_date_that_was_only_guessed_does_not_contradict(self, registry: Registry) -> None:
        guessed = frozenset({"date"})
        registry.begin([submission(guessed, date="2026-03-04")])
        (again,) = registry.begin([submission(guessed, date="2026-03-09")])
        assert again.outcome is IngestOutcome.DUPLICATE

    def test_a_date_that_is_stated_contradicts_a_guessed_one_only_where_it_differs(
        self, registry: Registry
    ) -> None:
        registry.begin([submission(frozenset({"date"}), date="2026-03-04")])
        same, other = registry.begin([submission(date="2026-03-04"), submission(date="2026-03-09")])
        assert same.outcome is IngestOutcome.DUPLICATE
        assert (other.outcome, other.differs) == (IngestOutcome.CONFLICT, ("date",))

    def test_a_guess_does_not_contradict_a_stated_date(self, registry: Registry) -> None:
        registry.begin([submission(date="2026-03-04")])
        (again,) = registry.begin([submission(frozenset({"date"}), date="2026-03-09")])
        assert again.outcome is IngestOutcome.DUPLICATE

    def test_one_call_with_the_same_note_three_times_accepts_the_first(
        self, registry: Registry
    ) -> None:
        other = submission(reference="BER-2026-0143")
        sent = [submission(), other, submission(), submission(subject="Apprentissage")]
        found = registry.begin(sent)
        assert outcomes(found) == ["accepted", "accepted", "duplicate", "conflict"]
        assert [each.note_id for each in found] == [each.event.note_id for each in sent]

    def test_one_and_the_same_submission_twice_in_a_call_is_accepted_once(
        self, registry: Registry
    ) -> None:
        sent = submission()
        assert outcomes(registry.begin([sent, sent])) == ["accepted", "duplicate"]

    def test_nothing_to_begin_is_nothing(self, registry: Registry) -> None:
        assert registry.begin([]) == []

    def test_a_withdrawn_note_conflicts_whatever_is_sent(
        self, registry: Registry, url: str
    ) -> None:
        sent = submission()
        in_the_log(registry, sent)
        withdraw(url, sent.event)
        (begun,) = registry.begin([submission()])
        assert (begun.outcome, begun.withdrawn) == (IngestOutcome.CONFLICT, True)
        assert begun.revision == 2

    def test_twenty_at_once_make_one_note(self, registry: Registry) -> None:
        together = threading.Barrier(20)

        def send(_: int) -> str:
            together.wait(30)
            return registry.begin([submission()])[0].outcome.value

        with ThreadPoolExecutor(20) as pool:
            found = list(pool.map(send, range(20)))
        assert sorted(found) == ["accepted"] + ["duplicate"] * 19

    @pytest.mark.usefixtures("registry")
    def test_of_different_contents_at_once_exactly_one_is_accepted(self, url: str) -> None:
        """Each on its own registry, as services on several machines would be."""
        together = threading.Barrier(8)

        def send(number: int) -> Begun:
            own = Registry(url)
            together.wait(30)
            try:
                return own.begin([submission(subject=f"Version {number}")])[0]
            finally:
                own.close()

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(send, range(8)))
        assert sorted(outcomes(found)) == ["accepted"] + ["conflict"] * 7
        assert {each.differs for each in found} == {(), ("subject",)}

    def test_batches_with_the_same_notes_in_other_orders_do_not_block_each_other(
        self, registry: Registry
    ) -> None:
        references = [f"BER-2026-{number:04}" for number in range(40)]

        def send(turn: int) -> list[str]:
            turned = references[turn * 7 :] + references[: turn * 7]
            return outcomes(registry.begin([submission(reference=each) for each in turned]))

        with ThreadPoolExecutor(4) as pool:
            found = [each for part in pool.map(send, range(4)) for each in part]
        assert sorted(found) == ["accepted"] * 40 + ["duplicate"] * 120


class TestStates:
    def test_received_is_said_only_of_a_pending_receipt(self, registry: Registry) -> None:
        (key,) = in_the_log(registry, submission())
        registry.mark_indexed([Mark(key.note_id, key.revision, State.INDEXED, now())])
        registry.mark_received([key])
        found = registry.receipt(key.note_id)
        assert found is not None
        assert found.state is State.INDEXED

    def test_the_index_may_be_quicker_than_the_receipt(self, registry: Registry) -> None:
        (begun,) = registry.begin([submission()])
        at = now()
        registry.mark_indexed([Mark(begun.note_id, begun.revision, State.INDEXED, at)])
        found = registry.receipt(begun.note_id)
        assert found is not None
        assert (found.state, found.indexed_at) == (State.INDEXED, at)

    def test_an_index_that_says_it_again_changes_nothing(self, registry: Registry) -> None:
        (key,) = in_the_log(registry, submission())
        first = now()
        registry.mark_indexed([Mark(key.note_id, key.revision, State.INDEXED, first)])
        registry.mark_indexed([Mark(key.note_id, key.revision, State.INDEXED, first + LATER)] * 2)
        found = registry.receipt(key.note_id)
        assert found is not None
        assert found.indexed_at == first

    def test_an_old_revision_indexed_late_does_not_move_the_note_back(
        self, registry: Registry, url: str
    ) -> None:
        sent = submission()
        (key,) = in_the_log(registry, sent)
        withdraw(url, sent.event)
        registry.mark_indexed([Mark(key.note_id, 2, State.WITHDRAWN, now())])
        registry.mark_indexed([Mark(key.note_id, 1, State.INDEXED, now())])
        found = registry.receipt(key.note_id)
        assert found is not None
        assert (found.revision, found.state) == (2, State.WITHDRAWN)

    def test_notes_that_are_not_known_are_passed_over(self, registry: Registry) -> None:
        (key,) = in_the_log(registry, submission())
        at = now()
        registry.mark_indexed(
            [
                Mark(uuid4(), 1, State.INDEXED, at),
                Mark(key.note_id, key.revision, State.INDEXED, at),
            ]
        )
        registry.mark_received([Key(uuid4(), 1)])
        registry.mark_indexed([])
        found = registry.receipt(key.note_id)
        assert found is not None
        assert found.state is State.INDEXED

    def test_a_note_never_sent_has_no_receipt_and_no_trace(self, registry: Registry) -> None:
        assert registry.receipt(uuid4()) is None
        assert registry.trace(uuid4()) == []
        assert registry.revision(uuid4(), 1) is None

    def test_times_come_back_as_they_were_in_utc(self, registry: Registry) -> None:
        sent = submission()
        (begun,) = registry.begin([sent])
        found = registry.receipt(begun.note_id)
        assert found is not None
        assert found.received_at == sent.event.received_at
        assert found.received_at.tzinfo is UTC


class TestPending:
    def test_the_relay_finds_what_waits_oldest_first(self, registry: Registry) -> None:
        start = now()
        events = [
            an_event(a_note(reference=f"BER-{age}"), received_at=start - timedelta(minutes=age))
            for age in (1, 3, 2)
        ]
        registry.begin([Submission(event, "-") for event in events])
        found = registry.pending(start - timedelta(seconds=90))
        assert [each.event for each in found] == [encode(events[1]), encode(events[2])]
        assert len(registry.pending(start, limit=1)) == 1

    def test_what_the_log_has_no_longer_waits(self, registry: Registry) -> None:
        in_the_log(registry, submission())
        assert registry.pending(now() + LATER) == []

    def test_long_reports_are_handed_out_few_at_a_time(
        self, registry: Registry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("services.runtime.registry.store.PENDING_BYTES", 25_000)
        for number in range(4):
            registry.begin([submission(reference=f"BER-{number}", body="mot " * 2_500)])
        assert len(registry.pending(now() + LATER)) == 2
        monkeypatch.setattr("services.runtime.registry.store.PENDING_BYTES", 10)
        assert len(registry.pending(now() + LATER)) == 1

    def test_the_search_for_what_waits_uses_its_index(self, registry: Registry, url: str) -> None:
        if not url.startswith("sqlite"):
            pytest.skip("PostgreSQL reads so small a table as a whole")
        database = Database(url)
        with database.reading() as connection:
            plan = connection.exec_driver_sql(
                "EXPLAIN QUERY PLAN SELECT note_id FROM revisions "
                "WHERE state = 'pending' AND received_at < '2026' ORDER BY received_at LIMIT 9"
            ).all()
        database.close()
        assert "ix_revisions_pending" in str(plan)

    def test_what_the_log_can_never_take_is_forgotten_whole(self, registry: Registry) -> None:
        (begun,) = registry.begin([submission()])
        registry.abandon(begun.key)
        assert registry.receipt(begun.note_id) is None
        assert outcomes(registry.begin([submission(subject="Apprentissage")])) == ["accepted"]

    def test_what_was_promised_is_never_forgotten(self, registry: Registry) -> None:
        (key,) = in_the_log(registry, submission())
        registry.abandon(key)
        assert registry.receipt(key.note_id) is not None


def corrected(registry: Registry, *themes: str, **changes: Any) -> BegunCorrection:
    """Begin that correction of Berlin's note."""
    begun = registry.begin_correction(correction(*themes, **changes))
    assert isinstance(begun, BegunCorrection)
    return begun


class TestCorrections:
    def test_a_correction_is_the_whole_note_with_the_reader_s_tags(
        self, registry: Registry
    ) -> None:
        sent = submission()
        (key,) = in_the_log(registry, sent)
        begun = corrected(registry, "sante.hopital")
        assert begun.key == Key(key.note_id, 1, 1)
        assert (begun.outcome, begun.state) == (IngestOutcome.ACCEPTED, State.PENDING)
        (waiting,) = begun.waiting
        event = decode(NoteEvent, waiting.event)
        assert event.kind is Kind.CORRECTED
        assert (event.revision, event.correction) == (1, 1)
        assert event.note == sent.event.note
        assert event.received_at == sent.event.received_at < event.at
        assert event.correction_tags is not None
        assert event.correction_tags.themes == ("sante.hopital",)

    def test_what_stands_already_is_a_duplicate_whatever_was_seen(self, registry: Registry) -> None:
        in_the_log(registry, submission())
        registry.mark_received([corrected(registry, "sante").key])
        again = corrected(registry, "sante", seen=frozenset({(1, 0)}))
        assert (again.outcome, again.correction) == (IngestOutcome.DUPLICATE, 1)
        assert (again.state, again.waiting) == (State.RECEIVED, ())
        assert corrected(registry, "travail").correction == 2
        assert corrected(registry, "sante").correction == 3

    def test_what_may_be_missing_in_the_log_is_handed_out_in_order(
        self, registry: Registry
    ) -> None:
        registry.begin([submission()])
        corrected(registry, "sante")
        begun = corrected(registry, "travail")
        assert [each.key[1:] for each in begun.waiting] == [(1, 0), (1, 1), (1, 2)]
        assert corrected(registry, "travail").waiting == begun.waiting

    def test_the_relay_gets_a_note_s_changes_in_their_order_whatever_the_clocks(
        self, registry: Registry
    ) -> None:
        in_the_log(registry, submission())
        corrected(registry, "sante", at=now() - timedelta(seconds=10))
        corrected(registry, "travail", at=now() - timedelta(seconds=20))
        waiting = registry.pending(now())
        assert [each.key.correction for each in waiting] == [1, 2]

    def test_a_note_that_is_unknown_or_withdrawn_is_not_corrected(
        self, registry: Registry, url: str
    ) -> None:
        assert registry.begin_correction(correction("sante")) is Obstacle.UNKNOWN
        sent = submission()
        in_the_log(registry, sent)
        withdraw(url, sent.event)
        assert registry.begin_correction(correction("sante")) is Obstacle.WITHDRAWN

    def test_a_reader_who_saw_an_older_state_is_told(self, registry: Registry) -> None:
        in_the_log(registry, submission())
        first = frozenset({(1, 0)})
        assert corrected(registry, "sante", seen=first).correction == 1
        assert registry.begin_correction(correction("travail", seen=first)) is Obstacle.MOVED
        nothing: frozenset[tuple[int, int]] = frozenset()
        assert registry.begin_correction(correction("travail", seen=nothing)) is Obstacle.MOVED
        assert corrected(registry, "travail", seen=first | {(1, 1)}).correction == 2

    @pytest.mark.usefixtures("registry")
    def test_corrections_at_once_each_get_their_own_number(self, url: str) -> None:
        """Each on its own registry, as services on several machines would be."""
        first = Registry(url)
        in_the_log(first, submission())
        first.close()
        codes = ["sante.hopital", "sante.vaccination", "travail.emploi", "travail.salaires"]
        together = threading.Barrier(len(codes))

        def send(code: str) -> int:
            own = Registry(url)
            together.wait(30)
            try:
                return corrected(own, code).correction
            finally:
                own.close()

        with ThreadPoolExecutor(len(codes)) as pool:
            assert sorted(pool.map(send, codes)) == [1, 2, 3, 4]

    def test_an_older_state_is_not_settled_before_the_newest_lies_behind_it(
        self, registry: Registry
    ) -> None:
        (begun,) = registry.begin([submission()])
        newest = corrected(registry, "sante")
        (newer,) = registry.mark_received([begun.key])
        assert newer.key == newest.key
        assert len(registry.pending(now() + LATER)) == 2
        assert registry.mark_received([begun.key, newest.key]) == []
        assert registry.pending(now() + LATER) == []

    def test_the_relay_finds_a_note_before_its_correction(self, registry: Registry) -> None:
        registry.begin([submission()])
        corrected(registry, "sante")
        found = registry.pending(now() + LATER)
        assert [each.key.correction for each in found] == [0, 1]
        assert len(registry.pending(now() + LATER, limit=1)) == 1

    def test_what_the_log_can_never_take_is_forgotten_with_or_without_its_note(
        self, registry: Registry
    ) -> None:
        (begun,) = registry.begin([submission()])
        registry.abandon(corrected(registry, "sante").key)
        assert [each.key for each in registry.pending(now() + LATER)] == [begun.key]
        corrected(registry, "sante")
        registry.abandon(begun.key)
        assert registry.pending(now() + LATER) == []
        assert registry.receipt(begun.note_id) is None

    def test_a_note_sent_again_keeps_its_correction(self, registry: Registry) -> None:
        in_the_log(registry, submission())
        registry.mark_received([corrected(registry, "sante").key])
        (again,) = registry.begin([submission()])
        assert again.outcome is IngestOutcome.DUPLICATE
        assert corrected(registry, "sante").outcome is IngestOutcome.DUPLICATE

    def test_the_trace_tells_of_corrections(self, registry: Registry) -> None:
        (key,) = in_the_log(registry, submission())
        begun = corrected(registry, "sante")
        registry.mark_indexed([Mark(key.note_id, 1, State.INDEXED, now())])
        registry.mark_indexed([Mark(key.note_id, 1, State.INDEXED, now(), begun.correction)])
        assert [(each.step, each.detail) for each in registry.trace(key.note_id)] == [
            ("received", "Note reçue (révision 1)"),
            ("received", "Correction des thèmes et pays reçue (révision 1, correction 1)"),
            ("indexed", "Révision 1 indexée"),
            ("indexed", "Révision 1, correction 1 indexée"),
        ]
        assert registry.pending(now() + LATER) == []

    def test_a_correction_that_is_parked_leaves_its_note_as_it_is(self, registry: Registry) -> None:
        (key,) = in_the_log(registry, submission())
        (waiting,) = corrected(registry, "sante").waiting
        registry.park(letter(waiting.event, reason="no such theme"))
        found = registry.receipt(key.note_id)
        assert found is not None
        assert found.state is State.RECEIVED
        assert corrected(registry, "sante").state is State.PARKED

    def test_the_standing_corrections_are_listed_page_by_page(
        self, registry: Registry, url: str
    ) -> None:
        sent = [submission(reference=f"BER-{number}") for number in range(5)]
        in_the_log(registry, *sent)
        for each in sent[:4]:
            corrected(registry, "travail", note_id=each.event.note_id)
            corrected(registry, "sante", note_id=each.event.note_id, comment="Lu en entier.")
        withdraw(url, sent[0].event)
        first = registry.corrections(limit=2)
        rest = registry.corrections(after=first[-1].note_id, limit=2)
        assert [each.note_id for each in first + rest] == sorted(
            each.event.note_id for each in sent[1:4]
        )
        assert {(each.correction, each.comment) for each in first + rest} == {(2, "Lu en entier.")}
        assert registry.corrections(after=rest[-1].note_id) == []


class TestRevisions:
    def test_a_minor_one_keeps_the_standing_correction_and_a_major_one_drops_it(
        self, registry: Registry
    ) -> None:
        in_the_log(registry, submission())
        registry.begin_correction(correction("sante"))
        minor = registry.begin_revision(rectification(major=False, body="À 67 ans."))
        assert isinstance(minor, BegunRevision)
        assert (minor.revision, minor.dropped) == (2, 0)
        assert [(row.correction, row.revision) for row in registry.corrections()] == [(1, 1)]
        again = registry.begin_correction(correction("sante"))
        assert isinstance(again, BegunCorrection)
        assert (again.outcome, again.correction, again.revision) == ("duplicate", 1, 2)
        major = registry.begin_revision(rectification(body="À 66 ans."))
        assert isinstance(major, BegunRevision)
        assert (major.revision, major.dropped) == (3, 1)
        assert registry.corrections() == []
        keys = [each.key[1:] for each in major.waiting]
        assert keys == [(1, 1), (2, 0), (3, 0)]

    def test_of_many_made_of_one_state_one_is_kept(self, url: str) -> None:
        registry = Registry(url)
        registry.migrate()
        in_the_log(registry, submission())

        def change(age: int) -> BegunRevision | Obstacle:
            own = Registry(url)
            sent = replace(rectification(body=f"À {age} ans."), seen=frozenset({(1, 0)}))
            found = own.begin_revision(sent)
            own.close()
            return found

        with ThreadPoolExecutor(6) as pool:
            found = list(pool.map(change, range(60, 66)))
        assert found.count(Obstacle.MOVED) == 5
        assert [row.event.revision for row in registry.history(a_note().id)] == [2, 1]
        registry.close()

    def test_a_parked_revision_is_parked_and_not_the_correction_that_it_keeps(
        self, registry: Registry
    ) -> None:
        in_the_log(registry, submission())
        corrected = registry.begin_correction(correction("sante"))
        assert isinstance(corrected, BegunCorrection)
        registry.mark_received([corrected.key])
        begun = registry.begin_revision(rectification(major=False, body="À 67 ans."))
        assert isinstance(begun, BegunRevision)
        registry.park(letter(begun.waiting[-1].event))
        receipt = registry.receipt(a_note().id)
        assert receipt is not None
        assert (receipt.revision, receipt.state) == (2, State.PARKED)

    def test_what_is_cited_is_found_by_reference_and_what_is_missing_page_by_page(
        self, registry: Registry
    ) -> None:
        citing = submission(reference="BER-2", cites=("BER-2026-0142", "BER-9", "BER-8"))
        in_the_log(registry, citing)
        cites, _ = registry.citations(ALL, citing.event.note_id)
        assert [row.note_id for row in cites] == [None, None, None]
        in_the_log(registry, submission())
        cites, _ = registry.citations(ALL, citing.event.note_id)
        assert [row.note_id for row in cites] == [a_note().id, None, None]
        _, cited_by = registry.citations(ALL, a_note().id)
        assert [tuple(row) for row in cited_by] == [("cites", citing.event.note_id)]
        (first,) = registry.missing(ALL, "berlin", limit=1)
        assert tuple(first) == ("berlin", "BER-8", (citing.event.note_id,))
        (second,) = registry.missing(ALL, after=("berlin", "BER-8"))
        assert second.reference == "BER-9"
        assert registry.missing(ALL, "rome") == []

    def test_notes_that_the_asker_may_not_see_are_as_if_they_were_not_there(
        self, registry: Registry
    ) -> None:
        hidden = {"marking": "diffusion_restreinte", "special_france": True}
        in_the_log(registry, submission(reference="BER-1", cites=("ROM-1", "BER-9"), **hidden))
        citing = submission(reference="BER-2", cites=("ROM-1", "BER-1"))
        in_the_log(registry, citing)
        rome = submission(post="rome", reference="ROM-1")
        in_the_log(registry, rome)
        in_the_log(registry, submission(post="madrid", reference="ROM-1", **hidden))

        def told(sight: Sight) -> tuple[list[UUID | None], list[UUID], list[tuple[str, ...]]]:
            cites, _ = registry.citations(sight, citing.event.note_id)
            _, cited_by = registry.citations(sight, rome.event.note_id)
            missing = [(row.reference, *map(str, row.cited_by)) for row in registry.missing(sight)]
            return [row.note_id for row in cites], [row.note_id for row in cited_by], missing

        first, second = note_id("berlin", "BER-1"), citing.event.note_id
        # The one note of that reference that is there for them; Madrid's makes it two for others.
        for needs in ((0,), (0, 1), (0, 2)):
            assert told(Sight(needs)) == (
                [rome.event.note_id, None],
                [second],
                [("BER-1", str(second))],
            )
        assert told(ALL) == told(Sight((), frozenset({"*"})))
        assert told(ALL) == ([None, first], [], [("BER-9", str(first))])
        assert told(Sight((), frozenset({"berlin"})))[2] == [
            ("BER-9", str(first)),
            ("ROM-1", str(first), str(second)),
        ]

    def test_what_cites_a_note_is_cut_after_rights(self, registry: Registry) -> None:
        in_the_log(registry, submission())
        for number in range(3):
            cites = {"reference": f"BER-{number}", "cites": (a_note().reference, "BER-9")}
            marks = {"special_france": number < 2}
            in_the_log(registry, submission(**cites, **marks))
        shown = note_id("berlin", "BER-2")
        _, cited_by = registry.citations(Sight((0,)), a_note().id, limit=1)
        assert [row.note_id for row in cited_by] == [shown]
        (row,) = registry.missing(Sight((0,)))
        assert row.cited_by == (shown,)

    def test_the_marks_of_the_latest_revision_hold(self, registry: Registry) -> None:
        in_the_log(registry, submission(cites=("BER-9",)))
        assert len(registry.missing(Sight((0,)))) == 1
        begun = registry.begin_revision(rectification(cites=("BER-9",), special_france=True))
        assert isinstance(begun, BegunRevision)
        assert registry.missing(Sight((0,))) == []
        assert len(registry.missing(Sight((0, 2)))) == 1
        registry.abandon(begun.key)
        assert len(registry.missing(Sight((0,)))) == 1


class TestLaterRevisions:
    def indexed(self, registry: Registry, **fields: Any) -> UUID:
        """A note whose first revision is in the index."""
        (key,) = in_the_log(registry, submission(**fields))
        registry.mark_indexed([Mark(key.note_id, 1, State.INDEXED, now())])
        return key.note_id

    def revised(self, registry: Registry, sent: RevisionSubmission) -> bytes:
        """It is rectified, and the log has that; the event."""
        begun = registry.begin_revision(sent)
        assert isinstance(begun, BegunRevision)
        registry.mark_received([begun.key])
        return begun.waiting[-1].event

    def test_a_state_that_a_later_revision_restricts_is_not_to_be_shown(
        self, registry: Registry
    ) -> None:
        note, other = self.indexed(registry), self.indexed(registry, reference="BER-2")
        shown = {each: Shown(1, 0) for each in (note, other, uuid4())}
        assert registry.restricted(shown) == {}
        registry.begin_revision(rectification(body="Autre texte."))
        assert registry.restricted(shown) == {}, "nothing is kept from anybody"
        registry.begin_revision(rectification(special_france=True))
        registry.begin_revision(rectification(body="Ouverte de nouveau."))
        assert registry.restricted(shown) == {note: Superseded()}, "whatever came after it"
        assert registry.restricted({note: Shown(1, 2)}) == {}, "who sees Spécial France"
        assert registry.restricted({note: Shown(4, 0)}) == {}

    def test_a_state_that_was_withdrawn_or_expunged_is_not_to_be_shown(
        self, registry: Registry
    ) -> None:
        note, other = self.indexed(registry), self.indexed(registry, reference="BER-2")
        sent = withdrawal()
        registry.begin_revision(sent)
        registry.expunge(other, "essai", now())
        found = registry.restricted({note: Shown(1, 3), other: Shown(1, 3)})
        withdrawn = found[note].withdrawal
        assert withdrawn is not None
        assert (withdrawn.at, withdrawn.revision) == (sent.at, 2)
        assert found[other] == Superseded()
        registry.begin_revision(rectification())
        assert registry.restricted({note: Shown(1, 3)}) == {note: Superseded()}, "reinstated"

    def test_a_state_that_the_log_will_restrict_is_outdated(self, registry: Registry) -> None:
        note = self.indexed(registry)
        first = registry.revision(note, 1)
        assert first is not None
        begun = registry.begin_revision(rectification(special_france=True))
        assert isinstance(begun, BegunRevision)
        assert registry.outdated([first]) == set(), "it may be abandoned yet"
        registry.mark_received([begun.key])
        self.revised(registry, rectification(body="Ouverte de nouveau."))
        third = registry.revision(note, 3)
        assert third is not None
        assert registry.outdated([third, first, first]) == {1, 2}
        assert registry.restrictions(note, 2) == [Restriction(2), Restriction(0)]

    def test_a_restriction_that_was_parked_is_withheld_until_it_is_indexed(
        self, registry: Registry
    ) -> None:
        note, other = self.indexed(registry), self.indexed(registry, reference="BER-2")
        event = self.revised(registry, rectification(special_france=True))
        assert registry.withheld() == {}, "it may be on its way"
        registry.park(letter(event))
        assert registry.withheld() == registry.withheld({note, other}) == {note: 2}
        assert registry.withheld({other}) == registry.withheld(set()) == {}
        registry.mark_indexed([Mark(note, 2, State.INDEXED, now())])
        assert registry.withheld() == {}

    def test_what_is_compared_is_the_revision_that_the_index_has(self, registry: Registry) -> None:
        note = self.indexed(registry)
        marked = {"special_france": True}
        self.revised(registry, rectification(**marked))
        registry.mark_indexed([Mark(note, 2, State.INDEXED, now())])
        registry.park(letter(self.revised(registry, rectification(body="À 67 ans.", **marked))))
        assert registry.withheld() == {}
        registry.park(letter(self.revised(registry, withdrawal())))
        assert registry.withheld() == {note: 4}

    def test_a_letter_that_says_no_revision_will_do(self, registry: Registry) -> None:
        note = self.indexed(registry)
        self.revised(registry, rectification(marking="diffusion_restreinte"))
        registry.park(letter(b"{", key=str(note).encode()))
        assert registry.withheld() == {note: 2}


class TestDeadLetters:
    def test_a_letter_comes_back_with_its_bytes(self, registry: Registry) -> None:
        sent = letter(b"\xff\x00{", key=b"\xfe", headers={"traceparent": b"\x00\xff"})
        assert registry.park(sent)
        (found,) = registry.dead_letters()
        for name in ("origin", "service", "reason", "at", "key", "value", "headers"):
            assert getattr(found, name) == getattr(sent, name), name
        assert found.replayed_at is None

    def test_a_letter_delivered_again_is_kept_once(self, registry: Registry) -> None:
        sent = letter(b"{}")
        assert registry.park(sent)
        assert not registry.park(sent)
        assert len(registry.dead_letters()) == 1

    def test_a_topic_created_again_hides_no_letter(self, registry: Registry) -> None:
        registry.park(letter(b"one", origin="notes.submitted/0/0"))
        registry.park(letter(b"two", origin="notes.submitted/0/0"))
        assert {each.value for each in registry.dead_letters()} == {b"one", b"two"}

    def test_pages_go_from_the_newest_to_the_oldest(self, registry: Registry) -> None:
        for number in range(5):
            registry.park(letter(b"%d" % number))
        first = registry.dead_letters(limit=3)
        rest = registry.dead_letters(limit=3, before=first[-1].id)
        assert [each.value for each in first + rest] == [b"4", b"3", b"2", b"1", b"0"]

    def test_the_note_it_is_about_is_parked_with_the_reason(self, registry: Registry) -> None:
        (key,) = in_the_log(registry, submission())
        event = registry.revision(key.note_id, key.revision)
        assert event is not None
        registry.park(letter(encode(event), reason="unknown theme"))
        found = registry.receipt(key.note_id)
        assert found is not None
        assert (found.state, found.parked_reason) == (State.PARKED, "unknown theme")

    def test_a_note_that_is_indexed_stays_so(self, registry: Registry) -> None:
        (key,) = in_the_log(registry, submission())
        event = registry.revision(key.note_id, key.revision)
        assert event is not None
        registry.mark_indexed([Mark(key.note_id, key.revision, State.INDEXED, now())])
        registry.park(letter(encode(event)))
        found = registry.receipt(key.note_id)
        assert found is not None
        assert found.state is State.INDEXED

    def test_a_replayed_letter_ends_indexed(self, registry: Registry) -> None:
        (key,) = in_the_log(registry, submission())
        event = registry.revision(key.note_id, key.revision)
        assert event is not None
        registry.park(letter(encode(event)))
        registry.mark_indexed([Mark(key.note_id, key.revision, State.INDEXED, now())])
        found = registry.receipt(key.note_id)
        assert found is not None
        assert found.state is State.INDEXED

    def test_bytes_of_no_use_leave_the_note_alone_but_its_trace_shows_them(
        self, registry: Registry
    ) -> None:
        (key,) = in_the_log(registry, submission())
        registry.park(letter(b"\xff", key=str(key.note_id).encode(), reason="not UTF-8"))
        found = registry.receipt(key.note_id)
        assert found is not None
        assert found.state is State.RECEIVED
        assert [step.step for step in registry.trace(key.note_id)] == ["received", "parked"]

    def test_a_reason_with_any_characters_is_kept(self, registry: Registry) -> None:
        registry.park(letter(None, reason="nul \x00 and half a code \ud800"))
        (found,) = registry.dead_letters()
        assert found.reason.startswith("nul \ufffd and half a code ")

    def test_the_trace_tells_the_steps_in_french_and_in_time(self, registry: Registry) -> None:
        (begun,) = registry.begin([submission()])
        (step,) = registry.trace(begun.note_id)
        assert "en attente" in step.detail
        event = registry.revision(begun.note_id, begun.revision)
        assert event is not None
        registry.mark_received([begun.key])
        registry.park(letter(encode(event), at=now(), reason="no theme"))
        registry.mark_indexed([Mark(begun.note_id, begun.revision, State.INDEXED, now())])
        steps = registry.trace(begun.note_id)
        assert [(each.step, each.detail) for each in steps] == [
            ("received", "Note reçue (révision 1)"),
            ("parked", "Mise de côté (classify) : no theme"),
            ("indexed", "Révision 1 indexée"),
        ]
        assert steps == sorted(steps, key=lambda each: each.at)


class TestMigrations:
    def test_a_registry_is_ready_once_it_is_migrated(self, url: str) -> None:
        registry = Registry(url)
        assert not registry.ready()
        with pytest.raises(Unavailable):
            registry.begin([submission()])
        registry.migrate()
        assert registry.ready()
        registry.migrate()
        assert outcomes(registry.begin([submission()])) == ["accepted"]
        registry.close()

    def test_several_services_may_migrate_at_once(self, url: str) -> None:
        together = threading.Barrier(5)

        def start(_: int) -> bool:
            own = Registry(url)
            together.wait(30)
            own.migrate()
            ready = own.ready()
            own.close()
            return ready

        with ThreadPoolExecutor(5) as pool:
            assert all(pool.map(start, range(5)))

    def test_the_migrations_build_what_the_code_uses(self, registry: Registry, url: str) -> None:
        database = Database(url)
        with database.reading() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, metadata) == []
        database.close()

    def test_what_notes_cite_and_their_marks_are_filled_in_from_the_events_there_are(
        self, url: str
    ) -> None:
        database = Database(url)
        marked = a_note(cites=("BER-1", "BER-1"), replies_to="BER-0", special_france=True)
        event = an_event(marked)
        kept = {"note_id": event.note_id, "revision": 1, "kind": event.kind, "content_hash": "-"}
        with database.writing() as connection:
            config = migrate._config()
            config.attributes["connection"] = connection
            command.upgrade(config, "0003")
            note = {"id": event.note_id, "post": "berlin", "reference": "BER-2026-0142"}
            connection.execute(notes.insert(), note | {"revision": 1})
            connection.execute(
                revisions.insert(),
                kept | {"event": encode(event), "received_at": now(), "state": State.INDEXED},
            )
        database.close()
        registry = Registry(url)
        registry.migrate()
        cites, _ = registry.citations(ALL, event.note_id)
        assert [tuple(row) for row in cites] == [
            ("replies_to", "BER-0", None),
            ("cites", "BER-1", None),
        ]
        assert registry.missing(Sight((0, 1))) == []
        assert len(registry.missing(Sight((0, 2)))) == 2
        registry.close()

    def test_a_migration_that_fails_leaves_nothing(
        self, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from alembic import op

        def fail(*_: object, **__: object) -> None:
            raise RuntimeError("the power went")

        registry = Registry(url)
        with monkeypatch.context() as patch:
            patch.setattr(op, "create_index", fail)
            with pytest.raises(RuntimeError):
                registry.migrate()
        registry.migrate()
        assert registry.ready()
        registry.close()

    def test_an_older_release_refuses_the_tables_of_a_newer_one(self, url: str) -> None:
        registry = Registry(url)
        registry.migrate()
        database = Database(url)
        with database.writing() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        database.close()
        assert not registry.ready()
        with pytest.raises(Misconfigured, match="version plus récente"):
            registry.migrate()
        registry.close()


@given(
    st.one_of(
        st.none(),
        st.binary(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(
                    st.sampled_from(["note_id", "revision", "note"]) | st.text(), inner
                )
            ),
            max_leaves=8,
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_whatever_a_record_holds_its_note_is_asked_for_politely(value: bytes | None) -> None:
    note_id, revision = about(letter(value, key=value))
    assert note_id is None or isinstance(note_id, UUID)
    assert revision is None or revision >= 1
