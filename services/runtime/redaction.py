"""Secrets taken out of what people typed, before it is kept or logged.

A key pasted in the wrong place (a search box, an address, a comment) must not lie in the journal,
in a backup or in a log. Known by their form: API keys, the secrets of sessions and of links that
sign in (43 characters at random), and tokens of identity providers (JWT).
"""

import re
from itertools import pairwise
from urllib.parse import quote, unquote

KEY_HIDDEN = "valise_…"
HIDDEN = "…"

SECRET_LENGTH = 43
"""Characters of a secret: 256 bits in base64url."""
LEAST = 32
"""Characters in a row from which a part of one is hidden too: 192 of its bits."""
CHANGES = 1 / 3
"""Of neighbours in such a row, letters and digits alone, how many change between capitals, small
letters and digits. At random 0.62 do, and fewer than a third once in 10,000 secrets; in names of
files with capitals and dates 0.2 do."""
MOST_TURNS = 5
"""Times that percent-encoding is looked through: twice is what happens."""

_GAP = r"[\s\u00ad\u200b-\u200f\u2060\ufeff]*"
"""What pasting puts between two signs: spaces and line ends, invisible signs."""
_BETWEEN = rf"(?:{_GAP}[_-])*{_GAP}"
_KEY = re.compile(
    _GAP.join("valise")
    + _BETWEEN
    + _GAP.join(["[0-9a-f]"] * 16)
    + _BETWEEN
    + rf"[a-z0-9_-](?:{_GAP}[a-z0-9_-]){{0,{SECRET_LENGTH - 1}}}[a-z0-9_-]*",
    re.IGNORECASE | re.ASCII,
)
_JWT = re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]*){1,4}", re.ASCII)
_PLAIN = "!$&'()*+,;=:@/?"
"""Signs of an address that stay as they are where its secrets are taken out."""
_ROW = re.compile(rf"[A-Za-z0-9_-]{{{LEAST},}}", re.ASCII)


def redacted(text: str) -> str:
    """The text without its secrets, also where they are percent-encoded."""
    written = [text]
    while "%" in written[-1] and len(written) <= MOST_TURNS:
        written.append(unquote(written[-1]))
    # The innermost first: of a secret that is partly encoded the outer text shows a part only.
    for turns, each in reversed(list(enumerate(written))):
        found = _hidden(each)
        if found != each:
            plain = _hidden(text)
            return plain if _decoded(plain, turns) == found else _encoded(found)
    return text


def _decoded(text: str, turns: int) -> str:
    for _ in range(turns):
        text = unquote(text)
    return text


def _encoded(text: str) -> str:
    return HIDDEN.join(quote(part, safe=_PLAIN) for part in text.split(HIDDEN))


def _hidden(text: str) -> str:
    text = _KEY.sub(KEY_HIDDEN, text)
    text = _JWT.sub(HIDDEN, text)
    return _ROW.sub(lambda row: HIDDEN if _at_random(row[0]) else row[0], text)


def _at_random(row: str) -> bool:
    """Whether these letters and digits are a secret rather than words or a number."""
    kinds = [_kind(sign) for sign in row if sign.isalnum()]
    if "upper" not in kinds or "lower" not in kinds:
        return False  # a hash, an id, words joined by hyphens
    changes = sum(one != other for one, other in pairwise(kinds))
    return changes >= CHANGES * (len(kinds) - 1)


def _kind(sign: str) -> str:
    if sign.isdigit():
        return "digit"
    return "upper" if sign.isupper() else "lower"
