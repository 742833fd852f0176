"""`POST /api/v1/notes` with one note."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.answers import Problem, Receipt, State
from schemas.note import MAX_BODY, Note, note_id
from services.ingest.relay import relay_once
from services.runtime.marks import refusal
from services.runtime.registry import JournalFilter, Mark
from tests.ingest.conftest import BERLIN, Office, listening, open_office
from tests.keys import HEADERS

PROMISED_SECONDS = 5.0
GENEROUS = 5
FORM = "multipart/form-data; boundary=x"
ID = note_id("berlin", "BER-2026-0142")


def problem(response: httpx.Response, status: int) -> Problem:
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    found = Problem.model_validate_json(response.content)
    assert found.status == status
    return found


def fields(found: Problem) -> list[str]:
    return [error["field"] for error in found.errors or []]


class TestReceipts:
    async def test_a_counsellor_gets_a_receipt_and_the_log_has_the_note(
        self, office: Office
    ) -> None:
        response = await office.send()
        assert response.status_code == 202
        assert response.json() == {
            "id": str(ID),
            "revision": 1,
            "state": "received",
            "outcome": "accepted",
            "warnings": [],
            "links": {"self": f"/api/v1/notes/{ID}", "trace": f"/api/v1/notes/{ID}/trace"},
        }
        assert response.headers["Location"] == f"/api/v1/notes/{ID}"
        (record,) = await office.records()
        assert record.key == str(ID).encode()
        (event,) = await office.logged()
        assert (event.note_id, event.note.subject) == (ID, BERLIN["subject"])
        receipt = office.registry.receipt(ID)
        assert receipt is not None
        assert receipt.state is State.RECEIVED

    async def test_the_example_of_the_contract_is_taken(self, office: Office) -> None:
        example = Note.model_json_schema()["examples"][0]
        response = await office.client.post("/api/v1/notes", json=example)
        assert response.status_code == 202

    async def test_the_very_same_note_again_is_the_same_note(self, office: Office) -> None:
        await office.send()
        again = await office.send()
        assert again.status_code == 200
        assert again.json()["outcome"] == "duplicate"
        assert again.json()["id"] == str(ID)
        assert len(await office.logged()) == 1

    async def test_a_repeated_note_is_answered_with_its_present_state(self, office: Office) -> None:
        event = (await office.send(), (await office.logged())[0])[1]
        office.registry.mark_indexed([Mark(ID, 1, State.INDEXED, event.at)])
        assert (await office.send()).json()["state"] == "indexed"

    async def test_other_content_is_a_conflict_that_names_what_differs(
        self, office: Office
    ) -> None:
        await office.send()
        found = problem(await office.send(body="Autre texte.", genre="breve"), 409)
        assert fields(found) == ["body", "genre"]
        assert "BER-2026-0142" in found.detail
        assert len(await office.logged()) == 1

    @pytest.mark.parametrize(
        ("changes", "named"),
        [
            ({"body": "Autre texte."}, "(texte)"),
            ({"subject": "Apprentissage", "genre": "breve"}, "(objet, genre)"),
            ({"date": "2026-03-09"}, "(date)"),
        ],
    )
    async def test_a_conflict_names_in_french_what_differs_and_the_command_that_settles_it(
        self, office: Office, changes: dict[str, str], named: str
    ) -> None:
        await office.send()
        said = problem(await office.send(**changes), 409).detail
        assert named in said
        assert "valise rectify FICHIER --note berlin/BER-2026-0142" in said

    async def test_a_date_taken_from_a_file_makes_no_conflict(self, office: Office) -> None:
        guessed = {"Valise-Defaulted": "date"}
        for date in ("2026-03-04", "2026-03-09"):
            sent = json.dumps(BERLIN | {"date": date}).encode()
            response = await office.send_raw(sent, **guessed)
            assert response.status_code in {200, 202}
        assert problem(await office.send(date="2026-03-10"), 409).errors
        wrong = await office.send_raw(b"{}", **{"Valise-Defaulted": "body"})
        assert fields(problem(wrong, 422)) == ["Valise-Defaulted"]

    async def test_a_date_to_come_is_taken_with_a_warning(self, office: Office) -> None:
        response = await office.send(date="2999-01-01")
        assert response.status_code == 202
        assert "2999-01-01" in response.json()["warnings"][0]

    async def test_a_trace_travels_with_the_note(self, office: Office) -> None:
        trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        await office.send_raw(json.dumps(BERLIN).encode(), traceparent=trace)
        (event,) = await office.logged()
        assert event.trace == trace

    async def test_the_longest_note_is_taken(self, office: Office) -> None:
        response = await office.send(body="é" * MAX_BODY)
        assert response.status_code == 202
        assert problem(await office.send(reference="x", body="é" * (MAX_BODY + 1)), 422)


class TestRefusals:
    async def test_wrong_fields_are_named_and_nothing_is_kept(self, office: Office) -> None:
        found = problem(await office.send(post="paris", titre="x"), 422)
        assert fields(found) == ["post", "titre"]
        assert await office.logged() == []

    async def test_a_classified_document_leaves_nothing_behind(
        self, office: Office, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        secret = "Négociation confidentielle sur les pensions"
        response = await office.send(marking="secret", subject=secret, body=secret)
        found = problem(response, 422)
        assert found == refusal()
        assert secret not in response.text
        assert secret not in caplog.text
        assert office.registry.receipt(ID) is None
        for file in office.data.iterdir():
            assert secret.encode() not in file.read_bytes(), file

    @pytest.mark.parametrize(
        ("kind", "headers"),
        [
            ("text/plain", {}),
            ("multipart/mixed; boundary=x", {}),
            ("application/json; charset=iso-8859-1", {}),
            ("", {}),
            ("application/json", {"Content-Encoding": "gzip"}),
        ],
    )
    async def test_another_type_is_told_which_are_taken(
        self, office: Office, kind: str, headers: dict[str, str]
    ) -> None:
        response = await office.send_raw(b"{}", kind, **headers)
        assert "application/x-ndjson" in problem(response, 415).detail
        assert "application/json" in response.headers["Accept-Post"]

    async def test_the_usual_ways_to_say_json_are_understood(self, office: Office) -> None:
        for kind in ("application/json; charset=UTF-8", 'Application/JSON;charset="utf-8"'):
            response = await office.send_raw(json.dumps(BERLIN).encode(), kind)
            assert response.status_code in {200, 202}

    async def test_an_address_that_is_not_there_is_said_in_french(self, office: Office) -> None:
        found = problem(await office.client.get("/api/v1/valises"), 404)
        assert found.detail == "Rien ne se trouve à cette adresse."
        response = await office.client.get("/api/v1/notes")
        assert problem(response, 405).title == "Méthode non admise"
        assert response.headers["Allow"] == "POST"

    async def test_a_bug_shows_no_internals_and_leaves_its_trace_in_the_log(
        self,
        office: Office,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        def fail(*_: object) -> None:
            raise RuntimeError("password is hemlig")

        monkeypatch.setattr(office.registry, "begin", fail)
        response = await office.send()
        assert "hemlig" not in response.text
        assert problem(response, 500).detail == "Le service a rencontré une erreur inattendue."
        assert "RuntimeError" in caplog.text


class TestSize:
    async def test_a_body_that_says_it_is_too_large_is_not_read(self, tmp_path: Path) -> None:
        async with open_office(tmp_path, max_body_bytes=1_000) as office:
            found = problem(await office.send(body="x" * 2_000), 413)
            assert "1000 octets" in found.detail

    async def test_a_body_that_does_not_say_is_counted(self, tmp_path: Path) -> None:
        async def endless() -> AsyncIterator[bytes]:
            for _ in range(100):
                yield b" " * 100

        async with open_office(tmp_path, max_body_bytes=1_000) as office:
            assert problem(await office.send_raw(endless()), 413)

    async def test_a_client_that_is_still_sending_sees_the_answer(self, tmp_path: Path) -> None:
        async with open_office(tmp_path) as office, listening(office.app) as address:
            big = b"x" * (20 * 1024 * 1024)

            async def unsized() -> AsyncIterator[bytes]:
                for start in range(0, len(big), 65_536):
                    yield big[start : start + 65_536]

            async with httpx.AsyncClient(timeout=60, headers=HEADERS) as client:
                for content in (big, unsized()):
                    response = await client.post(
                        f"{address}/api/v1/notes",
                        content=content,
                        headers={"Content-Type": "application/json"},
                    )
                    assert problem(response, 413)


class TestRaces:
    async def test_the_same_note_twenty_times_at_once_is_one_note(self, office: Office) -> None:
        responses = await asyncio.gather(*(office.send() for _ in range(20)))
        found = [Receipt.model_validate_json(each.content) for each in responses]
        assert sorted(each.status_code for each in responses) == [200] * 19 + [202]
        assert sorted(each.outcome for each in found) == ["accepted"] + ["duplicate"] * 19
        assert {(each.id, each.revision, each.state) for each in found} == {(ID, 1, State.RECEIVED)}
        # Perhaps more than once, but always the one event that was accepted.
        events = await office.logged()
        assert len({event.event_id for event in events}) == 1

    async def test_of_different_contents_at_once_exactly_one_is_accepted(
        self, office: Office
    ) -> None:
        responses = await asyncio.gather(
            *(office.send(subject=f"Version {number}") for number in range(12))
        )
        assert sorted(each.status_code for each in responses) == [202] + [409] * 11
        (winner,) = [n for n, each in enumerate(responses) if each.status_code == 202]
        assert {each.note.subject for each in await office.logged()} == {f"Version {winner}"}


class TestOutages:
    async def test_without_the_log_nothing_is_promised_and_the_sender_may_retry(
        self, office: Office
    ) -> None:
        began = time.monotonic()
        with office.away("log"):
            response = await office.send()
        assert time.monotonic() - began < PROMISED_SECONDS * GENEROUS
        assert problem(response, 503)
        assert int(response.headers["Retry-After"]) > 0
        again = await office.send()
        assert again.json()["outcome"] == "duplicate"
        assert again.json()["state"] == "received"
        assert {event.note_id for event in await office.logged()} == {ID}

    async def test_a_pending_note_with_other_content_is_a_conflict(self, office: Office) -> None:
        with office.away("log"):
            problem(await office.send(), 503)
        assert fields(problem(await office.send(subject="Apprentissage"), 409)) == ["subject"]

    async def test_without_the_registry_nothing_is_written(self, office: Office) -> None:
        began = time.monotonic()
        with office.away("registry"):
            response = await office.send()
        assert time.monotonic() - began < PROMISED_SECONDS * GENEROUS
        assert problem(response, 503)
        assert response.headers["Retry-After"]
        assert await office.logged() == []
        assert (await office.send()).status_code == 202

    async def test_a_note_in_the_log_is_received_though_the_registry_went_and_is_entered_later(
        self, office: Office, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        append = office.log.append

        async def then_the_registry_goes(*args: Any) -> None:
            await append(*args)
            away.__enter__()

        away = office.away("registry")
        monkeypatch.setattr(office.log, "append", then_the_registry_goes)
        response = await office.send()
        away.__exit__(None, None, None)
        # The log has the note, and the registry who sent it: the journal will tell of it.
        assert response.status_code == 202
        assert len(await office.logged()) == 1
        assert office.registry.journal_page(JournalFilter()) == []
        monkeypatch.undo()
        await relay_once(office.registry, office.log, age=0)
        (entry,) = office.registry.journal_page(JournalFilter())
        assert (entry.draft.who, entry.draft.object) == ("key:1", response.json()["id"])
        again = await office.send()
        assert (again.status_code, again.json()["outcome"]) == (200, "duplicate")
        assert {event.note_id for event in await office.logged()} == {UUID(again.json()["id"])}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
almost_notes = st.fixed_dictionaries(
    {name: st.just(value) | json_values for name, value in BERLIN.items()},
    optional={name: json_values for name in Note.model_fields if name not in BERLIN},
)
bodies = st.binary() | (almost_notes | json_values).map(lambda value: json.dumps(value).encode())


def test_any_body_gets_a_documented_answer(tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        opened = open_office(tmp_path)
        office = runner.run(opened.__aenter__())
        document = runner.run(office.client.get("/openapi.json")).json()
        documented = set(document["paths"]["/api/v1/notes"]["post"]["responses"])

        kinds = ["application/json", "application/x-ndjson", "text/csv", FORM]

        @given(bodies, st.sampled_from(kinds))
        def send(body: bytes, kind: str) -> None:
            response = runner.run(office.send_raw(body, kind))
            assert str(response.status_code) in documented, response.text
            if response.headers["Content-Type"] == "application/x-ndjson":
                for line in response.text.split("\n")[:-1]:
                    assert str(json.loads(line)["status"]) in documented, line

        send()
        runner.run(opened.__aexit__(None, None, None))
