"""A dead letter keeps what the record was, where it lay, and why it could not be processed."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.dead_letters import OURS, REASON_CHARACTERS, DeadLetter
from services.runtime.errors import Unprocessable
from services.runtime.log import Entry, Record

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
NOTE = UUID("6f0f5a52-3a0e-5d5e-9c0e-2b1f6d3c4a5b")


def lying(entry: Entry, offset: int = 0) -> Record:
    """An entry as it lies on the dead-letter topic."""
    return Record("notes.submitted.dead", 0, offset, entry.key, entry.value, entry.headers, 0)


def letter(**changes) -> DeadLetter:
    record = Record(
        topic="notes.submitted",
        partition=3,
        offset=17,
        key=str(NOTE).encode(),
        value=b"\xffpas du JSON",
        headers={"trace": b"00-ab"},
        timestamp_ms=1,
    )
    return DeadLetter.of(
        record, **{"reason": "not JSON", "service": "classify", "at": AT, **changes}
    )


def test_an_administrator_reads_back_what_was_parked():
    assert DeadLetter.from_record(lying(letter().entry())) == letter()
    assert letter().origin == "notes.submitted/3/17"
    assert letter().note_id == NOTE


def test_the_headers_on_the_topic_are_those_of_the_contract():
    assert letter().entry().headers == {
        "trace": b"00-ab",
        "valise-reason": b"not JSON",
        "valise-origin": b"notes.submitted/3/17",
        "valise-service": b"classify",
        "valise-at": b"2026-03-04T05:06:07+00:00",
    }


@pytest.mark.parametrize("key", [None, b"", b"pas-un-identifiant", b"\xff\xfe"])
def test_a_key_that_is_no_note_id_names_no_note(key):
    record = Record("notes.submitted", 0, 0, key, b"", {}, 0)
    parked = DeadLetter.of(record, reason="r", service="s", at=AT)
    assert parked.note_id is None


@given(
    reason=st.text(max_size=5_000),
    key=st.none() | st.binary(max_size=50),
    value=st.none() | st.binary(max_size=200),
    headers=st.dictionaries(
        st.text(max_size=10).filter(lambda name: name not in OURS), st.binary(max_size=20)
    ),
    topic=st.from_regex(r"[a-z./-]{1,30}", fullmatch=True),
)
def test_any_record_and_any_reason_survive_the_way_through_the_topic(
    reason, key, value, headers, topic
):
    record = Record(topic, 2, 9, key, value, headers, 0)
    parked = DeadLetter.of(record, reason=reason, service="search", at=AT)
    assert DeadLetter.from_record(lying(parked.entry())) == parked
    assert 1 <= len(parked.reason) <= REASON_CHARACTERS * 10
    assert "\n" not in parked.reason


def test_a_reason_that_quotes_a_lone_surrogate_can_still_be_written():
    assert letter(reason="bad \ud800 text").entry().headers["valise-reason"] == rb"bad \ud800 text"


@pytest.mark.parametrize(
    "spoilt", ["valise-reason", "valise-origin", "valise-service", "valise-at"]
)
def test_a_record_that_is_no_dead_letter_is_refused(spoilt):
    entry = letter().entry()
    without = {name: value for name, value in entry.headers.items() if name != spoilt}
    with pytest.raises(Unprocessable):
        DeadLetter.from_record(lying(Entry(entry.key, entry.value, without)))
    with pytest.raises(Unprocessable):
        DeadLetter.from_record(lying(Entry(entry.key, entry.value, {**without, spoilt: b"\xff"})))
    naive = {**entry.headers, "valise-at": b"2026-03-04T05:06:07"}
    with pytest.raises(Unprocessable, match="time zone"):
        DeadLetter.from_record(lying(Entry(entry.key, entry.value, naive)))
