"""Requests that a page elsewhere has a browser send: told apart from those of our own pages.

A browser adds its cookies to either kind. So a cookie alone changes nothing: the request also says
where it comes from, and bears a token that only our pages can know (OWASP, Cross-Site Request
Forgery Prevention: signed token bound to the session, and Fetch Metadata).
"""

import hmac
from base64 import urlsafe_b64encode
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

from fastapi import Request
from starlette.requests import ClientDisconnect

from services.runtime.problems import ProblemError

HEADER = "X-CSRF-Token"
FIELD = "csrf"
FORM = "application/x-www-form-urlencoded"
FORM_BYTES = 4 * 1024
"""A form of our pages holds a token, a key of 200 characters and a target of 1,000, each of at most
three bytes: 3.7 KB. Anybody may send one: 60 KB of `%` take 19 ms to parse, 4 KB 1 ms."""


def derived(secret: str, use: str) -> str:
    """A value for that use, which does not tell the secret: HMAC-SHA256, 43 characters of 64."""
    digest = hmac.digest(secret.encode(), use.encode(), sha256)
    return urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def token(secret: str) -> str:
    """What the forms of a page carry, for the browser whose cookie holds that secret."""
    return derived(secret, "csrf")


def fits(shown: str | None, secret: str) -> bool:
    """Whether that is the token for that secret's browser; takes as long whatever differs."""
    return hmac.compare_digest((shown or "").encode(), token(secret).encode())


async def check(request: Request, secret: str, public_url: str) -> None:
    """Raises ProblemError (403) unless one of our pages sent this, for that secret's browser."""
    shown = request.headers.get(HEADER) or (await form(request)).get(FIELD)
    if not (fits(shown, secret) and from_here(request, public_url)):
        raise ProblemError(
            403,
            detail="Cette demande ne vient pas d'une page de Valise ouverte par vous : rouvrez la "
            "page et recommencez.",
        )


def from_here(request: Request, public_url: str) -> bool:
    """Whether the browser says that a page of this very service sent the request."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    # Browsers leave that header out over plain http, except on the machine itself.
    public = urlsplit(public_url)
    return request.headers.get("Origin") in (
        f"{public.scheme}://{public.netloc}",
        f"{request.url.scheme}://{request.headers.get('Host', '')}",
    )


async def form(request: Request) -> dict[str, str]:
    """The fields of a small form; empty for anything else. The first of each name counts."""
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    length = request.headers.get("Content-Length", "")
    if kind != FORM or not (length.isascii() and length.isdecimal()) or len(length) > 9:
        return {}
    _check_size(int(length))
    try:
        text = (await _read(request)).decode(errors="replace")
    except ClientDisconnect:
        raise ProblemError(400, detail="L'envoi a été interrompu.") from None
    try:
        fields = parse_qs(text, keep_blank_values=True, max_num_fields=100)
    except ValueError:
        raise ProblemError(422) from None
    return {name: values[0] for name, values in fields.items()}


async def _read(request: Request) -> bytes:
    """The body, as long as it is a form's. Raises ProblemError (413), ClientDisconnect."""
    received = bytearray()
    async for part in request.stream():
        received += part
        _check_size(len(received))
    return bytes(received)


def _check_size(size: int) -> None:
    if size > FORM_BYTES:
        raise ProblemError(413)
