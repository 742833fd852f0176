"""Attacks tried on running deployments, and what each got (docs/security.md).

On the embedded server and, live, on each service of the distributed deployment: a test asks the
routes that its target answers.
"""

import contextlib
import itertools
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
from services.runtime.settings import Settings
from tests.security.conftest import Target, searching
from tests.security.routes import OPEN, STARTS_A_RUN, filled

SEARCH = "/api/v1/search"


def bearer(secret: object) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def raw(target: Target, request: bytes, source: str = "127.0.0.1") -> bytes:
    """What the server answers to these bytes, on a connection of their own from that address."""
    there, here = ("127.0.0.1", target.port), (source, 0)
    with socket.create_connection(there, timeout=30, source_address=here) as connection:
        connection.sendall(request)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(65536):
                answer += part
        return answer


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def asked(target: Target, line: bytes, *headers: str, source: str = "127.0.0.1") -> bytes:
    """The answer to a request written by hand."""
    head = "".join(f"{header}\r\n" for header in (*headers, "Connection: close"))
    request = line + b" HTTP/1.1\r\nHost: localhost\r\n" + head.encode() + b"\r\n"
    return raw(target, request, source)


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
    method, path = target.open_to_readers
    for wrong in (
        expired, revoked, mixed, keys.new(), str(good)[:-1], f"{good}A", str(good).upper(),
        f"{good}, {other}", "null", "undefined", "' OR 1=1 --", "A" * 4_000,
    ):  # fmt: skip
        answer = target.client.request(method, path, headers=bearer(wrong))
        assert answer.status_code == 401, wrong
    for scheme in ("Token", "Negotiate", "Bearer:", "Digest", "Valise"):
        shown = {"Authorization": f"{scheme} {good}"}
        assert target.client.request(method, path, headers=shown).status_code == 401, scheme
    found = target.client.request(method, path, headers=bearer(good)).status_code
    assert found in (200, 404, 415), "a good key: now it is a question of what is asked"


@pytest.mark.parametrize("name", ["key", "api_key", "access_token", "token", "Authorization"])
def test_a_key_in_an_address_or_in_a_cookie_is_none(target: Target, name: str) -> None:
    key = target.key("all")["Authorization"].split()[1]
    ask = target.client.request
    method, path = target.open_to_readers
    assert ask(method, path, params={name: key}).status_code == 401
    assert ask(method, path, headers={"Cookie": f"{name}={key}"}).status_code == 401


def test_two_keys_in_one_request_do_not_add_up(target: Target) -> None:
    keys_of = {"foreign": bearer(keys.new())} | {
        who: target.key(who) for who in ("submit", "read", "administer")
    }
    asked_for = 0
    for route, admitted in target.admits.items():
        method, path = route.split()
        for pair in itertools.permutations(keys_of, 2):
            if admitted == OPEN or set(pair) & set(admitted.split()):
                continue
            both = [f"Authorization: {keys_of[who]['Authorization']}" for who in pair]
            answer = asked(target, f"{method} {filled(path)}".encode(), *both)
            assert status_of(answer) in (400, 401, 403), (route, pair)
            asked_for += 1
    assert asked_for


@searching
def test_how_long_an_answer_takes_does_not_tell_a_known_label(target: Target) -> None:
    """Measured here in the large only: no difference that a network would show."""
    good = keys.parse(target.key("read")["Authorization"].split()[1])
    assert good is not None
    method, path = target.open_to_readers
    target.client.request(method, path, headers=bearer(good))
    taken: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(40):
        for known in (True, False):
            label = good.label if known else secrets.token_hex(8)
            header = bearer(keys.Secret(label, secrets.token_urlsafe(32)))
            began = time.perf_counter()
            assert target.client.request(method, path, headers=header).status_code == 401
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
    for route, admitted in target.admits.items():
        method, path = route.split()
        if who in admitted.split():
            continue
        answer = target.client.request(method, filled(path), headers=key | trick)
        assert answer.status_code == (401 if who == "none" else 403), route
        assert "access-control-allow-origin" not in answer.headers


def test_a_name_that_is_not_the_services_gets_nothing(target: Target) -> None:
    """The embedded server knows its names; the services know their proxy, and take none over."""
    key = target.key("all")
    method, path = target.open_to_readers
    for host in ("mandragore.example", "127.0.0.1.mandragore.example", "localhost@x", ""):
        answer = target.client.request(method, path, headers=key | {"Host": host})
        if target.name == "embedded":
            assert answer.status_code == 400, host
        assert "mandragore" not in answer.text + str(answer.headers)


@searching
def test_no_name_that_a_request_claims_gets_into_an_answer(target: Target) -> None:
    key = target.key("all")
    claimed = [{"X-Forwarded-Host": "mandragore.example"}, {"Forwarded": "host=mandragore.example"}]
    if target.name != "embedded":
        claimed.append({"Host": "mandragore.example"})
    for header in claimed:
        for path in ("/feeds/all.atom", "/feeds/all.json", "/", "/fils", SEARCH, "/connexion"):
            answer = target.client.get(path, headers=key | header)
            assert answer.status_code == 200, (path, header)
            assert "mandragore" not in answer.text + str(answer.headers), (path, header)
        link = target.client.post("/api/v1/sign-in-links", headers=key | header)
        assert "mandragore" not in link.text


def test_a_method_that_is_none_of_a_routes_does_nothing(target: Target) -> None:
    paths = {filled(route.split()[1]) for route in target.admits}
    for who in ("none", "all"):
        key = target.key(who)
        for method in ("TRACE", "OPTIONS", "PATCH", "CONNECT", "PROPFIND", "BREW"):
            for path in paths:
                line = f"{method} {path}".encode()
                header = [f"{name}: {value}" for name, value in key.items()]
                answer = asked(target, line, *header, "X-Mark: mandragore")
                assert status_of(answer) in (400, 404, 405), (method, path)
                assert b"mandragore" not in answer


def test_another_site_is_not_let_in_by_a_preflight(target: Target) -> None:
    for route in target.admits:
        method, path = route.split()
        answer = target.client.options(
            filled(path),
            headers={
                "Origin": "https://ailleurs.example",
                "Access-Control-Request-Method": method,
                "Access-Control-Request-Headers": "authorization,content-type",
            },
        )
        assert answer.status_code == 405, route
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
    for route, admitted in target.admits.items():
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

TAKE_JSON = ("/api/v1/keys", "/api/v1/notes", "/api/v1/preview")
ORDER_TOO_LARGE = 200_000
TOO_LARGE = {"POST /api/v1/keys": ORDER_TOO_LARGE} | {
    f"POST /api/v1/{path}": Settings().max_body_bytes + 1 for path in ("notes", "preview")
}
"""Bytes that each of these refuses."""


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
def test_json_that_is_none_is_refused(target: Target, content: bytes) -> None:
    key = target.key("all") | {"Content-Type": "application/json"}
    paths = [path for path in TAKE_JSON if f"POST {path}" in target.admits]
    assert paths
    for path in paths:
        answer = target.client.post(path, content=content, headers=key)
        assert answer.status_code in (400, 422), answer.text
        assert len(answer.content) < 20_000


def test_a_body_beyond_its_size_is_refused_to_whoever_sends_it(target: Target) -> None:
    mine = {route: size for route, size in TOO_LARGE.items() if route in target.admits}
    assert mine
    for route, size in mine.items():
        path = filled(route.split()[1])
        for who in ("none", "all"):
            key = target.key(who) | {"Content-Type": "application/json"}
            answer = target.client.post(path, content=b" " * size, headers=key)
            # A route that counts the body itself asks first who sends it.
            allowed = {413} if who == "all" or size == ORDER_TOO_LARGE else {401, 413}
            assert answer.status_code in allowed, (route, who)


def test_an_address_beyond_its_size_is_refused(target: Target) -> None:
    key = target.key("read")
    method, path = target.open_to_readers
    for query, status in (("q=" + "a" * 20_000, 414), ("q&" * 5_000, 422)):
        answer = target.client.request(method, f"{path}?{query}", headers=key)
        assert answer.status_code == status
        assert len(answer.content) < 20_000


@searching
def test_parameters_by_hundreds_are_refused(target: Target) -> None:
    answer = target.client.get(f"{SEARCH}?{'theme=x&' * 900}", headers=target.key("read"))
    assert answer.status_code == 422
    assert len(answer.content) < 20_000


def test_headers_beyond_their_size_are_refused(target: Target) -> None:
    answer = asked(target, b"GET /health/live", *[f"X-{at}: {'a' * 900}" for at in range(200)])
    assert not answer or status_of(answer) == 431


# Between two callers


@searching
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
        for route in target.admits:
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
    mine = [filled(route.split()[1]) for route in target.admits if route.startswith("GET")]
    shown: list[dict[str, Any]] = [key, {}, bearer(foreign), {"Cookie": f"session={word}"}]
    for header in shown:
        everywhere = mine if header is key else []
        for path in ["/nulle-part", SEARCH, "/", "/feeds/search.atom", *everywhere]:
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
