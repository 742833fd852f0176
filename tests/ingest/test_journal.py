"""Who submitted, corrected and fetched what is in the journal before anyone is told."""

import json
from typing import Any

import pytest

from services.runtime.errors import Unavailable
from services.runtime.registry import JournalFilter
from tests.ingest.conftest import BERLIN, Office


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
    with monkeypatch.context() as patch:
        patch.setattr(office.registry, "enter", away)
        found = await office.send_lines(line, b"{}")
    assert [each["status"] for each in found] == [503, 422]
    (again,) = await office.send_lines(line)
    assert again["outcome"] == "duplicate"
    # What waited is not forgotten either.
    assert [each["outcome"] for each in entries(office)] == ["accepted", "duplicate"]


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
