"""Sessions in the registry: how long they hold, whose rights they have, where they are known."""

import sqlite3
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Response

from schemas.access import KeyView, Person, Role
from services.classify import app as classify
from services.ingest import app as ingest
from services.ingest.preview import documents
from services.ingest.room import Room
from services.runtime import problems
from services.runtime.access import forgery, gate, keys
from services.runtime.access.first import ORDER
from services.runtime.access.sessions import Sessions, hash_of, new_ticket
from services.runtime.log.sqlite import SqliteLog
from services.runtime.registry import Registry
from services.runtime.settings import Settings

NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)
CAMILLE = Person(sub="camille", given_name="Camille", siret="13001653800014")


def a_key(registry: Registry) -> KeyView:
    secret = keys.new()
    return registry.add_key(ORDER, secret.label, secret.hash, NOW)


class Desk:
    """An application, its sessions, whose time a test sets, and a browser in front of it."""

    def __init__(self, registry: Registry, folder: Path, mapping: str = "people = []") -> None:
        self.people = folder / "people.toml"
        self.people.write_text(mapping)
        self.now, self.seconds = NOW, 0.0
        settings = Settings(people=self.people, session_hours=8, session_idle_minutes=30)
        self.sessions = Sessions(registry, settings, lambda: self.seconds, lambda: self.now)
        self.app = FastAPI()
        problems.install(self.app)
        gate.install(self.app, gate.Gate(registry, sessions=self.sessions))

        @self.app.get("/read", dependencies=[gate.needs(Role.READ)])
        async def read() -> None: ...

        self.browser = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="http://127.0.0.1:8000"
        )

    async def sign_in(self, holder: KeyView | Person) -> None:
        answer = Response()
        await self.sessions.begin(answer, holder)
        secret = answer.headers["Set-Cookie"].partition("=")[2].partition(";")[0]
        self.browser.cookies.set("valise", secret)

    async def reads_after(self, later: timedelta) -> int:
        """What reading gets once that much time has passed, and the gate has forgotten."""
        self.now += later
        self.seconds += later.total_seconds()
        return (await self.browser.get("/read")).status_code


@pytest.fixture
async def desk(registry: Registry, tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(registry, tmp_path)
    async with made.browser:
        yield made


async def test_a_session_ends_when_it_is_not_used(desk: Desk, registry: Registry) -> None:
    await desk.sign_in(a_key(registry))
    for _ in range(3):
        assert await desk.reads_after(timedelta(minutes=29)) == 200
    assert await desk.reads_after(timedelta(minutes=31)) == 401
    assert await desk.reads_after(timedelta(0)) == 401, "asking for it does not wake it up"


async def test_a_session_ends_however_much_it_is_used(desk: Desk, registry: Registry) -> None:
    await desk.sign_in(a_key(registry))
    for _ in range(8 * 3 - 1):
        assert await desk.reads_after(timedelta(minutes=20)) == 200
    assert await desk.reads_after(timedelta(minutes=20)) == 401


async def test_a_session_of_a_key_has_its_rights_and_its_end(
    desk: Desk, registry: Registry
) -> None:
    key = a_key(registry)
    await desk.sign_in(key)
    assert await desk.reads_after(timedelta(0)) == 200
    registry.end_key(key.number, desk.now, revoked=True)
    assert await desk.reads_after(timedelta(seconds=6)) == 401


async def test_a_persons_session_follows_the_mapping(registry: Registry, tmp_path: Path) -> None:
    rule = f"[[people]]\nsiret = '{CAMILLE.siret}'\nroles = "
    desk = Desk(registry, tmp_path, rule + "['read']")
    async with desk.browser:
        await desk.sign_in(CAMILLE)
        assert await desk.reads_after(timedelta(0)) == 200
        write(desk.people, rule + "['administer']")
        assert await desk.reads_after(timedelta(0)) == 403
        write(desk.people, "people = []")
        assert await desk.reads_after(timedelta(0)) == 401


def write(file: Path, text: str) -> None:
    file.write_text(text)


def test_a_ticket_is_taken_by_one_of_all_who_try_at_once(registry: Registry) -> None:
    key = a_key(registry)
    ticket, expires = new_ticket(registry, key.number, NOW)
    assert registry.ticket(hash_of(ticket), NOW) == key
    assert registry.ticket(hash_of(ticket), expires) is None
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: registry.take_ticket(hash_of(ticket), NOW), range(8)))
    assert [each for each in taken if each is not None] == [key]
    assert registry.ticket(hash_of(ticket), NOW) is None


def test_the_id_token_is_gone_with_its_session(registry: Registry) -> None:
    later = NOW + timedelta(hours=1)
    registry.begin_session("a" * 64, CAMILLE, NOW, later, "a.b.c")
    row = registry.session("a" * 64)
    assert row is not None
    assert row.person == CAMILLE
    assert row.holds(NOW, timedelta(minutes=1))
    assert registry.end_session("a" * 64, NOW) == "a.b.c"
    assert registry.end_session("a" * 64, NOW) is None
    ended = registry.session("a" * 64)
    assert ended is not None
    assert not ended.holds(NOW, timedelta(minutes=1))


def test_what_expired_days_ago_is_dropped(registry: Registry) -> None:
    key = a_key(registry)
    registry.begin_session("a" * 64, key.number, NOW, NOW + timedelta(hours=1))
    registry.begin_session("b" * 64, key.number, NOW + timedelta(days=3), NOW + timedelta(days=4))
    assert registry.session("a" * 64) is None
    assert registry.session("b" * 64) is not None


async def test_reading_goes_on_through_a_restart_of_the_registry(tmp_path: Path) -> None:
    file = tmp_path / "registry.sqlite3"
    registry = Registry(f"sqlite:///{file}")
    registry.migrate()
    desk = Desk(registry, tmp_path)
    async with desk.browser:
        await desk.sign_in(a_key(registry))
        assert await desk.reads_after(timedelta(0)) == 200
        hidden = file.rename(tmp_path / "away")
        registry.close()
        with closing(sqlite3.connect(file)):
            assert await desk.reads_after(timedelta(minutes=9)) == 200
            assert await desk.reads_after(timedelta(minutes=9)) == 503
        hidden.rename(file)
    registry.close()


async def test_every_service_knows_the_sessions_of_the_registry(
    registry: Registry, tmp_path: Path
) -> None:
    settings = Settings(data=tmp_path)
    log = SqliteLog(tmp_path / "log.sqlite3")
    reader = documents(Room(settings.documents_bytes), settings)
    answer = Response()
    await Sessions(registry, settings).begin(answer, a_key(registry))
    secret = answer.headers["Set-Cookie"].partition("=")[2].partition(";")[0]
    ours = {"X-CSRF-Token": forgery.token(secret), "Sec-Fetch-Site": "same-origin"}
    for app, path in (
        (ingest.compose(registry, log, settings), "/api/v1/notes"),
        (classify.compose(log, registry, reader, settings), "/api/v1/preview"),
    ):
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8000"
        ) as browser:
            assert (await browser.post(path, content=b"")).status_code == 401
            browser.cookies.set("valise", secret)
            assert (await browser.post(path, content=b"")).status_code == 403, "a page elsewhere"
            assert (await browser.post(path, content=b"", headers=ours)).status_code in (415, 422)
