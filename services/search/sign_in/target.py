"""Where somebody goes after signing in: a page of this service, and nowhere else."""

import re
from urllib.parse import quote

from fastapi import Request

SIGN_IN = "/connexion"
SIGN_OUT = "/deconnexion"
PROCONNECT = "/connexion/proconnect"
HOME = "/"

MAX_LENGTH = 1_000
"""With all of it percent-encoded once more, the sign-in form still fits (`forgery.FORM_BYTES`)."""
_LOCAL = re.compile(r"/(?:[!-.0-\[\]-~][!-\[\]-~]*)?", re.ASCII)
"""A path and what follows it: printable ASCII, no backslash, not two slashes at the beginning
(browsers read `//host` and `/\\host` as another host)."""


def checked(given: str | None) -> str:
    """The target, if it is a page of this service; else the first page."""
    if given is None or len(given) > MAX_LENGTH or not _LOCAL.fullmatch(given):
        return HOME
    return HOME if given.startswith((SIGN_IN, SIGN_OUT)) else given


def sign_in_address(request: Request) -> str:
    """The sign-in page, from which one comes back to the page that was asked for."""
    page = request.method in ("GET", "HEAD")
    target = checked(str(request.url.replace(scheme="", netloc="")) if page else None)
    return SIGN_IN if target == HOME else f"{SIGN_IN}?suite={quote(target, safe='/')}"


def ticket_address(base: str, ticket: str) -> str:
    """The address that opens the pages with a ticket; `base` without a slash at its end."""
    return f"{base.rstrip('/')}{SIGN_IN}?billet={ticket}"
