"""What an attacker's words leave in the journal, and what they cannot do without being in it."""

import json
import subprocess
import time
from random import randint
from typing import Any
from uuid import uuid4

import pytest

from services.runtime.access import keys
from services.runtime.journal.unknown import OF_ADDRESS
from services.runtime.registry import JournalFilter
from tests.pipeline.deployments import VALISE
from tests.security.conftest import Target, searching
from tests.security.test_attacks import asked, status_of

WAIT_SECONDS = 30.0
"""Readings are entered within a third of a second of their answer; a busy machine takes longer."""


def told(target: Target, action: str, sign: str, number: int = 1) -> list[dict[str, Any]]:
    """The details of the entries with this sign in them, once there are so many, or in good time
    are not."""
    end = time.monotonic() + WAIT_SECONDS
    while True:
        rows = target.registry.journal_page(JournalFilter(action=action), None, 100)
        found = [row.draft.details for row in rows if sign in row.draft.details]
        if len(found) >= number or time.monotonic() > end:
            return [json.loads(details) for details in found]
        time.sleep(0.05)


def an_address() -> str:
    """An address of this machine from which nobody else asks: refusals are counted by address."""
    return f"127.{randint(1, 250)}.{randint(0, 250)}.{randint(1, 250)}"


@searching
def test_of_a_flood_of_refusals_each_address_leaves_a_few_entries(target: Target) -> None:
    first, second, sign = an_address(), an_address(), uuid4().hex[:16]
    line = f"GET /api/v1/notes/{sign}/trace".encode()
    for _ in range(100):
        assert status_of(asked(target, line, source=first)) == 401
    assert status_of(asked(target, line + b"?", source=second)) == 401
    key = target.key("read")
    header = f"Authorization: {key['Authorization']}"
    line = f"GET /api/v1/dead-letters/{sign}".encode()
    assert status_of(asked(target, line, header, source=first)) == 403
    entries = told(target, "refused", sign, OF_ADDRESS + 2)
    known = [entry for entry in entries if entry["status"] == 403]
    # Twice as many, where a minute ends in between.
    assert OF_ADDRESS + 1 <= len(entries) - len(known) <= 2 * OF_ADDRESS + 1
    assert len(known) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/notes/%1b%5d0;PWNED%07{}/trace",
        "/api/v1/notes/{}%0d%0a2026-11-26%20INFO%20forged/trace",
        "/api/v1/notes/%e2%80%aetxt%c2%9b{}/trace",
        "/api/v1/notes/a%2500%2e{}/trace",
    ],
)
@searching
def test_a_refused_path_is_entered_as_it_was_sent(target: Target, path: str) -> None:
    sign = uuid4().hex[:16]
    line = f"GET {path.format(sign)}".encode()
    assert status_of(asked(target, line, source=an_address())) == 401
    (entry,) = told(target, "refused", sign)
    assert entry == {"status": 401, "tried": f"GET {path.format(sign)}"}


@searching
def test_what_an_administrator_reads_of_an_attack_does_nothing_to_the_terminal(
    target: Target,
) -> None:
    key, sign = target.key("all"), f"x{uuid4().hex[:8]}"
    line = f"GET /api/v1/notes/%1b%5d0;PWNED%07%c2%9b{sign}/trace".encode()
    assert status_of(asked(target, line, source=an_address())) == 401
    target.client.get("/api/v1/search", params={"q": f"\u202eretraites\u200b {sign}"}, headers=key)
    assert told(target, "searched", sign)
    assert told(target, "refused", sign)
    shown = subprocess.run(
        [VALISE, "journal"],
        env={
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "VALISE_URL": target.url,
            "VALISE_KEY": key["Authorization"].removeprefix("Bearer "),
        },
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout.decode()
    assert "PWNED" in shown
    assert shown.replace("\n", "").replace("\u202f", " ").isprintable()


@searching
def test_a_key_in_the_search_box_is_kept_nowhere(target: Target) -> None:
    reader, pasted = target.key("read"), keys.new()
    for written in (str(pasted), str(pasted).upper(), str(pasted).replace("_", " ")):
        sign = f"x{uuid4().hex[:8]}"
        for path in ("/api/v1/search", "/feeds/search.json", "/"):
            asked_for = {"q": f"{sign} {written}"}
            answer = target.client.get(path, params=asked_for, headers=reader)
            assert answer.status_code == 200, answer.text
        words = [entry["words"] for entry in told(target, "searched", sign, 3)]
        assert words == [f"{sign} valise_…"] * 3
        assert written not in target.deployment.logs()


@pytest.mark.parametrize("kept", ["*", '"guessed"', "own", 'W/"x", own'])
@searching
def test_nobody_learns_by_a_feed_whether_a_word_is_there_without_being_entered(
    target: Target, kept: str
) -> None:
    reader, sign = target.key("read"), f"-x{uuid4().hex[:8]}"
    for word in ("retraites", "zizanie"):
        url = f"/feeds/search.json?q={word} {sign}"
        own = target.client.get(url, headers=reader).headers["ETag"]
        given = reader | {"If-None-Match": kept.replace("own", own)}
        answer = target.client.get(url, headers=given)
        assert answer.status_code == (200 if "guessed" in kept else 304)
        assert target.client.head(url, headers=given).status_code == answer.status_code
        other = target.client.get(url, headers=target.key("read") | {"If-None-Match": own})
        assert (other.status_code, other.headers["ETag"] != own) == (200, True)
    entered = told(target, "searched", sign, 8)
    assert len(entered) == 8
    assert {entry["feed"] for entry in entered} == {"json"}
