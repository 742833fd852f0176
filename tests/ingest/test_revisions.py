"""A post rectifies, withdraws and reinstates its note: answers, events, races, crashes."""

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.answers import Problem, Receipt, State
from schemas.events import Kind, NoteEvent
from schemas.topics import SUBMITTED
from services.ingest.correct import correct
from services.ingest.relay import relay_once
from services.ingest.revise import revise
from services.ingest.submit import TooLarge, submit
from services.runtime.access.rights import sight_of
from services.runtime.log import Entry
from services.runtime.log.sqlite import SqliteLog
from services.runtime.registry import BegunCorrection, BegunRevision, Obstacle, Registry
from tests.builders import UNKNOWN
from tests.ingest.conftest import BERLIN, Office, engines
from tests.ingest.formats.making import docx, paragraphs, zipped
from tests.ingest.test_corrections import (
    ID,
    PATIENCE_SECONDS,
    Overtaken,
    events_of,
    parts,  # noqa: F401  (a fixture)
)
from tests.ingest.test_corrections import send as correct_over_http
from tests.ingest.test_relay import NarrowLog
from tests.keys import a_caller
from tests.runtime.registry_kit import correction, rectification, submission, withdrawal

ADDRESS = f"/api/v1/notes/{ID}"
NEW = "La commission allemande propose finalement 67 ans."

Parts = tuple[Registry, SqliteLog]


async def put(office: Office, seen: str | None = '"1.0.3"', **changes: Any) -> httpx.Response:
    """Rectify Berlin's note, by default its body; `query` and `headers` are the request's."""
    query = changes.pop("query", "")
    headers = dict(changes.pop("headers", {}))
    if seen is not None:
        headers["If-Match"] = seen
    note = BERLIN | (changes or {"body": NEW})
    return await office.client.put(ADDRESS + query, json=note, headers=headers)


async def delete(office: Office, seen: str | None = '"1.0.3"') -> httpx.Response:
    """Withdraw Berlin's note."""
    headers = {} if seen is None else {"If-Match": seen}
    return await office.client.delete(ADDRESS, headers=headers)


def states(events: list[NoteEvent]) -> list[tuple[str, int, int]]:
    """Kind, revision and correction of each event."""
    return [(event.kind.value, event.revision, event.correction) for event in events]


async def test_a_rectification_is_a_new_revision_of_the_same_note(office: Office) -> None:
    await office.send()
    answer = await put(office)
    assert answer.status_code == 202
    assert answer.json() == {
        "id": str(ID),
        "revision": 2,
        "state": "received",
        "outcome": "accepted",
        "warnings": [],
        "links": {"self": ADDRESS, "trace": f"{ADDRESS}/trace"},
    }
    Receipt.model_validate(answer.json())
    first, second = await office.logged()
    assert (second.kind, second.revision, second.major) == (Kind.RECTIFIED, 2, True)
    assert (first.note.body, second.note.body) == (BERLIN["body"], NEW)
    assert second.received_at == first.received_at < second.at
    assert second.event_id != first.event_id


async def test_a_sender_who_does_not_say_what_they_read_is_asked(office: Office) -> None:
    await office.send()
    for answer in (await put(office, None), await delete(office, None), await put(office, " ")):
        assert answer.status_code == 428
        assert "If-Match" in answer.json()["detail"]
    assert states(await office.logged()) == [("submitted", 1, 0)]


async def test_a_sender_who_read_an_older_state_changes_nothing(office: Office) -> None:
    await office.send()
    await put(office)
    for answer in (await put(office, body="À 66 ans."), await delete(office)):
        assert answer.status_code == 412
        assert "relisez" in answer.json()["detail"]
    await correct_over_http(office)
    # The correction came since; whatever release the tags are of.
    assert (await put(office, '"2.0.3"', body="À 66 ans.")).status_code == 412
    assert (await put(office, '"2.1.9-gzip"', body="À 66 ans.")).json()["revision"] == 3


async def test_the_same_again_is_a_duplicate_whatever_was_read(office: Office) -> None:
    await office.send()
    await put(office)
    again = await put(office)
    assert (again.status_code, again.json()["outcome"]) == (200, "duplicate")
    assert again.json()["revision"] == 2
    # And by the usual way: the note as it stands is no other content, the first one is.
    assert (await office.send(body=NEW)).json()["revision"] == 2
    assert (await office.send()).status_code == 409
    assert states(await office.logged()) == [("submitted", 1, 0), ("rectified", 2, 0)]


async def test_a_date_that_is_only_guessed_stays_as_it_was(office: Office) -> None:
    await office.send()
    guessed = {"Valise-Defaulted": "date"}
    same = await put(office, date="2027-01-01", headers=guessed)
    assert (same.status_code, same.json()["warnings"]) == (200, [])
    await put(office, date="2027-01-01", body=NEW, headers=guessed)
    assert (await office.logged())[-1].note.date.isoformat() == BERLIN["date"]


async def test_post_and_reference_do_not_change(office: Office) -> None:
    await office.send()
    for change in ({"reference": "BER-2026-0143"}, {"post": "rome"}):
        answer = await put(office, **change)
        assert answer.status_code == 409
        assert "référence" in answer.json()["detail"]
    assert len(await office.logged()) == 1


@pytest.mark.parametrize("note", [UNKNOWN, "BER-2026-0142", "é"])
async def test_a_note_that_nobody_sent_is_not_changed(office: Office, note: str) -> None:
    headers = {"If-Match": "*"}
    address = f"/api/v1/notes/{note}"
    for answer in (
        await office.client.put(address, json=BERLIN, headers=headers),
        await office.client.delete(address, headers=headers),
    ):
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


async def test_what_is_no_note_is_refused(office: Office) -> None:
    await office.send()
    answer = await put(office, subject="", colour="bleu")
    problem = Problem.model_validate(answer.json())
    assert answer.status_code == 422
    assert {error["field"] for error in problem.errors or ()} == {"subject", "colour"}
    assert (await put(office, query="?major=peut-être")).status_code == 422
    assert (await put(office, marking="secret")).json()["title"] == "Document classifié refusé"
    form = await office.client.put(ADDRESS, data={"body": "x"}, headers={"If-Match": "*"})
    assert form.status_code == 415
    assert len(await office.logged()) == 1


async def test_a_minor_rectification_keeps_the_readers_correction(office: Office) -> None:
    await office.send()
    await correct_over_http(office)
    answer = await put(office, '"1.1.3"', query="?major=false")
    assert answer.json()["warnings"] == []
    *_, corrected, rectified = await office.logged()
    assert (rectified.major, rectified.revision, rectified.correction) == (False, 2, 1)
    assert rectified.correction_tags == corrected.correction_tags
    again = await correct_over_http(office)
    assert (again.json()["outcome"], again.json()["correction"]) == ("duplicate", 1)
    assert [(row.correction, row.revision) for row in office.registry.corrections()] == [(1, 1)]
    # The next one counts on.
    other = {"themes": ["travail"], "countries": ["DE"]}
    assert (await correct_over_http(office, other)).json()["correction"] == 2
    assert states(await office.logged())[-1] == ("corrected", 2, 2)


async def test_a_major_rectification_drops_the_correction_and_says_so(office: Office) -> None:
    await office.send()
    await correct_over_http(office)
    answer = await put(office, '"1.1.3"')
    (warning,) = answer.json()["warnings"]
    assert "correction 1" in warning
    rectified = (await office.logged())[-1]
    assert (rectified.correction, rectified.correction_tags) == (0, None)
    assert office.registry.corrections() == []
    # The same tags once more are a correction of their own now.
    again = await correct_over_http(office)
    assert (again.json()["outcome"], again.json()["correction"]) == ("accepted", 2)


async def test_a_note_is_withdrawn_once_and_reinstated(office: Office) -> None:
    await office.send()
    gone = await delete(office)
    assert (gone.status_code, gone.json()["revision"]) == (202, 2)
    again = await delete(office, '"2.0.0"')
    assert again.status_code == 410
    assert "retirée" in again.json()["detail"]
    refused = await office.send()
    assert refused.status_code == 409
    assert "retirée" in refused.json()["detail"]
    assert (await correct_over_http(office)).status_code == 410
    assert (await put(office)).status_code == 412
    back = await office.client.put(ADDRESS, json=BERLIN, headers={"If-Match": '"2.0.0"'})
    assert (back.status_code, back.json()["revision"]) == (202, 3)
    events = await office.logged()
    assert states(events) == [("submitted", 1, 0), ("withdrawn", 2, 0), ("rectified", 3, 0)]
    assert events[1].note == events[0].note == events[2].note
    assert (await office.send()).json()["outcome"] == "duplicate"


async def test_a_minor_reinstatement_brings_the_correction_back(office: Office) -> None:
    await office.send()
    await correct_over_http(office)
    await delete(office, '"1.1.3"')
    await put(office, "*", body=BERLIN["body"], query="?major=false")
    events = await office.logged()
    assert states(events)[-2:] == [("withdrawn", 2, 1), ("rectified", 3, 1)]
    assert events[-1].correction_tags == events[1].correction_tags is not None


async def test_of_two_rectifications_at_once_one_wins(office: Office) -> None:
    await office.send()
    answers = await asyncio.gather(*(put(office, body=f"À {age} ans.") for age in range(60, 68)))
    assert sorted(answer.status_code for answer in answers) == [202] + [412] * 7
    winner = answers[[answer.status_code for answer in answers].index(202)]
    assert winner.json()["revision"] == 2
    events = await office.logged()
    assert states(events) == [("submitted", 1, 0), ("rectified", 2, 0)]
    assert events[1].note.body == f"À {60 + answers.index(winner)} ans."


async def test_rectifications_and_corrections_at_once_leave_the_newest_state_last(
    office: Office,
) -> None:
    await office.send()
    codes = ["sante", "travail", "protection_sociale"]
    await asyncio.gather(
        *(correct_over_http(office, {"themes": [code], "countries": []}) for code in codes),
        *(put(office, "*", body=f"À {age} ans.", query="?major=false") for age in range(60, 64)),
    )
    events = await office.logged()
    assert max(event.revision for event in events) == 5
    last = max(events, key=lambda event: (event.revision, event.correction))
    assert events[-1] == last
    assert last.correction == 3
    assert await relay_once(office.registry, office.log, age=0) == 0


async def test_without_the_log_a_change_waits_and_the_relay_finishes_it(office: Office) -> None:
    await office.send()
    with office.away("log"):
        answer = await put(office)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert await relay_once(office.registry, office.log, age=0) == 1
    assert (await put(office)).json()["state"] == "received"
    with office.away("log"):
        assert (await delete(office, '"2.0.0"')).status_code == 503
    # Nobody was told: asking again finishes it. Then it is gone.
    finished = await delete(office, '"2.0.0"')
    assert (finished.status_code, finished.json()["outcome"]) == (200, "duplicate")
    assert (await delete(office, '"3.0.0"')).status_code == 410
    assert states(await office.logged())[-1] == ("withdrawn", 3, 0)


async def test_a_kill_between_registry_and_log_loses_no_rectification(tmp_path: Path) -> None:
    killed = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tests.ingest.revision_dies_before_append", str(tmp_path)],
        timeout=PATIENCE_SECONDS,
    )
    assert killed.returncode == -signal.SIGKILL
    registry, log = engines(tmp_path)
    await log.provision([SUBMITTED])
    await log.start()
    assert states(await events_of(log)) == [("submitted", 1, 0)]
    assert await relay_once(registry, log, age=0) == 1
    assert states(await events_of(log)) == [("submitted", 1, 0), ("rectified", 2, 0)]
    again = await revise(registry, log, rectification(body="À 67 ans."))
    assert isinstance(again, BegunRevision)
    assert (again.revision, again.outcome, again.state) == (2, "duplicate", "received")
    await log.stop()
    registry.close()


async def test_a_revision_written_late_does_not_end_up_behind_a_newer_one(
    tmp_path: Path,
    parts: Parts,  # noqa: F811
) -> None:
    registry, log = parts
    await submit(registry, log, [submission()])

    async def meanwhile() -> None:
        await revise(registry, log, withdrawal())
        await revise(registry, log, rectification(body="À 66 ans."))

    slow = Overtaken(tmp_path / "log.sqlite3", meanwhile)
    first = await revise(registry, slow, rectification(body="À 67 ans."))
    assert isinstance(first, BegunRevision)
    assert first.revision == 2
    events = await events_of(log)
    assert max(states(events), key=lambda each: each[1:]) == states(events)[-1]
    assert states(events)[-1] == ("rectified", 4, 0)
    await relay_once(registry, log, age=0)
    assert (await events_of(log))[-1].note.body == "À 66 ans."
    assert await relay_once(registry, log, age=0) == 0
    await slow.stop()


async def test_changes_that_all_wait_are_written_in_their_order(parts: Parts) -> None:  # noqa: F811
    registry, log = parts
    registry.begin([submission()])
    registry.begin_correction(correction("sante"))
    registry.begin_revision(rectification(major=False, body="À 67 ans."))
    registry.begin_correction(correction("travail"))
    registry.begin_revision(withdrawal())
    assert await relay_once(registry, log, age=0) == 5
    assert states(await events_of(log)) == [
        ("submitted", 1, 0),
        ("corrected", 1, 1),
        ("rectified", 2, 1),
        ("corrected", 2, 2),
        ("withdrawn", 3, 2),
    ]
    assert await relay_once(registry, log, age=0) == 0


async def test_a_kill_between_log_and_registry_doubles_nothing(parts: Parts) -> None:  # noqa: F811
    registry, log = parts
    await submit(registry, log, [submission()])
    begun = registry.begin_revision(rectification(body="À 67 ans."))
    assert isinstance(begun, BegunRevision)
    await log.append(
        SUBMITTED.name, [Entry(key=str(ID).encode(), value=each.event) for each in begun.waiting]
    )
    assert await relay_once(registry, log, age=0) == 1
    _, first, again = await events_of(log)
    assert first == again


async def test_a_revision_the_log_can_never_take_leaves_the_note_as_it_was(
    tmp_path: Path,
    parts: Parts,  # noqa: F811
) -> None:
    registry, log = parts
    await submit(registry, log, [submission()])
    narrow = NarrowLog(tmp_path / "log.sqlite3")
    long = rectification(body="mot " * 2_000, cites=("BER-2025-0001",))
    assert await revise(registry, narrow, long) == TooLarge()
    receipt = registry.receipt(ID)
    assert receipt is not None
    assert (receipt.revision, receipt.state) == (1, State.RECEIVED)
    assert registry.missing(sight_of(a_caller())) == []
    kept = await revise(registry, log, rectification(body="À 67 ans."))
    assert isinstance(kept, BegunRevision)
    assert kept.revision == 2
    corrected = await correct(registry, log, correction("sante"))
    assert isinstance(corrected, BegunCorrection)
    assert corrected.revision == 2
    assert await revise(registry, log, rectification(reference="BER-1")) is Obstacle.OTHER
    await narrow.stop()


async def test_the_document_shows_the_changes_and_every_answer(office: Office) -> None:
    document = (await office.client.get("/openapi.json")).json()
    path = document["paths"]["/api/v1/notes/{note_id}"]
    assert set(path["put"]["responses"]) == {
        *(
            "200",
            "202",
            "400",
            "401",
            "403",
            "404",
            "409",
            "412",
            "408",
            "413",
            "414",
            "415",
            "422",
            "429",
            "428",
            "503",
        )
    }
    assert set(path["delete"]["responses"]) >= {"200", "202", "404", "410", "412", "428", "503"}
    for method in ("put", "delete"):
        header = [each for each in path[method]["parameters"] if each["name"] == "If-Match"]
        assert header
        assert header[0]["required"]
    assert "$defs" not in str(path)


PASSAGE = {"field": "body", "start": 0, "end": 13, "mark": "Spécial France"}


@pytest.mark.parametrize("withdrawn", [False, True])
@pytest.mark.parametrize(
    ("before", "stated", "after"),
    [
        ({"marking": "Diffusion restreinte"}, {}, ("diffusion_restreinte", False)),
        ({"special_france": True}, {}, ("non_protege", True)),
        ({"marked_spans": [PASSAGE]}, {}, ("non_protege", True)),
        ({"marking": "DR"}, {"marking": "Spécial France"}, ("non_protege", True)),
        ({"marking": "DR"}, {"marking": "Non protégé"}, ("non_protege", False)),
        ({"special_france": True}, {"special_france": False}, ("non_protege", False)),
        ({"marked_spans": [PASSAGE]}, {"marked_spans": []}, ("non_protege", False)),
    ],
)
async def test_protection_of_which_nothing_is_said_stays(
    office: Office,
    before: dict[str, Any],
    stated: dict[str, Any],
    after: tuple[str, bool],
    withdrawn: bool,
) -> None:
    await office.send(**before)
    if withdrawn:
        await delete(office)
    answer = await put(office, f'"{1 + withdrawn}.0.3"', body=NEW, **stated)
    assert answer.status_code == 202, answer.text
    last = (await office.logged())[-1].note
    assert (last.marking.value, last.special_france) == after
    assert bool(answer.json()["warnings"]) == (not stated)


async def test_marked_passages_stay_where_the_text_is_the_same(office: Office) -> None:
    await office.send(marked_spans=[PASSAGE])
    assert (await put(office, genre="breve")).status_code == 202
    last = (await office.logged())[-1].note
    assert [span.model_dump() for span in last.marked_spans] == [
        PASSAGE | {"mark": "special_france"}
    ]
    assert not last.special_france


def document(*more: str) -> bytes:
    return docx(paragraphs("Objet : Retraites, la suite", *more, NEW))


async def send_document(
    office: Office, name: str, content: bytes, metadata: dict[str, Any] | None = None
) -> httpx.Response:
    files: dict[str, Any] = {"file": (name, content)}
    if metadata is not None:
        files["metadata"] = (None, json.dumps(metadata).encode(), "application/json")
    return await office.client.put(ADDRESS, files=files, headers={"If-Match": '"1.0.3"'})


async def test_a_note_is_rectified_by_a_document_which_is_served_back(office: Office) -> None:
    await office.send(genre="breve", marking="Diffusion restreinte", author="Mme Weber")
    content = document()
    answer = await send_document(office, "suite.docx", content)
    assert answer.status_code == 202, answer.text
    assert answer.json()["revision"] == 2
    assert answer.json()["read"]["subject"] == "Retraites, la suite"
    last = (await office.logged())[-1].note
    assert (last.subject, last.genre.value, last.author) == (
        "Retraites, la suite",
        "breve",
        "Mme Weber",
    )
    assert NEW in last.body
    assert last.date.isoformat() == BERLIN["date"]
    assert last.marking.value == "diffusion_restreinte"
    original = await office.client.get(f"{ADDRESS}/original")
    assert original.content == content


async def test_the_header_of_a_document_and_the_metadata_win_over_what_the_note_had(
    office: Office,
) -> None:
    await office.send(marking="Diffusion restreinte")
    metadata = {"marking": "Non protégé", "genre": "breve"}
    content = document("Date : 5 mars 2026")
    assert (await send_document(office, "suite.docx", content, metadata)).status_code == 202
    last = (await office.logged())[-1].note
    assert (last.date.isoformat(), last.genre.value) == ("2026-03-05", "breve")
    assert last.marking.value == "non_protege"


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        ("envoi.zip", zipped({"a.docx": document(), "b.docx": document()}), 422),
        ("suite.docx", b"PK\x03\x04", 422),
        ("suite.docx", document("TRÈS SECRET"), 422),
        ("suite.exe", b"MZ\x00\x01", 415),
    ],
)
async def test_what_is_not_one_readable_document_rectifies_nothing(
    office: Office, name: str, content: bytes, status: int
) -> None:
    await office.send()
    assert (await send_document(office, name, content)).status_code == status
    assert states(await office.logged()) == [("submitted", 1, 0)]
