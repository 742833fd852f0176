"""Who is not known yet: what they may hold of a process, and that known callers go past them."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from services.runtime import metrics, problems, web
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


def ask(address: Address, said: bytes) -> bytes:
    """All that is answered to these bytes until the connection ends."""
    with socket.create_connection(address, timeout=30) as connection:
        answer = b""
        # Where it ends with some of it unread, the system may drop the answer too.
        with suppress(ConnectionError):
            connection.sendall(said)
            while part := connection.recv(65_536):
                answer += part
        return answer


CHUNKED = b"POST /%s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "said",
    [
        CHUNKED % b"form" + b"ZZ\r\n",
        CHUNKED % b"form" + b"1\r\naZZ\r\n",
        CHUNKED % b"order" + b"ZZ\r\n",
        CHUNKED % b"nulle-part" + b"1;" + b"a" * 200_000,
        b"\x16\x03\x01\x02\x00",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused_and_counted_without_a_line_in_the_log(
    desk: Desk, said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    counted = metrics.REFUSED.labels("malformed")
    before = counted._value.get()
    async with serving(desk) as (server, address):
        answer = await asyncio.to_thread(ask, address, said)
        await eventually(lambda: not server.server_state.tasks)
    if len(said) < 1_000 or answer:
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert problems.MEDIA_TYPE.encode() in answer
    assert counted._value.get() == before + 1
    assert [each for each in caplog.records if each.levelno > logging.INFO] == []


async def test_a_body_that_goes_wrong_while_it_is_read_ends_its_request_alone(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(desk) as (server, address):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(CHUNKED % b"form" + b"1\r\na\r\n")
        await desk.began.acquire()
        writer.write(b"ZZ\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        writer.close()
        await eventually(lambda: not server.server_state.tasks)
        assert await status(address, "/open") == 200
    assert [each for each in caplog.records if each.levelno > logging.INFO] == []


@pytest.mark.parametrize("wanted", ["websocket", "h2c", "TLS/1.0"])
async def test_who_asks_for_another_protocol_is_answered_in_this_one(
    desk: Desk, wanted: str, caplog: pytest.LogCaptureFixture
) -> None:
    head = (
        f"GET /open HTTP/1.1\r\nHost: a\r\nUpgrade: {wanted}\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    last = "GET /open HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    async with serving(desk) as (_, address):
        answer = await asyncio.to_thread(ask, address, (head + last).encode())
    assert answer.count(b"HTTP/1.1 200 ") == 2
    assert [each for each in caplog.records if each.levelno > logging.INFO] == []


async def test_the_next_request_waits_until_the_last_answer_was_read(desk: Desk) -> None:
    said = b"GET /counted-up HTTP/1.1\r\nHost: a\r\n\r\n"
    begun = 0

    @desk.app.get("/counted-up")
    async def counted_up() -> Response:
        nonlocal begun
        begun += 1
        return Response(b"a" * 20_000_000)

    async with serving(desk) as (_, address):
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            connection.connect(address)
            connection.sendall(
                said * 2 + said.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
            )
            await eventually(lambda: begun > 0)
            await asyncio.sleep(0.5)
            held = begun
            connection.settimeout(30)
            read = await asyncio.to_thread(_read, connection)
    assert held == 1, "20 MB are more than the system takes for a reader who does not read"
    assert (begun, read > 60_000_000) == (3, True)


def _read(connection: socket.socket) -> int:
    return sum(len(part) for part in iter(lambda: connection.recv(1_000_000), b""))
