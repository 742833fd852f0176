"""What callers gave, as the journal keeps it: nothing vanishes, nothing acts on who reads it.

Controls, signs of direction, signs that cannot be seen and separators of lines are percent-encoded;
secrets are taken out (`redaction`).
"""

from typing import Any
from urllib.parse import quote

from starlette.types import Scope

from services.runtime.redaction import redacted
from services.runtime.registry.chain import Detail
from services.runtime.visible import unseen


def given(text: str) -> str:
    """A text that somebody typed, as it is kept."""
    return encoded(redacted(text))


def encoded(text: str) -> str:
    """A text with what cannot be seen in it percent-encoded."""
    if text.isprintable():
        return text
    return "".join(quote(sign, errors="surrogatepass") if unseen(sign) else sign for sign in text)


def given_detail(value: Any) -> Detail:
    """A value of an entry's details as it is kept, whatever texts it holds."""
    if isinstance(value, str):
        return given(value)
    if isinstance(value, list | tuple):
        return [given(each) if isinstance(each, str) else each for each in value]
    kept: Detail = value
    return kept


def address_of(scope: Scope) -> str:
    """The path that was asked for as it was sent, without its query, as far as it is looked at."""
    sent: bytes | None = scope.get("raw_path")
    if sent is None:
        return given(quote(scope["path"][:MOST_LOOKED_AT]))
    # Bytes that are no ASCII have no business there: as percent-encoded as they should have been.
    return given(quote(sent[:MOST_LOOKED_AT], safe=_OF_A_PATH))


MOST_LOOKED_AT = 1_000
"""Characters of a path in which secrets are looked for: a key that is percent-encoded five times
has 740. Of 4,000 the search took up to 10 ms, whoever asked."""

_OF_A_PATH = "".join(map(chr, range(0x21, 0x7F)))
