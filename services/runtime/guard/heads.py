"""The head of a request, bounded before anything parses it: its address, its headers, its cookies.

Parsers of headers are many (the framework's, those of the standard library) and not all of them are
linear: http.cookies of Python 3.11.9 takes 6 s for 62 KB (CVE-2024-7592).
"""

import re

Headers = list[tuple[bytes, bytes]]

MAX_TARGET_BYTES = 24 * 1024
"""Of the first line: the longest query (`limits.MAX_QUERY_BYTES`, 16 KiB) and a path."""
MAX_HEADER_BYTES = 8 * 1024
"""Of one header, as Apache and nginx have it. A browser's cookie has 4 KB at most, ours 2 KB; a key
has 72 bytes, a trace 55, a chain of ten proxies in X-Forwarded-For 400."""
MAX_HEADERS_BYTES = 16 * 1024
"""Of all headers, as Node.js has it: a browser behind a proxy sends 2 KB, with the cookies of all
sites of its domain twice or four times that."""
MAX_HEADERS = 100
"""As Apache has it; a browser behind a proxy sends 25."""

MAX_HEAD_BYTES = MAX_TARGET_BYTES + MAX_HEADERS_BYTES

_END = re.compile(rb"\n\r?\n")


def refusal_of(received: bytes) -> int | None:
    """Why a head is not parsed: 414 (its address is too long), 431 (its headers are); None: it is.

    `received` is the head as far as it has come, and whatever came behind it.
    """
    if len(received) <= MAX_HEADER_BYTES and received.count(b"\n") <= MAX_HEADERS:
        return None
    end = _END.search(received, 0, MAX_HEAD_BYTES + 2)
    head = received[: end.start() if end else MAX_HEAD_BYTES + 1]
    target, _, headers = head.partition(b"\n")
    if len(target) > MAX_TARGET_BYTES:
        return 414
    return 431 if _too_large(headers) else None


def _too_large(headers: bytes) -> bool:
    lines = headers.split(b"\n", MAX_HEADERS)
    if len(headers) > MAX_HEADERS_BYTES or len(lines) > MAX_HEADERS:
        return True
    length = 0
    for line in lines:
        # A line that begins with white space goes on with the header before.
        length = len(line) + (length if line[:1] in (b" ", b"\t") else 0)
        if length > MAX_HEADER_BYTES:
            return True
    return False


def without_quoted_cookies(headers: Headers) -> Headers:
    """The headers of a request without cookies that hold a backslash, of which no browser's cookie
    is made (RFC 6265, section 4.1.1): the framework parses cookies of every request, and undoes
    backslashes by http.cookies."""
    for name, value in headers:
        if name == b"cookie" and b"\\" in value:
            return [(each, _plain(its) if each == b"cookie" else its) for each, its in headers]
    return headers


def _plain(cookies: bytes) -> bytes:
    return b";".join(one for one in cookies.split(b";") if b"\\" not in one)
