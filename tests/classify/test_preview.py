"""`POST /api/v1/preview`: the tags that a text would get."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from services.classify.preview import Apart, here, router
from services.runtime import problems
from services.runtime.access import gate
from services.runtime.journal import Journal, install
from services.runtime.marks import refusal
from services.runtime.registry import Registry
from services.runtime.settings import Settings
from tests.keys import HEADERS, admit_everything

DRAFT = {
    "subject": "Réforme des retraites en Allemagne",
    "body": "Le Bundestag a adopté la réforme des retraites.",
}


def app(classify: object, data: Path) -> FastAPI:
    found = FastAPI()
    problems.install(found)
    registry = Registry(f"sqlite:///{data / 'registry.sqlite3'}")
    admit_everything(registry)
    gate.install(found, gate.Gate(registry))
    install(found, Journal(registry, 365))
    found.include_router(router(classify, Settings(max_body_bytes=2_000)))  # type: ignore[arg-type]
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


async def test_a_file_is_told_how_it_is_previewed(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/v1/preview", files={"file": ("a.html", b"x")})
    assert answer.status_code == 415
    assert "valise submit --preview" in answer.json()["detail"]


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
