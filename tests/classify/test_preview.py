"""`POST /api/v1/preview`: the tags that a text would get."""

import asyncio
import json
import logging
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from schemas.access import Role
from schemas.classification import Classification
from services.classify.preview import Apart, here, router
from services.ingest.preview import documents
from services.ingest.room import Room
from services.runtime import problems
from services.runtime.access import gate
from services.runtime.errors import Unavailable
from services.runtime.journal import Journal, install
from services.runtime.marks import refusal
from services.runtime.registry import Registry
from services.runtime.settings import Settings
from tests.ingest.formats.making import docx, paragraphs, zipped
from tests.keys import HEADERS, a_key, admit_everything

DRAFT = {
    "subject": "Réforme des retraites en Allemagne",
    "body": "Le Bundestag a adopté la réforme des retraites.",
}


DOCUMENT = docx(
    paragraphs(
        "Référence : BER-2026-0201",
        "Date : 5 mars 2026",
        "Objet : Réforme des retraites",
        "Le Bundestag a adopté la réforme des retraites.",
    )
)


def app(classify: object, data: Path) -> FastAPI:
    found = FastAPI()
    problems.install(found)
    registry = Registry(f"sqlite:///{data / 'registry.sqlite3'}")
    admit_everything(registry)
    gate.install(found, gate.Gate(registry))
    install(found, Journal(registry, 365))
    settings = Settings(max_body_bytes=2_000, max_file_bytes=1_000_000)
    reader = documents(Room(settings.documents_bytes), settings)
    found.include_router(router(classify, reader, settings))  # type: ignore[arg-type]
    return found


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app(here, tmp_path))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://valise", headers=HEADERS
    ) as found:
        yield found


async def test_a_counsellor_sees_the_tags_of_a_draft_with_their_evidence(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post("/api/v1/preview", json=DRAFT)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert [tag["theme"] for tag in found["themes"]] == ["protection_sociale"]
    assert found["countries"][0]["country"] == "DE"
    for tag in (*found["themes"], *found["countries"]):
        for each in tag["evidence"]:
            assert found[each["field"]][each["start"] : each["end"]] == each["text"]


async def test_offsets_are_those_of_the_text_as_it_is_given_back(client: httpx.AsyncClient) -> None:
    apart = {"body": "Re\u0301forme des retraites\r\nen Allemagne", "reference": "X", "date": None}
    found = (await client.post("/api/v1/preview", json=apart)).json()
    assert found["body"] == "Réforme des retraites\nen Allemagne"
    (country,) = found["countries"]
    first = country["evidence"][0]
    assert found["body"][first["start"] : first["end"]] == first["text"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{", 400),
        (b"\xff", 400),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"body": ""}', 422),
        (b'{"body": "x", "post": "atlantide"}', 422),
        (b"[" * 1_500, 400),
        (b'{"body": "' + b"x" * 3_000 + b'"}', 413),
    ],
)
async def test_what_is_no_note_is_refused(
    client: httpx.AsyncClient, content: bytes, status: int
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await client.post("/api/v1/preview", content=content, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "changes",
    [
        {"body": "TRÈS SECRET\n\nLe Bundestag a adopté la réforme des retraites."},
        {"subject": "[SECRET] Réforme des retraites"},
        {"marking": "secret"},
        {"subject": 3, "body": "SECRET\nLe texte."},
    ],
)
async def test_a_classified_draft_is_refused_as_at_the_door(
    client: httpx.AsyncClient, changes: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = await client.post("/api/v1/preview", json=DRAFT | changes)
    assert answer.status_code == 422
    assert answer.json() == refusal().model_dump(exclude_none=True)
    assert "retraites" not in caplog.text


async def test_what_is_neither_a_note_nor_a_form_is_told_what_may_come(
    client: httpx.AsyncClient,
) -> None:
    headers = {"Content-Type": "application/pdf"}
    answer = await client.post("/api/v1/preview", content=b"%PDF", headers=headers)
    assert answer.status_code == 415
    assert answer.headers["Accept-Post"] == "application/json, multipart/form-data"


async def preview(
    client: httpx.AsyncClient,
    name: str,
    content: bytes,
    metadata: object = None,
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    files: dict[str, Any] = {"file": (name, content)}
    if metadata is not None:
        files["metadata"] = (None, json.dumps(metadata).encode(), "application/json")
    return await client.post("/api/v1/preview", files=files, headers=headers)


async def test_a_counsellor_sees_what_would_be_read_in_a_document_and_its_tags(
    client: httpx.AsyncClient,
) -> None:
    answer = await preview(client, "Retraites.docx", DOCUMENT, {"post": "berlin"})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["name"] == "Retraites.docx"
    assert found["read"] == {
        "subject": "Réforme des retraites",
        "date": "2026-03-05",
        "reference": "BER-2026-0201",
        "addressees": [],
        "cites": [],
        "attachments": [],
        "forwarded": False,
        "guessed": ["genre", "language"],
    }
    assert [tag["theme"] for tag in found["themes"]] == ["protection_sociale"]
    assert found["countries"][0]["country"] == "DE"
    for tag in (*found["themes"], *found["countries"]):
        for each in tag["evidence"]:
            assert found[each["field"]][each["start"] : each["end"]] == each["text"]
    assert "problem" not in found


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        (None, "le document ne dit pas quel poste l'envoie"),
        ({"post": "atlantide"}, "poste inconnu"),
    ],
)
async def test_what_would_be_refused_is_shown_with_its_tags_and_why(
    client: httpx.AsyncClient, metadata: object, said: str
) -> None:
    found = (await preview(client, "Retraites.docx", DOCUMENT, metadata)).json()
    assert [tag["theme"] for tag in found["themes"]] == ["protection_sociale"]
    assert found["problem"]["status"] == 422
    assert said in json.dumps(found["problem"], ensure_ascii=False)


async def test_a_reader_sees_the_tags_and_that_it_may_not_send(tmp_path: Path) -> None:
    transport = httpx.ASGITransport(app(here, tmp_path))
    reader = a_key(Registry(f"sqlite:///{tmp_path / 'registry.sqlite3'}"), Role.READ)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://valise", headers=reader
    ) as client:
        found = (await preview(client, "Retraites.docx", DOCUMENT, {"post": "berlin"})).json()
    assert found["countries"][0]["country"] == "DE"
    assert found["problem"]["status"] == 403


async def test_each_document_of_an_archive_is_previewed_on_a_line(
    client: httpx.AsyncClient,
) -> None:
    word = "Zythomancielle"
    files = {
        "a.docx": DOCUMENT,
        "b.pdf": b"%PDF-1.4 broken",
        f"{word}.docx": docx(paragraphs("TRÈS SECRET", word)),
        "c.html": b"<p>Le Parlement italien vote le budget de la sant\xc3\xa9.</p>",
    }
    answer = await preview(
        client, "envoi.zip", zipped(files), {"post": "berlin", "date": "2026-03-01"}
    )
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.content.split(b"\n") if line]
    assert [(line["line"], line["status"]) for line in lines] == [
        (1, 200), (2, 422), (3, 422), (4, 200),
    ]  # fmt: skip
    assert lines[0]["preview"]["read"]["reference"] == "BER-2026-0201"
    assert lines[1]["name"] == "envoi.zip/b.pdf"
    assert "name" not in lines[2]
    assert lines[2]["problem"] == refusal().model_dump(exclude_none=True)
    assert word not in answer.text
    assert lines[3]["preview"]["countries"][0]["country"] == "IT"


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        ("a.docx", b"PK\x03\x04", 422),
        ("a.exe", b"MZ\x00\x01", 415),
        ("a.txt", b"", 422),
        ("a.docx", docx(paragraphs("SECRET DÉFENSE", "Le texte.")), 422),
        ("a.html", b"<p>" + b"x" * 1_200_000 + b"</p>", 413),
    ],
)
async def test_what_cannot_be_read_is_refused_as_at_the_door(
    client: httpx.AsyncClient, name: str, content: bytes, status: int
) -> None:
    answer = await preview(client, name, content)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("post", [["berlin"], {"a": 1}, 3, None])
async def test_a_post_that_is_none_is_said_beside_the_tags(
    client: httpx.AsyncClient, post: object
) -> None:
    found = (await preview(client, "Retraites.docx", DOCUMENT, {"post": post})).json()
    assert [tag["theme"] for tag in found["themes"]] == ["protection_sociale"]
    assert found["problem"]["status"] == 422


@pytest.mark.parametrize("metadata", [None, {"post": "berlin"}, {"marking": "secret"}])
@pytest.mark.parametrize("line", ["Référence : SECRET - BER-14", "Référence : BER-14"])
async def test_a_mark_in_the_header_or_the_metadata_is_enough_though_the_rest_lacks(
    client: httpx.AsyncClient, line: str, metadata: dict[str, str] | None
) -> None:
    content = docx(paragraphs(line, "Objet : Retraites", "Le Bundestag a adopté la réforme."))
    answer = await preview(client, "note.docx", content, metadata)
    if "SECRET" in line or (metadata and "marking" in metadata):
        assert answer.status_code == 422
        assert answer.json() == refusal().model_dump(exclude_none=True)
    else:
        assert answer.json()["problem"]["status"] == 422
        assert "Bundestag" in answer.json()["body"]


async def test_where_the_classifier_goes_away_all_documents_are_answered(tmp_path: Path) -> None:
    asked: list[str] = []

    async def going(subject: str, body: str, post: str | None) -> Classification:
        asked.append(subject)
        if len(asked) == 2:
            raise Unavailable("the preview's process has ended")
        return await here(subject, body, post)

    transport = httpx.ASGITransport(app(going, tmp_path))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://valise", headers=HEADERS
    ) as client:
        files = {f"{number}.docx": DOCUMENT for number in range(4)}
        answer = await preview(client, "envoi.zip", zipped(files), {"post": "berlin"})
    lines = [json.loads(line) for line in answer.content.split(b"\n") if line]
    assert [line["status"] for line in lines] == [200, 503, 503, 503]
    assert len(asked) == 2


async def test_metadata_that_are_none_are_refused(client: httpx.AsyncClient) -> None:
    for metadata in ([], {"marking": "secret"}):
        assert (await preview(client, "a.docx", DOCUMENT, metadata)).status_code == 422
    guessed = {"Valise-Defaulted": "subject"}
    assert (await preview(client, "a.docx", DOCUMENT, {}, guessed)).status_code == 422


async def test_the_embedded_server_has_a_process_for_previews_while_they_come() -> None:
    apart = Apart(idle_seconds=0.0)
    assert not apart.running
    found = await apart("", DRAFT["body"], None)
    assert found == await here("", DRAFT["body"], None)
    later = asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, later.set)
    await later.wait()
    assert not apart.running


async def test_a_preview_whose_process_is_killed_says_so_and_the_next_one_works(
    tmp_path: Path,
) -> None:
    apart = Apart()
    transport = httpx.ASGITransport(app(apart, tmp_path))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://valise", headers=HEADERS
    ) as client:
        await client.post("/api/v1/preview", json=DRAFT)
        assert apart._pool is not None
        for process in list(apart._pool._processes.values()):
            os.kill(process.pid or 0, signal.SIGKILL)
            process.join()
        gone = await client.post("/api/v1/preview", json=DRAFT)
        assert gone.status_code == 503
        assert gone.headers["Retry-After"]
        assert (await client.post("/api/v1/preview", json=DRAFT)).status_code == 200
    apart.stop()
