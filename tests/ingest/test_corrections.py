"""A reader corrects a note: what is answered, what the log gets, what a crash leaves."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.answers import CorrectionReceipt, Problem
from schemas.correction import Correction
from schemas.events import CorrectionTags, Kind, NoteEvent, decode
from schemas.topics import SUBMITTED
from schemas.vocabulary import subthemes, themes
from services.ingest.accept import Refused
from services.ingest.correct import correct, read_correction, states_seen, tags_hash
from services.ingest.relay import relay_once
from services.ingest.submit import TooLarge, submit
from services.runtime.access import keys
from services.runtime.log import Entry
from services.runtime.log.sqlite import SqliteLog
from services.runtime.registry import BegunCorrection, Registry
from tests.builders import UNKNOWN
from tests.ingest.conftest import Office, engines
from tests.ingest.test_relay import NarrowLog
from tests.runtime.registry_kit import correction, submission, withdraw

PATIENCE_SECONDS = 60
ID = submission().event.note_id
HOSPITALS = {"themes": ["sante.hopital"], "countries": ["DE"]}


async def send(office: Office, body: Any = HOSPITALS, *, note: Any = ID, **headers: str) -> Any:
    """Correct Berlin's note."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await office.client.post(f"/api/v1/notes/{note}/corrections", json=body, headers=named)


def numbers(events: Sequence[NoteEvent]) -> list[int]:
    """The corrections on the log, in its order; 0 for the note itself."""
    return [event.correction for event in events]


async def test_a_correction_is_answered_as_the_contract_shows(office: Office) -> None:
    await office.send()
    answer = await send(office, HOSPITALS | {"comment": "La note parle des hôpitaux."})
    assert answer.status_code == 202
    assert answer.json() == {
        "id": str(ID),
        "revision": 1,
        "correction": 1,
        "state": "received",
        "outcome": "accepted",
        "links": {"self": f"/api/v1/notes/{ID}", "trace": f"/api/v1/notes/{ID}/trace"},
    }
    CorrectionReceipt.model_validate(answer.json())
    assert answer.headers["Location"] == f"/api/v1/notes/{ID}"


async def test_the_event_holds_the_whole_note_and_the_reader_s_tags(office: Office) -> None:
    await office.send()
    await send(office)
    note, corrected = await office.logged()
    assert (corrected.kind, corrected.revision, corrected.correction) == (Kind.CORRECTED, 1, 1)
    assert corrected.note == note.note
    assert corrected.received_at == note.received_at < corrected.at
    assert corrected.correction_tags == CorrectionTags(themes=("sante.hopital",), countries=("DE",))
    assert corrected.event_id != note.event_id
    (_, record) = await office.records()
    assert record.key == str(ID).encode()


async def test_the_same_correction_again_is_no_second_one(office: Office) -> None:
    await office.send()
    await send(office)
    again = await send(office, {"themes": ["sante", "hopital"], "countries": ["DE", "DE"]})
    assert (again.status_code, again.json()["outcome"]) == (200, "duplicate")
    assert again.json()["correction"] == 1
    assert numbers(await office.logged()) == [0, 1]


async def test_no_theme_and_no_country_is_a_correction_too(office: Office) -> None:
    await office.send()
    assert (await send(office, {"themes": [], "countries": []})).status_code == 202
    (_, event) = await office.logged()
    assert event.correction_tags == CorrectionTags()


async def test_a_note_sent_again_does_not_touch_its_correction(office: Office) -> None:
    await office.send()
    await send(office)
    assert (await office.send()).json()["outcome"] == "duplicate"
    assert numbers(await office.logged()) == [0, 1]
    assert (await send(office)).json()["outcome"] == "duplicate"


@pytest.mark.parametrize("note", [UNKNOWN, "BER-2026-0142", "é"])
async def test_a_note_that_nobody_sent_cannot_be_corrected(office: Office, note: str) -> None:
    answer = await send(office, note=note)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_withdrawn_note_is_gone(office: Office) -> None:
    await office.send()
    (event,) = await office.logged()
    withdraw(f"sqlite:///{office.data / 'registry.sqlite3'}", event)
    answer = await send(office)
    assert answer.status_code == 410
    assert "retirée" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["themes", "countries"]),
        ({"themes": ["cuisine"], "countries": ["ZZ"]}, ["themes.0", "countries.0"]),
        ({"themes": "sante", "countries": []}, ["themes"]),
        ({"themes": [], "countries": [], "auteur": "x"}, ["auteur"]),
        ({"themes": [], "countries": [], "comment": "x" * 2_001}, ["comment"]),
        ({"themes": [], "countries": ["DE"] * 1_001}, ["countries"]),
        ([], ["correction"]),
    ],
)
async def test_wrong_tags_are_named(office: Office, body: Any, fields: list[str]) -> None:
    await office.send()
    answer = await send(office, body)
    found = Problem.model_validate(answer.json())
    assert (answer.status_code, found.title) == (422, "Correction refusée")
    assert [error["field"] for error in found.errors or ()] == fields
    assert numbers(await office.logged()) == [0]


async def test_what_is_no_json_or_too_long_is_refused(office: Office) -> None:
    await office.send()
    address = f"/api/v1/notes/{ID}/corrections"
    form = await office.client.post(address, data={"themes": "sante"})
    assert form.status_code == 415
    assert form.headers["Accept-Post"] == "application/json"
    kind = {"Content-Type": "application/json"}
    assert (await office.client.post(address, content=b"{", headers=kind)).status_code == 400
    long = await office.client.post(address, content=b" " * 70_000, headers=kind)
    assert long.status_code == 413


async def test_a_correction_of_an_older_state_than_the_present_one_is_refused(
    office: Office,
) -> None:
    await office.send()
    assert (await send(office, if_match='"1.0.7"')).status_code == 202
    late = {"themes": ["travail"], "countries": ["DE"]}
    refused = await send(office, late, if_match='"1.0.7"')
    assert refused.status_code == 412
    assert "relisez" in refused.json()["detail"]
    # The same as stands: an answer that got lost may be asked for again.
    assert (await send(office, if_match='"1.0.7"')).status_code == 200
    assert (await send(office, late, if_match='"1.1.7-gzip"')).json()["correction"] == 2


async def test_without_the_log_the_correction_waits_and_the_relay_finishes_it(
    office: Office,
) -> None:
    await office.send()
    with office.away("log"):
        answer = await send(office)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert await relay_once(office.registry, office.log, age=0) == 1
    assert 1 in numbers(await office.logged())
    again = await send(office)
    assert (again.status_code, again.json()["state"]) == (200, "received")
    assert await relay_once(office.registry, office.log, age=0) == 0


async def test_without_the_registry_nothing_is_taken(office: Office) -> None:
    await office.send()
    with office.away("registry"):
        assert (await send(office)).status_code == 503
    assert numbers(await office.logged()) == [0]


async def test_corrections_at_once_get_their_own_numbers_and_the_last_one_stands(
    office: Office,
) -> None:
    await office.send()
    codes = list(subthemes())[:8]
    answers = await asyncio.gather(
        *(send(office, {"themes": [code], "countries": []}) for code in codes)
    )
    assert [each.status_code for each in answers] == [202] * 8
    assert sorted(each.json()["correction"] for each in answers) == list(range(1, 9))
    events = await office.logged()
    assert set(numbers(events)) == set(range(9))
    assert events[-1].correction == 8
    by_number = {event.correction: event.correction_tags for event in events}
    for code, answer in zip(codes, answers, strict=True):
        tags = by_number[answer.json()["correction"]]
        assert tags == CorrectionTags(themes=(code,), countries=())


class Overtaken(SqliteLog):
    """A log that is slow with its first entry: meanwhile something else is done."""

    def __init__(self, path: Path, meanwhile: Callable[[], Awaitable[object]]) -> None:
        super().__init__(path)
        self._meanwhile: Callable[[], Awaitable[object]] | None = meanwhile

    async def append(self, topic: str, entries: Sequence[Entry]) -> None:
        """As any log, later."""
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        await super().append(topic, entries)


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[tuple[Registry, SqliteLog]]:
    registry, log = engines(tmp_path)
    registry.migrate()
    await log.provision([SUBMITTED])
    await log.start()
    yield registry, log
    await log.stop()
    registry.close()


async def events_of(log: SqliteLog) -> list[NoteEvent]:
    return [
        decode(NoteEvent, record.value or b"")
        async for batch in log.replay(SUBMITTED.name)
        for record in batch
    ]


async def test_a_note_written_late_does_not_end_up_behind_its_correction(
    tmp_path: Path, parts: tuple[Registry, SqliteLog]
) -> None:
    registry, log = parts
    registry.begin([submission()])
    slow = Overtaken(
        tmp_path / "log.sqlite3", lambda: correct(registry, log, correction("sante.hopital"))
    )
    await relay_once(registry, slow, age=0)
    events = await events_of(log)
    assert numbers(events) == [0, 1, 0, 1]
    assert events[1] == events[3]
    assert await relay_once(registry, log, age=0) == 0
    await slow.stop()


async def test_the_slower_of_two_corrections_does_not_end_up_last(
    tmp_path: Path, parts: tuple[Registry, SqliteLog]
) -> None:
    registry, log = parts
    await submit(registry, log, [submission()])
    slow = Overtaken(tmp_path / "log.sqlite3", lambda: correct(registry, log, correction("sante")))
    first = await correct(registry, slow, correction("travail"))
    assert isinstance(first, BegunCorrection)
    assert first.correction == 1
    events = await events_of(log)
    assert numbers(events) == [0, 1, 2, 1, 2]
    assert events[-1].correction_tags == CorrectionTags(themes=("sante",), countries=("DE",))
    await slow.stop()


async def test_a_kill_between_registry_and_log_loses_no_correction(tmp_path: Path) -> None:
    killed = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tests.ingest.correction_dies_before_append", str(tmp_path)],
        timeout=PATIENCE_SECONDS,
    )
    assert killed.returncode == -signal.SIGKILL
    registry, log = engines(tmp_path)
    await log.provision([SUBMITTED])
    await log.start()
    assert numbers(await events_of(log)) == [0]
    assert await relay_once(registry, log, age=0) == 1
    assert numbers(await events_of(log)) == [0, 1]
    again = await correct(registry, log, correction("sante.hopital"))
    assert isinstance(again, BegunCorrection)
    assert (again.correction, again.outcome, again.state) == (1, "duplicate", "received")
    await log.stop()
    registry.close()


async def test_a_kill_between_log_and_registry_doubles_nothing(
    parts: tuple[Registry, SqliteLog],
) -> None:
    registry, log = parts
    await submit(registry, log, [submission()])
    begun = registry.begin_correction(correction("sante"))
    assert isinstance(begun, BegunCorrection)
    entries = [Entry(key=str(ID).encode(), value=each.event) for each in begun.waiting]
    await log.append(SUBMITTED.name, entries)
    assert await relay_once(registry, log, age=0) == 1
    _, first, again = await events_of(log)
    assert first == again
    assert await relay_once(registry, log, age=0) == 0


async def test_a_correction_the_log_can_never_take_leaves_the_note_as_it_was(
    tmp_path: Path, parts: tuple[Registry, SqliteLog]
) -> None:
    registry, log = parts
    await submit(registry, log, [submission(body="mot " * 500)])
    narrow = NarrowLog(tmp_path / "log.sqlite3")
    assert await correct(registry, narrow, correction("sante")) == TooLarge()
    assert registry.corrections() == []
    assert numbers(await events_of(log)) == [0]
    await narrow.stop()


async def test_the_document_shows_the_correction_and_every_answer(office: Office) -> None:
    document = (await office.client.get("/openapi.json")).json()
    post = document["paths"]["/api/v1/notes/{note_id}/corrections"]["post"]
    assert set(post["responses"]) == {
        *(
            "200",
            "202",
            "400",
            "401",
            "403",
            "404",
            "410",
            "412",
            "408",
            "413",
            "414",
            "415",
            "422",
            "429",
            "503",
        )
    }
    schema = post["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["themes", "countries"]
    assert "$defs" not in str(post)


class TestReading:
    def test_tags_in_any_order_and_number_are_the_same_correction(self) -> None:
        one = Correction(themes=("hopital", "travail", "sante"), countries=("FR", "DE"))
        other = Correction(
            themes=("travail", "sante.hopital", "sante.hopital"), countries=("DE", "FR", "DE")
        )
        assert one.tags == other.tags
        assert one.tags.themes == ("travail", "sante.hopital")
        assert tags_hash(one.tags) == tags_hash(other.tags)

    @given(st.lists(st.sampled_from([*themes(), *subthemes()])), st.randoms())
    def test_one_form_loses_no_theme(self, codes: list[str], random: Any) -> None:
        tags = Correction(themes=tuple(codes), countries=()).tags
        assert {code.partition(".")[0] for code in codes} == {
            code.partition(".")[0] for code in tags.themes
        }
        assert {code for code in codes if "." in code} <= set(tags.themes)
        random.shuffle(codes)
        assert Correction(themes=tuple(codes), countries=()).tags == tags
        assert Correction(themes=tags.themes, countries=()).tags == tags

    @pytest.mark.parametrize(
        ("header", "expected"),
        [
            (None, None),
            ("*", None),
            ('"1.0.3"', {(1, 0)}),
            ('W/"2.5.3"', {(2, 5)}),
            ('"1.0.3-gzip", "1.1.3"', {(1, 0), (1, 1)}),
            ('"1.0.3-cnkpga-gzip"', {(1, 0)}),
            ('"abc"', set()),
            ("1.0.3", set()),
            ("", set()),
            ('"99999999999999999999.0.1"', set()),
        ],
    )
    def test_an_etag_names_the_states_that_the_reader_saw(
        self, header: str | None, expected: set[tuple[int, int]] | None
    ) -> None:
        assert states_seen(header) == expected

    def test_a_comment_of_spaces_is_none(self) -> None:
        sent = read_correction(
            b'{"themes": [], "countries": [], "comment": "  "}', ID, now=datetime.now(UTC)
        )
        assert sent.comment is None

    def test_a_key_in_a_comment_is_not_kept(self) -> None:
        said = json.dumps({"themes": [], "countries": [], "comment": f"Avec {keys.new()}"})
        sent = read_correction(said.encode(), ID, now=datetime.now(UTC))
        assert sent.comment == "Avec valise_…"

    @given(st.binary(max_size=200))
    def test_any_bytes_are_a_correction_or_refused(self, raw: bytes) -> None:
        assert _status(raw) in (200, 400, 422)


def _status(raw: bytes) -> int:
    try:
        read_correction(raw, ID, now=datetime.now(UTC))
    except Refused as refusal:
        return refusal.problem.status
    return 200
