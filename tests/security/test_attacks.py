"""Attacks tried on a running deployment, and what each got (docs/security.md)."""

import contextlib
import json
import secrets
import socket
import statistics
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from schemas.access import KeyOrder, Rights, Role
from services.runtime.access import keys
from services.runtime.guard.headers import ALWAYS
from tests.security.conftest import Target, unknown_id
from tests.security.test_routes import ADMITS, STARTS_A_RUN, filled

SEARCH = "/api/v1/search"
ME = "/api/v1/me"


def bearer(secret: object) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def raw(target: Target, request: bytes) -> bytes:
    """What the server answers to these bytes, on a connection of their own."""
    with socket.create_connection(("127.0.0.1", target.port), timeout=30) as connection:
        connection.sendall(request)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(65536):
                answer += part
        return answer


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def asked(target: Target, line: bytes, *headers: str) -> bytes:
    """The answer to a request written by hand."""
    head = "".join(f"{header}\r\n" for header in (*headers, "Connection: close"))
    return raw(target, line + b" HTTP/1.1\r\nHost: localhost\r\n" + head.encode() + b"\r\n")


# Keys


def test_keys_that_are_over_foreign_or_none_open_nothing(target: Target) -> None:
    now = datetime.now(UTC)

    def made(ends: datetime | None = None) -> tuple[keys.Secret, int]:
        secret = keys.new()
        order = KeyOrder(name="attaque", rights=Rights(roles={Role.READ}), expires_at=ends)
        view = target.registry.add_key(order, secret.label, secret.hash, now)
        return secret, view.number

    expired, _ = made(now - timedelta(seconds=1))
    revoked, number = made()
    target.registry.end_key(number, now, revoked=True)
    good, _ = made()
    other, _ = made()
    mixed = keys.Secret(good.label, other.secret)
    for wrong in (
        expired, revoked, mixed, keys.new(), str(good)[:-1], f"{good}A", str(good).upper(),
        f"{good}, {other}", "null", "undefined", "' OR 1=1 --", "A" * 4_000,
    ):  # fmt: skip
        assert target.client.get(SEARCH, headers=bearer(wrong)).status_code == 401, wrong
    for scheme in ("Token", "Negotiate", "Bearer:", "Digest", "Valise"):
        shown = {"Authorization": f"{scheme} {good}"}
        assert target.client.get(SEARCH, headers=shown).status_code == 401, scheme
    assert target.client.get(SEARCH, headers=bearer(good)).status_code == 200


@pytest.mark.parametrize("name", ["key", "api_key", "access_token", "token", "Authorization"])
def test_a_key_in_an_address_or_in_a_cookie_is_none(target: Target, name: str) -> None:
    key = target.key("all")["Authorization"].split()[1]
    assert target.client.get(ME, params={name: key}).status_code == 401
    assert target.client.get(ME, headers={"Cookie": f"{name}={key}"}).status_code == 401


def test_two_keys_in_one_request_do_not_add_up(target: Target) -> None:
    nobody, reader = bearer(keys.new()), target.key("read")
    lines = [f"Authorization: {one['Authorization']}" for one in (nobody, reader)]
    for order in (lines, lines[::-1]):
        answer = asked(target, b"GET /api/v1/keys", *order)
        assert status_of(answer) in (400, 401, 403)
    submits, administers = target.key("submit"), target.key("administer")
    both = [f"Authorization: {one['Authorization']}" for one in (submits, administers)]
    found = [status_of(asked(target, b"GET /api/v1/search", *one)) for one in (both, both[::-1])]
    assert set(found) <= {400, 401, 403}


def test_how_long_an_answer_takes_does_not_tell_a_known_label(target: Target) -> None:
    """Measured here in the large only: no difference that a network would show."""
    good = keys.parse(target.key("read")["Authorization"].split()[1])
    assert good is not None
    target.client.get(ME, headers=bearer(good))
    taken: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(40):
        for known in (True, False):
            label = good.label if known else secrets.token_hex(8)
            header = bearer(keys.Secret(label, secrets.token_urlsafe(32)))
            began = time.perf_counter()
            assert target.client.get(ME, headers=header).status_code == 401
            taken[known].append(time.perf_counter() - began)
    medians = {known: 1000 * statistics.median(times) for known, times in taken.items()}
    print(f"401 after {medians[True]:.2f} ms with a known label, {medians[False]:.2f} ms without")


# Headers

TRICKS: list[dict[str, str]] = [
    {"X-Forwarded-For": "127.0.0.1"},
    {"X-Real-IP": "127.0.0.1"},
    {"Forwarded": "for=127.0.0.1;host=localhost;proto=https"},
    {"X-Original-URL": "/health/live"},
    {"X-Rewrite-URL": "/health/live"},
    {"X-HTTP-Method-Override": "HEAD"},
    {"X-Method-Override": "OPTIONS"},
    {"X-Forwarded-Host": "ailleurs.example"},
    {"X-Forwarded-Prefix": "/health"},
    {"X-User": "admin", "X-Remote-User": "admin", "Remote-User": "admin"},
    {"Origin": "https://ailleurs.example", "Sec-Fetch-Mode": "cors"},
    {"Content-Type": "application/x-www-form-urlencoded"},
    {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"},
]


@pytest.mark.parametrize("trick", TRICKS, ids=lambda trick: next(iter(trick)))
@pytest.mark.parametrize("who", ["none", "read"])
def test_no_header_opens_a_door(target: Target, trick: dict[str, str], who: str) -> None:
    key = target.key(who)
    for route, admitted in ADMITS.items():
        method, path = route.split()
        if who in admitted.split():
            continue
        answer = target.client.request(method, filled(path), headers=key | trick)
        assert answer.status_code == (401 if who == "none" else 403), route
        assert "access-control-allow-origin" not in answer.headers


def test_a_name_that_is_not_the_services_gets_nothing(target: Target) -> None:
    key = target.key("all")
    for host in ("ailleurs.example", "127.0.0.1.ailleurs.example", "localhost@x", ""):
        answer = target.client.get(ME, headers=key | {"Host": host})
        assert answer.status_code == 400, host
    forwarded = {"X-Forwarded-Host": "ailleurs.example"}
    feed = target.client.get("/feeds/all.atom", headers=key | forwarded)
    assert "ailleurs" not in feed.text


def test_a_method_that_is_none_of_a_routes_does_nothing(target: Target) -> None:
    for who in ("none", "all"):
        key = target.key(who)
        for method in ("TRACE", "OPTIONS", "PATCH", "CONNECT", "PROPFIND", "BREW"):
            for path in (SEARCH, "/api/v1/keys", "/", "/health/live"):
                line = f"{method} {path}".encode()
                header = [f"{name}: {value}" for name, value in key.items()]
                answer = asked(target, line, *header, "X-Mark: mandragore")
                assert status_of(answer) in (400, 404, 405), (method, path)
                assert b"mandragore" not in answer


def test_another_site_is_not_let_in_by_a_preflight(target: Target) -> None:
    answer = target.client.options(
        "/api/v1/notes",
        headers={
            "Origin": "https://ailleurs.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        },
    )
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control-")]


# Paths


def disguised(path: str) -> list[str]:
    """The path, written otherwise."""
    first, *rest = path.lstrip("/").split("/")
    tail = "/".join(rest)
    return [
        f"/{path}", f"/.{path}", f"/x/..{path}", f"/%2e%2e{path}", f"{path}/", f"{path}//",
        f"{path};x=1", f"{path}%00", f"{path}%20", f"{path}.json", f"/{first}%2f{tail}",
        f"/{first.upper()}/{tail}", f"/{first}/./{tail}", f"/{first}//{tail}", f"{path}%3f",
        f"/health/live/..{path}", f"/health/live%2f..{path}", f"/static/..{path}",
        f"/%61pi{path.removeprefix('/api')}", f"{path}%0d%0aX-Mark:%20mandragore", f"{path}?",
    ]  # fmt: skip


@pytest.mark.parametrize("who", ["none", "submit", "read", "administer"])
def test_no_way_of_writing_a_path_gets_around_its_door(target: Target, who: str) -> None:
    header = [f"{name}: {value}" for name, value in target.key(who).items()]
    for route, admitted in ADMITS.items():
        method, path = route.split()
        if method == "HEAD" or who in admitted.split() or route in STARTS_A_RUN:
            continue
        for way in disguised(filled(path)):
            answer = asked(target, f"{method} {way}".encode(), *header)
            # Another route may stand there (a page for a path with two slashes): one that this
            # caller may ask has nothing of the one that it may not.
            assert status_of(answer) in (307, 400, 401, 403, 404, 405), (route, way, answer[:300])
            if status_of(answer) == 307:
                assert b"location: http://localhost/" in answer.lower(), (way, answer[:300])
            assert b"mandragore" not in answer.split(b"\r\n\r\n")[0], way


def test_no_file_of_the_machine_is_served(target: Target) -> None:
    for name in (
        "../app.py",
        "..%2f..%2fembedded.py",
        "%2fetc%2fpasswd",
        "....//x",
        "valise.css%00",
    ):
        answer = asked(target, f"GET /static/{name}".encode())
        assert status_of(answer) == 404, name


# Bodies and parameters


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 60_000,
        b'{"a":' * 12_000,
        b'{"name": ' + b"1" * 50_000 + b"}",
        b'{"name": "\\ud800"}',
        b'{"name": "a", "name": "b"}',
        b'{"name": NaN}',
        b"\xff\xfe\x00",
        b'"\x00"',
        b"",
    ],
    ids=["nested lists", "nested objects", "huge number", "surrogate", "twice", "NaN", "not UTF-8",
         "NUL", "empty"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/api/v1/keys", "/api/v1/notes", "/api/v1/preview"])
def test_json_that_is_none_is_refused(target: Target, path: str, content: bytes) -> None:
    key = target.key("all") | {"Content-Type": "application/json"}
    answer = target.client.post(path, content=content, headers=key)
    assert answer.status_code in (400, 422), answer.text
    assert len(answer.content) < 20_000


def test_a_body_beyond_its_size_is_refused_to_whoever_sends_it(target: Target) -> None:
    for who, status in (("none", 413), ("all", 413)):
        key = target.key(who) | {"Content-Type": "application/json"}
        answer = target.client.post("/api/v1/keys", content=b" " * 200_000, headers=key)
        assert answer.status_code == status


def test_parameters_by_thousands_are_refused(target: Target) -> None:
    key = target.key("read")
    for query, status in (("q&" * 5_000, 422), ("q=" + "a" * 20_000, 414), ("theme=x&" * 900, 422)):
        answer = target.client.get(f"{SEARCH}?{query}", headers=key)
        assert answer.status_code == status
        assert len(answer.content) < 20_000


def test_headers_beyond_their_size_are_refused(target: Target) -> None:
    answer = asked(target, b"GET /health/live", *[f"X-{at}: {'a' * 900}" for at in range(200)])
    assert not answer or status_of(answer) == 400


# Between two callers


def test_what_one_caller_got_is_not_what_another_one_may(target: Target) -> None:
    reader, post = target.key("read"), target.key("submit")
    foreign = target.ids[1]
    for path in (f"/api/v1/notes/{foreign}", f"/notes/{foreign}"):
        first = target.client.get(path, headers=reader)
        assert first.status_code == 200
        assert "private" in first.headers["Cache-Control"]
        assert {"authorization", "cookie"} <= {
            name.strip().lower() for name in first.headers["Vary"].split(",")
        }
        tag = first.headers.get("ETag", "*")
        for given in (tag, "*", f"W/{tag}"):
            again = target.client.get(path, headers=post | {"If-None-Match": given})
            assert again.status_code == 404, "not even that it has not changed"
    for path in ("/feeds/all.atom", "/feeds/all.json"):
        first = target.client.get(path, headers=reader)
        kept = {"If-None-Match": first.headers["ETag"]}
        assert target.client.get(path, headers=reader | kept).status_code == 304
        assert target.client.get(path, headers=post | kept).status_code == 403
        assert target.client.get(path, headers=kept).status_code == 401


def test_every_answer_carries_the_headers_and_none_names_its_software(target: Target) -> None:
    for who in ("none", "all"):
        key = target.key(who)
        for route in ADMITS:
            if route in STARTS_A_RUN and who == "all":
                continue
            method, path = route.split()
            answer = target.client.request(method, filled(path), headers=key)
            missing = [name for name in ALWAYS if name not in answer.headers]
            assert not missing, (route, missing)
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"] or (
                "sandbox" in answer.headers["Content-Security-Policy"]
            )
            assert "'unsafe" not in answer.headers["Content-Security-Policy"]
            assert not {"server", "x-powered-by"} & set(answer.headers)
            if "public" not in answer.headers["Cache-Control"]:
                assert "Authorization" in answer.headers["Vary"]


# What is written down


def test_no_key_cookie_or_word_of_a_search_gets_into_the_log(target: Target) -> None:
    key, word = target.key("all"), f"zizanie{secrets.token_hex(4)}"
    foreign = keys.new()
    shown: list[dict[str, Any]] = [key, {}, bearer(foreign), {"Cookie": f"session={word}"}]
    for header in shown:
        for path in (SEARCH, "/", "/feeds/search.atom", "/nulle-part", f"/notes/{unknown_id()}"):
            with contextlib.suppress(httpx.HTTPError):
                target.client.get(path, params={"q": word, "cursor": word}, headers=header)
        order = {"name": word, "rights": {"roles": ["roi"]}}
        target.client.post("/api/v1/keys", json=order, headers=header)
        target.client.post("/api/v1/preview", json={"subject": word, "body": word}, headers=header)
        line = json.dumps({"subject": word}).encode()
        target.client.post("/api/v1/notes", content=line, headers=header)
    raw(target, f"GET /?q={word} HTTP/9\r\n{word}\r\n\r\n".encode())
    log = target.deployment.logs()
    assert word not in log
    own = keys.parse(key["Authorization"].removeprefix("Bearer "))
    assert own is not None
    for secret in (own.secret, foreign.secret):
        assert secret not in log
