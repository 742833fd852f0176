"""The limits of a process: whom they stop, what those are told, and whom they never meet."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import Body, FastAPI, Request

from schemas.access import Role
from services.runtime import metrics, problems, web
from services.runtime.access import gate
from services.runtime.guard import bodies, headers, limits, protocol
from services.runtime.guard.buckets import Buckets
from services.runtime.registry import Registry
from services.runtime.settings import Settings
from tests.keys import a_key
from tests.runtime.access.test_gate import Clock

WRONG = {"Authorization": "Bearer valise_0123456789abcdef_" + "A" * 43}


class Desk:
    """An application under limits: a quick route, one that waits, one that takes an order."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.registry = Registry(f"sqlite:///{folder / 'registry.sqlite3'}")
        self.registry.migrate()
        self.app = FastAPI()
        problems.install(self.app)
        gate.install(self.app, gate.Gate(self.registry))
        configured = Settings.model_validate({"data": folder, **settings})
        limits.install(self.app, configured)
        headers.install(self.app, configured)
        self.go_on = asyncio.Event()
        self.began = asyncio.Semaphore(0)
        readers = [gate.needs(Role.READ)]

        @self.app.get("/quick", dependencies=readers)
        async def quick() -> str:
            return "lu"

        @self.app.get("/slow", dependencies=readers)
        async def slow() -> str:
            self.began.release()
            await self.go_on.wait()
            return "lu"

        @self.app.get("/health/live")
        async def live() -> str:
            return "ok"

        @self.app.post("/order", dependencies=readers)
        async def order(words: list[str] = Body()) -> int:  # noqa: B008
            return len(words)

        @self.app.post("/counted", dependencies=readers)
        async def counted(request: Request) -> int:
            limits.counts_itself(request)
            return sum([len(part) async for part in request.stream()])

        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="http://valise.test"
        )

    def key(self) -> dict[str, str]:
        return a_key(self.registry, Role.READ)

    async def get(self, path: str, key: dict[str, str]) -> httpx.Response:
        return await self.client.get(path, headers=key)


@pytest.fixture
async def desk(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    made = Desk(tmp_path, **getattr(request, "param", {}))
    async with made.client:
        yield made
    made.registry.close()


def under(**settings: Any) -> Any:
    """A test with a desk that has these settings."""
    return pytest.mark.parametrize("desk", [settings], indirect=True)


def refused(kind: str) -> float:
    return float(metrics.REFUSED.labels(kind)._value.get())


def test_a_bucket_empties_and_fills_again() -> None:
    clock = Clock()
    buckets = Buckets(2, 3, clock)
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert buckets.take("b") == 0
    clock.now = 0.5
    assert buckets.take("a") == 0
    clock.now = 100
    assert [bool(buckets.take("a")) for _ in range(4)] == [False, False, False, True]


def test_without_a_rate_there_is_no_limit() -> None:
    buckets = Buckets(0, 1, Clock())
    assert not any(buckets.take("a") for _ in range(100))


def test_five_thousand_notes_sent_one_by_one_never_meet_the_limit() -> None:
    usual = Settings()
    buckets = Buckets(usual.rate, usual.burst, Clock())
    assert not any(buckets.take("key:1") for _ in range(5_000))


@under(rate=0.01, burst=3)
async def test_a_caller_that_asks_too_often_is_told_when_to_come_again_and_others_are_served(
    desk: Desk,
) -> None:
    hasty, other = desk.key(), desk.key()
    before = refused("rate")
    answers = [await desk.get("/quick", hasty) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert 90 <= int(answers[-1].headers["Retry-After"]) <= 100
    assert answers[-1].headers["Content-Type"] == problems.MEDIA_TYPE
    assert refused("rate") == before + 2
    assert (await desk.get("/quick", other)).status_code == 200


@under(failures=3)
async def test_wrong_keys_from_an_address_close_it_to_unknown_ones_and_to_no_known_one(
    desk: Desk,
) -> None:
    known = desk.key()
    assert (await desk.get("/quick", known)).status_code == 200
    answers = [(await desk.get("/quick", WRONG)).status_code for _ in range(5)]
    assert answers == [401, 401, 401, 429, 429]
    assert (await desk.get("/quick", {"Authorization": "Bearer x"})).status_code == 429
    assert (await desk.get("/quick", known)).status_code == 200
    assert (await desk.get("/quick", {})).status_code == 401, "who shows no key guesses none"


@under(caller_at_once=2)
async def test_a_caller_has_so_many_requests_under_way_and_no_more(desk: Desk) -> None:
    key = desk.key()
    under_way = [asyncio.create_task(desk.get("/slow", key)) for _ in range(2)]
    for _ in under_way:
        await desk.began.acquire()
    answer = await desk.get("/quick", key)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    assert (await desk.get("/quick", desk.key())).status_code == 200
    desk.go_on.set()
    assert [answer.status_code for answer in await asyncio.gather(*under_way)] == [200, 200]
    assert (await desk.get("/quick", key)).status_code == 200


@under(at_once=2)
async def test_a_full_process_lets_some_wait_answers_503_and_tells_its_health(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "QUEUE_SECONDS", 0.05)
    key = desk.key()
    under_way = [asyncio.create_task(desk.get("/slow", key)) for _ in range(2)]
    for _ in under_way:
        await desk.began.acquire()
    answer = await desk.get("/quick", key)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert (await desk.get("/health/live", {})).status_code == 200
    monkeypatch.setattr(limits, "QUEUE_SECONDS", 60)
    waiting = asyncio.create_task(desk.get("/quick", key))
    await asyncio.sleep(0.01)
    desk.go_on.set()
    assert (await waiting).status_code == 200
    await asyncio.gather(*under_way)
    assert [(await desk.get("/quick", key)).status_code for _ in range(5)] == [200] * 5


async def test_an_order_is_read_up_to_its_size_and_what_a_route_counts_is_its_own(
    desk: Desk,
) -> None:
    key = desk.key()
    large = b'["' + b"a" * bodies.MAX_BYTES + b'"]'

    async def parts() -> AsyncIterator[bytes]:
        yield large[:100]
        yield large[100:]

    for content in (large, parts()):
        answer = await desk.client.post("/order", content=content, headers=key)
        assert answer.status_code == 413, "declared or not"
    assert (await desk.client.post("/order", json=["a"], headers=key)).json() == 1
    counted = await desk.client.post("/counted", content=large, headers=key)
    assert counted.json() == len(large)


@pytest.mark.parametrize(
    ("query", "status"),
    [("a=" + "b" * limits.MAX_QUERY_BYTES, 414), ("a&" * limits.MAX_PARAMETERS, 422), ("a", 200)],
)
async def test_an_address_is_read_up_to_its_size(desk: Desk, query: str, status: int) -> None:
    assert (await desk.get(f"/quick?{query}", desk.key())).status_code == status


async def test_the_document_tells_of_the_limits(desk: Desk) -> None:
    paths = desk.app.openapi()["paths"]
    assert {"414", "429", "503"} <= set(paths["/quick"]["get"]["responses"])
    assert {"400", "408", "413"} <= set(paths["/order"]["post"]["responses"])
    assert "429" not in paths["/health/live"]["get"]["responses"]


def said_by(address: tuple[str, int], *parts: bytes, pause: float = 0.0) -> bytes:
    """What a server says to these parts until it hangs up."""
    with socket.create_connection(address, timeout=30) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer


async def test_who_is_slow_to_send_is_hung_up_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "SPEAK_SECONDS", 0.2)
    monkeypatch.setattr(bodies, "PATIENCE_SECONDS", 0.2)
    key = desk.key()["Authorization"].encode()
    head = b"POST /%b HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nAuthorization: "
    body = key + b"\r\nContent-Length: 100\r\n\r\n["
    with web.listen("127.0.0.1", 0) as listener:
        server = web.Server(desk.app)
        task = asyncio.create_task(server.serve([listener]))
        try:
            address = listener.getsockname()
            for nothing in (b"", b"GET / HTTP/1.1\r\nX"):
                assert await asyncio.to_thread(said_by, address, nothing) == b""
            for route in (b"order", b"counted"):
                answer = await asyncio.to_thread(said_by, address, head % route + body)
                assert answer.startswith(b"HTTP/1.1 408"), answer
            # Nobody reads this one any more: it is not waited for either.
            unread = await asyncio.to_thread(
                said_by, address, b"POST /quick HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n["
            )
            assert unread.startswith(b"HTTP/1.1 405")
        finally:
            server.should_exit = True
            await task


@pytest.mark.parametrize(("proxies", "address"), [("", "127.0.0.1"), ("127.0.0.0/8", "9.9.9.9")])
async def test_whose_word_for_an_address_is_taken(desk: Desk, proxies: str, address: str) -> None:
    seen: list[str] = []

    @desk.app.get("/whence")
    async def whence(request: Request) -> None:
        visit = limits.visit_of(request)
        assert visit is not None
        seen.append(visit.address)

    with web.listen("127.0.0.1", 0) as listener:
        server = web.Server(desk.app, proxies)
        task = asyncio.create_task(server.serve([listener]))
        try:
            async with httpx.AsyncClient(trust_env=False) as client:
                # The client's own word, then the proxy's.
                given = {"X-Forwarded-For": "1.1.1.1, 9.9.9.9"}
                port = listener.getsockname()[1]
                await client.get(f"http://127.0.0.1:{port}/whence", headers=given)
        finally:
            server.should_exit = True
            await task
    assert seen == [address]
