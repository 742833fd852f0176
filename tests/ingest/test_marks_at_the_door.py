"""A classified document is refused at the door, and nowhere is a word of it left."""

import json
import logging
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from schemas.note import note_id
from services.ingest import outcomes
from services.runtime import metrics
from services.runtime.marks import refusal
from tests.ingest.conftest import BERLIN, Office, open_office
from tests.ingest.formats.making import docx, eml, paragraphs, zipped
from tests.ingest.formats.test_marks import ATTACKS
from tests.ingest.test_files import kept, send
from tests.operations.test_expunge import where

SUBJECT, BODY, FILE, REFERENCE = "Zythomancielle", "quarkoïdal", "Brimborionade", "XYL-2026-0001"
WORDS = (SUBJECT, BODY, FILE, REFERENCE)
CLASSIFIED = {
    "reference": REFERENCE,
    "subject": f"Note {SUBJECT}",
    "body": f"TRÈS SECRET\n\nLa réforme {BODY} des retraites.",
}
DOCUMENT = docx(paragraphs(f"Note {SUBJECT}", f"Référence : {REFERENCE}", "SECRET", BODY))


def refused_so_far() -> float:
    counter = metrics.OUTCOMES.labels(outcomes.SERVICE, "notes.submitted", "refused")
    return float(counter._value.get())


def nothing_is_left(office: Office, said: str, logged: str) -> None:
    """Neither in the answer, nor in the logs, nor in any file of the data folder."""
    # The words are looked for as they are: the files hold other things.
    assert any(path.is_file() for path in office.data.rglob("*"))
    traces = (*WORDS, str(note_id("berlin", REFERENCE)), note_id("berlin", REFERENCE).hex)
    assert where(office.data, *traces) == set()
    for word in traces:
        assert word not in said
        assert word not in logged


async def by_json(office: Office) -> httpx.Response:
    return await office.send(**CLASSIFIED)


async def by_mark(office: Office) -> httpx.Response:
    return await office.send(**CLASSIFIED | {"body": BODY, "marking": "Secret"})


async def by_span(office: Office) -> httpx.Response:
    span = {"field": "body", "start": 0, "end": 3, "mark": "NATO SECRET"}
    return await office.send(**CLASSIFIED | {"body": BODY, "marked_spans": [span]})


async def by_wrong_fields(office: Office) -> httpx.Response:
    return await office.send(**CLASSIFIED | {"post": BODY, "genre": SUBJECT, FILE: "x"})


async def by_rectification(office: Office) -> httpx.Response:
    note = (await office.send()).json()["id"]
    other = BERLIN | CLASSIFIED | {"reference": BERLIN["reference"]}
    return await office.client.put(f"/api/v1/notes/{note}", json=other, headers={"If-Match": "*"})


async def by_correction(office: Office) -> httpx.Response:
    note = (await office.send()).json()["id"]
    tags = {"themes": ["sante"], "countries": [], "comment": f"SECRET – {BODY}"}
    return await office.client.post(f"/api/v1/notes/{note}/corrections", json=tags)


async def by_document(office: Office) -> httpx.Response:
    return await send(office, f"{FILE}.docx", DOCUMENT, {"post": "berlin", "date": "2026-03-04"})


async def by_metadata(office: Office) -> httpx.Response:
    clean = docx(paragraphs(f"Note {SUBJECT}", BODY))
    said = {"post": "berlin", "date": "2026-03-04", "marking": "SECRET", "reference": REFERENCE}
    return await send(office, f"{FILE}.docx", clean, said)


async def by_name(office: Office) -> httpx.Response:
    clean = docx(paragraphs(f"Note {SUBJECT}", BODY))
    said = {"post": "berlin", "date": "2026-03-04"}
    return await send(office, f"SECRET - {FILE}.docx", clean, said)


async def by_mail(office: Office) -> httpx.Response:
    mail = eml(f"SECRET\n\n{BODY} {SUBJECT} {REFERENCE}")
    return await send(office, f"{FILE}.eml", mail, {"post": "berlin"})


@pytest.mark.parametrize(
    "sent",
    [
        *(by_json, by_mark, by_span, by_wrong_fields, by_rectification, by_correction),
        *(by_document, by_metadata, by_name, by_mail),
    ],
)
async def test_a_classified_note_leaves_nothing_wherever_it_comes_in(
    office: Office, caplog: pytest.LogCaptureFixture, sent: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    before = refused_so_far()
    answer = await sent(office)
    assert answer.status_code == 422, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json() == refusal().model_dump(exclude_none=True)
    assert refused_so_far() == before + 1
    assert "422 classified" in caplog.text
    logged = "\n".join(repr(record.__dict__) for record in caplog.records)
    # httpx, the test's own client, tells the address that it asked for.
    own = "\n".join(line for line in logged.splitlines() if "'name': 'httpx'" not in line)
    nothing_is_left(office, answer.text, own)
    assert office.registry.receipt(note_id("berlin", REFERENCE)) is None
    assert kept(office) == []


async def test_of_many_lines_the_classified_one_is_refused_alone(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    lines = [json.dumps(BERLIN | changes).encode() for changes in ({}, CLASSIFIED)]
    taken, refused = await office.send_lines(*lines)
    assert taken["outcome"] == "accepted"
    assert (refused["status"], refused["outcome"]) == (422, "refused")
    assert refused["problem"] == refusal().model_dump(exclude_none=True)
    nothing_is_left(office, json.dumps(refused, ensure_ascii=False), caplog.text)


async def test_of_an_archive_the_classified_document_is_refused_alone_and_without_a_name(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    clean = docx(paragraphs("Note de Berlin", "La réforme des retraites."))
    packed = zipped({f"{FILE}.docx": DOCUMENT, "BER-1.docx": clean})
    said = {"post": "berlin", "date": "2026-03-04"}
    answer = await send(office, "envoi.zip", packed, said)
    refused, taken = (json.loads(line) for line in answer.text.splitlines())
    assert taken["outcome"] == "accepted"
    assert refused == {
        "line": 1,
        "status": 422,
        "outcome": "refused",
        "warnings": [],
        "problem": refusal().model_dump(exclude_none=True),
    }
    nothing_is_left(office, answer.text, caplog.text)


async def test_a_mail_with_a_classified_attachment_is_not_kept_as_an_original(
    office: Office,
) -> None:
    clean = b"Note de Berlin\n\nLa r\xc3\xa9forme des retraites."
    mail = eml("Deux notes.", files={f"{FILE}.docx": DOCUMENT, "BER-1.txt": clean})
    said = {"post": "berlin", "date": "2026-03-04"}
    answer = await send(office, "envoi.eml", mail, said)
    got = [json.loads(line)["outcome"] for line in answer.text.splitlines()]
    assert got == ["refused", "refused", "accepted"]
    assert [path.read_bytes() for path in kept(office)] == [clean]
    nothing_is_left(office, answer.text, "")


@pytest.mark.parametrize("attack", ["docx: the page header", "pdf: a layer that is off"])
async def test_a_mark_hidden_in_a_file_is_refused_over_http(office: Office, attack: str) -> None:
    name, make = ATTACKS[attack]
    said = {"post": "berlin", "date": "2026-03-04"}
    answer = await send(office, name, make("SECRET"), said)
    assert answer.json() == refusal().model_dump(exclude_none=True)
    assert await office.logged() == []
    assert kept(office) == []


async def test_the_words_of_a_note_that_is_taken_are_found_in_the_files(office: Office) -> None:
    """So that the search for words of a refused one is no empty test."""
    clean = docx(paragraphs(f"Note {SUBJECT}", FILE))
    await office.send(**CLASSIFIED | {"body": BODY})
    await send(office, "note.docx", clean, {"post": "berlin", "date": "2026-03-04"})
    found = {entry.rpartition(" ")[2] for entry in where(office.data, *WORDS)}
    assert found == set(WORDS)


async def test_a_restricted_note_is_received_and_its_sender_warned(office: Office) -> None:
    answer = await office.send(body="DIFFUSION RESTREINTE\n\nLa réforme des retraites.")
    assert answer.status_code == 202
    (warning,) = answer.json()["warnings"]
    assert "diffusion restreinte" in warning
    assert UUID(answer.json()["id"]) == note_id(BERLIN["post"], BERLIN["reference"])
    (event,) = await office.logged()
    assert event.note.marking == "diffusion_restreinte"


async def test_a_rectification_with_an_unknown_mark_is_the_strictest(office: Office) -> None:
    note = (await office.send()).json()["id"]
    answer = await office.client.put(
        f"/api/v1/notes/{note}", json=BERLIN | {"marking": "rouge"}, headers={"If-Match": "*"}
    )
    assert answer.status_code == 202
    assert any("« rouge »" in warning for warning in answer.json()["warnings"])
    assert (await office.logged())[-1].note.special_france is True


LEVEL = "RESTREINT UE / EU RESTRICTED"
OF_THE_UNION = CLASSIFIED | {"body": f"{LEVEL}\n\nLa réforme {BODY} des retraites."}
METADATA = {"metadata": json.dumps({"post": "berlin", "date": "2026-03-04"})}
MAIL = eml(f"Note {SUBJECT}", files={"a.docx": docx(paragraphs("Objet", LEVEL, BODY))})


async def every_way(office: Office) -> list[httpx.Response]:
    """The answers to a note of that level: as JSON, by its declared mark, as a document, attached
    to a mail, and in the place of another note."""
    other = (await office.send(reference="BER-7")).json()["id"]
    return [
        await office.send(**OF_THE_UNION),
        await office.send(**CLASSIFIED | {"body": BODY, "marking": "Restreint UE – projet"}),
        *[
            await office.client.post("/api/v1/notes", files={"file": (name, data)}, data=METADATA)
            for name, data in (
                ("note.docx", docx(paragraphs(f"Note {SUBJECT}", LEVEL, BODY))),
                ("courriel.eml", MAIL),
            )
        ],
        await office.client.put(
            f"/api/v1/notes/{other}",
            json=BERLIN | OF_THE_UNION | {"reference": "BER-7"},
            headers={"If-Match": "*"},
        ),
    ]


async def test_a_level_of_others_is_refused_where_nobody_approved_it(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for answer in await every_way(office):
        assert "homologué" in answer.text
        assert "EU RESTRICTED" in answer.text, "the answer says which"
        lines = [json.loads(line) for line in answer.text.splitlines()]
        assert all(line["status"] == 422 for line in lines)
        nothing_is_left(office, answer.text, caplog.text)


async def test_a_level_of_others_restricts_where_it_is_approved(tmp_path: Path) -> None:
    async with open_office(tmp_path, approved="restreint_ue") as office:
        for answer in await every_way(office):
            assert "homologué" not in answer.text
            first = json.loads(answer.text.splitlines()[0])
            assert first.get("status", answer.status_code) in (200, 202, 409), answer.text
        marked = [event.note for event in await office.logged() if BODY in event.note.body]
        assert len(marked) >= 4
        assert {note.marking.value for note in marked} == {"diffusion_restreinte"}
        nato = CLASSIFIED | {"body": f"NATO RESTRICTED\n\n{BODY}"}
        assert (await office.send(**nato)).status_code == 422
