"""The gate: who gets past it, and what the others are told."""

import base64
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request

from schemas.access import KeyOrder, Rights, Role
from services.runtime import problems
from services.runtime.access import gate, keys, remembered
from services.runtime.registry import Registry
from tests.keys import a_key


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Door:
    """An application with a route for readers, its registry, and a client without a key."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "registry.sqlite3"
        self.registry = Registry(f"sqlite:///{self.file}")
        self.registry.migrate()
        self.clock = Clock()
        self.app = FastAPI()
        problems.install(self.app)
        gate.install(self.app, gate.Gate(self.registry, self.clock))

        readers = [gate.needs(Role.READ)]

        @self.app.post("/feeds/read", dependencies=readers, include_in_schema=False)
        @self.app.get("/feeds/read", dependencies=readers)
        async def read(request: Request) -> str:
            return str((await gate.caller_of(request, Role.READ)).id)

        @self.app.get("/open")
        async def open_to_all() -> str:
            return "ouvert"

        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="http://valise.test"
        )

    async def get(self, method: str = "GET", **headers: str) -> int:
        answer = await self.client.request(method, "/feeds/read", headers=headers)
        return answer.status_code


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    made = Door(tmp_path)
    async with made.client:
        yield made
    made.registry.close()


async def test_without_a_key_a_problem_says_how_to_be_known(door: Door) -> None:
    answer = await door.client.get("/feeds/read")
    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == problems.MEDIA_TYPE
    assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert (await door.client.get("/open")).status_code == 200


async def test_a_key_opens_what_its_roles_say(door: Door) -> None:
    assert await door.get(**a_key(door.registry, Role.READ)) == 200
    refused = await door.client.get(
        "/feeds/read", headers=a_key(door.registry, Role.SUBMIT, posts=frozenset({"rome"}))
    )
    assert refused.status_code == 403
    assert "« read »" in refused.json()["detail"]


async def test_a_feed_reader_gives_the_key_as_a_password_and_changes_nothing_with_it(
    door: Door,
) -> None:
    key = a_key(door.registry, Role.READ)["Authorization"].split()[1]
    basic = "Basic " + base64.b64encode(f"lecteur:{key}".encode()).decode()
    assert await door.get(Authorization=basic) == 200
    assert await door.get("POST", Authorization=basic) == 401


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer valise_0123456789abcdef_" + "A" * 43,
        "Digest x",
        "Basic",
        "Basic ???",
        "Basic " + base64.b64encode(b"\xff:\xff").decode(),
        "Basic " + base64.b64encode(b"sans-deux-points").decode(),
    ],
)
async def test_what_is_no_known_key_opens_nothing(door: Door, header: str) -> None:
    assert await door.get(Authorization=header) == 401


async def test_the_label_of_a_key_without_its_secret_opens_nothing(door: Door) -> None:
    header = a_key(door.registry, Role.READ)["Authorization"]
    assert await door.get(Authorization=header[:-43] + "B" * 43) == 401


async def test_a_revoked_key_is_refused_within_seconds(door: Door) -> None:
    header = a_key(door.registry, Role.READ)
    assert await door.get(**header) == 200
    door.registry.end_key(1, datetime.now(UTC), revoked=True)
    door.clock.now += remembered.REMEMBERED_SECONDS
    assert await door.get(**header) == 401


async def test_an_expired_key_is_refused_at_once(door: Door) -> None:
    secret = keys.new()
    now = datetime.now(UTC)
    order = KeyOrder(
        name="brève", rights=Rights(roles={Role.READ}), expires_at=now - timedelta(seconds=1)
    )
    door.registry.add_key(order, secret.label, secret.hash, now)
    assert await door.get(Authorization=f"Bearer {secret}") == 401


async def test_a_known_key_is_believed_while_the_registry_is_away_and_others_wait(
    door: Door,
) -> None:
    header = a_key(door.registry, Role.READ)
    other = a_key(door.registry, Role.READ)
    assert await door.get(**header) == 200
    door.registry.close()
    away = door.file.rename(door.file.with_suffix(".away"))
    door.file.mkdir()
    door.clock.now += 60
    assert await door.get(**header) == 200
    assert await door.get(**other) == 503
    door.clock.now += remembered.AWAY_SECONDS
    assert await door.get(**header) == 503
    door.file.rmdir()
    away.rename(door.file)
    assert await door.get(**header) == 200


async def test_a_registry_that_takes_no_writes_still_opens_the_gate(door: Door) -> None:
    header = a_key(door.registry, Role.READ)
    other = sqlite3.connect(door.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        assert await door.get(**header) == 200
    finally:
        other.execute("ROLLBACK")
        other.close()


async def test_without_a_gate_nobody_passes(tmp_path: Path) -> None:
    app = FastAPI()
    problems.install(app)

    @app.get("/read", dependencies=[gate.needs(Role.READ)])
    async def read() -> str:
        return "lu"

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://valise.test") as client:
        assert (await client.get("/read")).status_code == 500


def test_the_openapi_document_tells_of_the_key_and_of_its_refusals(door: Door) -> None:
    document = door.app.openapi()
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    guarded = document["paths"]["/feeds/read"]["get"]
    assert guarded["security"]
    assert {"401", "403"} <= set(guarded["responses"])
    assert "security" not in document["paths"]["/open"]["get"]
