"""How a note begins, for lists and feeds: its own text, not what stands above it."""

import re
import unicodedata

from services.runtime.parts import Kind, Part, parts
from services.search.markup import headless, plain

EXCERPT_CHARACTERS = 300
"""Two to three lines on a page of results, one paragraph in a feed reader."""

_LOOKED_THROUGH = 5_000
"""Characters of a text in which its beginning is looked for, what is passed over not counted."""

_ASIDE = frozenset(Kind) - {Kind.ANNEX}
_QUOTED_ALONE = _ASIDE - {Kind.QUOTED, Kind.COVER}
_WORD = re.compile(r"[^\W_]")


def excerpt(subject: str, body: str, most: int = EXCERPT_CHARACTERS) -> str:
    """The beginning of a text on one line, cut at a word and then ended with an ellipsis.

    Letterhead, quoted mail, menus, signature and contents are passed over, and so are headings and
    a title that repeats the subject; a text that has nothing else begins with them.
    """
    found = parts(body)
    for left_out in (_ASIDE, _QUOTED_ALONE, frozenset[Kind]()):
        text = _without(body, found, left_out)
        if line := _line(subject, headless(text)) or _line(subject, text):
            return _cut(line, most)
    return ""


def _without(body: str, found: tuple[Part, ...], kinds: frozenset[Kind]) -> str:
    """The beginning of a text, what stands on either side of a part left out as lines apart."""
    pieces, at, left = [], 0, _LOOKED_THROUGH
    for part in (*(part for part in found if part.kind in kinds), None):
        piece = body[at : len(body) if part is None else part.start][:left]
        pieces.append(piece.strip())
        left -= len(pieces[-1])
        at = len(body) if part is None else part.end
    return "\n".join(pieces)


def _line(subject: str, text: str) -> str:
    """The text's lines in one, those without a word left out."""
    lines = [" ".join(line.split()) for line in plain(text).splitlines() if _WORD.search(line)]
    if len(lines) > 1 and _folded(lines[0]) == _folded(subject):
        del lines[0]
    return " ".join(lines)


def _folded(text: str) -> str:
    """The letters and figures of a text, without accents and capitals."""
    parted = unicodedata.normalize("NFKD", plain(text).casefold())
    return "".join(filter(str.isalnum, parted))


def _cut(line: str, most: int) -> str:
    if len(line) <= most:
        return line
    cut = line[: most - 1]
    if not line[most - 1 : most].isspace():
        cut = cut.rpartition(" ")[0] or cut
    return cut.rstrip(" ,;:") + "…"
