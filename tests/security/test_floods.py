"""Attacks without a key that are meant to keep others out: heads, bodies, connections."""

import contextlib
import json
import socket
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from services.runtime import python
from services.runtime.guard.heads import MAX_HEADER_BYTES, MAX_HEADERS
from services.runtime.problems import MEDIA_TYPE
from services.runtime.settings import Settings
from tests.ingest.formats.making import pdf_of, stream
from tests.security.conftest import Target
from tests.security.routes import filled
from tests.security.test_attacks import asked, bearer, status_of

EXEMPT = ("/health/live", "/health/ready", "/metrics")
MANY = Settings().at_once + 50
"""More than there are places."""


def get(target: Target, path: str, *headers: str) -> bytes:
    return asked(target, f"GET {path}".encode(), *headers)


@pytest.mark.parametrize("path", [*EXEMPT, "/openapi.json", "/nulle-part", "/api/v1/me"])
def test_a_head_that_is_too_large_is_parsed_nowhere(target: Target, path: str) -> None:
    quoted = 'Cookie: x="' + "\\0" * 31_000 + '"'
    half = f"X-Half: {'a' * (MAX_HEADER_BYTES - 20)}"
    for headers in (
        [quoted],
        ['Content-Type: multipart/form-data; boundary="' + ";" * 60_000],
        ["Authorization: Basic " + "QQ" * 30_000],
        ["Accept: " + "a/b;q=0.1," * 6_000],
        ["Range: bytes=" + "0-1," * 15_000],
        ["If-None-Match: " + '"a",' * 15_000],
        ["traceparent: " + "00-" * 20_000],
        ["X-Forwarded-For: " + "127.0.0.1," * 6_000],
        [half, half, half],
        ["X: a"] * (MAX_HEADERS + 10),
    ):
        answer = get(target, path, *headers)
        assert status_of(answer) == 431, headers[0][:40]
        assert MEDIA_TYPE.encode() in answer
        assert "En-têtes".encode() in answer


def test_a_head_of_the_greatest_size_changes_no_answer(target: Target) -> None:
    fill = MAX_HEADER_BYTES - 100
    method, path = target.open_to_readers
    for headers in (
        ['Cookie: x="' + "\\0" * (fill // 2) + '"'],
        ["Cookie: " + "valise=a;" * (fill // 9)],
        ['Content-Type: multipart/form-data; boundary="' + ";" * fill],
        ["Authorization: Basic " + "QQ" * (fill // 2)],
        ["Authorization: Bearer " + "valise_" * (fill // 7)],
        ["Accept: " + "text/html;q=0.1," * (fill // 16)],
        ["If-None-Match: " + '"a",' * (fill // 4)],
        ["traceparent: " + "00-" * (fill // 3)],
        ["X-Forwarded-For: " + "127.0.0.1," * (fill // 10)],
        ["Range: bytes=" + "0-1," * (fill // 4)],
    ):
        assert status_of(get(target, "/health/live", *headers)) == 200
        answer = asked(target, f"{method} {path}".encode(), *headers)
        assert status_of(answer) in (303, 401), headers[0][:40]


@contextlib.contextmanager
def opened(target: Target, number: int, said: bytes = b"") -> Iterator[list[socket.socket]]:
    """So many connections on which that has been said, and no more."""
    with ExitStack() as held:
        peers = []
        for _ in range(number):
            peer = held.enter_context(socket.create_connection(("127.0.0.1", target.port)))
            with contextlib.suppress(OSError):
                peer.sendall(said)
            peers.append(peer)
        yield peers


def served(target: Target, key: dict[str, str]) -> list[int]:
    """What a known caller gets, each time on a new connection."""
    method, path = target.open_to_readers
    ask = [httpx.request(method, target.url + path, headers=key, trust_env=False, timeout=30)]
    ask += [httpx.request(method, target.url + path, headers=key, trust_env=False) for _ in "1234"]
    return [answer.status_code for answer in ask]


BEGUN = "{} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {}\r\n{}Content-Length: 60000\r\n\r\n["


@pytest.mark.parametrize("key", ["", "Authorization: Bearer valise_x\r\n"], ids=["none", "wrong"])
def test_bodies_that_do_not_come_keep_nobody_out(target: Target, key: str) -> None:
    known = target.key("all")
    fine = served(target, known)
    assert not {429, 503} & set(fine)
    routes = [
        f"{method} {filled(path)}"
        for method, path in map(str.split, target.admits)
        if method in ("POST", "PUT")
    ]
    for route in [*routes, "POST /nulle-part", "GET /health/live", "POST /metrics"]:
        for kind in ("application/json", "application/x-www-form-urlencoded"):
            with opened(target, MANY, BEGUN.format(route, kind, key).encode()):
                assert served(target, known) == fine, (route, kind)


@pytest.mark.parametrize(
    "said",
    [b"", b"GET / HTTP/1.1\r\nX", b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3],
    ids=["nothing", "half a head", "pipelined"],
)
def test_connections_that_are_only_held_keep_nobody_out(target: Target, said: bytes) -> None:
    known = target.key("all")
    with opened(target, 400, said):
        assert not {429, 503} & set(served(target, known))


def test_a_key_that_is_new_is_known_in_the_midst_of_it(target: Target) -> None:
    sign_in = "POST /connexion"  # whose body may be anybody's
    route = sign_in if sign_in in target.admits else f"POST {target.open_to_readers[1]}"
    kind = "application/x-www-form-urlencoded"
    with opened(target, MANY, BEGUN.format(route, kind, "").encode()):
        assert not {401, 429, 503} & set(served(target, target.key("all")))
        wrong = served(target, bearer("valise_0123456789abcdef_" + "A" * 43))
        assert set(wrong) <= {401, 429}


def test_a_python_without_security_patches_is_told_of_at_the_start(target: Target) -> None:
    told = python.complaint() is not None
    assert ("lacks security patches" in target.deployment.logs()) == told


@pytest.mark.parametrize("target", ["embedded"], indirect=True)
def test_slow_documents_to_preview_keep_no_submission_waiting(target: Target) -> None:
    slow = slow_pdf()
    reader, post = target.key("read"), target.key("submit")

    def previewed(number: int) -> int:
        files = {"file": (f"{number}.pdf", slow)}
        url = f"{target.url}/api/v1/preview"
        asked = httpx.post(url, files=files, headers=reader, trust_env=False, timeout=120)
        return asked.status_code

    with ThreadPoolExecutor(6) as people:
        previews = [people.submit(previewed, number) for number in range(6)]
        time.sleep(0.5)  # they are on their way
        form: dict[str, Any] = {
            "files": {"file": ("note.txt", "Retraites\n\nLa réforme est adoptée.".encode())},
            "data": {"metadata": json.dumps({"post": "berlin", "date": "2026-03-04"})},
        }
        answer = target.client.post("/api/v1/notes", headers=post, **form)
        done = sum(preview.done() for preview in previews)
        assert answer.status_code == 202, answer.text
        assert done <= 2, "it went before those that were waiting"
        assert {preview.result() for preview in previews} <= {200, 503}


def slow_pdf() -> bytes:
    """A PDF of 700 bytes, a line of text 5,000 times in one place: some seconds to read."""
    content = zlib.compress(b"BT /F1 8 Tf 20 800 Td " + b"(abc)Tj " * 5_000 + b" ET", 9)
    return pdf_of(
        [
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 5 0 R"
            b"/Resources<</Font<</F1 4 0 R>>>>>>",
            b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
            stream(content, b"/Filter/FlateDecode"),
        ]
    )
