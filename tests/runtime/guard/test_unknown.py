"""Who is not known yet: what they may hold of a process, and that known callers go past them."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import Request
from fastapi.responses import StreamingResponse

from services.runtime import problems, web
from services.runtime.guard import limits, protocol
from tests.contract.log_places import eventually
from tests.runtime.guard.test_limits import WRONG, Desk, said_by, under

Address = tuple[str, int]
BODY = (
    "POST /{} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    "{}Content-Length: 60000\r\n\r\n["
)


@pytest.fixture
async def desk(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    made = Desk(tmp_path, **getattr(request, "param", {}))

    @made.app.post("/form")
    async def form(request: Request) -> int:
        limits.from_anybody(request)
        made.began.release()
        return len(await request.body())

    @made.app.get("/open")
    async def open_to_all() -> str:
        return "lu"

    @made.app.get("/large")
    async def large() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            for _ in range(1_000):
                yield b"a" * 100_000

        return StreamingResponse(parts())

    async with made.client:
        yield made
    made.registry.close()


@asynccontextmanager
async def serving(desk: Desk, proxies: str = "") -> AsyncIterator[tuple[web.Server, Address]]:
    with web.listen("127.0.0.1", 0) as listener:
        server = web.Server(desk.app, proxies)
        task = asyncio.create_task(server.serve([listener]))
        try:
            yield server, listener.getsockname()
        finally:
            server.should_exit = True
            await task


async def status(address: Address, path: str, **headers: str) -> int:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        answer = await client.get(f"http://127.0.0.1:{address[1]}{path}", headers=headers)
        if answer.status_code >= 400:
            assert answer.headers["Content-Type"] == problems.MEDIA_TYPE
        return answer.status_code


def begun(address: Address, path: str, header: str = "") -> socket.socket:
    """A connection on which a body has been begun that does not come."""
    connection = socket.create_connection(address, timeout=30)
    connection.sendall(BODY.format(path, header).encode())
    return connection


@under(at_once=8)
async def test_an_address_has_a_share_until_it_is_known_who_asks(desk: Desk) -> None:
    key = desk.key()
    async with serving(desk) as (_, address):
        with ExitStack() as held:
            for _ in range(8 // limits.SHARE_OF_ADDRESS):
                held.enter_context(begun(address, "form"))
                await desk.began.acquire()
            assert await status(address, "/open") == 429
            assert await status(address, "/open", **WRONG) == 429
            assert await status(address, "/health/live") == 200
            asked = [status(address, "/quick", **key) for _ in range(6)]
            assert await asyncio.gather(*asked) == [200] * 6, (
                "of one who is known by now or at once"
            )
        await eventually(lambda: _is(status(address, "/open"), 200))


async def _is(asked: Any, expected: int) -> bool:
    return bool(await asked == expected)


@under(at_once=4, proxies="127.0.0.1")
async def test_all_who_are_unknown_have_half_of_the_places_together(desk: Desk) -> None:
    key = desk.key()
    async with serving(desk, "127.0.0.1") as (_, address):
        with ExitStack() as held:
            for number in range(4 // limits.SHARE_OF_UNKNOWN):
                where = f"X-Forwarded-For: 1.1.1.{number}\r\n"
                held.enter_context(begun(address, "form", where))
                await desk.began.acquire()
            assert await status(address, "/open", **{"X-Forwarded-For": "9.9.9.9"}) == 429
            assert await status(address, "/quick", **key) == 200


@under(at_once=8)
async def test_who_is_known_takes_nothing_of_the_addresss_share(desk: Desk) -> None:
    key = desk.key()
    under_way = [asyncio.create_task(desk.get("/slow", key)) for _ in range(6)]
    for _ in under_way:
        await desk.began.acquire()
    assert (await desk.get("/open", {})).status_code == 200
    desk.go_on.set()
    assert [answer.status_code for answer in await asyncio.gather(*under_way)] == [200] * 6


@pytest.mark.parametrize("route", ["order", "counted"])
@pytest.mark.parametrize("length", ["Content-Length: 60000", "Transfer-Encoding: chunked"])
async def test_nobody_waits_for_the_body_of_somebody_unknown(
    desk: Desk, route: str, length: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "SPEAK_SECONDS", 0.2)
    for key in ("", f"Authorization: {WRONG['Authorization']}\r\n"):
        request = BODY.format(route, key).replace("Content-Length: 60000", length)
        async with serving(desk) as (_, address):
            # Long before 10 s are over, which a known one's body may take: else this says 408.
            answer = await asyncio.to_thread(said_by, address, request.encode())
        assert answer.startswith(b"HTTP/1.1 401"), answer
        assert problems.MEDIA_TYPE.encode() in answer
        assert "Cette adresse" in answer.decode() or "inconnue" in answer.decode()


async def test_a_body_in_crumbs_is_not_read_to_its_end(desk: Desk) -> None:
    head = (
        b"POST /form HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    crumbs = b"1\r\na\r\n" * (protocol.FREE_PIECES + 5_000)
    async with serving(desk) as (_, address):
        lines = b"c8\r\n" + b"a" * 200 + b"\r\n"
        fine = await asyncio.to_thread(said_by, address, head, lines * 300 + b"0\r\n\r\n")
        assert fine.startswith(b"HTTP/1.1 200")
        assert fine.endswith(b"60000")
        assert b"HTTP/1.1 400" in await asyncio.to_thread(_until_cut, address, head + crumbs)


def _until_cut(address: Address, request: bytes) -> bytes:
    try:
        return said_by(address, request)
    except ConnectionError:
        return b"HTTP/1.1 400 (the connection was cut before its answer was read)"


async def test_who_does_not_read_on_is_hung_up_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "READ_SECONDS", 0.2)
    async with serving(desk) as (server, address):
        with socket.create_connection(address, timeout=30) as connection:
            connection.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
            await eventually(lambda: server.server_state.tasks)
            await eventually(lambda: not server.server_state.connections)
            await eventually(lambda: not server.server_state.tasks)


async def test_heads_are_refused_as_problems(desk: Desk) -> None:
    async with serving(desk) as (_, address):
        for head, expected in (
            (b"GET /health/live HTTP/1.1\r\nX: " + b"a" * 9_000, 431),
            (b"GET /" + b"a" * 30_000, 414),
            (b"GET /quick HTTP/1.1\r\nnonsense", 400),
        ):
            answer = await asyncio.to_thread(said_by, address, head + b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 %d " % expected), answer
            assert problems.MEDIA_TYPE.encode() in answer
            assert b"nosniff" in answer


async def test_a_second_request_is_bounded_as_the_first(desk: Desk) -> None:
    head = b"GET /open HTTP/1.1\r\nHost: a\r\n"
    long = head + b"X: " + b"a" * 9_000
    async with serving(desk) as (_, address):
        unread = b"POST /quick HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"
        for first in (head + b"\r\n", unread):
            rest = b"123456789" if first is unread else b""
            both = first + rest + long + b"\r\n\r\n"
            answer = await asyncio.to_thread(said_by, address, both)
            assert b"HTTP/1.1 431" in answer, answer


async def test_a_cookie_with_backslashes_reaches_nobody(desk: Desk) -> None:
    seen: list[dict[str, str]] = []

    @desk.app.get("/cookies")
    async def cookies(request: Request) -> None:
        seen.append(request.cookies)

    given = 'x="' + "\\0" * 4_000 + '"; valise=abc'
    await desk.client.get("/cookies", headers={"Cookie": given})
    assert seen == [{"valise": "abc"}]
