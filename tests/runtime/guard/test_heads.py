"""What of a head is parsed, and what is refused before."""

import pytest

from services.runtime.guard.heads import (
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    MAX_HEADERS_BYTES,
    MAX_TARGET_BYTES,
    Headers,
    refusal_of,
    without_quoted_cookies,
)

USUAL = b"""GET /?q=retraites HTTP/1.1\r
Host: valise.example.gouv.fr\r
Authorization: Bearer valise_0123456789abcdef_0123456789012345678901234567890123456789012\r
traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r
X-Forwarded-For: 10.0.0.1, 10.0.0.2, 2001:db8::1\r
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r
"""
LINE = b"GET / HTTP/1.1\r\n"
LONGEST = b"X: " + b"a" * (MAX_HEADER_BYTES - 4)


def head(*headers: bytes, first: bytes = LINE) -> bytes:
    return first + b"".join(header + b"\r\n" for header in headers) + b"\r\n"


@pytest.mark.parametrize(
    "received",
    [
        USUAL + b"\r\n",
        USUAL + b"Cookie: a=b",  # the rest is on its way
        USUAL + b"\r\n" + b"\n" * 100_000,  # a body
        USUAL.replace(b"\r\n", b"\n") + b"\n",
        head(LONGEST),
        head(LONGEST, LONGEST[:-200]),
        head(*[b"X: a"] * (MAX_HEADERS - 1)),
        head(first=b"GET /?" + b"a" * (MAX_TARGET_BYTES - 20) + b" HTTP/1.1\r\n"),
        b"",
    ],
)
def test_what_people_and_programs_send_is_parsed(received: bytes) -> None:
    assert refusal_of(received) is None


@pytest.mark.parametrize(
    ("received", "status"),
    [
        (head(LONGEST + b"aa"), 431),
        (LINE + LONGEST + b"aa", 431),
        (head(b'Cookie: x="' + b"\\0" * 31_000 + b'"'), 431),
        (head(b"X: a", b" " + b"b" * 5_000, b"\t" + b"c" * 5_000), 431),
        (head(LONGEST, LONGEST, LONGEST), 431),
        (LINE + (LONGEST[:1_000] + b"\r\n") * (MAX_HEADERS_BYTES // 1_000 + 1), 431),
        (head(*[b"X: a"] * (MAX_HEADERS + 1)), 431),
        (LINE + b"a:\r\n" * 60_000, 431),
        (head(first=b"GET /?" + b"a" * MAX_TARGET_BYTES + b" HTTP/1.1\r\n"), 414),
        (b"GET /?" + b"a" * MAX_TARGET_BYTES, 414),
        (b"a" * 250_000, 414),
    ],
)
def test_what_is_too_large_is_not(received: bytes, status: int) -> None:
    assert refusal_of(received) == status


def test_cookies_that_no_browser_sends_are_left_out() -> None:
    name = b"cookie"
    same: Headers = [(name, b"valise=abc; other=d%5c"), (b"x", b"\\")]
    assert without_quoted_cookies(same) is same
    mixed = [(name, b'a="\\0\\0"; valise=abc; b=c\\'), (b"x", b"\\"), (name, b"d=\\")]
    assert without_quoted_cookies(mixed) == [
        (name, b" valise=abc"),
        (b"x", b"\\"),
        (name, b""),
    ]
