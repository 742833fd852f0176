"""Who submitted, corrected and fetched what is in the journal before anyone is told."""

import asyncio
import json
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from schemas.answers import State
from services.ingest.body import NDJSON
from services.ingest.many import CHUNK_LINES
from services.ingest.relay import relay_once
from services.runtime.errors import Unavailable
from services.runtime.registry import JournalFilter, Mark
from tests.ingest.conftest import BERLIN, Office
from tests.keys import HEADERS


def entries(office: Office) -> list[dict[str, Any]]:
    """What was entered so far, the oldest first."""
    return [
        {
            "action": row.draft.action,
            "who": row.draft.who,
            "object": row.draft.object,
            **json.loads(row.draft.details),
        }
        for row in reversed(office.registry.journal_page(JournalFilter()))
    ]


async def test_a_submission_is_entered_before_its_answer_and_so_is_its_repetition(
    office: Office,
) -> None:
    note = (await office.send()).json()["id"]
    sent = {"action": "submitted", "who": "key:1", "object": note}
    assert entries(office) == [sent | {"outcome": "accepted"}]
    await office.send()
    assert entries(office)[1:] == [sent | {"outcome": "duplicate"}]


async def test_a_note_that_was_not_taken_is_not_entered(office: Office) -> None:
    await office.send()
    assert (await office.send(subject="Autre objet")).status_code == 409
    assert (await office.send(date="hier")).status_code == 422
    assert len(entries(office)) == 1


async def test_each_note_of_many_is_entered_and_the_others_are_not(office: Office) -> None:
    lines = [
        json.dumps(BERLIN | {"reference": f"BER-2026-{number:04}"}).encode() for number in range(3)
    ]
    found = await office.send_lines(*lines, b"{}")
    assert [each["status"] for each in found] == [202, 202, 202, 422]
    assert [each["object"] for each in entries(office)] == [each["id"] for each in found[:3]]


async def test_lines_that_cannot_be_entered_are_to_be_sent_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: object) -> None:
        raise Unavailable("away")

    line = json.dumps(BERLIN).encode()
    await office.send_lines(line)
    with monkeypatch.context() as patch:
        patch.setattr(office.registry, "enter", away)
        found = await office.send_lines(line, b"{}")
    assert [each["status"] for each in found] == [503, 422]
    (again,) = await office.send_lines(line)
    assert again["outcome"] == "duplicate"
    # What waited is not forgotten either.
    outcomes = [each["outcome"] for each in entries(office)]
    assert outcomes == ["accepted", "duplicate", "duplicate"]


async def test_a_correction_a_rectification_and_a_withdrawal_are_entered(office: Office) -> None:
    note = (await office.send()).json()["id"]
    path = f"/api/v1/notes/{note}"
    corrected = await office.client.post(
        f"{path}/corrections", json={"themes": ["sante"], "countries": ["DE"]}
    )
    assert corrected.status_code == 202, corrected.text
    changed = await office.client.put(
        path, json=BERLIN | {"subject": "Rectifiée"}, headers={"If-Match": '"1.1.0"'}
    )
    assert changed.status_code == 202, changed.text
    gone = await office.client.delete(path, headers={"If-Match": '"2.0.0"'})
    assert gone.status_code == 202, gone.text
    found = entries(office)
    assert [each["action"] for each in found] == [
        "submitted",
        "corrected",
        "rectified",
        "withdrawn",
    ]
    assert {each["object"] for each in found} == {note}
    assert [each.get("revision") for each in found] == [None, None, 2, 3]
    assert "Rectifiée" not in json.dumps(found, ensure_ascii=False)


@pytest.mark.parametrize("known", [False, True], ids=["new notes", "known notes"])
async def test_what_was_taken_of_a_sender_who_hangs_up_is_entered(
    office: Office, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    sent = lines(3 * CHUNK_LINES)
    if known:
        await office.send_lines(*sent)
    before = len(every_entry(office))
    hung_up = asyncio.Event()
    begun = 0
    begin = office.registry.begin
    loop = asyncio.get_running_loop()

    def begun_when_the_second_piece_comes(submissions: Any, *more: Any) -> Any:
        nonlocal begun
        begun += len(submissions)
        if begun > CHUNK_LINES:
            loop.call_soon_threadsafe(hung_up.set)
            time.sleep(0.3)  # the hanging up is heard
        return begin(submissions, *more)

    monkeypatch.setattr(office.registry, "begin", begun_when_the_second_piece_comes)
    await sent_and_left(office, b"\n".join(sent), hung_up)
    assert begun == 2 * CHUNK_LINES
    now = every_entry(office)[before:]
    assert [each["outcome"] for each in now] == ["duplicate" if known else "accepted"] * begun
    assert {each["who"] for each in now} == {"key:1"}


async def test_a_change_that_was_answered_503_is_entered_by_its_sender_once_it_is_finished(
    office: Office,
) -> None:
    note = (await office.send()).json()["id"]
    path = f"/api/v1/notes/{note}"
    other = {"reference": "BER-2026-0143"}
    with office.away("log"):
        answers = [
            await office.send(**other),
            await office.client.post(
                f"{path}/corrections", json={"themes": ["sante"], "countries": ["DE"]}
            ),
            await office.client.put(
                path, json=BERLIN | {"subject": "Rectifiée"}, headers={"If-Match": "*"}
            ),
            await office.client.delete(path, headers={"If-Match": "*"}),
        ]
    assert [answer.status_code for answer in answers] == [503] * 4
    assert len(entries(office)) == 1
    await relay_once(office.registry, office.log, age=0)
    found = entries(office)[1:]
    assert [each["action"] for each in found] == [
        "submitted",
        "corrected",
        "rectified",
        "withdrawn",
    ]
    assert {(each["who"], each["outcome"]) for each in found} == {("key:1", "accepted")}
    await relay_once(office.registry, office.log, age=0)
    assert len(entries(office)) == 5


async def test_a_change_that_the_index_had_before_anyone_was_told_is_entered(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: object) -> None:
        raise Unavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(office.registry, "mark_received", away)
        note = UUID((await office.send()).json()["id"])
    office.registry.mark_indexed([Mark(note, 1, State.INDEXED, datetime.now(UTC))])
    assert entries(office) == []
    await relay_once(office.registry, office.log, age=0)
    (one,) = entries(office)
    assert (one["action"], one["object"], one["who"]) == ("submitted", str(note), "key:1")


def lines(number: int) -> list[bytes]:
    """That many notes."""
    return [json.dumps(BERLIN | {"reference": f"BER-{at:04}"}).encode() for at in range(number)]


def every_entry(office: Office) -> list[dict[str, Any]]:
    """All of the journal, the oldest first."""
    rows = office.registry.journal_after(0, 10**9, 10**6)
    return [{"who": row.draft.who, **json.loads(row.draft.details)} for row in rows]


async def sent_and_left(office: Office, body: bytes, hung_up: asyncio.Event) -> None:
    """Send these lines, and hang up when that is set."""
    told = False

    async def receive() -> dict[str, Any]:
        nonlocal told
        if not told:
            told = True
            return {"type": "http.request", "body": body, "more_body": False}
        await hung_up.wait()
        return {"type": "http.disconnect"}

    async def send(_: Any) -> None:
        pass

    headers = {**HEADERS, "Content-Type": NDJSON, "Host": "valise.test"}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/api/v1/notes",
        "raw_path": b"/api/v1/notes",
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("valise.test", 80),
    }
    await office.app(scope, receive, send)
